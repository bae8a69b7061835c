"""Worked examples of several symbols, missing bars, delistings and the end of a segment (SEMANTICS 1 and 3).

Each has cash for 10 units of 100 and wants 10 of each symbol unless said otherwise.
"""

from typing import Any

import pytest

from admf_ray.core.bars import NEVER
from admf_ray.core.records import Boundary, DistanceKind, FillPolicy, Limit, Reason
from admf_ray.engine.spec import Distance
from tests.parity.kernel import Simulated
from tests.unit.engine.account import Row, bars_of, deals, flags, simulated

STEADY: list[Row] = [100, 100, 100, 100]


def shared(bars: Any, targets: Any, **rules: Any) -> Simulated:
    return simulated(bars, targets, **{"cash": 1_000.0, **rules})


def by_symbol(found: Simulated) -> list[tuple[str, int, float, float, Reason]]:
    names = ["ABC"[symbol] for symbol in found.fills["symbol"]]
    return [(name, *deal) for name, deal in zip(names, deals(found), strict=True)]


def test_at_the_open_orders_that_reduce_come_first() -> None:
    # All cash is in B. At bar 1 B is to be sold and A bought: A comes first in the panel, but is paid for by B.
    found = shared(bars_of(STEADY[:3], STEADY[:3]), [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    assert by_symbol(found) == [
        ("B", 1, 10, 100, Reason.SIGNAL),
        ("B", 2, -10, 100, Reason.SIGNAL),
        ("A", 2, 10, 100, Reason.SIGNAL),
    ]
    assert flags(found) == [Limit.NONE] * 3


def test_at_the_close_orders_that_reduce_come_first() -> None:
    found = shared(bars_of(STEADY[:2], STEADY[:2]), [[0.0, 1.0], [1.0, 0.0]], fill=FillPolicy.CLOSE)
    assert by_symbol(found) == [
        ("B", 0, 10, 100, Reason.SIGNAL),
        ("B", 1, -10, 100, Reason.SIGNAL),
        ("A", 1, 10, 100, Reason.SIGNAL),
    ]


@pytest.mark.parametrize("fill", FillPolicy)
def test_orders_of_one_kind_come_in_panel_order(fill: FillPolicy) -> None:
    # 6 + 6 units of 100 from 1,000: A gets its 6, B the 4 that are left.
    found = shared(bars_of(STEADY, STEADY), [[1.0] * 4] * 2, size=6, fill=fill)
    assert found.position[:, -1].tolist() == [6, 4]
    assert flags(found) == [Limit.NONE, Limit.CASH]


def test_an_order_that_the_cash_did_not_pay_for_is_gone() -> None:
    # A takes all at bar 1 and is sold at bar 3; B's order was dropped at bar 1 and its target is no new signal.
    found = shared(bars_of(STEADY, STEADY), [[1.0, 1.0, 0.0, 0.0], [1.0] * 4])
    assert by_symbol(found) == [("A", 1, 10, 100, Reason.SIGNAL), ("A", 3, -10, 100, Reason.SIGNAL)]


def test_all_opens_come_before_any_protective_exit() -> None:
    # At bar 2 A is stopped at 90, but not before B's order has found no cash at the open.
    found = shared(
        bars_of([100, 100, (100, 100, 89, 95), 95], STEADY),
        [[1.0] * 4, [0.0, 1.0, 1.0, 1.0]],
        stop_loss=Distance(DistanceKind.PRICE, 10.0),
    )
    assert by_symbol(found) == [("A", 1, 10, 100, Reason.SIGNAL), ("A", 2, -10, 90, Reason.STOP_LOSS)]


def test_equity_is_cash_and_all_positions() -> None:
    # 4 of A and 3 of B at 100; at 110 and 80: 300 + 440 + 240 = 980.
    found = shared(bars_of([100, 100, 110], [100, 100, 80]), [[0.4] * 3, [0.3] * 3])
    assert found.equity.tolist() == [1_000, 1_000, 980]


def test_flatten_closes_every_symbol_at_its_newest_close_with_costs() -> None:
    # B's last bar is missing: closed at 120, its close before. Each fill costs 25% of the price and 1.
    found = shared(
        bars_of([100, 100, 110], [100, 120, None]),
        [[0.4, 0.4, 0.0], [0.4, 0.4, 0.4]],
        size=10,
        slippage_bps=2_500,
        commission_fixed=1,
        boundary=Boundary.FLATTEN,
    )
    # Bought at 125 and 150: 1,000 - 500 - 1 leaves 499, which pays for 3 of B: 450 and 1. 48 are left.
    # Sold at 110 x 0.75 = 82.5 and 120 x 0.75 = 90: 48 + 330 - 1 + 270 - 1 = 646.
    assert by_symbol(found) == [
        ("A", 1, 4, 125, Reason.SIGNAL),
        ("B", 1, 3, 150, Reason.SIGNAL),
        ("A", 2, -4, 82.5, Reason.FLATTEN),
        ("B", 2, -3, 90, Reason.FLATTEN),
    ]
    assert found.equity[-1] == 646
    assert found.account["signals"] == 2


def test_mark_values_every_symbol_and_drops_what_waits() -> None:
    # 4 of A at 110, 4 of B at its last close of 120; A's target of 0 at the last bar is a signal without a fill.
    found = shared(
        bars_of([100, 100, 110], [100, 120, None]), [[0.4, 0.4, 0.0], [0.4, 0.4, 0.4]], boundary=Boundary.MARK
    )
    assert found.position[:, -1].tolist() == [4, 4]
    assert found.equity[-1] == 1_000 - 400 - 480 + 440 + 480
    assert found.account["trades"] == 0
    assert found.pending.tolist() == [-4, 0]


def test_an_order_waits_for_its_own_symbol() -> None:
    # B is missing at bar 1: A is bought at once, B at the open of bar 2.
    found = shared(bars_of(STEADY, [100, None, 90, 90]), [[0.5] * 4] * 2)
    assert by_symbol(found) == [("A", 1, 5, 100, Reason.SIGNAL), ("B", 2, 5, 90, Reason.SIGNAL)]


def test_a_target_on_a_missing_bar_is_taken_up_by_the_next_bar_that_is_there() -> None:
    found = shared(bars_of(STEADY, [100, None, 90, 90]), [[0.0] * 4, [0.0, 0.5, 0.5, 0.5]])
    assert found.fills["decided"].tolist() == [2]
    assert by_symbol(found) == [("B", 3, 5, 90, Reason.SIGNAL)]


def test_a_target_that_is_over_when_the_symbol_is_back_was_never_a_signal() -> None:
    found = shared(bars_of(STEADY, [100, None, 90, 90]), [[0.0] * 4, [0.0, 0.5, 0.0, 0.0]])
    assert found.account["signals"] == 0


def test_protective_levels_wait_for_the_bar_that_is_there() -> None:
    # Stop at 90; the bar after the missing one opens at 80.
    found = shared(bars_of([100, 100, None, (80, 85, 79, 82)]), [1.0] * 4, stop_loss=Distance(DistanceKind.PRICE, 10.0))
    assert found.equity.tolist() == [1_000, 1_000, 1_000, 800]
    assert deals(found)[1] == (3, -10, 80, Reason.STOP_LOSS)


def test_a_delisted_symbol_is_sold_at_its_last_close_with_slippage_and_never_bought_again() -> None:
    # Last bar 2, close 80: sold at 80 x 0.75 = 60. 4 bought at 125: 1,000 - 500 + 240 = 740.
    found = shared(
        bars_of([100, 100, 80, None, None], [100] * 5),
        [[0.4, 0.4, 0.4, 0.0, 0.4], [0.0] * 5],
        last_bar=[2, NEVER],
        slippage_bps=2_500,
    )
    assert by_symbol(found) == [("A", 1, 4, 125, Reason.SIGNAL), ("A", 2, -4, 60, Reason.DELISTED)]
    assert found.equity.tolist() == [1_000, 900, 740, 740, 740]
    assert found.account["signals"] == 1


def test_delisting_takes_back_the_order_that_waits_and_decides_nothing() -> None:
    # 5 of 10 fit the volume of bar 0; the rest is cancelled at bar 2, the last one, and its new target is no signal.
    found = shared(
        bars_of([100, 100, 100, None], volume=[50, 0, 50, 0]), [1.0, 1.0, 0.5, 0.5], last_bar=[2], participation=0.1
    )
    assert deals(found) == [(1, 5, 100, Reason.SIGNAL), (2, -5, 100, Reason.DELISTED)]
    assert found.pending.tolist() == [0]
    assert found.account["signals"] == 1


def test_what_a_delisted_symbol_brings_pays_for_the_others() -> None:
    # A is sold at the close of bar 1, before B's order of the same close is filled.
    found = shared(
        bars_of([100, 100, None], [100] * 3), [[1.0] * 3, [0.0, 1.0, 1.0]], last_bar=[1, NEVER], fill=FillPolicy.CLOSE
    )
    assert by_symbol(found) == [
        ("A", 0, 10, 100, Reason.SIGNAL),
        ("A", 1, -10, 100, Reason.DELISTED),
        ("B", 1, 10, 100, Reason.SIGNAL),
    ]
