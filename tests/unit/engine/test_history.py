"""No target before a symbol has had the history that the data asks for."""

import dataclasses
import math

import numpy as np
import pytest

import admf_ray
from admf_ray.engine.spec import AccountRules
from tests.parity.kernel import simulate_targets
from tests.series import daily_bars, run_single

CLOSE = [1.0, 2.0, math.nan, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(("history", "first"), [(0, 0), (1, 0), (2, 1), (3, 3), (6, 6), (7, 7)])
def test_history_counts_the_bars_that_are_there(history: int, first: int) -> None:
    bars = dataclasses.replace(daily_bars(CLOSE), min_history=history)
    assert bars.history_reached().tolist() == [first]


def test_an_order_waits_for_the_history() -> None:
    bars = dataclasses.replace(daily_bars(CLOSE), min_history=3)
    # The third bar that is there is bar 3: the first target, filled at the open of bar 4.
    assert run_single(bars, "buy_and_hold", {}).fills["bar"].tolist() == [4, 6]
    assert run_single(daily_bars(CLOSE), "buy_and_hold", {}).fills["bar"].tolist() == [1, 6]


def test_it_is_as_if_the_targets_before_were_unknown(sp500) -> None:
    bars = dataclasses.replace(sp500.head(600), min_history=250)
    segment = run_single(bars, "price_threshold", {"threshold": 1_300.0})
    targets = np.where(bars.close[0] > 1_300.0, 1.0, 0.0)
    targets[:249] = math.nan
    expected = simulate_targets(bars, targets, AccountRules())
    np.testing.assert_array_equal(segment.equity, expected.equity)
    np.testing.assert_array_equal(segment.fills, expected.fills)


def test_the_sweep_waits_as_the_single_backtest_does(sp500) -> None:
    bars = dataclasses.replace(sp500.head(600), min_history=250)
    swept = admf_ray.sweep(bars, "sma_cross", {"fast": [2, 5], "slow": [10]})
    assert swept.trials["trades"].to_list() != admf_ray.sweep(
        dataclasses.replace(bars, min_history=0), "sma_cross", {"fast": [2, 5], "slow": [10]}
    ).trials["trades"].to_list()  # fmt: skip
    for row in swept.trials.join(swept.candidates, on="candidate").iter_rows(named=True):
        single = admf_ray.backtest(bars, "sma_cross", {"fast": row["fast"], "slow": row["slow"]})
        assert single.summary["metrics"]["sharpe"] == row["sharpe"]
        assert single.fills["timestamp"].min() > bars.known_at[249]


def test_the_benchmark_needs_no_history(sp500) -> None:
    result = admf_ray.backtest(sp500, "sma_cross", {"fast": 5, "slow": 10})
    assert sp500.min_history == 120
    assert result.equity["benchmark"][100] != 100_000.0
