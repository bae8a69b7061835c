import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    found = choose(metrics(sharpe, trades), Choice("sharpe", min_trades=2))
    assert found.tolist() == ([] if winner is None else [winner])


@given(
    st.lists(st.tuples(st.sampled_from([math.nan, -1.0, 0.5, 2.0]), st.integers(0, 3)), max_size=30), st.integers(1, 9)
)
def test_the_best_of_several_are_those_that_would_win_one_after_the_other(trials, most: int) -> None:
    rows = metrics([sharpe for sharpe, _ in trials], [trades for _, trades in trials])
    choice, winners = Choice("sharpe", min_trades=1), []
    while len(winners) < most and len(found := choose(rows, choice)):
        winners += found.tolist()
        rows[found, METRICS.index("sharpe")] = math.nan
    rows = metrics([sharpe for sharpe, _ in trials], [trades for _, trades in trials])
    assert choose(rows, choice, most).tolist() == sorted(winners)


def test_status_says_why_a_trial_cannot_win() -> None:
    scores, trades = np.array([1.0, math.nan, 2.0, math.nan]), np.array([5.0, 5, 1, 1])
    assert trial_status(scores, trades, Choice("sharpe", 2)).tolist() == [0, 2, 1, 1]


def test_objectives_are_metrics() -> None:
    assert set(OBJECTIVES) <= set(METRICS)
