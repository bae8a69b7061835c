"""Memory of containers: what each holds, and what an event takes."""

import gc
import io
import math
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from admf_ray.events import (
    Bar,
    ContainerRegistry,
    Error,
    Event,
    EventBus,
    EventId,
    EventType,
    Portfolio,
    Signal,
    System,
)
from admf_ray.events.capture import SignalCapture
from admf_ray.events.console import ConsoleObserver
from admf_ray.events.memory import ContainerMemory, Retaining, container_memory, event_bytes, memory_statistics


class Component:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_system(self, event: Event[System]) -> None:
        """Do nothing."""


class Kept:
    """An observer that says what it keeps."""

    retained = 2
    retained_bytes = 100

    def on_event(self, event: Event) -> None:
        """Do nothing."""


@pytest.fixture
def registry() -> ContainerRegistry:
    return ContainerRegistry()


def test_a_new_container_holds_nothing(registry: ContainerRegistry) -> None:
    bus = EventBus("a", kind="risk", registry=registry)
    assert container_memory(bus) == ContainerMemory("a", "risk", 0, 0, 0, 0, 0)


def test_live_subscriptions_and_children_are_counted(registry: ContainerRegistry) -> None:
    bus, kept, ended = EventBus("a", registry=registry), Component(), Component()
    child, closed = EventBus("b", bus, registry=registry), EventBus("c", bus, registry=registry)
    bus.subscribe(EventType.SYSTEM, kept.on_system)
    bus.subscribe(EventType.ERROR, kept.on_system)
    bus.subscribe(EventType.SYSTEM, ended.on_system)
    del ended
    closed.close()
    memory = container_memory(bus)
    assert (memory.subscriptions, memory.children) == (2, 1)
    child.close()
    assert container_memory(bus).children == 0


def test_events_wait_while_another_one_is_delivered(registry: ContainerRegistry) -> None:
    bus = EventBus("a", registry=registry)

    class Chatty:
        def __init__(self) -> None:
            self.waiting: list[int] = []

        def on_system(self, event: Event[System]) -> None:
            if event.payload.message == "first":
                bus.publish(Event(System("second"), "chatty", "a"))
                bus.publish(Event(System("third"), "chatty", "a"))
            self.waiting.append(container_memory(bus).waiting)

    chatty = Chatty()
    bus.subscribe(EventType.SYSTEM, chatty.on_system)
    bus.publish(Event(System("first"), "chatty", "a"))
    assert chatty.waiting == [2, 1, 0]


def test_what_observers_keep_is_added_up(registry: ContainerRegistry) -> None:
    bus, capture = EventBus("a", registry=registry), SignalCapture()
    for observer in (capture, Kept(), ConsoleObserver(io.StringIO())):
        bus.attach(observer)
    bus.publish(Event(Signal("cross", "SPX", 3, 1.0), "cross", "a"))
    memory = container_memory(bus)
    assert memory.retained == 1 + 2
    assert memory.retained_bytes == capture.retained_bytes + 100


def test_observers_that_keep_nothing_need_not_say_so() -> None:
    assert isinstance(SignalCapture(), Retaining)
    assert not isinstance(ConsoleObserver(io.StringIO()), Retaining)


def test_all_live_containers_are_listed_by_id(registry: ContainerRegistry) -> None:
    buses = [EventBus(name, registry=registry) for name in ("b", "c", "a")]
    assert [memory.container_id for memory in memory_statistics(registry)] == ["a", "b", "c"]
    buses[0].close()
    assert [memory.container_id for memory in memory_statistics(registry)] == ["a", "c"]


def make_signal(number: int) -> Event:
    return Event(Signal("cross", "SPX", number, number / 7, number), "cross", "a", number, sequence=number)


def make_bar(number: int) -> Event:
    prices = (number + 0.1, number + 0.4, number + 0.05, number + 0.2)
    return Event(Bar("SPX", number, *prices, number * 3.0), "feed", "a", number, sequence=number)


def make_portfolio(number: int) -> Event:
    return Event(Portfolio(number, number / 3, number / 7, (number / 11, number / 13)), "book", "a", number)


def make_error(number: int) -> Event:
    cause = EventId("a", 1)
    told = Error("ValueError", f"no number at {number}", "Rule.on_bar", f"a#{number}", "x" * (number % 100))
    return Event(told, "bus", "a", causation_id=cause)


def make_answer(number: int) -> Event:
    cause = EventId("a", number)
    return Event(System(f"seen {number}"), "risk", "a", number, "trade-1", causation_id=cause, sequence=number)


@pytest.mark.parametrize("make", [make_signal, make_bar, make_portfolio, make_error, make_answer])
def test_the_estimate_is_what_the_allocator_gives(make: Callable[[int], Event]) -> None:
    numbers = range(10_000, 15_000)
    events: list[Event | None] = [None] * len(numbers)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for index, number in enumerate(numbers):
            events[index] = make(number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    estimated = sum(event_bytes(event) for event in events if event is not None)
    # CPython pads an integer to 32 bytes and a named tuple by 8, which `getsizeof` does not say.
    assert estimated == pytest.approx(after - before, rel=0.07)


def test_shared_names_and_small_integers_cost_nothing() -> None:
    event = Event(Signal("cross", "SPX", 3, 1.0), "cross", "a")
    longer = Event(Signal("c" * 1_000, "S" * 1_000, 256, 1.0), "d" * 1_000, "e" * 1_000, correlation_id="f" * 1_000)
    assert event_bytes(event) == event_bytes(longer)
    assert event_bytes(event) == sys.getsizeof(event) + sys.getsizeof(event.payload) + sys.getsizeof(1.0)


def test_a_number_that_occurs_twice_costs_once() -> None:
    flat, moving = 100.5, [100.5 + step for step in range(1, 5)]
    difference = event_bytes(Event(Bar("SPX", 3, *moving, flat), "feed", "a")) - event_bytes(
        Event(Bar("SPX", 3, flat, flat, flat, flat, flat), "feed", "a")
    )
    assert difference == 4 * sys.getsizeof(flat)


def test_a_cause_costs_its_id_and_not_its_event() -> None:
    cause = Event(System("x" * 1_000), "a", "a", sequence=1)
    without, caused = Event(System("seen"), "a", "a"), Event(System("seen"), "a", "a", cause=cause)
    assert event_bytes(caused) - event_bytes(without) == sys.getsizeof(caused.causation_id)


def test_an_array_in_a_payload_is_counted_with_its_numbers() -> None:
    short, long = (Event(Signal("cross", "SPX", 3, np.zeros(count)), "cross", "a") for count in (10, 110))
    assert event_bytes(long) - event_bytes(short) == 100 * 8


def test_a_nan_is_a_number_like_any_other() -> None:
    unknown = Event(Signal("cross", "SPX", 3, math.nan), "cross", "a")
    assert event_bytes(unknown) == event_bytes(Event(Signal("cross", "SPX", 3, 0.25), "cross", "a"))
