"""Worked examples of orders that wait for their price or for volume, and of the prices of fills (SEMANTICS 3 and 4).

Unless said otherwise: 10 units, decided at the close of bar 0, which is 100.
"""

import pytest

from admf_ray.core.records import AccountKind, DistanceKind, FillPolicy, Limit, OrderKind, Reason, TimeInForce
from admf_ray.engine.spec import Distance, Instrument
from tests.unit.engine.account import bars_of, deals, flags, simulated

SHORTS = {"account": AccountKind.MARGIN, "allow_short": True}
LIMIT = {"order": OrderKind.LIMIT, "offset": 0.0625}  # 93.75 for a buy, 106.25 for a sale
STOP = {"order": OrderKind.STOP, "offset": 0.0625}  # 106.25 for a buy, 93.75 for a sale
COSTS = {"slippage_bps": 100, "half_spread": 0.5}


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((100, 101, 93.75, 95), None),  # a limit has to be traded through
        ((100, 101, 93.5, 95), 93.75),
        ((92, 94, 91, 93), 92),  # a gap: better than asked
    ],
)
def test_a_buy_limit_fills_below_its_level_without_slippage_and_spread(bar, price) -> None:
    found = simulated(bars_of([100, bar]), [1.0, 1.0], **LIMIT, **COSTS)
    assert deals(found) == ([] if price is None else [(1, 10, price, Reason.SIGNAL)])


@pytest.mark.parametrize(
    ("bar", "price"), [((100, 106.25, 99, 100), None), ((100, 107, 99, 100), 106.25), ((108, 109, 105, 106), 108)]
)
def test_a_sell_limit_fills_above_its_level(bar, price) -> None:
    found = simulated(bars_of([100, bar]), [-1.0, -1.0], **LIMIT, **COSTS, **SHORTS)
    assert deals(found) == ([] if price is None else [(1, -10, price, Reason.SIGNAL)])


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((100, 106, 99, 100), None),
        ((100, 106.25, 99, 100), 106.25 * 1.01 + 0.5),  # a stop needs only to be touched, and pays as a market order
        ((110, 111, 108, 109), 110 * 1.01 + 0.5),  # a gap: worse than asked
    ],
)
def test_a_buy_stop_fills_from_its_level_on_with_slippage_and_spread(bar, price) -> None:
    found = simulated(bars_of([100, bar]), [1.0, 1.0], **STOP, **COSTS)
    assert deals(found) == ([] if price is None else [(1, 10, price, Reason.SIGNAL)])


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((100, 101, 94, 95), None),
        ((100, 101, 93.75, 95), 93.75 * 0.99 - 0.5),
        ((90, 91, 88, 89), 90 * 0.99 - 0.5),
    ],
)
def test_a_sell_stop_fills_from_its_level_down(bar, price) -> None:
    found = simulated(bars_of([100, bar]), [-1.0, -1.0], **STOP, **COSTS, **SHORTS)
    assert deals(found) == ([] if price is None else [(1, -10, price, Reason.SIGNAL)])


def test_what_reduces_or_closes_is_a_market_order() -> None:
    # Bought at the limit of 93.75; half is sold at the next open, and so is the rest.
    found = simulated(bars_of([100, (100, 101, 93, 95), 96, 97]), [1.0, 0.5, 0.0, 0.0], **LIMIT)
    assert deals(found) == [
        (1, 10, 93.75, Reason.SIGNAL),
        (2, -5, 96, Reason.SIGNAL),
        (3, -5, 97, Reason.SIGNAL),
    ]


@pytest.mark.parametrize(
    ("time_in_force", "fills_at"), [(TimeInForce.BAR, None), (TimeInForce.DAY, None), (TimeInForce.CANCEL, 4)]
)
def test_an_order_rests_for_a_bar_a_session_or_until_it_is_replaced(time_in_force, fills_at) -> None:
    # Decided at the last bar of session 0; bars 1 to 3 are session 1; only bar 4, session 2, trades below 93.75.
    bars = bars_of([100, 100, 100, 100, (100, 100, 93, 95)], session=[0, 1, 1, 1, 2])
    found = simulated(bars, [1.0] * 5, time_in_force=time_in_force, **LIMIT)
    assert found.fills["bar"].tolist() == ([] if fills_at is None else [fills_at])


@pytest.mark.parametrize(
    ("time_in_force", "fills_at"), [(TimeInForce.BAR, None), (TimeInForce.DAY, 3), (TimeInForce.CANCEL, 3)]
)
def test_the_session_of_a_day_order_is_that_of_the_first_bar_it_sees(time_in_force, fills_at) -> None:
    bars = bars_of([100, 100, 100, (100, 100, 93, 95), 95], session=[0, 1, 1, 1, 2])
    found = simulated(bars, [1.0] * 5, time_in_force=time_in_force, **LIMIT)
    assert found.fills["bar"].tolist() == ([] if fills_at is None else [fills_at])


def test_a_new_signal_replaces_the_order_that_waits() -> None:
    # 10 at 93.75 from bar 0; replaced at bar 1 by 5 at 96 x 0.9375 = 90. Bar 2 passes both.
    bars = bars_of([100, 96, (96, 96, 89, 92)])
    found = simulated(bars, [1.0, 0.5, 0.5], time_in_force=TimeInForce.CANCEL, **LIMIT)
    assert deals(found) == [(2, 5, 90, Reason.SIGNAL)]
    assert found.account["orders"] == 2
    cancelled = simulated(bars, [1.0, 0.0, 0.0], time_in_force=TimeInForce.CANCEL, **LIMIT)
    assert deals(cancelled) == []
    assert cancelled.pending.tolist() == [0]


def test_entry_by_limit_and_protective_stop_in_one_bar_both_happen() -> None:
    # In at 93.75, stop 4 points below at 89.75; the bar's low is 89. 10 x -4 = -40.
    found = simulated(
        bars_of([100, (100, 101, 89, 95)]), [1.0, 1.0], stop_loss=Distance(DistanceKind.PRICE, 4.0), **LIMIT
    )
    assert deals(found) == [(1, 10, 93.75, Reason.SIGNAL), (1, -10, 89.75, Reason.STOP_LOSS)]
    assert found.equity[-1] == 9_960


def test_entry_by_limit_takes_no_profit_on_its_own_bar() -> None:
    # The high of 101 may have been before the fill at 93.75. On bar 2 it counts: 93.75 + 4 = 97.75.
    found = simulated(
        bars_of([100, (100, 101, 93, 95), (95, 98, 94, 96)]),
        [1.0, 1.0, 1.0],
        take_profit=Distance(DistanceKind.PRICE, 4.0),
        **LIMIT,
    )
    assert deals(found) == [(1, 10, 93.75, Reason.SIGNAL), (2, -10, 97.75, Reason.TAKE_PROFIT)]


def test_a_protective_exit_cancels_the_order_that_rests() -> None:
    # 5 more are wanted at 93.75 when bar 2 stops the first 5 at 90; bar 3 would have filled them.
    found = simulated(
        bars_of([100, (100, 100, 93, 100), (92, 92, 89, 91), (91, 91, 80, 85)]),
        [0.5, 1.0, 1.0, 1.0],
        stop_loss=Distance(DistanceKind.PRICE, 3.75),
        time_in_force=TimeInForce.CANCEL,
        **LIMIT,
    )
    assert deals(found) == [(1, 5, 93.75, Reason.SIGNAL), (2, -5, 90, Reason.STOP_LOSS)]


def test_participation_leaves_a_rest_that_waits_on() -> None:
    # A tenth of the volume of the bar before: 10, then 8, then room for 100 but only 7 are left.
    bars = bars_of([100, 101, 102, 103], volume=[100, 80, 1_000, 0])
    found = simulated(bars, [1.0] * 4, size=25, participation=0.1)
    assert deals(found) == [
        (1, 10, 101, Reason.SIGNAL),
        (2, 8, 102, Reason.SIGNAL),
        (3, 7, 103, Reason.SIGNAL),
    ]
    assert flags(found) == [Limit.PARTICIPATION, Limit.PARTICIPATION, Limit.NONE]
    assert found.fills["order"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("volume", [0.0, float("nan"), 99.0])
def test_an_order_waits_where_the_volume_has_no_room_for_a_lot(volume: float) -> None:
    # A hundredth of 99 is less than one unit.
    found = simulated(bars_of([100, 101, 102], volume=[volume, 1_000, 0]), [1.0, 1.0, 1.0], participation=0.01)
    assert deals(found) == [(2, 10, 102, Reason.SIGNAL)]


def test_protective_exits_are_not_capped_by_volume() -> None:
    found = simulated(
        bars_of([100, 100, (100, 100, 89, 95)], volume=[1_000, 0, 0]),
        [1.0, 1.0, 1.0],
        participation=0.1,
        stop_loss=Distance(DistanceKind.PRICE, 10.0),
    )
    assert deals(found)[1] == (2, -10, 90, Reason.STOP_LOSS)


def test_impact_grows_with_the_square_root_of_the_share_of_volume() -> None:
    # 16 units of 1,600: a share of 0.01, root 0.1; volatility of a bar 0.05, impact 0.5: 0.5 x 0.05 x 0.1 = 0.0025.
    # Volume and volatility are those of the bar before: 100 x 1.0025 = 100.25.
    # Sold at bar 2: share 16 / 400, root 0.2; volatility 0.02: 0.5 x 0.02 x 0.2 = 0.002; 100 x 0.998 = 99.8.
    found = simulated(
        bars_of([100, 100, 100], volume=[1_600, 400, 1]),
        [1.0, 0.0, 0.0],
        size=16,
        impact=0.5,
        volatility=[[0.05, 0.02, 0.9]],
    )
    assert found.fills["price"].tolist() == pytest.approx([100.25, 99.8], rel=1e-14)


def test_impact_goes_by_the_newest_volume_that_was_traded_and_the_newest_known_volatility() -> None:
    nan = float("nan")
    found = simulated(
        bars_of([100, 100, 100], volume=[1_600, 0, 1]),
        [0.0, 1.0, 1.0],
        size=16,
        impact=0.5,
        volatility=[[0.05, nan, 0.9]],
    )
    assert found.fills["price"].tolist() == pytest.approx([100.25], rel=1e-14)


def test_slippage_and_half_spread_are_against_the_order() -> None:
    # Buy: 100 x 1.01 + 0.5 = 101.5. Sale at the close policy's close of bar 1: 200 x 0.99 - 0.5 = 197.5.
    found = simulated(bars_of([100, 200]), [1.0, 0.0], fill=FillPolicy.CLOSE, **COSTS)
    assert deals(found) == [(0, 10, 101.5, Reason.SIGNAL), (1, -10, 197.5, Reason.SIGNAL)]
    # -10 x 101.5 + 10 x 197.5 = 960.
    assert found.equity.tolist() == [10_000 - 1_015 + 1_000, 10_960]


def test_a_sale_never_trades_below_zero() -> None:
    found = simulated(bars_of([100, 100, 0.25]), [1.0, 0.0, 0.0], half_spread=0.5)
    assert found.fills["price"].tolist() == [100.5, 0.0]


def test_prices_are_rounded_to_the_tick_against_the_order() -> None:
    # Buy: 100 x 1.001 = 100.1, up to 100.25. Sale: 100 x 0.999 = 99.9, down to 99.75.
    tick = {"A": Instrument(tick=0.25)}
    found = simulated(bars_of([100, 100, 100]), [1.0, 0.0, 0.0], slippage_bps=10, instruments=tick)
    assert found.fills["price"].tolist() == [100.25, 99.75]
    # A price on a tick stays where it is.
    found = simulated(bars_of([100, 100.25, 100.75]), [1.0, 0.0, 0.0], instruments=tick)
    assert found.fills["price"].tolist() == [100.25, 100.75]


def test_a_tick_of_a_tenth_holds_prices_that_are_on_it_but_for_rounding() -> None:
    # 100.3 / 0.1 is 1002.9999999999999: on the tick, not one below it.
    assert 100.3 / 0.1 < 1_003
    found = simulated(bars_of([100, 100, 100.3]), [1.0, 0.0, 0.0], instruments={"A": Instrument(tick=0.1)})
    assert found.fills["price"].tolist() == pytest.approx([100, 100.3], rel=1e-14)


def test_a_price_on_its_tick_is_not_rounded_in_favour_of_the_order() -> None:
    tick = {"A": Instrument(tick=0.1)}
    sold = simulated(bars_of([100, 100, 100.3]), [1.0, 0.0, 0.0], instruments=tick)
    assert sold.fills["price"][1] <= 100.3


def test_levels_of_take_profits_and_limits_lie_on_ticks() -> None:
    # Buy limit: 100 x 0.9375 = 93.75, down to 93.5. Take-profit: 93.5 + 1.75 = 95.25, up to 95.5.
    found = simulated(
        bars_of([100, (100, 100, 93, 94), (95, 96, 94, 95)]),
        [1.0, 1.0, 1.0],
        take_profit=Distance(DistanceKind.PRICE, 1.75),
        instruments={"A": Instrument(tick=0.5)},
        **LIMIT,
    )
    assert deals(found) == [(1, 10, 93.5, Reason.SIGNAL), (2, -10, 95.5, Reason.TAKE_PROFIT)]
