"""Worked examples of quantities, commissions, cash and carry (SEMANTICS 4).

Unless said otherwise: 10 units, decided at the close of bar 0 and bought at the open of bar 1.
"""

import math

import numpy as np
import pytest

from admf_ray.core.records import AccountKind, FillPolicy, Limit, Reason
from admf_ray.engine.spec import Instrument
from admf_ray.portfolio.trades import round_trips
from tests.unit.engine.account import bars_of, deals, flags, simulated

MARGIN = {"account": AccountKind.MARGIN, "allow_short": True}
# Of a rate of a quarter a year, over 256 bars a year, a bar carries 1/1024: 10,240 earn 10.
QUARTER = 0.25


def test_a_buy_that_cannot_be_paid_is_cut_to_whole_lots() -> None:
    # 10 x 101 + 1 > 1,000; 9 x 101 + 1 = 910 leaves 90.
    found = simulated(bars_of([100, 101]), [1.0, 1.0], cash=1_000, commission_fixed=1)
    assert deals(found) == [(1, 9, 101, Reason.SIGNAL)]
    assert flags(found) == [Limit.CASH]
    assert found.account["cash"] == 90
    assert found.pending.tolist() == [0]


@pytest.mark.parametrize(("cash", "bought"), [(1_000, 10), (999, 9), (118, 1), (117, 0), (20, 0)])
def test_the_minimum_commission_counts_in_what_can_be_paid(cash: float, bought: float) -> None:
    # 10 x 98 = 980 and max(10 x 0.5, 20) = 20 make 1,000; one unit asks for 98 + 20 = 118.
    found = simulated(bars_of([98, 98]), [1.0, 1.0], cash=cash, commission_per_share=0.5, commission_minimum=20)
    assert found.position[0, -1] == bought


def test_a_fractional_buy_spends_all_the_cash() -> None:
    # 1,000 / 64 = 15.625.
    found = simulated(bars_of([64, 64]), [1.0, 1.0], cash=1_000, size=20, lot=0)
    assert found.position[0, -1] == 15.625
    assert found.account["cash"] == 0


def test_the_minimum_commission_is_of_the_per_share_part_of_each_fill() -> None:
    # 10 shares: 10 x 0.25 = 2.5, at least 4, and 100 bps of 1,000: 14. 20 shares: 5 and 20: 25.
    few = simulated(
        bars_of([100, 100]), [1.0, 1.0], commission_per_share=0.25, commission_minimum=4, commission_bps=100
    )
    many = simulated(
        bars_of([100, 100]), [1.0, 1.0], size=20, commission_per_share=0.25, commission_minimum=4, commission_bps=100
    )
    assert (few.fills["commission"][0], many.fills["commission"][0]) == (14, 25)


def test_a_sale_that_brings_less_than_its_commission_takes_what_cash_there_is() -> None:
    # 10 x 100 + 5 = 1,005 spends all; 10 x 0.25 = 2.5 do not pay 5.
    found = simulated(bars_of([100, 100, 0.25]), [1.0, 0.0, 0.0], cash=1_005, commission_minimum=5)
    assert found.fills["commission"].tolist() == [5, 2.5]
    assert found.account["cash"] == 0


def test_a_fill_through_zero_closes_one_trade_and_opens_the_next() -> None:
    # +10 at 100, -20 at 110 through zero, +10 at 105; each fill costs 4, which the second one shares 2 : 2.
    # Long: 10 x 10 - 4 - 2 = 94. Short: 10 x 5 - 2 - 4 = 44.
    bars = bars_of([100, 100, 110, 105])
    found = simulated(bars, [1.0, -1.0, 0.0, 0.0], commission_minimum=4, **MARGIN)
    assert deals(found) == [(1, 10, 100, Reason.SIGNAL), (2, -20, 110, Reason.SIGNAL), (3, 10, 105, Reason.SIGNAL)]
    assert found.fills["commission"].tolist() == [4, 4, 4]
    assert (found.account["trades"], found.account["gross_profit"]) == (2, 94 + 44)
    trades = round_trips(found.fills, bars)
    assert trades["net"].tolist() == [94, 44]
    assert trades["costs"].tolist() == [6, 6]
    assert trades["quantity"].tolist() == [10, -10]


def test_the_share_of_a_trade_in_a_fill_through_zero_is_by_quantity() -> None:
    # +10 at 100, then a target of -0.5: -15 for a commission of 15 x 0.5 = 7.5, of which 10 / 15 = 5 close the long.
    found = simulated(bars_of([100, 100, 110]), [1.0, -0.5, -0.5], commission_per_share=0.5, **MARGIN)
    # 10 x 10 - 5 - 5 = 90.
    assert found.account["gross_profit"] == pytest.approx(90, rel=1e-14)
    assert found.position[0, -1] == -5


def test_a_trade_is_flat_to_flat() -> None:
    # +5 at 100, +5 at 110, -5 at 120, -5 at 90: one trade, -500 - 550 + 600 + 450 = 0, which is no win.
    found = simulated(bars_of([100, 100, 110, 120, 90]), [0.5, 1.0, 0.5, 0.0, 0.0])
    assert (found.account["trades"], found.account["wins"]) == (1, 0)
    assert found.equity[-1] == 10_000


def test_a_short_on_margin_earns_what_the_price_falls() -> None:
    # 10 sold at 100: cash 11,000. At 90 they owe 900: equity 10,100. Bought back at 80: 11,000 - 800 = 10,200.
    found = simulated(bars_of([100, 100, 90, 80]), [-1.0, -1.0, 0.0, 0.0], **MARGIN)
    assert found.position[0].tolist() == [0, -10, -10, 0]
    assert found.equity.tolist() == [10_000, 10_000, 10_100, 10_200]


def test_a_margin_account_without_shorts_takes_a_negative_target_as_flat() -> None:
    found = simulated(bars_of([100, 100, 100]), [1.0, -1.0, -1.0], account=AccountKind.MARGIN)
    assert deals(found) == [(1, 10, 100, Reason.SIGNAL), (2, -10, 100, Reason.SIGNAL)]
    assert flags(found) == [Limit.NONE, Limit.NO_SHORT]


def test_cash_earns_interest_from_the_second_bar_on() -> None:
    # 10,240 / 1,024 = 10, then 10,250 / 1,024.
    found = simulated(bars_of([100, 100, 100]), [0.0, 0.0, 0.0], cash=10_240, interest=QUARTER)
    assert found.equity.tolist() == [10_240, 10_250, 10_250 + 10_250 / 1_024]
    assert found.account["interest"] == 10 + 10_250 / 1_024


def test_the_proceeds_of_shorts_earn_no_interest() -> None:
    # 10 sold at 102.4 at the open of bar 1, after the interest of 10: cash 11,274, of which 1,024 are owed.
    # Bar 2: (11,274 - 1,024) / 1,024.
    found = simulated(bars_of([102.4] * 3), [-1.0] * 3, cash=10_240, interest=QUARTER, **MARGIN)
    assert found.account["interest"] == pytest.approx(10 + 10_250 / 1_024, rel=1e-14)


def test_a_loan_costs_interest() -> None:
    # 20 units of 102.4 for 2,048, of which 1,024 are borrowed: 1 at bar 2, 1,025 / 1,024 at bar 3.
    found = simulated(
        bars_of([102.4] * 4), [1.0] * 4, cash=1_024, size=20, loan_rate=QUARTER, account=AccountKind.MARGIN
    )
    assert found.equity.tolist() == pytest.approx([1_024, 1_024, 1_023, 1_023 - 1_025 / 1_024], rel=1e-14)
    assert found.account["interest"] == pytest.approx(-1 - 1_025 / 1_024, rel=1e-14)


def test_borrowing_shares_costs_a_part_of_their_value_at_the_close_before() -> None:
    # 10 sold at 102.4 (1,024): 1 at bar 2. The close of bar 2 is 204.8: 2 at bar 3, where they are bought back.
    bars = bars_of([102.4, 102.4, 204.8, 102.4])
    found = simulated(bars, [-1.0, -1.0, 0.0, 0.0], cash=10_240, borrow_rate=QUARTER, **MARGIN)
    assert found.fills["borrowed"].tolist() == [0, 3]
    # The trade pays it: 1,024 - 1,024 - 3.
    assert found.account["gross_loss"] == 3
    assert found.equity[-1] == 10_237
    trades = round_trips(found.fills, bars)
    assert (trades["costs"].tolist(), trades["net"].tolist()) == ([3], [-3])


def test_a_multiplier_turns_points_into_money() -> None:
    # 2 contracts of 50 a point, bought at 20: 2,000, and 1% of it as commission. A point more is 100 more.
    found = simulated(
        bars_of([20, 20, 21]), [1.0] * 3, size=2, commission_bps=100, instruments={"A": Instrument(multiplier=50)}
    )
    assert found.fills["commission"].tolist() == [20]
    assert found.fills["cash"].tolist() == [10_000 - 2_000 - 20]
    assert found.equity.tolist() == [10_000, 9_980, 10_080]


@pytest.mark.parametrize(
    ("sizing", "size", "quantity"), [("fixed_cash", 5_000, 5), ("percent_equity", 0.5, 5), ("fixed_quantity", 5, 5)]
)
def test_sizings_by_value_know_the_multiplier(sizing: str, size: float, quantity: float) -> None:
    # 5,000 / (20 x 50) = 5.
    found = simulated(
        bars_of([20, 20]), [1.0, 1.0], sizing=sizing, size=size, instruments={"A": Instrument(multiplier=50)}
    )
    assert found.position[0, -1] == quantity


def test_each_instrument_has_its_own_lot() -> None:
    # 1,250 / 100 = 12.5: whole tens, fractional, and the account's whole units.
    found = simulated(
        bars_of([100, 100], [100, 100], [100, 100]),
        np.ones((3, 2)),
        sizing="fixed_cash",
        size=1_250,
        instruments={"A": Instrument(lot=10), "B": Instrument(lot=0)},
    )
    assert found.position[:, -1].tolist() == [10, 12.5, 12]


def test_a_whole_number_of_lots_is_not_lost_to_rounding() -> None:
    # 0.29 x 100 = 28.999999999999996: 29 all the same.
    assert 0.29 * 100 < 29
    found = simulated(bars_of([10, 10]), [0.29, 0.29], size=100)
    assert found.position[0, -1] == 29


def test_sizes_are_of_the_close_and_the_equity_of_the_decision() -> None:
    # Half of 10,000 at 100 is 50, also when the next open is 80.
    found = simulated(bars_of([100, 80]), [0.5, 0.5], sizing="percent_equity", size=1.0)
    assert deals(found) == [(1, 50, 80, Reason.SIGNAL)]


def test_orders_below_the_minimum_are_not_made_unless_they_close() -> None:
    # 10 at 10 is 100, enough. 5 at 10 is 50, too little, and the signal is spent. Closing 10 at 5 is 50, and is done.
    found = simulated(bars_of([10, 10, 10, 5, 5]), [1.0, 0.5, 0.5, 0.0, 0.0], minimum_trade=100)
    assert deals(found) == [(1, 10, 10, Reason.SIGNAL), (4, -10, 5, Reason.SIGNAL)]
    assert found.account["signals"] == 3


@pytest.mark.parametrize(
    ("rules", "rebalanced"),
    [
        ({}, []),
        ({"rebalance": True, "rebalance_threshold": 0.02}, [(3, -3, 110, Reason.REBALANCE)]),
        ({"rebalance": True, "rebalance_threshold": 0.05}, []),
    ],
)
def test_rebalancing_sizes_anew_beyond_its_threshold(rules, rebalanced) -> None:
    # Half of 10,000 at 100: 50. At 110: equity 10,500, half of it is 47.7, so 47: -3 worth 330, 3.1% of equity.
    # Afterwards 10,500 x 0.5 / 110 still gives 47: nothing more to do.
    found = simulated(bars_of([100, 100, 110, 110, 110]), [1.0] * 5, sizing="percent_equity", size=0.5, **rules)
    assert deals(found) == [(1, 50, 100, Reason.SIGNAL), *rebalanced]
    assert found.account["signals"] == 1


def test_volatility_target_scales_by_the_yearly_volatility() -> None:
    # 0.01 a bar, x 16 = 0.16 a year. 0.08 / 0.16 = half the equity: 50 of 100.
    found = simulated(
        bars_of([100, 100]), [1.0, 1.0], sizing="volatility_target", size=0.08, cap=2, volatility=[[0.01, 0.5]]
    )
    assert found.position[0, -1] == 50


def test_volatility_target_is_capped() -> None:
    # 0.08 / (0.001 x 16) = 5, at most 2: 20,000 / 100 on a margin account.
    found = simulated(
        bars_of([100, 100]),
        [1.0, 1.0],
        sizing="volatility_target",
        size=0.08,
        cap=2,
        volatility=[[0.001, 0.5]],
        account=AccountKind.MARGIN,
    )
    assert found.position[0, -1] == 200


@pytest.mark.parametrize("unknown", [0.0, math.nan])
def test_without_a_volatility_there_is_no_signal_and_the_next_bar_tries_again(unknown: float) -> None:
    rules = {"sizing": "volatility_target", "size": 0.08, "fill": FillPolicy.CLOSE}
    found = simulated(bars_of([100, 100, 100]), [1.0, 1.0, 1.0], volatility=[[unknown, 0.01, 0.02]], **rules)
    assert deals(found) == [(1, 50, 100, Reason.SIGNAL)]
    assert found.account["signals"] == 1
    # Leaving needs no volatility.
    found = simulated(bars_of([100, 100]), [1.0, 0.0], volatility=[[0.01, unknown]], **rules)
    assert found.position[0].tolist() == [50, 0]
