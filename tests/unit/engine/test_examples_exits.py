"""Worked examples of protective exits (SEMANTICS 3, step 2) and of what follows them.

Unless said otherwise: 10 units, decided at the close of bar 0 and bought at the open of bar 1 at 100.
"""

import pytest

from admf_ray.core.records import AccountKind, DistanceKind, FillPolicy, Reason, Reentry
from admf_ray.engine.spec import Distance
from tests.unit.engine.account import bars_of, deals, simulated

TEN_PERCENT = Distance(DistanceKind.PERCENT, 0.1)
TEN_POINTS = Distance(DistanceKind.PRICE, 10.0)
LONG = [1.0, 1.0, 1.0, 1.0]
SHORT = [-1.0, -1.0, -1.0, -1.0]
SHORTS = {"account": AccountKind.MARGIN, "allow_short": True}
ENTRY = (1, 10, 100, Reason.SIGNAL)
SHORT_ENTRY = (1, -10, 100, Reason.SIGNAL)
QUIET = (100, 101, 99, 100)


def test_a_gap_through_the_stop_fills_at_the_open() -> None:
    # Stop: 100 - 0.1 x 100 = 90. Bar 2 opens at 85, beyond it: sold at 85, 10 x (85 - 100) = -150.
    found = simulated(bars_of([100, QUIET, (85, 88, 84, 87), 87]), LONG, stop_loss=TEN_PERCENT)
    assert deals(found) == [ENTRY, (2, -10, 85, Reason.STOP_LOSS)]
    assert found.equity.tolist() == [10_000, 10_000, 9_850, 9_850]


def test_a_stop_inside_the_bar_fills_at_its_level_with_slippage_and_half_spread() -> None:
    # Bought at 100 x 1.01 + 0.5 = 101.5; stop 10 points below, at 91.5; sold at 91.5 x 0.99 - 0.5 = 90.085.
    found = simulated(
        bars_of([100, QUIET, (100, 102, 91, 95), 95]), LONG, stop_loss=TEN_POINTS, slippage_bps=100, half_spread=0.5
    )
    assert found.fills["price"].tolist() == pytest.approx([101.5, 90.085], rel=1e-14)
    assert found.fills["reason"][1] == Reason.STOP_LOSS


@pytest.mark.parametrize(("low", "exits"), [(90, True), (90.25, False)])
def test_a_stop_needs_only_to_be_touched(low: float, exits: bool) -> None:
    found = simulated(bars_of([100, QUIET, (100, 102, low, 95), 95]), LONG, stop_loss=TEN_PERCENT)
    assert deals(found) == [ENTRY, (2, -10, 90, Reason.STOP_LOSS)][: 1 + exits]


@pytest.mark.parametrize(("high", "exits"), [(110, False), (110.25, True)])
def test_a_take_profit_has_to_be_traded_through(high: float, exits: bool) -> None:
    found = simulated(bars_of([100, QUIET, (100, high, 99, 105), 105]), LONG, take_profit=TEN_POINTS)
    assert deals(found) == [ENTRY, (2, -10, 110, Reason.TAKE_PROFIT)][: 1 + exits]


def test_a_take_profit_pays_neither_slippage_nor_spread_but_commission() -> None:
    # Bought at 100 x 1.01 + 0.5 = 101.5; sold at 101.5 + 10 = 111.5 exactly, for a commission of 3.
    found = simulated(
        bars_of([100, QUIET, (100, 112, 99, 105), 105]),
        LONG,
        take_profit=TEN_POINTS,
        slippage_bps=100,
        half_spread=0.5,
        commission_fixed=3,
    )
    assert found.fills["price"].tolist() == [101.5, 111.5]
    assert found.fills["commission"].tolist() == [3, 3]


def test_a_gap_through_the_take_profit_fills_at_the_open() -> None:
    # Take-profit at 110; bar 2 opens at 115: 10 x 15 = 150 won, without slippage.
    found = simulated(
        bars_of([100, QUIET, (115, 116, 108, 109), 109]), LONG, take_profit=TEN_POINTS, commission_fixed=0
    )
    assert deals(found) == [ENTRY, (2, -10, 115, Reason.TAKE_PROFIT)]
    assert found.equity[-1] == 10_150


def test_of_both_levels_in_one_bar_the_stop_is_taken() -> None:
    # Stop 90, take-profit 110, the bar runs from 89 to 111. Pessimistic: 10 x -10 = -100.
    found = simulated(
        bars_of([100, QUIET, (100, 111, 89, 105), 105]), LONG, stop_loss=TEN_POINTS, take_profit=TEN_POINTS
    )
    assert deals(found) == [ENTRY, (2, -10, 90, Reason.STOP_LOSS)]
    assert found.equity[-1] == 9_900


def test_the_open_comes_before_both_levels() -> None:
    # Opens at 111, above the take-profit of 110, and falls to the stop afterwards: the open has settled it.
    found = simulated(bars_of([100, QUIET, (111, 112, 89, 95), 95]), LONG, stop_loss=TEN_POINTS, take_profit=TEN_POINTS)
    assert deals(found) == [ENTRY, (2, -10, 111, Reason.TAKE_PROFIT)]


def test_a_position_opened_at_the_open_can_be_stopped_on_its_entry_bar() -> None:
    # In at 100, the same bar falls to 88: out at 90.
    found = simulated(bars_of([100, (100, 101, 88, 95), 95]), LONG[:3], stop_loss=TEN_POINTS)
    assert deals(found) == [ENTRY, (1, -10, 90, Reason.STOP_LOSS)]
    assert found.equity.tolist() == [10_000, 9_900, 9_900]


def test_a_position_opened_at_the_close_is_protected_from_the_next_bar_on() -> None:
    # In at the close of bar 0 (100), whose low of 80 was before that; bar 1 touches 90.
    found = simulated(
        bars_of([(100, 101, 80, 100), (95, 96, 90, 95), 95]), LONG[:3], stop_loss=TEN_POINTS, fill=FillPolicy.CLOSE
    )
    assert deals(found) == [(0, 10, 100, Reason.SIGNAL), (1, -10, 90, Reason.STOP_LOSS)]


def test_a_short_is_stopped_above_and_takes_profit_below() -> None:
    # Stop at 110: bar 2 gaps to 112. -10 x (112 - 100) = -120.
    stopped = simulated(bars_of([100, QUIET, (112, 113, 105, 106)]), SHORT[:3], stop_loss=TEN_POINTS, **SHORTS)
    assert deals(stopped) == [SHORT_ENTRY, (2, 10, 112, Reason.STOP_LOSS)]
    assert stopped.equity[-1] == 9_880
    # Take-profit at 90: bar 2 trades through it. 100 won.
    taken = simulated(bars_of([100, QUIET, (95, 96, 89, 92)]), SHORT[:3], take_profit=TEN_POINTS, **SHORTS)
    assert deals(taken) == [SHORT_ENTRY, (2, 10, 90, Reason.TAKE_PROFIT)]
    assert taken.equity[-1] == 10_100


def test_a_trailing_stop_follows_the_best_high_of_completed_bars_only() -> None:
    # Bar 1: level 100 - 10 = 90; its high of 120 is not known yet, so its low of 105 stops nothing.
    # Bar 2: level 120 - 10 = 110; its own high of 130 does not count, its low of 111 is above.
    # Bar 3: level 130 - 10 = 120, touched: sold at 120.
    bars = bars_of([100, (100, 120, 105, 118), (118, 130, 111, 125), (125, 126, 120, 121), 121])
    found = simulated(bars, [1.0] * 5, trailing_stop=TEN_POINTS)
    assert deals(found) == [ENTRY, (3, -10, 120, Reason.TRAILING_STOP)]


def test_a_trailing_stop_of_a_short_follows_the_best_low() -> None:
    # Bar 2: level 80 + 0.1 x 80 = 88; bar 2 reaches 88.
    bars = bars_of([100, (100, 101, 80, 82), (82, 88, 81, 85), 85])
    found = simulated(bars, SHORT, trailing_stop=TEN_PERCENT, **SHORTS)
    assert deals(found) == [SHORT_ENTRY, (2, 10, 88, Reason.TRAILING_STOP)]


def test_the_nearer_of_two_stops_counts_and_the_stop_loss_where_both_are_equal() -> None:
    # No bar has been completed: both lie at 90.
    found = simulated(bars_of([100, (100, 100, 90, 95), 95]), LONG[:3], stop_loss=TEN_POINTS, trailing_stop=TEN_POINTS)
    assert deals(found)[1] == (1, -10, 90, Reason.STOP_LOSS)
    # After a high of 104 the trailing one lies at 94, above the other.
    found = simulated(
        bars_of([100, (100, 104, 95, 100), (100, 100, 93, 95)]),
        LONG[:3],
        stop_loss=TEN_POINTS,
        trailing_stop=TEN_POINTS,
    )
    assert deals(found)[1] == (2, -10, 94, Reason.TRAILING_STOP)


def test_levels_use_the_mean_fill_price() -> None:
    # 10 at 100, then 10 more at 120: mean (1000 + 1200) / 20 = 110, stop 100. Both are sold there.
    bars = bars_of([100, 100, (120, 121, 119, 120), (110, 111, 100, 105)])
    found = simulated(bars, [0.5, 1.0, 1.0, 1.0], size=20, stop_loss=TEN_POINTS)
    assert deals(found) == [ENTRY, (2, 10, 120, Reason.SIGNAL), (3, -20, 100, Reason.STOP_LOSS)]


def test_atr_distances_use_the_decision_bar() -> None:
    # Decided at bar 0, where the ATR was 4: the stop lies at 100 - 2 x 4 = 92, whatever the ATR does later.
    found = simulated(
        bars_of([100, QUIET, (100, 101, 91, 95), 95]),
        LONG,
        stop_loss=Distance(DistanceKind.ATR, 2.0),
        atr=[[4.0, 1.0, 20.0, 20.0]],
    )
    assert deals(found) == [ENTRY, (2, -10, 92, Reason.STOP_LOSS)]


@pytest.mark.parametrize("unknown", [float("nan"), 0.0])
def test_without_an_atr_there_is_no_signal_and_the_next_bar_tries_again(unknown: float) -> None:
    found = simulated(
        bars_of([100, 100, 100]), LONG[:3], stop_loss=Distance(DistanceKind.ATR, 2.0), atr=[[unknown, 4.0, 4.0]]
    )
    assert deals(found) == [(2, 10, 100, Reason.SIGNAL)]
    assert found.fills["decided"].tolist() == [1]
    assert found.account["signals"] == 1


def test_a_time_stop_is_decided_at_the_close_of_the_nth_completed_bar() -> None:
    # In at the open of bar 1: bars 1 and 2 are completed at the close of bar 2, filled at the open of bar 3.
    bars = bars_of([100, QUIET, (100, 103, 99, 102), (104, 105, 103, 105), 105])
    found = simulated(bars, [1.0] * 5, time_stop=2)
    assert deals(found) == [ENTRY, (3, -10, 104, Reason.TIME_STOP)]
    assert found.fills["decided"].tolist() == [0, 2]


def test_a_time_stop_at_the_close_is_filled_where_it_is_decided() -> None:
    # In at the close of bar 0: bars 1 and 2 are completed at the close of bar 2 (102).
    bars = bars_of([100, QUIET, (100, 103, 99, 102), 105])
    found = simulated(bars, LONG, time_stop=2, fill=FillPolicy.CLOSE)
    assert deals(found) == [(0, 10, 100, Reason.SIGNAL), (2, -10, 102, Reason.TIME_STOP)]


def test_a_missing_bar_is_no_completed_bar() -> None:
    found = simulated(bars_of([100, 100, None, 100, 100]), [1.0] * 5, time_stop=2)
    # Bars 1 and 3.
    assert deals(found) == [ENTRY, (4, -10, 100, Reason.TIME_STOP)]


def test_after_an_exit_the_symbol_stays_flat_until_its_target_has_been_zero() -> None:
    # Stopped at bar 2. 1 and 0.5 are of the same side: blocked. 0 at bar 4 resets, 1 at bar 5 is a signal.
    bars = bars_of([100, QUIET, (85, 88, 84, 87), 87, 87, 87, 88])
    found = simulated(bars, [1.0, 1.0, 1.0, 0.5, 0.0, 1.0, 1.0], stop_loss=TEN_POINTS)
    assert deals(found) == [ENTRY, (2, -10, 85, Reason.STOP_LOSS), (6, 10, 88, Reason.SIGNAL)]


def test_the_opposite_sign_resets_as_zero_does() -> None:
    bars = bars_of([100, QUIET, (85, 88, 84, 87), 87, 87])
    found = simulated(bars, [1.0, 1.0, 1.0, -1.0, -1.0], stop_loss=TEN_POINTS, **SHORTS)
    assert deals(found)[2:] == [(4, -10, 87, Reason.SIGNAL)]


def test_immediate_reentry_acts_on_the_next_signal() -> None:
    # 1 has been emitted already and is no signal; 0.5 is one.
    bars = bars_of([100, QUIET, (85, 88, 84, 87), 87, 87])
    found = simulated(bars, [1.0, 1.0, 1.0, 0.5, 0.5], stop_loss=TEN_POINTS, reentry=Reentry.IMMEDIATE)
    assert deals(found) == [ENTRY, (2, -10, 85, Reason.STOP_LOSS), (4, 5, 87, Reason.SIGNAL)]


def test_a_time_stop_blocks_as_the_others_do() -> None:
    found = simulated(bars_of([100] * 6), [1.0, 1.0, 0.5, 0.5, 0.0, 1.0], time_stop=1)
    assert deals(found) == [ENTRY, (2, -10, 100, Reason.TIME_STOP)]


def test_an_exit_cancels_what_waits() -> None:
    # 5 units a bar fit the volume: the rest of 5 waits when bar 2 stops the first ones.
    bars = bars_of([100, QUIET, (85, 88, 84, 87), 87], volume=[50, 0, 0, 50])
    found = simulated(bars, LONG, stop_loss=TEN_POINTS, participation=0.1)
    assert deals(found) == [(1, 5, 100, Reason.SIGNAL), (2, -5, 85, Reason.STOP_LOSS)]
    assert found.pending.tolist() == [0]
