"""The isolation of containers, as checks that raise where it is broken and say what they measured where it holds."""

import asyncio
import gc
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from admf_ray.errors import ContractError, IsolationViolation
from admf_ray.events import (
    ContainerRegistry,
    Event,
    EventBus,
    EventTracer,
    EventType,
    ForwardingRule,
    Regime,
    Retention,
    Signal,
    System,
    TraceSettings,
    active,
    by_strategy,
    current_bus,
)

__all__ = [
    "ISOLATION_CHECKS",
    "check_collection",
    "check_deleted_handlers",
    "check_disposal",
    "check_lenient",
    "check_live",
    "check_nested",
    "check_strict",
    "check_tasks",
    "check_threads",
    "traced_memory",
]

_GIGABYTE = 10**9
_UP = ForwardingRule("up", frozenset([EventType.SIGNAL]))
_DOWN = ForwardingRule("down", frozenset([EventType.SYSTEM]))


class _Collector:
    """Keeps the events that reach it; what it hears of others is a leak."""

    def __init__(self, bus: EventBus) -> None:
        self.events: list[Event[Any]] = []
        bus.subscribe(EventType.SYSTEM, self.on_event)
        bus.subscribe(EventType.SIGNAL, self.on_event, by_strategy("any"))

    def on_event(self, event: Event[Any]) -> None:
        self.events.append(event)


def _require(holds: bool, said: str) -> None:
    if not holds:
        raise ContractError(said)


def _system(bus: EventBus, text: str) -> Event[System]:
    return Event(System(text), "isolation", bus.container_id)


def _signal(bus: EventBus) -> Event[Signal]:
    return Event(Signal("any", "X", 0, 1.0), "isolation", bus.container_id)


def _refuse_leaks(buses: Sequence[EventBus], heard: Sequence[_Collector], events: int) -> None:
    for bus, collector in zip(buses, heard, strict=True):
        foreign = {event.container_id for event in collector.events} - {bus.container_id}
        _require(not foreign, f"container '{bus.container_id}' heard of {', '.join(sorted(foreign))}")
        texts = [event.payload.message for event in collector.events]
        wanted = [f"{bus.container_id} {number}" for number in range(events)]
        _require(
            texts == wanted, f"container '{bus.container_id}' heard {len(texts)} of {events} events, or out of order"
        )
        numbers = [event.sequence for event in collector.events]
        _require(numbers == list(range(1, events + 1)), f"container '{bus.container_id}' numbers its events {numbers}")


def check_threads(containers: int = 200, events: int = 100) -> str:
    """Let every container publish from a thread of its own, all at once; each must hear itself alone."""
    registry = ContainerRegistry()
    buses = [EventBus(f"thread-{index}", registry=registry) for index in range(containers)]
    heard = [_Collector(bus) for bus in buses]
    start, failed = threading.Barrier(containers), []

    def work(bus: EventBus) -> None:
        try:
            with active(bus):
                start.wait()
                for number in range(events):
                    current_bus().publish(_system(current_bus(), f"{bus.container_id} {number}"))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(bus,)) for bus in buses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in failed:
        raise error
    _refuse_leaks(buses, heard, events)
    return _closed(buses, registry, f"{containers} containers in threads, {containers * events:,} events, none astray")


def check_tasks(containers: int = 200, events: int = 100) -> str:
    """Let every container publish from an asyncio task of its own, taking turns at every event."""
    registry = ContainerRegistry()
    buses = [EventBus(f"task-{index}", registry=registry) for index in range(containers)]
    heard = [_Collector(bus) for bus in buses]

    async def work(bus: EventBus) -> None:
        with active(bus):
            for number in range(events):
                await asyncio.sleep(0)
                current_bus().publish(_system(current_bus(), f"{bus.container_id} {number}"))

    async def together() -> None:
        await asyncio.gather(*map(work, buses))

    asyncio.run(together())
    _refuse_leaks(buses, heard, events)
    return _closed(buses, registry, f"{containers} containers in tasks, {containers * events:,} events, none astray")


def _closed(buses: Sequence[EventBus], registry: ContainerRegistry, said: str) -> str:
    for bus in buses:
        bus.close()
    _require(len(registry) == 0, f"{len(registry)} containers live on after they were closed")
    return said


def check_strict() -> str:
    """Publish under another container's id in strict mode: it must raise, from handlers too, and reach nobody."""
    registry = ContainerRegistry()
    one, other = EventBus("one", registry=registry), EventBus("other", registry=registry)
    heard = _Collector(one)

    class Impostor:
        def on_regime(self, event: Event[Regime]) -> None:
            one.publish(Event(System("not mine"), "isolation", other.container_id, cause=event))

    impostor = Impostor()
    one.subscribe(EventType.REGIME, impostor.on_regime)
    for wrong in (_system(other, "not mine"), Event(Regime("any", "X", 0, 1), "isolation", "one")):
        try:
            one.publish(wrong)
        except IsolationViolation:
            continue
        raise ContractError("an event under another container's id was published in strict mode")
    _require(not heard.events, "an event under another container's id was delivered")
    return _closed([one, other], registry, "a wrong container id raises, from inside handlers too")


def check_lenient() -> str:
    """Publish under another container's id in lenient mode: it must be recorded, and reach nobody."""
    registry = ContainerRegistry()
    one, other = EventBus("one", isolation="lenient", registry=registry), EventBus("other", registry=registry)
    heard = [_Collector(one), _Collector(other)]
    one.publish(_system(other, "not mine"))
    _require(len(one.violations) == 1, f"{len(one.violations)} violations are recorded instead of 1")
    _require("'other'" in one.violations[0], f"the record does not name the container: {one.violations[0]}")
    _require(not any(collector.events for collector in heard), "an event under another container's id was delivered")
    return _closed([one, other], registry, "a wrong container id is recorded and not delivered")


def check_nested() -> str:
    """Nest three levels: signals must go up, system events down, nothing sideways, and nothing twice."""
    registry = ContainerRegistry()
    root = EventBus("root", registry=registry)
    branches = [EventBus(f"branch-{b}", root, [_UP, _DOWN], registry=registry) for b in range(3)]
    leaves = [
        EventBus(f"leaf-{b}-{number}", branch, [_UP, _DOWN], registry=registry)
        for b, branch in enumerate(branches)
        for number in range(3)
    ]
    buses = [root, *branches, *leaves]
    heard = {bus.container_id: _Collector(bus) for bus in buses}
    for bus in buses:
        bus.publish(_system(bus, "down"))
        bus.publish(_signal(bus))
    for bus in buses:
        above = {bus.container_id}
        parent = bus.parent
        while parent is not None:
            above.add(parent.container_id)
            parent = parent.parent
        below = {one.container_id for one in buses if _is_below(one, bus)}
        for kind, wanted in ((EventType.SYSTEM, above), (EventType.SIGNAL, below)):
            got = [event.container_id for event in heard[bus.container_id].events if event.type is kind]
            _require(
                sorted(got) == sorted(wanted), f"container '{bus.container_id}' heard {kind} of {got}, not of {wanted}"
            )
    root.close()
    _require(len(registry) == 0, f"{len(registry)} containers live on after their root was closed")
    return f"{len(buses)} containers in three levels hear what rules name, once, and nothing else"


def _is_below(bus: EventBus | None, top: EventBus) -> bool:
    while bus is not None:
        if bus is top:
            return True
        bus = bus.parent
    return False


def check_collection() -> str:
    """Close containers with parents, children, components and tracers: nothing of them may stay in memory."""
    registry = ContainerRegistry()
    left: list[weakref.ref[Any]] = []

    def live() -> None:
        root = EventBus("root", registry=registry)
        children = [EventBus(f"child-{n}", root, [_UP, _DOWN], registry=registry) for n in range(10)]
        collectors = [_Collector(bus) for bus in (root, *children)]
        tracers = [EventTracer(TraceSettings()) for _ in children]
        for bus, tracer in zip(children, tracers, strict=True):
            bus.attach(tracer)
            bus.publish(_signal(bus))
        left.extend(weakref.ref(one) for one in (root, *children, *collectors, *tracers))
        root.close()

    live()
    _require(not registry.leaked(), f"closed containers are still held: {', '.join(registry.leaked())}")
    gc.collect()
    held = [type(one).__name__ for reference in left if (one := reference()) is not None]
    _require(not held, f"still in memory after disposal: {', '.join(held)}")
    return f"{len(left)} containers, components and tracers collected after disposal"


def check_deleted_handlers() -> str:
    """Delete components without unsubscribing them: their handlers must be gone from the bus."""
    registry = ContainerRegistry()
    bus = EventBus("bus", registry=registry)
    stays, goes = _Collector(bus), [_Collector(bus) for _ in range(10)]
    bus.publish(_system(bus, "all"))
    goes.clear()
    gc.collect()
    bus.publish(_system(bus, "one"))
    _require(len(bus.subscriptions) == 2, f"{len(bus.subscriptions)} subscriptions are left instead of 2")
    _require(len(stays.events) == 2, "the component that stayed was not told")
    return _closed([bus], registry, "handlers of 10 deleted components are gone")


def check_live(containers: int = 1_000, events: int = 100) -> str:
    """Keep many containers alive, each with handlers, a tracer and events: all must fit into 1 GB."""
    registry = ContainerRegistry()
    # What the process grows by says little where it has grown before.
    with traced_memory():
        before = tracemalloc.get_traced_memory()[0]
        root = EventBus("root", registry=registry)
        buses = [EventBus(f"live-{index}", root, [_UP, _DOWN], registry=registry) for index in range(containers)]
        heard = [_Collector(bus) for bus in buses]
        for bus in buses:
            bus.attach(EventTracer(TraceSettings(retention=Retention.SLIDING_WINDOW, max_events=events)))
            for number in range(events):
                bus.publish(_system(bus, f"{bus.container_id} {number}"))
        grown = tracemalloc.get_traced_memory()[0] - before
    _refuse_leaks(buses, heard, events)
    _require(grown < _GIGABYTE, f"{containers:,} live containers take {grown / 1e6:,.1f} MB; allowed: 1,000")
    root.close()
    _require(len(registry) == 0, f"{len(registry)} containers live on after their root was closed")
    return f"{containers:,} live containers take {grown / 1e6:,.0f} MB"


@contextmanager
def traced_memory() -> Iterator[None]:
    """Trace memory while the block runs, unless somebody does already."""
    if tracemalloc.is_tracing():
        yield
        return
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def check_disposal(containers: int = 10_000) -> str:
    """Create and dispose of many containers: none may be left."""
    registry = ContainerRegistry()
    root = EventBus("root", registry=registry)
    for index in range(containers):
        bus = EventBus(f"short-{index}", root, [_UP, _DOWN], registry=registry)
        heard = _Collector(bus)
        bus.publish(_system(bus, f"{bus.container_id} 0"))
        _refuse_leaks([bus], [heard], 1)
        bus.close()
    del bus
    _require(len(registry) == 1, f"{len(registry) - 1} of {containers:,} containers live on")
    _require(not root.children, f"the parent still has {len(root.children)} children")
    _require(not registry.leaked(), f"closed containers are still held: {', '.join(registry.leaked()[:5])}")
    root.close()
    return f"{registry.disposed - 1:,} containers created and disposed of, none left"


ISOLATION_CHECKS: dict[str, tuple[Callable[[], str], str]] = {
    "threads": (check_threads, "200 containers that publish at once from threads hear themselves alone"),
    "tasks": (check_tasks, "200 containers that publish at once from asyncio tasks hear themselves alone"),
    "strict": (check_strict, "a wrong container id stops in strict mode"),
    "lenient": (check_lenient, "a wrong container id is recorded in lenient mode"),
    "nested": (check_nested, "parents and children exchange what rules name, and nothing else"),
    "collection": (check_collection, "nothing stays in memory after disposal"),
    "handlers": (check_deleted_handlers, "handlers of deleted components are gone"),
    "live": (check_live, "1,000 live containers take less than 1 GB"),
    "disposal": (check_disposal, "of 10,000 containers that were disposed of none is left"),
}
"""The checks by name: each gives what it measured, or raises; and what it promises."""
