"""A backtest in a container: what it publishes, and that containers do not touch each other."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.records import DistanceKind, FillPolicy, Reason
from admf_ray.engine.composition import Composition
from admf_ray.engine.event_driven import BOOK, container_spec, run_books_in_containers, run_segment_in_container
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup
from admf_ray.engine.spec import AccountRules, Distance
from admf_ray.events import (
    LIVE,
    Event,
    EventBus,
    EventTracer,
    EventType,
    LatencyStatistics,
    Trace,
    TraceSettings,
)
from admf_ray.events.contracts import undeclared
from admf_ray.optimize import plan_search
from admf_ray.optimize.space import Candidates
from admf_ray.portfolio.metrics_observer import MetricsObserver
from admf_ray.strategies import STRATEGIES
from tests.parity.test_event_driven import REPLAYED
from tests.unit.engine.account import bars_of

COSTS = AccountRules(commission_bps=1.0, slippage_bps=2.0)
STOPPED = AccountRules(
    commission_bps=1.0,
    stop_loss=Distance(DistanceKind.PERCENT, 0.03),
    trailing_stop=Distance(DistanceKind.PERCENT, 0.05),
    fill=FillPolicy.CLOSE,
)


def runs(bars: Bars, rules: AccountRules, fast: float = 20.0) -> tuple[Callable[..., Segment], Segment]:
    """Give what runs a crossing of averages over the last 1,000 bars in a container, and the compiled result."""
    strategy = STRATEGIES["sma_cross"]
    search = plan_search(bars, strategy, Candidates.single({"fast": fast, "slow": 50.0}), rules)
    hub = search.hub()
    given = search.setup(hub, 0), 4_031, 5_031
    return lambda **options: run_segment_in_container(*given, **options), run_segment(*given)


def traced(bars: Bars, rules: AccountRules = COSTS) -> tuple[Trace, Segment]:
    run, expected = runs(bars, rules)
    tracer = EventTracer(TraceSettings())
    run(container_id="traced", observe=lambda bus: bus.attach(tracer))
    return tracer.trace(), expected


def equal(one: Segment, other: Segment) -> bool:
    return one.fills.tobytes() == other.fills.tobytes() and one.equity.tobytes() == other.equity.tobytes()


@pytest.mark.parametrize("rules", [COSTS, STOPPED], ids=["costs", "stopped"])
def test_events_tell_all_that_the_ledger_says(sp500: Bars, rules: AccountRules) -> None:
    trace, expected = traced(sp500, rules)
    fills = [event.payload for event in trace.select(types=[EventType.FILL])]
    assert [(fill.bar, fill.quantity, fill.price, fill.reason) for fill in fills] == [
        (int(row["bar"]), row["quantity"], row["price"], int(row["reason"])) for row in expected.fills
    ]
    marks = [event.payload for event in trace.select(types=[EventType.PORTFOLIO])]
    assert [mark.equity for mark in marks] == expected.equity.tolist()
    assert [mark.positions[0] for mark in marks] == expected.position[0].tolist()
    assert [mark.bar for mark in marks] == list(range(4_031, 5_031))
    closed = [event.payload.net for event in trace.select(types=[EventType.POSITION_CLOSE])]
    np.testing.assert_allclose(closed, expected.trades["net"], rtol=1e-9, atol=1e-6)
    assert len(trace.select(types=[EventType.ERROR])) == 0


def test_a_trades_whole_life_is_one_query(sp500: Bars) -> None:
    trace, expected = traced(sp500)
    lives = [trace.life(name) for name in trace.correlations]
    assert len(lives) >= len(expected.trades)
    assert [event.type for event in lives[0]] == [
        "SIGNAL",
        "ORDER",
        "FILL",
        "POSITION_OPEN",
        "SIGNAL",
        "ORDER",
        "FILL",
        "POSITION_CLOSE",
    ]
    assert [event.type for event in trace.causes(lives[0][-1])] == ["BAR", "SIGNAL", "ORDER", "FILL"]


def test_a_protective_exit_belongs_to_the_trade_that_it_ends(sp500: Bars) -> None:
    trace, _ = traced(sp500, STOPPED)
    stopped = [
        event
        for event in trace.select(types=[EventType.FILL])
        if event.payload.reason in {Reason.STOP_LOSS, Reason.TRAILING_STOP}
    ]
    assert stopped
    for event in stopped:
        assert event.correlation_id
        assert EventType.POSITION_OPEN in [one.type for one in trace.life(event.correlation_id)]


def test_positions_open_and_close_in_one_life_though_another_signal_closes_them() -> None:
    """Long, then short where that is not allowed: the second signal begins a life of its own and only closes."""
    bars, rules = bars_of([10.0] * 8), AccountRules()
    matrix = np.concatenate([np.stack([getattr(bars, name)[0] for name in FIELDS]), [[1, 1, -1, -1, 0, 1, 0, 0]]])
    flat = rules.holdings(("A",))
    setup = Setup(Composition.of(REPLAYED), bars, matrix, np.array([[5]]), np.empty(0), rules, flat)
    tracer = EventTracer(TraceSettings())
    run_segment_in_container(setup, 0, 8, observe=lambda bus: bus.attach(tracer))
    trace = tracer.trace()
    opened, closed = (trace.select(types=[kind]) for kind in (EventType.POSITION_OPEN, EventType.POSITION_CLOSE))
    assert [event.correlation_id for event in opened] == ["replayed-A-1", "replayed-A-3"]
    assert [event.correlation_id for event in closed] == ["replayed-A-1", "replayed-A-3"]
    assert all(math.isnan(event.payload.level) for event in trace.select(types=[EventType.ORDER]))


def test_every_event_follows_from_one_that_its_component_may_answer(sp500: Bars) -> None:
    for rules in (COSTS, STOPPED):
        assert undeclared(traced(sp500, rules)[0]) == []


@pytest.mark.parametrize("rules", [COSTS, STOPPED], ids=["costs", "stopped"])
def test_the_metrics_observer_sees_the_compiled_metrics(sp500: Bars, rules: AccountRules) -> None:
    run, expected = runs(sp500, rules)
    flat = rules.holdings(sp500.symbols)
    observer = MetricsObserver(sp500.symbols, rules.record(sp500.periods_per_year), flat, "watched")
    run(container_id="watched", observe=lambda bus: bus.attach(observer))
    assert observer.metrics() == expected.metrics


def test_observers_change_nothing(sp500: Bars) -> None:
    run, expected = runs(sp500, STOPPED)
    statistics = LatencyStatistics()

    def observe(bus: EventBus) -> None:
        bus.attach(EventTracer(TraceSettings()))
        bus.attach(statistics)

    assert equal(run(), expected)
    assert equal(run(observe=observe), expected)
    assert {one.handler for one in statistics.latencies()} == {
        "Execution.on_bar",
        "Execution.on_order",
        "PortfolioBook.on_bar",
        "PortfolioBook.on_fill",
        "Risk.on_signal",
        "StrategyRunner.on_bar",
    }


def test_containers_that_take_turns_give_what_each_gives_alone(sp500: Bars) -> None:
    """One runs from inside of the other, a whole backtest at every hundredth bar."""
    inner, inner_expected = runs(sp500, STOPPED, fast=10.0)
    outer, outer_expected = runs(sp500, COSTS)
    found: list[Segment] = []

    class Nesting:
        def on_event(self, event: Event[Any]) -> None:
            if event.type is EventType.BAR and event.payload.bar % 100 == 0:
                found.append(inner())

    assert equal(outer(observe=lambda bus: bus.attach(Nesting())), outer_expected)
    assert len(found) == 10
    assert all(equal(one, inner_expected) for one in found)


def test_a_container_that_fails_leaves_others_as_they_are_and_nothing_behind(sp500: Bars) -> None:
    run, expected = runs(sp500, COSTS)
    before = len(LIVE)

    class Failing:
        def on_event(self, event: Event[Any]) -> None:
            if event.type is EventType.BAR and event.payload.bar == 4_500:
                raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        run(container_id="failing", observe=lambda bus: bus.attach(Failing()))
    assert len(LIVE) == before
    assert "failing" not in LIVE.leaked()
    assert equal(run(), expected)


def test_the_chain_names_its_components_in_order() -> None:
    assert [one.name for one in container_spec({BOOK: Composition.of(STRATEGIES["sma_cross"])}).order()] == [
        "account",
        "execution",
        "portfolio",
        "strategy_runner",
        "risk",
        "feed",
    ]


@pytest.mark.parametrize("name", ["careful", "two words", "v1.5"])
def test_a_book_is_found_by_its_name(sp500: Bars, name: str) -> None:
    search = plan_search(sp500.head(100), STRATEGIES["buy_and_hold"], Candidates.single({}), COSTS)
    setup = search.setup(search.hub(), 0)
    found = run_books_in_containers({name: setup, "other": setup}, 0, 100)
    assert list(found) == [name, "other"]
    assert all(equal(one, run_segment(setup, 0, 100)) for one in found.values())


def test_each_book_reads_the_hub_that_it_was_planned_on(sp500: Bars) -> None:
    bars, setups = sp500.head(400), {}
    for name, strategy, params in (
        ("cross", "sma_cross", {"fast": 5.0, "slow": 20.0}),
        ("above", "price_sma", {"period": 30.0}),
    ):
        search = plan_search(bars, STRATEGIES[strategy], Candidates.single(params), COSTS)
        setups[name] = search.setup(search.hub(), 0)
    found = run_books_in_containers(setups, 0, 400)
    assert all(equal(found[name], run_segment(setup, 0, 400)) for name, setup in setups.items())
    assert all(len(one.fills) for one in found.values())
