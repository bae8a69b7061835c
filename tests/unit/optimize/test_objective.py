import math

import numpy as np
import pytest

from admf_ray.optimize import OBJECTIVES, Choice, choose, trial_status
from admf_ray.portfolio.metrics import METRICS


def metrics(sharpe: list[float], trades: list[int]) -> np.ndarray:
    rows = np.zeros((len(sharpe), len(METRICS)))
    rows[:, METRICS.index("sharpe")] = sharpe
    rows[:, METRICS.index("trades")] = trades
    return rows


@pytest.mark.parametrize(
    ("sharpe", "trades", "winner"),
    [
        ([1.0, 3.0, 2.0], [5, 5, 5], 1),
        ([1.0, 3.0, 3.0], [5, 5, 5], 1),  # ties: the lowest index
        ([1.0, 3.0, 2.0], [5, 1, 5], 2),  # too few trades
        ([math.nan, -3.0, math.inf], [5, 5, 5], 1),  # only finite ones
        ([math.nan, 3.0], [5, 0], None),
    ],
)
def test_winner(sharpe: list[float], trades: list[int], winner: int | None) -> None:
    assert choose(metrics(sharpe, trades), Choice("sharpe", min_trades=2)) == winner


def test_status_says_why_a_trial_cannot_win() -> None:
    rows = metrics([1.0, math.nan, 2.0, math.nan], [5, 5, 1, 1])
    assert trial_status(rows, Choice("sharpe", 2)).tolist() == [0, 2, 1, 1]


def test_objectives_are_metrics() -> None:
    assert set(OBJECTIVES) <= set(METRICS)
