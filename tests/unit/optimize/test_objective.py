import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.errors import ConfigError
from admf_ray.optimize import COMPOSITES, OBJECTIVES, STATUSES, Choice, choose, trial_status
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
    scores, trades = np.array([1.0, math.nan, 2.0, math.nan, math.nan]), np.array([5.0, 5, 1, 1, math.nan])
    assert [STATUSES[status] for status in trial_status(scores, trades, Choice("sharpe", 2))] == [
        *("complete", "undefined", "few_trades", "few_trades", "failed"),
    ]


def test_objectives_are_metrics() -> None:
    assert set(OBJECTIVES) <= set(METRICS)


def test_a_formula_of_metrics_is_an_objective() -> None:
    rows = metrics([1.0, 3.0, 2.0], [5, 5, 5])
    rows[:, METRICS.index("exposure")] = [0.0, 1.0, 0.2]
    # 1, 3 - 2 = 1 and 2 - 0.4 = 1.6
    assert choose(rows, Choice("sharpe - 2 * exposure", 1)).tolist() == [2]


def test_a_composite_is_the_weighted_sum_that_its_definition_says() -> None:
    columns = {"sharpe": 1.0, "cagr": 0.2, "win_rate": 0.25, "total_return": 0.6, "trades": 10.0}
    (score,) = Choice("composite_equities", 1).scores({name: np.array([value]) for name, value in columns.items()})
    # 0.4 x 1 + 0.3 x 2 + 0.2 x 0.5 + 0.1 x (0.06 / 0.02)
    assert score == pytest.approx(0.4 + 0.6 + 0.1 + 0.3)


@pytest.mark.parametrize("name", COMPOSITES)
def test_every_composite_can_be_read_and_weights_add_up_to_one(name: str) -> None:
    usual = {"sharpe": 1.0, "cagr": 1.0, "win_rate": 1.0, "total_return": 1.0, "trades": 1.0}
    formula = Choice(name, 1).formula
    assert set(formula.names) == set(usual)
    weights = [float(term.split("*")[0]) for term in COMPOSITES[name].split("+")]
    assert sum(weights) == pytest.approx(1.0)


def test_without_trades_the_mean_trade_is_no_number_and_the_trial_cannot_win() -> None:
    rows = metrics([1.0], [0])
    assert choose(rows, Choice("total_return / trades", 1)).tolist() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sharpe > 1", "is no formula; allowed"),
        ("1 + 2", "is no formula; allowed"),
        ("sharpe - expsure", "no metric is named 'expsure' (did you mean exposure?)"),
        ("__import__('os')", "search.objective"),
    ],
)
def test_what_is_no_formula_of_metrics_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _ = Choice(text, 1).formula
    assert message in str(refused.value)
