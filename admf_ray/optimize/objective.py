"""What a winner is: the objective, and who may win (SEMANTICS 6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from admf_ray.core.expressions import Formula
from admf_ray.optimize.pareto import pareto_front
from admf_ray.portfolio.metrics import METRICS

__all__ = ["COMPOSITES", "OBJECTIVES", "SELECTIONS", "STATUSES", "Choice", "choose", "front", "may_win", "trial_status"]

OBJECTIVES = ("sharpe", "sortino", "calmar", "total_return", "profit_factor")
"""Metrics that can be maximized; see `admf_ray.portfolio.metrics.measure`."""

COMPOSITES = {
    "composite_equities": "0.4 * sharpe + 0.3 * cagr / 0.1 + 0.2 * win_rate / 0.5 + 0.1 * total_return / trades / 0.02",
    "composite_futures": "0.5 * sharpe + 0.3 * cagr / 0.15 + 0.1 * win_rate / 0.4 + 0.1 * total_return / trades / 0.02",
    "composite_fx": "0.5 * sharpe + 0.2 * cagr / 0.05 + 0.2 * win_rate / 0.5 + 0.1 * total_return / trades / 0.005",
    "composite_crypto": "0.4 * sharpe + 0.3 * cagr / 0.4 + 0.1 * win_rate / 0.4 + 0.2 * total_return / trades / 0.05",
}
"""Weighted sums by asset class of Sharpe, growth a year, win rate and mean trade, each over what is usual there."""

SELECTIONS = ("best", "plateau", "worst_block", "top_n")
"""Which of the trials that may win does: the highest objective, the highest mean over its neighbourhood, the highest
minimum over blocks of the train span, or the best ones together; see `admf_ray.optimize.selection`."""

STATUSES = ("complete", "few_trades", "undefined", "failed", "pruned")
"""Of a trial: it may win; it made fewer than ``min_trades`` trades; its objective is no finite number; it was not
simulated to the end, and has no metrics; its study gave it up after some blocks of the train span, as
`admf_ray.optimize.pruning` says, and it has no metrics either."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a winner is chosen.

    Attributes
    ----------
    objective : str
        One of `OBJECTIVES` or `COMPOSITES`, or a formula of metrics: ``sharpe - 2 * exposure``.
    min_trades : int
        A winner has made at least so many trades.
    objectives : tuple of str
        Where there are several: metrics, `COMPOSITES` or formulas that are maximized together. A winner is then the
        best by ``objective`` of those that none is better than in all of them.
    selection : str
        One of `SELECTIONS`.
    blocks : int
        Into which a train span is cut; see `admf_ray.optimize.blocks.blocks_of`.
    top : int
        Candidates that are tested together by ``top_n``.
    """

    objective: str
    min_trades: int
    objectives: tuple[str, ...] = ()
    selection: str = "best"
    blocks: int = 4
    top: int = 5

    @property
    def formula(self) -> Formula:
        """What is maximized, as a formula of metrics.

        Raises
        ------
        ConfigError
            Where it names what is no metric.
        """
        return _formula(self.objective, "search.objective")

    @property
    def formulas(self) -> tuple[Formula, ...]:
        """All that are maximized together, at least one; errors as of `formula`."""
        return tuple(_formula(text, "search.objectives") for text in self.objectives) or (self.formula,)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that decide, in their order."""
        named = {"trades", *(name for formula in (self.formula, *self.formulas) for name in formula.names)}
        return tuple(name for name in METRICS if name in named)

    def scores(self, columns: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        """Give the objective of trials; of several NaN where one of them is no finite number.

        Parameters
        ----------
        columns : mapping of str to float64 array
            At least `metrics`.
        """
        scores = self.formula.value_for(columns)
        if not self.objectives:
            return scores
        return np.where(np.isfinite(self.values(columns)).all(axis=1), scores, np.nan)

    def values(self, columns: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        """Give all that is maximized together, shape [trial, objective]; parameters as of `scores`."""
        return np.stack([formula.value_for(columns) for formula in self.formulas], axis=1)


@cache
def _formula(objective: str, option: str) -> Formula:
    return Formula.parse(COMPOSITES.get(objective, objective), option, METRICS, "metric")


def trial_status(
    scores: npt.NDArray[np.float64], trades: npt.NDArray[np.float64], choice: Choice
) -> npt.NDArray[np.int8]:
    """Give the index into `STATUSES` of every trial.

    Parameters
    ----------
    scores, trades : float64 array
        The objective and how many trades were made, of each trial; NaN trades of one that failed.
    choice : Choice
    """
    status = np.where(trades < choice.min_trades, 1, np.where(np.isfinite(scores), 0, 2))
    return np.where(np.isnan(trades), 3, status).astype(np.int8)


def choose(metrics: npt.NDArray[np.float64], choice: Choice, most: int = 1) -> npt.NDArray[np.int64]:
    """Give the winners: the highest finite objectives with enough trades, the lowest index among equals.

    Parameters
    ----------
    metrics : float64 array, shape [candidate, len(METRICS)]
    choice : Choice
    most : int
        How many are chosen.

    Returns
    -------
    int64 array, shape [winner]
        Ascending; empty where no candidate may win: the test span is spent in cash.
    """
    eligible = may_win(metrics, choice)
    if len(eligible) <= most:
        return eligible
    scores = choice.scores(_columns(metrics, choice))[eligible]
    least = np.partition(scores, -most)[-most]
    above, equal = eligible[scores > least], eligible[scores == least]
    return np.sort(np.concatenate([above, equal[: most - len(above)]]))


def front(metrics: npt.NDArray[np.float64], choice: Choice) -> npt.NDArray[np.int64]:
    """Give the Pareto front of the candidates that may win, ascending; parameters as of `choose`."""
    eligible = may_win(metrics, choice)
    return eligible[pareto_front(choice.values(_columns(metrics, choice))[eligible])]


def may_win(metrics: npt.NDArray[np.float64], choice: Choice) -> npt.NDArray[np.int64]:
    """Give the candidates that may win, ascending; parameters as of `choose`."""
    columns = _columns(metrics, choice)
    return np.flatnonzero(trial_status(choice.scores(columns), columns["trades"], choice) == 0)


def _columns(metrics: npt.NDArray[np.float64], choice: Choice) -> dict[str, npt.NDArray[np.float64]]:
    return {name: metrics[:, METRICS.index(name)] for name in choice.metrics}
