"""A full trace is the whole backtest: read back from disk and replayed, the account comes out to the last bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.bars import Bars
from admf_ray.core.records import Level, LimitKind, Reason
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.event_driven import run_segment_in_container
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.spec import AccountRules, LimitRule
from admf_ray.events import (
    ContainerRegistry,
    Ensemble,
    Event,
    EventBus,
    EventTracer,
    EventType,
    Fill,
    Order,
    Portfolio,
    Regime,
    Trace,
    TraceSettings,
    read_trace,
)
from admf_ray.events.contracts import undeclared
from admf_ray.events.replay import EventReplay
from admf_ray.optimize import Candidates, plan_search
from admf_ray.portfolio.metrics_observer import MetricsObserver
from admf_ray.strategies import STRATEGIES
from tests.parity.test_compositions import assert_same

START, STOP = 300, 800
RULES = AccountRules(
    commission_bps=1.0,
    slippage_bps=2.0,
    max_drawdown=0.1,
    drawdown_pause=20,
    limits=(LimitRule(Level.SYMBOL, LimitKind.MAX_POSITION, 0.8),),
)
MEMBERS = (
    Member("cross", STRATEGIES["sma_cross"], (("classifier", ("up",)),)),
    Member("dip", STRATEGIES["rsi_reversion"], sets=("down",)),
    Member("breakout", STRATEGIES["donchian_breakout"]),
)
COMPOSITION = Composition(MEMBERS, (Watch("classifier", CLASSIFIERS["trend"]),), "weighted", (0.4, 0.3, 0.3))
PARAMS = {"fast": 5.0, "slow": 20.0, "dip_period": 3.0, "dip_down_period": 2.0, "classifier_period": 50.0}
ROOT, ACCOUNT = "traced", "traced.book.risk"


class Account:
    """A portfolio that knows fills and closes alone: what it holds, its cash, and its equity at each close."""

    def __init__(self, cash: float) -> None:
        self.cash, self.held, self.price = cash, 0.0, np.nan
        self.equity: list[float] = []
        self.positions: list[float] = []

    def on_event(self, event: Event[Any]) -> None:
        payload = event.payload
        if event.type is EventType.BAR:
            self.price = payload.close
        elif event.type is EventType.FILL:
            self.held, self.cash = payload.position, payload.cash
        elif event.type is EventType.PORTFOLIO:
            self.equity.append(self.cash + self.held * self.price)
            self.positions.append(self.held)


@pytest.fixture(scope="module", params=["jsonl", "parquet"])
def traced(
    sp500: Bars, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Path], Segment]:
    """Run a composition with a tracer for each container; give their folders and what the backtest came to."""
    folder = tmp_path_factory.mktemp("trace")
    search = plan_search(sp500.head(1_000), COMPOSITION, Candidates.single(COMPOSITION.complete(PARAMS)), RULES)
    settings = TraceSettings(storage_backend="disk", file_format=request.param, max_events=500, max_file_size_mb=0.1)
    tracers: dict[str, EventTracer] = {}

    def observe(bus: EventBus) -> None:
        tracers[bus.container_id] = EventTracer(settings, folder / bus.container_id)
        bus.attach(tracers[bus.container_id])

    hub = search.hub()
    setup = search.setup(hub, 0)
    found = run_segment_in_container(setup, START, STOP, ROOT, observe, hub)
    for tracer in tracers.values():
        tracer.close()
        assert tracer.dropped == 0
    assert_same(run_segment(setup, START, STOP), found)
    return {name: folder / name for name in tracers}, found


def replayed(traced: tuple[dict[str, Path], Segment], *observers: Any) -> int:
    """Publish what the account's container saw, on a new bus of its name."""
    trace = read_trace(traced[0][ACCOUNT])
    bus = EventBus(ACCOUNT, errors="raise", registry=ContainerRegistry())
    for observer in observers:
        bus.attach(observer)
    count = EventReplay(trace, containers=[ROOT, ACCOUNT]).replay(bus)
    bus.close()
    return count


def test_metrics_of_a_replay_are_those_of_the_segment(sp500: Bars, traced: tuple[dict[str, Path], Segment]) -> None:
    flat = RULES.holdings(sp500.symbols)
    observer = MetricsObserver(sp500.symbols, RULES.record(sp500.periods_per_year), flat, ACCOUNT)
    assert replayed(traced, observer) > 2 * (STOP - START)
    assert observer.metrics() == traced[1].metrics


def test_a_portfolio_that_hears_a_replay_has_the_equity_and_positions(traced: tuple[dict[str, Path], Segment]) -> None:
    account, found = Account(RULES.cash), traced[1]
    replayed(traced, account)
    assert account.equity == found.equity.tolist()
    assert account.positions == found.position[0].tolist()
    assert len(found.trades) > 10


def test_what_was_read_back_is_what_happened(traced: tuple[dict[str, Path], Segment]) -> None:
    found = traced[1]
    trace = Trace(read_trace(traced[0][ACCOUNT]))
    of = {kind: [event.payload for event in trace.select(types=[kind])] for kind in EventType}
    marks: list[Portfolio] = of[EventType.PORTFOLIO]
    assert [mark.bar for mark in marks] == list(range(START, STOP))
    assert [mark.equity for mark in marks] == found.equity.tolist()
    assert [mark.positions for mark in marks] == [(held,) for held in found.position[0].tolist()]
    fills: list[Fill] = of[EventType.FILL]
    names = ("bar", "quantity", "price", "commission", "position", "cash", "order", "signal", "reason", "limits")
    for name in names:
        assert [getattr(fill, name) for fill in fills] == found.fills[name].tolist(), name
    assert not of[EventType.ERROR]


def test_orders_and_ensembles_say_who_wanted_what_in_which_regime(traced: tuple[dict[str, Path], Segment]) -> None:
    found = traced[1]
    assert found.shares is not None
    trace = Trace(read_trace(traced[0][ACCOUNT]))
    newest: Ensemble | None = None
    orders: list[int] = []
    for event in trace:
        payload = event.payload
        if event.type is EventType.ENSEMBLE:
            newest = payload
            assert payload.strategies == COMPOSITION.member_names
            assert list(payload.strengths) == found.shares[:, 0, payload.bar - START].tolist()
        elif event.type is EventType.ORDER:
            order: Order = payload
            orders.append(order.order)
            assert newest is not None
            assert (order.strategies, order.strengths) == (newest.strategies, newest.strengths)
            assert order.regime == found.regimes[0, order.bar - START]
    # At the end of the segment positions are closed without anybody asking for it.
    closed = found.fills["order"][found.fills["reason"] == Reason.FLATTEN]
    assert sorted([*orders, *closed.tolist()]) == list(range(1, found.account["orders"] + 1))


def test_every_change_of_the_regime_is_told_once(traced: tuple[dict[str, Path], Segment]) -> None:
    labels = [-1, *traced[1].regimes[0].tolist()]
    changes = [(START + k, labels[k + 1], labels[k]) for k in range(STOP - START) if labels[k + 1] != labels[k]]
    trace = Trace(read_trace(traced[0][ACCOUNT]))
    told: list[Regime] = [event.payload for event in trace.select(types=[EventType.REGIME])]
    assert [(one.bar, one.regime, one.previous) for one in told] == changes
    assert len(changes) > 5


def test_every_event_follows_from_one_that_its_component_may_answer(traced: tuple[dict[str, Path], Segment]) -> None:
    # A container's trace holds what its parent and its children sent it; each event counts once.
    events = {event.event_id: event for folder in traced[0].values() for event in read_trace(folder)}
    assert undeclared(events.values()) == []
    assert {event.type for event in events.values()} >= {
        *(EventType.BAR, EventType.INDICATOR, EventType.REGIME, EventType.SIGNAL, EventType.ENSEMBLE),
        *(EventType.ORDER, EventType.FILL, EventType.POSITION_OPEN, EventType.POSITION_CLOSE, EventType.PORTFOLIO),
    }
