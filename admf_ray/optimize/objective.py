"""What a winner is: the objective, and who may win (SEMANTICS 6)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from admf_ray.portfolio.metrics import METRICS

__all__ = ["OBJECTIVES", "STATUSES", "Choice", "choose", "trial_status"]

OBJECTIVES = ("sharpe", "sortino", "calmar", "total_return", "profit_factor")
"""Metrics that can be maximized; see `admf_ray.portfolio.metrics.measure`."""

STATUSES = ("complete", "few_trades", "undefined")
"""Of a trial: it may win; it made fewer than ``min_trades`` trades; its objective is no finite number."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How a winner is chosen.

    Attributes
    ----------
    objective : str
        One of `OBJECTIVES`.
    min_trades : int
        A winner has made at least so many trades.
    """

    objective: str
    min_trades: int


def trial_status(
    scores: npt.NDArray[np.float64], trades: npt.NDArray[np.float64], choice: Choice
) -> npt.NDArray[np.int8]:
    """Give the index into `STATUSES` of every trial.

    Parameters
    ----------
    scores, trades : float64 array
        The objective and how many trades were made, of each trial.
    choice : Choice
    """
    return np.where(trades < choice.min_trades, 1, np.where(np.isfinite(scores), 0, 2)).astype(np.int8)


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
    scores = metrics[:, METRICS.index(choice.objective)]
    eligible = np.flatnonzero(trial_status(scores, metrics[:, METRICS.index("trades")], choice) == 0)
    if len(eligible) <= most:
        return eligible
    scores = scores[eligible]
    least = np.partition(scores, -most)[-most]
    above, equal = eligible[scores > least], eligible[scores == least]
    return np.sort(np.concatenate([above, equal[: most - len(above)]]))
