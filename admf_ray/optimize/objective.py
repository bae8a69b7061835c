"""What a winner is: the objective, and who may win (SEMANTICS 6)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from admf_ray.core.expressions import Formula
from admf_ray.portfolio.metrics import METRICS

__all__ = ["COMPOSITES", "OBJECTIVES", "STATUSES", "Choice", "choose", "trial_status"]

OBJECTIVES = ("sharpe", "sortino", "calmar", "total_return", "profit_factor")
"""Metrics that can be maximized; see `admf_ray.portfolio.metrics.measure`."""

COMPOSITES = {
    "composite_equities": "0.4 * sharpe + 0.3 * cagr / 0.1 + 0.2 * win_rate / 0.5 + 0.1 * total_return / trades / 0.02",
    "composite_futures": "0.5 * sharpe + 0.3 * cagr / 0.15 + 0.1 * win_rate / 0.4 + 0.1 * total_return / trades / 0.02",
    "composite_fx": "0.5 * sharpe + 0.2 * cagr / 0.05 + 0.2 * win_rate / 0.5 + 0.1 * total_return / trades / 0.005",
    "composite_crypto": "0.4 * sharpe + 0.3 * cagr / 0.4 + 0.1 * win_rate / 0.4 + 0.2 * total_return / trades / 0.05",
}
"""Weighted sums by asset class of Sharpe, growth a year, win rate and mean trade, each over what is usual there."""

STATUSES = ("complete", "few_trades", "undefined", "failed")
"""Of a trial: it may win; it made fewer than ``min_trades`` trades; its objective is no finite number; it was not
simulated to the end, and has no metrics."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a winner is chosen.

    Attributes
    ----------
    objective : str
        One of `OBJECTIVES` or `COMPOSITES`, or a formula of metrics: ``sharpe - 2 * exposure``.
    min_trades : int
        A winner has made at least so many trades.
    """

    objective: str
    min_trades: int

    @property
    def formula(self) -> Formula:
        """What is maximized, as a formula of metrics.

        Raises
        ------
        ConfigError
            Where it names what is no metric.
        """
        text = COMPOSITES.get(self.objective, self.objective)
        return Formula.parse(text, "search.objective", METRICS, "metric")

    def scores(self, columns: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        """Give the objective of trials.

        Parameters
        ----------
        columns : mapping of str to float64 array
            At least the metrics that the formula names.
        """
        return self.formula.value_for(columns)


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
    formula = choice.formula
    scores = formula.value_for({name: metrics[:, METRICS.index(name)] for name in formula.names})
    eligible = np.flatnonzero(trial_status(scores, metrics[:, METRICS.index("trades")], choice) == 0)
    if len(eligible) <= most:
        return eligible
    scores = scores[eligible]
    least = np.partition(scores, -most)[-most]
    above, equal = eligible[scores > least], eligible[scores == least]
    return np.sort(np.concatenate([above, equal[: most - len(above)]]))
