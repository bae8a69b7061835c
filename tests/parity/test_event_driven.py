"""The event-driven engine gives the bits of the compiled one: ledger, equity, positions, metrics."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admf_ray.core.bars import FIELDS, NEVER, Bars
from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.engine.composition import Composition
from admf_ray.engine.event_driven import run_segment_in_container
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup
from admf_ray.engine.spec import AccountRules
from admf_ray.strategies import Strategy
from tests.parity.cases import Case, Panel, cases
from tests.unit.engine.account import bars_of

# Prices without an end make no sense of excursions, which both engines compute alike.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@compiled(STRATEGY, cache=False)
def replayed(matrix, rows, session, params, state, start, stop, out):  # type: ignore[no-untyped-def]
    """Targets that stand in the hub."""
    for s in range(rows.shape[0]):
        for t in range(start, stop):
            out[s, t] = matrix[rows[s, 0], t]


@compiled(STRATEGY, cache=False)
def keeping(matrix, rows, session, params, state, start, stop, out):  # type: ignore[no-untyped-def]
    """Long after a rise, by a state that is read at the newest bar of each piece."""
    for s in range(rows.shape[0]):
        before = state[s]
        for t in range(start, stop):
            out[s, t] = 1.0 if matrix[rows[s, 0], t] > before else 0.0
            before = matrix[rows[s, 0], t]
        state[s] = matrix[rows[s, 0], stop - 1]


REPLAYED = Strategy(
    name="replayed",
    parameters=(),
    inputs=("close",),
    kernel=replayed,
    warm_up=lambda params: 0,
    convergence=lambda params: 0,
    scope="panel",
    source="tests",
)


def both(case: Case, start: int = 0, stop: int | None = None) -> tuple[Segment, Segment]:
    """Run a case on both engines."""
    bars, rules = case.panel.bars, case.rules
    symbols, stop = len(bars.symbols), len(bars) if stop is None else stop
    fields = np.stack([getattr(bars, name) for name in FIELDS], axis=1).reshape(-1, len(bars))
    rows = [np.array(rows, dtype=float) for rows in (case.panel.volatility, case.panel.atr, case.panel.targets)]
    matrix = np.ascontiguousarray(np.concatenate([fields, *rows]))
    volatility, atr, targets = len(fields) + np.arange(3 * symbols).reshape(3, symbols)
    flat = rules.holdings(bars.symbols, np.array(case.panel.last_bar), volatility, atr)
    setup = Setup(Composition.of(REPLAYED), bars, matrix, targets.reshape(-1, 1), np.empty(0), rules, flat)
    return run_segment(setup, start, stop), run_segment_in_container(setup, start, stop)


def assert_same(compiled_one: Segment, driven: Segment) -> None:
    assert driven.fills.tobytes() == compiled_one.fills.tobytes()
    assert driven.equity.tobytes() == compiled_one.equity.tobytes()
    assert driven.position.tobytes() == compiled_one.position.tobytes()
    np.testing.assert_array_equal(list(driven.metrics.values()), list(compiled_one.metrics.values()))
    for name in ("cash", "interest", "signals", "orders", "fills", "trades"):
        assert driven.account[name] == compiled_one.account[name], name
    np.testing.assert_array_equal(driven.holdings["pending"], compiled_one.holdings["pending"])


@settings(max_examples=300)
@given(cases())
def test_both_engines_agree_on_random_accounts(case: Case) -> None:
    assert_same(*both(case))


@settings(max_examples=150)
@given(cases(), st.integers(0, 12), st.integers(0, 5))
def test_both_engines_agree_on_segments_anywhere_in_the_series(case: Case, after: int, before: int) -> None:
    start = min(after, len(case.panel.bars) - 1)
    assert_same(*both(case, start, max(start + 1, len(case.panel.bars) - before)))


def test_both_engines_agree_on_ruin_without_a_fill() -> None:
    bars = bars_of([1000.0, 1000.0, 1000.0, 5e-324, 5e-324, 1000.0, 1000.0, 1000.0])
    unknown = [[math.nan] * 8]
    panel = Panel(bars, [[1.0] * 8], unknown, unknown, [NEVER])
    compiled_one, driven = both(Case(panel, AccountRules(cash=100.0, lot=0.0)))
    assert_same(compiled_one, driven)
    assert compiled_one.equity[-1] == 0.0


def test_a_strategy_that_keeps_its_state_at_the_end_of_a_piece_is_never_given_no_bars(sp500: Bars) -> None:
    short = sp500.head(50)
    matrix = np.stack([getattr(short, name)[0] for name in FIELDS])
    strategy = replace(REPLAYED, kernel=keeping, state_size=lambda params: 1)
    rules = AccountRules()
    flat = rules.holdings(("SPX",))
    setup = Setup(Composition.of(strategy), short, matrix, np.array([[3]]), np.empty(0), rules, flat)
    assert_same(run_segment(setup, 0, 50), run_segment_in_container(setup, 0, 50))


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@settings(max_examples=20_000)
@given(cases())
def test_both_engines_agree_on_twenty_thousand_random_accounts(case: Case) -> None:
    assert_same(*both(case))
