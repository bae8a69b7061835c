"""Worked examples of SEMANTICS 3 to 5, each with its arithmetic."""

import math

import numpy as np
import pytest

from admf_ray.core.records import Boundary, FillPolicy, Limit, Reason
from admf_ray.engine.spec import AccountRules
from tests.parity.kernel import simulate_targets
from tests.series import daily_bars, run_single

AT_CLOSE_MARKED = {"fill": FillPolicy.CLOSE, "boundary": Boundary.MARK}
SINE = 100 + 5 * np.sin(np.linspace(0, 4 * np.pi, 100)) + np.linspace(0, 10, 100)


def test_threshold_buys_above_and_sells_below_at_the_close():
    # close 100: not above 100.5. 101: above, buy. 102: still above. 101: still above. 100: below, sell.
    segment = run_single(
        daily_bars([100, 101, 102, 101, 100]),
        "price_threshold",
        {"threshold": 100.5},
        cash=1_000,
        sizing="fixed_quantity",
        size=1,
        **AT_CLOSE_MARKED,
    )
    assert segment.fills["bar"].tolist() == [1, 4]
    assert segment.fills["quantity"].tolist() == [1, -1]
    assert segment.fills["price"].tolist() == [101, 100]
    # 1000 - 101 = 899 in cash; 899 + 102 = 1001 at the best close; 899 + 100 = 999 at the end.
    assert segment.equity.tolist() == [1000, 1000, 1001, 1000, 999]
    assert segment.trades["net"].tolist() == [-1]


def test_sma_cross_on_a_sine_with_trend():
    segment = run_single(
        daily_bars(SINE),
        "sma_cross",
        {"fast": 5, "slow": 10},
        cash=20_000,
        sizing="fixed_quantity",
        size=100,
        **AT_CLOSE_MARKED,
    )
    # The slow average is first known at bar 9, where the fast one lies above: a signal at once. Then at each crossing.
    assert segment.fills["bar"].tolist() == [9, 19, 41, 68, 90]
    assert segment.fills["quantity"].tolist() == [100, -100, 100, -100, 100]
    # 100 shares, no costs: the two trades and the open position, marked at the last close.
    by_hand = 20_000 + 100 * (SINE[19] - SINE[9] + SINE[68] - SINE[41] + SINE[99] - SINE[90])
    assert segment.metrics["final_equity"] == pytest.approx(by_hand, rel=1e-12)
    assert segment.metrics["final_equity"] == pytest.approx(21_595.1047, abs=5e-5)
    assert segment.metrics["trades"] == 2


def test_a_buy_beyond_the_cash_is_cut_and_names_the_limit():
    segment = run_single(
        daily_bars(SINE),
        "sma_cross",
        {"fast": 5, "slow": 10},
        cash=10_000,
        sizing="fixed_quantity",
        size=100,
        **AT_CLOSE_MARKED,
    )
    # Bar 9 closes at 105.457: 10000 / 105.457 = 94.8, so 94 whole shares.
    assert math.floor(10_000 / SINE[9]) == 94
    assert segment.fills["quantity"][0] == 94
    assert Limit(int(segment.fills["limits"][0])) == Limit.CASH
    # Bar 41 closes at 99.734: 100 shares cost 9973.41, less than the 9980.80 at hand.
    assert segment.fills["quantity"][2] == 100
    assert Limit(int(segment.fills["limits"][2])) == Limit.NONE


def test_ten_percent_of_equity_in_whole_shares():
    segment = run_single(
        daily_bars([30, 33, 33, 20]),
        "price_threshold",
        {"threshold": 32},
        cash=10_000,
        sizing="percent_equity",
        size=0.1,
        lot=1,
        **AT_CLOSE_MARKED,
    )
    # 10% of 10,000 = 1,000; 1,000 / 33 = 30.30, so 30 shares for 990; 9,010 stay in cash.
    assert segment.fills["quantity"].tolist() == [30, -30]
    assert segment.fills["cash"].tolist() == [9_010, 9_610]
    # Sold at 20: 9,010 + 30 x 20 = 9,610, a loss of 390.
    assert segment.trades["net"].tolist() == [-390]


def test_next_open_fills_on_the_bar_after_the_decision_with_costs():
    segment = run_single(
        daily_bars([10, 12, 13, 9, 8], open=[10, 11, 14, 12, 7]),
        "price_threshold",
        {"threshold": 11},
        cash=1_000,
        sizing="fixed_cash",
        size=600,
        slippage_bps=100,
        half_spread=0.01,
        commission_bps=10,
        commission_per_share=0.02,
        commission_minimum=2,
        commission_fixed=1,
    )
    # Decided at bar 1: 600 / 12 = 50 shares. Filled at bar 2: 14 x 1.01 + 0.01 = 14.15.
    # Commission: 50 x 14.15 x 0.001 = 0.7075; 50 x 0.02 = 1, at least 2; 1 fixed: 3.7075.
    # Decided at bar 3 (9 < 11), filled at bar 4: 7 x 0.99 - 0.01 = 6.92; commission 0.346 + 2 + 1 = 3.346.
    assert segment.fills["bar"].tolist() == [2, 4]
    np.testing.assert_allclose(segment.fills["price"], [14.15, 6.92], rtol=1e-14)
    np.testing.assert_allclose(segment.fills["commission"], [3.7075, 3.346], rtol=1e-14)
    np.testing.assert_allclose(segment.equity[-1], 1_000 - 707.5 - 3.7075 + 346 - 3.346, rtol=1e-14)


def test_flatten_closes_at_the_last_close_with_costs_and_acts_on_no_signal():
    segment = run_single(
        daily_bars([10, 12, 13, 15]),
        "price_threshold",
        {"threshold": 11},
        cash=1_000,
        sizing="fixed_quantity",
        size=10,
        slippage_bps=100,
    )
    # Bought at the open of bar 2 (13 x 1.01 = 13.13), closed at the close of bar 3 (15 x 0.99 = 14.85): 17.20 won.
    assert segment.fills["reason"].tolist() == [Reason.SIGNAL, Reason.FLATTEN]
    assert segment.equity[-1] == pytest.approx(1_017.2, rel=1e-14)
    only_last = run_single(daily_bars([10, 10, 12]), "price_threshold", {"threshold": 11}, fill=FillPolicy.CLOSE)
    assert len(only_last.fills) == 0


def test_mark_values_the_position_and_drops_the_pending_order():
    segment = run_single(
        daily_bars([10, 12, 13]), "price_threshold", {"threshold": 11}, boundary=Boundary.MARK, size=0.5, cash=1_000
    )
    # 500 / 12 = 41 shares at the open of bar 2 (13): no trade is closed, the position is worth its close.
    assert segment.position[0].tolist() == [0, 0, 41]
    assert segment.metrics["trades"] == 0
    pending = run_single(daily_bars([10, 12]), "price_threshold", {"threshold": 11}, boundary=Boundary.MARK)
    assert len(pending.fills) == 0


def test_orders_wait_for_the_next_bar_that_is_there():
    nan = math.nan
    bars = daily_bars([10, 12, nan, 14, 15], open=[10, 11, nan, 13, 15])
    segment = run_single(bars, "price_threshold", {"threshold": 11}, sizing="fixed_quantity", size=1)
    # Decided at bar 1; bar 2 is missing; filled at the open of bar 3.
    assert segment.fills["bar"][0] == 3
    assert segment.fills["price"][0] == 13


def test_a_missing_bar_is_marked_at_its_last_close_and_its_target_waits():
    nan = math.nan
    bars = daily_bars([12, 13, nan, 9, 9], high=[12, 13, 14, 9, 9])
    segment = run_single(
        bars,
        "price_threshold",
        {"threshold": 11},
        cash=100,
        sizing="fixed_quantity",
        size=1,
        fill=FillPolicy.CLOSE,
    )
    # Bought at 12; 88 in cash; the missing bar is marked at 13; sold at 9 on the bar after it.
    assert segment.equity.tolist() == [100, 101, 101, 97, 97]


def test_a_negative_target_is_taken_as_flat_and_named():
    rules = AccountRules(cash=1_000, sizing="fixed_quantity", size=1, **AT_CLOSE_MARKED)
    result = simulate_targets(daily_bars([10, 10, 10]), [1.0, -1.0, -1.0], rules)
    assert result.fills["quantity"].tolist() == [1, -1]
    assert Limit(int(result.fills["limits"][1])) == Limit.NO_SHORT


def test_no_cash_is_spent_on_nothing():
    segment = run_single(daily_bars([10, 12, 13, 15]), "price_threshold", {"threshold": 11}, cash=5)
    assert len(segment.fills) == 0
    assert segment.metrics["final_equity"] == 5
    assert math.isnan(segment.metrics["sharpe"])
