"""The compiled simulation equals the plain-Python reference, bit for bit, and obeys what holds for any rules."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from admf_ray.core.bars import FIELDS
from admf_ray.core.records import AccountKind, Boundary, DistanceKind, Level
from admf_ray.engine.simulate import FULL
from admf_ray.engine.spec import AccountRules, Instrument
from tests.parity import reference
from tests.parity.cases import Case, Panel, cases, full_book
from tests.parity.kernel import Simulated, simulate_targets

SPANS = st.tuples(st.floats(0, 1), st.floats(0, 1))
FACTORS = st.sampled_from([2.0**power for power in (-7, -1, 1, 2, 10)])
CARRY = ("interest", "borrow_rate", "loan_rate")
COSTS = (
    "commission_bps",
    "commission_per_share",
    "commission_minimum",
    "commission_fixed",
    "slippage_bps",
    "half_spread",
    "impact",
)


def simulated(panel: Panel, rules: AccountRules, stop: int | None = None, **options: Any) -> Simulated:
    known: Mapping[str, Any] = {"volatility": panel.volatility, "atr": panel.atr, "last_bar": panel.last_bar}
    return simulate_targets(panel.bars, panel.targets, rules, 0, stop, **known, **options)


def value_at_end(panel: Panel, rules: AccountRules, found: Simulated) -> float:
    """Cash, and positions at their newest closes."""
    value = float(found.account["cash"])
    for name, close, position in zip(panel.bars.symbols, panel.bars.close, found.position[:, -1], strict=True):
        known = close[~np.isnan(close)]
        if len(known):
            value = value + position * known[-1] * rules.instruments.get(name, Instrument()).multiplier
    return value


def assume_no_dust(*found: Simulated) -> None:
    """Leave out what the last cent bought at the bottom of the floats, where halves are rounded."""
    assume(all((np.abs(one.fills["quantity"]) > 1e-290).all() for one in found))


def check_equal(case: Case, span: tuple[float, float]) -> None:
    panel, rules = case.panel, case.rules
    count = len(panel.bars)
    start = min(int(min(span) * count), count - 1)
    stop = max(min(int(max(span) * count), count), start + 1)
    known = {"volatility": panel.volatility, "atr": panel.atr, "last_bar": panel.last_bar}
    expected = reference.run(panel.bars, panel.targets, rules, start, stop, **known)
    found = simulate_targets(panel.bars, panel.targets, rules, start, stop, **known)
    assert found.fills.tolist() == [dataclasses.astuple(fill) for fill in expected.fills]
    np.testing.assert_array_equal(found.equity, expected.equity)
    np.testing.assert_array_equal(found.position.T, expected.positions)
    for name in ("cash", "signals", "orders", "interest", "commission", "halt"):
        assert found.account[name] == getattr(expected, name), name
    if rules.boundary == Boundary.MARK:
        np.testing.assert_array_equal(found.pending, expected.pending)
    for name, value in reference.metrics(expected).items():
        np.testing.assert_array_equal(found.metrics[name], value, err_msg=name)


@settings(max_examples=400)
@example(full_book(Level.PORTFOLIO), (0.0, 1.0))
@example(full_book(Level.STRATEGY), (0.0, 1.0))
@given(cases(), SPANS)
def test_kernel_equals_the_reference(case: Case, span: tuple[float, float]) -> None:
    check_equal(case, span)


# Four parts, because Hypothesis remembers every example of a test that runs: 34 KB each.
@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(4))
@settings(settings.get_profile("slow"))
@given(case=cases(), span=SPANS)
def test_kernel_equals_the_reference_at_length(part: int, case: Case, span: tuple[float, float]) -> None:
    check_equal(case, span)


@given(cases(), st.lists(st.floats(0, 1), max_size=3))
def test_every_variant_that_can_do_it_gives_the_same_bits(case: Case, cuts: list[float]) -> None:
    panel, rules = case.panel, case.rules
    recorded = simulated(panel, rules)
    smallest = rules.variant(rules.holdings(panel.bars.symbols, np.array(panel.last_bar)))
    for variant in {smallest, FULL}:
        found = simulated(panel, rules, variant=variant, cuts=[int(cut * len(panel.bars)) for cut in cuts])
        for name in ("cash", "equity", "interest", "signals", "orders", "fills", "trades", "halt"):
            assert found.account[name] == recorded.account[name], name
        np.testing.assert_array_equal(list(found.metrics.values()), list(recorded.metrics.values()))


@given(cases(), st.lists(st.floats(0, 1), max_size=5))
def test_any_cut_of_a_segment_gives_the_same_bits(case: Case, cuts: list[float]) -> None:
    whole = simulated(case.panel, case.rules)
    pieces = simulated(case.panel, case.rules, cuts=[int(cut * len(case.panel.bars)) for cut in cuts])
    assert whole.account.tobytes() == pieces.account.tobytes()
    assert whole.equity.tobytes() == pieces.equity.tobytes()
    assert whole.position.tobytes() == pieces.position.tobytes()
    assert whole.fills.tobytes() == pieces.fills.tobytes()


@given(cases(), st.floats(0, 1))
def test_later_bars_change_nothing_before_them(case: Case, part: float) -> None:
    rules = replace(case.rules, boundary=Boundary.MARK)
    stop = max(int(part * len(case.panel.bars)), 1)
    whole, before = simulated(case.panel, rules), simulated(case.panel, rules, stop)
    assert whole.equity[:stop].tobytes() == before.equity.tobytes()
    assert whole.position[:, :stop].tobytes() == before.position.tobytes()
    assert whole.fills[whole.fills["bar"] < stop].tobytes() == before.fills.tobytes()


@given(cases())
def test_cash_and_the_value_of_positions_are_equity(case: Case) -> None:
    found = simulated(case.panel, case.rules)
    assert found.equity[-1] == value_at_end(case.panel, case.rules, found)


@given(cases())
def test_cash_account_is_never_in_debt_nor_short(case: Case) -> None:
    rules = replace(case.rules, account=AccountKind.CASH, allow_short=False)
    found = simulated(case.panel, rules)
    assert (found.fills["cash"] >= 0).all()
    assert found.account["cash"] >= 0
    assert (found.position >= 0).all()


@given(cases())
def test_flatten_ends_flat_and_trades_and_interest_are_the_change_of_equity(case: Case) -> None:
    rules = replace(case.rules, boundary=Boundary.FLATTEN)
    found = simulated(case.panel, rules)
    assert (found.position[:, -1] == 0).all()
    assert found.equity[-1] == found.account["cash"]
    earned = found.account["gross_profit"] - found.account["gross_loss"] + found.account["interest"]
    multipliers = np.array([rules.instruments.get(name, Instrument()).multiplier for name in case.panel.bars.symbols])
    moved = np.abs(found.fills["quantity"] * found.fills["price"] * multipliers[found.fills["symbol"]]).sum()
    scale = rules.cash + moved + found.fills["commission"].sum() + np.abs(found.equity).max()
    assert found.equity[-1] - rules.cash == pytest.approx(earned, abs=1e-12 * len(case.panel.bars) * scale)


@given(cases())
def test_delisted_symbol_is_not_held_after_its_last_bar(case: Case) -> None:
    found = simulated(case.panel, case.rules)
    for position, last_bar in zip(found.position, case.panel.last_bar, strict=True):
        assert (position[last_bar:] == 0).all()


@given(cases())
def test_flat_prices_without_costs_and_carry_earn_nothing(case: Case) -> None:
    flat = {
        name: np.where(np.isnan(case.panel.bars.close), math.nan, 20.0) for name in ("open", "high", "low", "close")
    }
    panel = replace(case.panel, bars=replace(case.panel.bars, **flat))
    # Whole numbers throughout, so that no sum is rounded.
    instruments = {name: Instrument(multiplier=50.0) for name in panel.bars.symbols[1:]}
    free = dict.fromkeys((*CARRY, *COSTS), 0.0)
    rules = replace(case.rules, cash=1e6, size=min(case.rules.size, 1e4), lot=1.0, instruments=instruments, **free)
    found = simulated(panel, rules)
    assert set(found.equity.tolist()) == {1e6}


@given(cases(), FACTORS)
def test_more_cash_is_the_same_account_at_a_larger_scale(case: Case, factor: float) -> None:
    fixed = {"fixed_quantity", "fixed_cash"} & {case.rules.sizing}
    rules = replace(
        case.rules,
        size=1.0 if fixed else min(case.rules.size, 3.0),
        sizing="percent_equity" if fixed else case.rules.sizing,
        lot=0.0,
        instruments={name: replace(known, lot=0.0) for name, known in case.rules.instruments.items()},
        commission_minimum=0.0,
        commission_fixed=0.0,
        participation=0.0,
        impact=0.0,
    )
    more = replace(rules, cash=rules.cash * factor, minimum_trade=rules.minimum_trade * factor)
    small, large = simulated(case.panel, rules), simulated(case.panel, more)
    assume_no_dust(small, large)
    assert (large.equity == small.equity * factor).all()
    assert (large.position == small.position * factor).all()


@given(cases(), FACTORS)
def test_other_unit_of_price_leaves_money_as_it_is(case: Case, factor: float) -> None:
    """Prices times a factor, quantities divided by it: a split of every symbol."""
    bars, rules = case.panel.bars, case.rules
    fields = {name: getattr(bars, name) * factor for name in FIELDS} | {"volume": bars.volume / factor}
    atr = (np.array(case.panel.atr) * factor).tolist()
    levels = {name: getattr(rules, name) for name in ("stop_loss", "take_profit", "trailing_stop")}
    split = replace(
        rules,
        size=rules.size / factor if rules.sizing == "fixed_quantity" else rules.size,
        lot=rules.lot / factor,
        half_spread=rules.half_spread * factor,
        commission_per_share=rules.commission_per_share * factor,
        instruments={
            name: replace(known, tick=known.tick * factor, lot=None if known.lot is None else known.lot / factor)
            for name, known in rules.instruments.items()
        },
        **{
            name: replace(level, value=level.value * factor)
            for name, level in levels.items()
            if level.kind == DistanceKind.PRICE
        },
    )
    before = simulated(case.panel, rules)
    after = simulated(replace(case.panel, bars=replace(bars, **fields), atr=atr), split)
    assume_no_dust(before, after)
    assert (after.equity == before.equity).all()
    assert (after.position * factor == before.position).all()
    assert (after.fills["cash"] == before.fills["cash"]).all()


@given(cases(), st.permutations(range(4)))
def test_symbols_do_not_know_their_order_where_nothing_is_scarce(case: Case, order: list[int]) -> None:
    bars = case.panel.bars
    order = [s for s in order if s < len(bars.symbols)]
    quantity = case.rules.sizing == "fixed_quantity"
    rules = replace(
        case.rules,
        cash=1e30,
        sizing="fixed_quantity" if quantity else "fixed_cash",
        size=min(case.rules.size, 1e6),
        rebalance_threshold=0.0,
        limits=(),
        max_drawdown=0.0,
        daily_loss=0.0,
    )
    moved = Panel(
        replace(
            bars,
            symbols=tuple(bars.symbols[s] for s in order),
            **{name: getattr(bars, name)[order] for name in FIELDS},
        ),
        *([rows[s] for s in order] for rows in (case.panel.targets, case.panel.volatility, case.panel.atr)),
        [case.panel.last_bar[s] for s in order],
    )
    straight, permuted = simulated(case.panel, rules), simulated(moved, rules)
    assert permuted.position.tobytes() == straight.position[order].tobytes()
    assert permuted.equity == pytest.approx(straight.equity, rel=1e-12)
