"""Worked examples of limits on positions (SEMANTICS 4): each at each level, and the flag that the order carries.

A margin account of 10,000, prices of 100, and a size of 100 units, so that a target of 1 is worth all the equity.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from admf_ray.core.records import AccountKind, Level, Limit, LimitKind, Reason, bound_flag
from admf_ray.engine.spec import LimitRule
from tests.parity.kernel import Simulated
from tests.unit.engine.account import bars_of, deals, flags, simulated

ALL = (Level.PORTFOLIO, Level.STRATEGY)
STEADY = [100.0, 100.0, 100.0]


def limited(bars: Any, targets: Any, *limits: LimitRule, **rules: Any) -> Simulated:
    return simulated(
        bars, targets, **{"account": AccountKind.MARGIN, "allow_short": True, "size": 100.0, "limits": limits, **rules}
    )


def held(found: Simulated) -> list[float]:
    return list(found.position[:, -1].tolist())


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("kind", [LimitKind.MAX_POSITION, LimitKind.MAX_GROSS_LEVERAGE, LimitKind.MAX_EXPOSURE])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_lone_position_is_cut_to_its_share_of_equity_and_names_the_limit(level, kind, side) -> None:
    # 0.3 x 10,000 / 100 = 30.
    found = limited(bars_of(STEADY), [side] * 3, LimitRule(level, kind, 0.3))
    assert held(found) == [30 * side]
    assert flags(found) == [bound_flag(level, kind)]


@pytest.mark.parametrize(("level", "second"), [(Level.PORTFOLIO, 40), (Level.STRATEGY, 40), (Level.SYMBOL, 80)])
def test_gross_leverage_counts_the_other_symbols_but_at_the_level_of_the_symbol(level, second) -> None:
    # A holds 60. In all 1.0 x 10,000 may be held: (10,000 - 6,000) / 100 = 40 of B; each for itself 100, B wants 80.
    found = limited(
        bars_of(STEADY, STEADY), [[0.6] * 3, [0.0, 0.8, 0.8]], LimitRule(level, LimitKind.MAX_GROSS_LEVERAGE, 1.0)
    )
    assert held(found) == [60, second]
    assert flags(found)[1] == (bound_flag(level, LimitKind.MAX_GROSS_LEVERAGE) if second == 40 else Limit.NONE)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(("level", "second"), [(Level.PORTFOLIO, 80), (Level.STRATEGY, 80), (Level.SYMBOL, 50)])
def test_exposure_is_net_of_the_other_side(level, second, side) -> None:
    # A holds 30 the other way. Net 0.5 x 10,000 may be held: (5,000 + 3,000) / 100 = 80 of B; by itself 50.
    found = limited(
        bars_of(STEADY, STEADY), [[-0.3 * side] * 3, [0.0, side, side]], LimitRule(level, LimitKind.MAX_EXPOSURE, 0.5)
    )
    assert held(found) == [-30 * side, second * side]
    assert flags(found)[1] == bound_flag(level, LimitKind.MAX_EXPOSURE)


@pytest.mark.parametrize("level", Level)
def test_the_largest_position_is_of_each_symbol(level) -> None:
    # 0.4 x 10,000 / 100 = 40 of A, and 40 of B.
    found = limited(bars_of(STEADY, STEADY), [[1.0] * 3] * 2, LimitRule(level, LimitKind.MAX_POSITION, 0.4))
    assert held(found) == [40, 40]
    assert flags(found) == [bound_flag(level, LimitKind.MAX_POSITION)] * 2


@pytest.mark.parametrize("level", ALL)
def test_no_more_symbols_are_held_than_allowed(level) -> None:
    # A and B are held; C would be the third. More of A is no further symbol.
    found = limited(
        bars_of(STEADY, STEADY, STEADY),
        [[0.2, 0.3, 0.3], [0.2] * 3, [0.0, 0.2, 0.2]],
        LimitRule(level, LimitKind.MAX_OPEN_POSITIONS, 2),
    )
    assert held(found) == [30, 20, 0]
    # The signal of C is spent without an order.
    assert (found.account["signals"], found.account["orders"]) == (4, 3)


@pytest.mark.parametrize("level", ALL)
def test_a_reversal_that_would_be_one_symbol_too_many_only_closes(level) -> None:
    # B was let in while A was about to leave. A leaves by a unit a bar (a tenth of the volume of 10), and at bar 2
    # wants to be short: B is there, so that the remaining 49 are closed and no more.
    bars = bars_of(*[[100.0] * 5] * 2, volume=[[1e4, 10, 10, 10, 10], [1e4] * 5])
    found = limited(
        bars,
        [[0.5, 0.0, -0.5, -0.5, -0.5], [0.0, 0.5, 0.5, 0.5, 0.5]],
        LimitRule(level, LimitKind.MAX_OPEN_POSITIONS, 1),
        participation=0.1,
    )
    assert found.position.tolist() == [[0, 50, 49, 48, 47], [0, 0, 50, 50, 50]]
    assert found.pending.tolist() == [-47, 0]
    assert flags(found)[-1] == Limit.PARTICIPATION | bound_flag(level, LimitKind.MAX_OPEN_POSITIONS)


def test_a_limit_of_one_symbol_leaves_the_others() -> None:
    rule = LimitRule(Level.SYMBOL, LimitKind.MAX_POSITION, 0.1, "B")
    found = limited(bars_of(STEADY, STEADY), [[0.5] * 3] * 2, rule)
    assert held(found) == [50, 10]
    assert flags(found) == [Limit.NONE, Limit.SYMBOL_MAX_POSITION]


POSITION = LimitRule(Level.PORTFOLIO, LimitKind.MAX_POSITION, 0.5)
GROSS = LimitRule(Level.STRATEGY, LimitKind.MAX_GROSS_LEVERAGE, 0.3)


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        # 100, cut to 50, cut to 30: both bound.
        ([POSITION, GROSS], Limit.PORTFOLIO_MAX_POSITION | Limit.STRATEGY_MAX_GROSS_LEVERAGE),
        # 100, cut to 30, which is below 50 already.
        ([GROSS, POSITION], Limit.STRATEGY_MAX_GROSS_LEVERAGE),
    ],
)
def test_limits_apply_in_the_order_in_which_they_are_declared(rules: Sequence[LimitRule], named: Limit) -> None:
    found = limited(bars_of(STEADY), [1.0] * 3, *rules)
    assert held(found) == [30]
    assert flags(found) == [named]


def test_a_limit_that_does_not_bind_is_not_named() -> None:
    found = limited(bars_of(STEADY), [0.5] * 3, POSITION)
    assert held(found) == [50]
    assert flags(found) == [Limit.NONE]


def test_what_a_limit_leaves_is_rounded_to_lots_again() -> None:
    # 0.37 x 10,000 / 100 = 37: three lots of 10.
    found = limited(bars_of(STEADY), [1.0] * 3, LimitRule(Level.SYMBOL, LimitKind.MAX_POSITION, 0.37), lot=10)
    assert held(found) == [30]


def test_orders_made_before_count_as_filled() -> None:
    # Both are decided at bar 0. A takes 60; B finds 6,000 of 10,000 taken: 40.
    whole = LimitRule(Level.PORTFOLIO, LimitKind.MAX_GROSS_LEVERAGE, 1.0)
    found = limited(bars_of(STEADY, STEADY), [[0.6] * 3, [0.6] * 3], whole)
    assert held(found) == [60, 40]
    # A leaves at bar 1, and B, decided after it, gets its room.
    found = limited(bars_of(STEADY, STEADY), [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]], whole)
    assert held(found) == [0, 100]
    # B leaves at bar 1, but A is decided before it and finds B there.
    found = limited(bars_of(STEADY, STEADY), [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], whole)
    assert held(found) == [0, 0]


# Bought 80 of 100 at 100, which 0.8 allows. At 200 the equity is 2,000 + 80 x 200 = 18,000, and 0.8 of it are 72.
RISEN = bars_of([100, 100, 200, 200])
EIGHTY = LimitRule(Level.PORTFOLIO, LimitKind.MAX_POSITION, 0.8)


def test_reducing_is_never_limited() -> None:
    # 78 is above the limit of 72, but less than the 80 that are held.
    found = limited(RISEN, [0.8, 0.8, 0.78, 0.78], EIGHTY)
    assert deals(found) == [(1, 80, 100, Reason.SIGNAL), (3, -2, 200, Reason.SIGNAL)]
    assert flags(found) == [Limit.NONE, Limit.NONE]


def test_a_limit_never_makes_a_position_smaller_than_it_is() -> None:
    # 100 are wanted, 72 allowed, 80 held: they stay, without an order.
    found = limited(RISEN, [0.8, 0.8, 1.0, 1.0], EIGHTY)
    assert deals(found) == [(1, 80, 100, Reason.SIGNAL)]
    assert found.account["signals"] == 2


def test_the_far_side_of_a_reversal_is_limited() -> None:
    # From 80 to -100: -72 are allowed, so that 152 are sold.
    found = limited(RISEN, [0.8, 0.8, -1.0, -1.0], EIGHTY)
    assert deals(found)[1] == (3, -152, 200, Reason.SIGNAL)
    assert flags(found)[1] == Limit.PORTFOLIO_MAX_POSITION


def test_the_cash_and_a_limit_are_both_named() -> None:
    # 0.9 x 10,000 / 100 = 90; at an open of 125 the cash pays for 80.
    found = limited(
        bars_of([100, 125]),
        [1.0, 1.0],
        LimitRule(Level.SYMBOL, LimitKind.MAX_POSITION, 0.9),
        account=AccountKind.CASH,
        allow_short=False,
    )
    assert held(found) == [80]
    assert flags(found) == [Limit.CASH | Limit.SYMBOL_MAX_POSITION]
