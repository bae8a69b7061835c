"""What a bus costs: beside a direct call, with tracing, over many containers, in lockstep."""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from admf_ray.events import (
    Bar,
    ContainerRegistry,
    Event,
    EventBus,
    EventType,
    Gate,
    Lockstep,
    Signal,
    TracingConfig,
    attach_tracer,
    by_strategy,
    by_symbol,
)
from tests.benchmarks.harness import Reading, row
from tests.unit.events.trades import events_of_trades

EVENTS = 200_000
SPX = by_symbol("SPX")


class Counting:
    """A component that counts what it is told."""

    def __init__(self) -> None:
        self.count = 0

    def on_event(self, event: Event[Any]) -> None:
        self.count += 1


def bars(count: int, container: str = "a") -> list[Event[Bar]]:
    return [Event(Bar("SPX", bar, 1.0, 1.0, 1.0, 1.0, 1.0), "feed", container, bar) for bar in range(count)]


def published(events: list[Event[Any]], level: str | None = None, folder: Path | None = None, **options: Any) -> float:
    """Give the seconds that it takes to publish events to one handler behind a filter."""
    for event in events:
        event.sequence = 0
    bus, component = EventBus("a", registry=ContainerRegistry()), Counting()
    bus.subscribe(EventType.BAR, component.on_event, SPX)
    if level is not None:
        attach_tracer(bus, TracingConfig.parse({"level": level, **options}), folder)
    publish = bus.publish
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    for event in events:
        publish(event)
    taken = time.perf_counter() - began
    gc.enable()
    bus.close()
    assert component.count == sum(event.type is EventType.BAR for event in events)
    return taken


def called(events: list[Event[Any]]) -> float:
    """Give the seconds of calling the method directly, through the same filter."""
    component, accepts = Counting(), SPX.accepts
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    for event in events:
        if accepts(event):
            component.on_event(event)
    taken = time.perf_counter() - began
    gc.enable()
    assert component.count == len(events)
    return taken


@row("publish to one handler over a direct call", "x", runs=9, bar=4.0)
def publish_over_call() -> Callable[[], Reading]:
    """The same filter in both; no observer."""
    events = bars(EVENTS)

    def once() -> Reading:
        direct, bus = called(events), published(events)
        told = f"{direct / EVENTS * 1e9:.0f} ns a direct call with its filter, {bus / EVENTS * 1e9:.0f} ns published"
        return Reading(bus / direct, told)

    return once


@row("tracing level none over no tracing", "x", runs=9, bar=1.05)
def tracing_none() -> Callable[[], float]:
    """Configured as none: the fastest of three each, in turns, so that noise does not decide."""
    events = bars(EVENTS)

    def once() -> float:
        pairs = [(published(events, "none"), published(events)) for _ in range(3)]
        return min(pair[0] for pair in pairs) / min(pair[1] for pair in pairs)

    return once


def traced(level: str, **options: Any) -> Callable[[], Reading]:
    """Give events a second on a bus with one handler; of trades, 100 events each."""
    events = list(events_of_trades(EVENTS // 100))

    def once() -> Reading:
        with TemporaryDirectory() as folder:
            taken = published(events, level, Path(folder), **options)
        return Reading(EVENTS / taken, f"{taken / EVENTS * 1e9:.0f} ns an event")

    return once


@row("events traced a second, level minimal", "1/s", runs=5)
def traced_minimal() -> Callable[[], Reading]:
    """Counts, and the newest troubles."""
    return traced("minimal")


@row("events traced a second, level metrics", "1/s", runs=5)
def traced_metrics() -> Callable[[], Reading]:
    """Equity curve and latencies of every handler."""
    return traced("metrics")


@row("events traced a second, level debug", "1/s", runs=5)
def traced_full() -> Callable[[], Reading]:
    """Every event in memory, equity curve, latencies."""
    return traced("debug")


@row("events traced a second, level debug to compressed JSON lines", "1/s", runs=3)
def traced_to_disk() -> Callable[[], Reading]:
    """Every event in a file, equity curve, latencies."""
    return traced("debug", storage_backend="disk")


@row("1,000 containers x 100,000 events, one core", "s", runs=1, bar=300.0)
def containers() -> Callable[[], Reading]:
    """Ten times what 100 containers take, each with two handlers and level minimal; creating events is included."""

    def once() -> Reading:
        registry = ContainerRegistry()
        config = TracingConfig.parse({"level": "minimal"})
        root = EventBus("root", registry=registry)
        buses = [EventBus(f"container-{index}", root, registry=registry) for index in range(100)]
        components = [Counting() for _ in buses]
        for bus, component in zip(buses, components, strict=True):
            bus.subscribe(EventType.BAR, component.on_event, SPX)
            bus.subscribe(EventType.SIGNAL, component.on_event, by_strategy("cross"))
            attach_tracer(bus, config)
        began = time.perf_counter()
        for bus in buses:
            for event in events_of_trades(1_000, bus.container_id):
                bus.publish(event)
        taken = time.perf_counter() - began
        assert [component.count for component in components] == [1_000 * 48] * 100
        root.close()
        return Reading(10 * taken, f"{taken:.1f} s for 100 containers, {taken / 1e7 * 1e9:.0f} ns an event")

    return once


@row("lockstep of 10 strategies, over the same without it", "x", runs=5)
def lockstep() -> Callable[[], Reading]:
    """Every bar makes 10 signals; with the barrier the next bar waits for them."""
    strategies = [f"strategy-{index}" for index in range(10)]
    count = 5_000

    class Strategy:
        def __init__(self, bus: EventBus, name: str) -> None:
            self.bus, self.name = bus, name

        def on_bar(self, event: Event[Bar]) -> None:
            self.bus.publish(Event(Signal(self.name, "SPX", event.payload.bar, 1.0), self.name, "a", cause=event))

    def run(is_gated: bool) -> float:
        bus = EventBus("a", registry=ContainerRegistry())
        several = [Strategy(bus, name) for name in strategies]

        def tell(event: Event[Bar]) -> None:
            for strategy in several:
                strategy.on_bar(event)

        if is_gated:
            gate = Gate(Lockstep(strategies), tell)
            bus.subscribe(EventType.BAR, gate.on_event)
            bus.subscribe(EventType.SIGNAL, gate.watch, by_strategy(*strategies))
        else:
            counting = Counting()
            kept = bus.subscribe(EventType.BAR, tell)
            bus.subscribe(EventType.SIGNAL, counting.on_event, by_strategy(*strategies))
        began = time.perf_counter()
        for event in bars(count):
            bus.publish(event)
        taken = time.perf_counter() - began
        assert not is_gated or (gate.passed, len(gate.waiting)) == (count, 0)
        assert is_gated or (kept.is_live and counting.count == 10 * count)
        bus.close()
        return taken

    def once() -> Reading:
        pairs = [(run(False), run(True)) for _ in range(3)]
        plain, gated = (min(taken) for taken in zip(*pairs, strict=True))
        return Reading(gated / plain, f"{(gated - plain) / count * 1e6:.1f} us a bar of 10 strategies")

    return once
