import gc
from collections.abc import Callable, Iterator

import pytest

from admf_ray.errors import ConfigError, EventError
from admf_ray.events.bus import EventBus
from admf_ray.events.event import Event
from admf_ray.events.filters import by_container, by_symbol
from admf_ray.events.payloads import PAYLOADS, Bar, EventType, Fill, Regime, Signal, System
from admf_ray.events.replay import EventReplay
from admf_ray.events.subscription import ForwardingRule

NewBus = Callable[..., EventBus]


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)


class Trader:
    """Answers every bar with a signal, and every signal with a note."""

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus
        self.subscription = bus.subscribe(EventType.BAR, self.on_bar)

    def on_bar(self, bar: Event) -> None:
        payload = Signal("cross", bar.payload.symbol, bar.payload.bar, 1.0)
        signal = Event(payload, "cross", self.bus.container_id, correlation_id=f"trade-{bar.timestamp}", cause=bar)
        self.bus.publish(signal)
        self.bus.publish(Event(System("signalled"), "cross", self.bus.container_id, cause=signal))


@pytest.fixture
def new_bus() -> Iterator[NewBus]:
    buses: list[EventBus] = []

    def new(container_id: str, *arguments, **options) -> EventBus:
        buses.append(EventBus(container_id, *arguments, **options))
        return buses[-1]

    yield new
    for bus in buses:
        bus.close()


def recorded(bus: EventBus) -> list[Event]:
    recorder = Recorder()
    bus.attach(recorder)
    return recorder.events


def bar(symbol: str = "SPX", index: int = 0) -> Bar:
    return Bar(symbol, index, 1.0, 1.0, 1.0, 1.0, 1.0)


def a_trace(bus: EventBus) -> list[Event]:
    """Three bars at 0, 10 and 20 ns of two symbols, each with a signal and a note: nine events."""
    trader, trace = Trader(bus), recorded(bus)
    for index, symbol in enumerate(("SPX", "COMP", "SPX")):
        bus.publish(Event(bar(symbol, index), "feed", bus.container_id, timestamp=10 * index))
    assert trader.subscription.is_live
    return trace


def content(events: list[Event]) -> list[tuple]:
    return [
        (one.payload, one.source_id, one.timestamp, one.sequence, one.correlation_id, one.causation_id)
        for one in events
    ]


def test_a_whole_trace_comes_out_as_it_was(new_bus: NewBus) -> None:
    original = new_bus("replay")
    trace = a_trace(original)
    original.close()
    bus = new_bus("replay")
    again = recorded(bus)
    assert EventReplay(trace).replay(bus) == len(trace) == 9
    assert content(again) == content(trace)
    assert not any(one is other for one, other in zip(again, trace, strict=True))


def test_causes_get_the_ids_of_the_new_container(new_bus: NewBus) -> None:
    trace = a_trace(new_bus("original"))
    bus = new_bus("replay")
    bus.publish(Event(System("begun"), "someone", "replay"))
    again = recorded(bus)
    EventReplay(trace).replay(bus)
    assert [str(one.event_id) for one in again[:3]] == ["replay#2", "replay#3", "replay#4"]
    assert [str(one.causation_id) for one in again[:3]] == ["None", "replay#2", "replay#3"]


def test_a_span_of_time_is_replayed_from_its_start_to_before_its_stop(new_bus: NewBus) -> None:
    trace = a_trace(new_bus("original"))
    bus = new_bus("replay")
    again, replay = recorded(bus), EventReplay(trace)
    assert replay.replay(bus, start=10) == 6
    assert [one.payload for one in again] == [one.payload for one in trace[3:]]
    assert replay.replay(bus, stop=10) == 3
    assert replay.replay(bus, start=10, stop=20) == 3
    assert [one.timestamp for one in again[6:]] == [0] * 3 + [10] * 3
    assert replay.replay(bus, start=21) == 0


def test_a_cause_that_is_not_replayed_is_none_and_the_correlation_stays(new_bus: NewBus) -> None:
    trace = a_trace(new_bus("original"))
    bus = new_bus("replay")
    again = recorded(bus)
    assert EventReplay(trace, types=[EventType.SIGNAL]).replay(bus) == 3
    assert [one.causation_id for one in again] == [None] * 3
    assert [one.correlation_id for one in again] == ["trade-0", "trade-10", "trade-20"]


def test_a_cause_long_ago_is_still_found(new_bus: NewBus) -> None:
    original = new_bus("original")
    trace = recorded(original)
    cause = Event(System("cause"), "someone", "original")
    original.publish(cause)
    between = cause
    for index in range(1000):
        between = Event(bar(index=index), "feed", "original", cause=between)
        original.publish(between)
    original.publish(Event(System("effect"), "someone", "original", cause=cause))
    bus = new_bus("replay")
    again = recorded(bus)
    EventReplay(trace).replay(bus)
    assert str(again[-1].causation_id) == "replay#1"


def test_events_are_let_go_once_what_they_caused_is_published(new_bus: NewBus) -> None:
    original = new_bus("original")
    trace = recorded(original)
    latest = None
    for index in range(15):
        latest = Event(bar(index=index), "feed", "original", cause=latest)
        original.publish(latest)
        original.publish(Event(System("leads to nothing"), "someone", "original"))
    alive = []

    class Counting:
        def on_event(self, event: Event) -> None:
            alive.append(sum(type(one) is Event and one.container_id == "replay" for one in gc.get_objects()))

    bus = new_bus("replay")
    bus.attach(Counting())
    # Objects that are frozen are not listed.
    gc.collect()
    gc.freeze()
    try:
        EventReplay(trace).replay(bus)
    finally:
        gc.unfreeze()
    # The event, its cause, and the one before.
    assert len(alive) == 30
    assert max(alive) <= 3


def test_a_filter_asks_the_original_events(new_bus: NewBus) -> None:
    trace = a_trace(new_bus("original"))
    bus = new_bus("replay")
    again = recorded(bus)
    condition = by_symbol("SPX") & by_container("original")
    assert EventReplay(trace, where=condition).replay(bus) == 4
    assert [type(one.payload).__name__ for one in again] == ["Bar", "Signal"] * 2


def test_events_from_elsewhere_are_left_out_unless_they_are_named(new_bus: NewBus) -> None:
    parent = new_bus("parent")
    child = new_bus("child", parent, [ForwardingRule("down", frozenset([EventType.REGIME]))])
    trace = recorded(child)
    child.publish(Event(bar(), "feed", "child"))
    parent.publish(Event(Regime("trend", "SPX", 0, 1), "trend", "parent"))
    child.publish(Event(System("seen"), "someone", "child", cause=trace[1]))
    bus = new_bus("replay")
    again = recorded(bus)
    assert EventReplay(trace).containers == {"child"}
    assert EventReplay(trace).replay(bus) == 2
    assert [one.causation_id for one in again] == [None, None]
    again.clear()
    assert EventReplay(trace, containers=["child", "parent"]).replay(bus) == 3
    assert {one.container_id for one in again} == {"replay"}
    assert again[2].causation_id == again[1].event_id


def test_handlers_take_a_replay_for_what_happens(new_bus: NewBus) -> None:
    trace = a_trace(new_bus("original"))
    bus = new_bus("replay")
    trader, again = Trader(bus), recorded(bus)
    assert EventReplay(trace, types=[EventType.BAR]).replay(bus) == 3
    assert trader.subscription.is_live
    # The same component makes the same of the bars, so the trace is whole again.
    assert [one.payload for one in again] == [one.payload for one in trace]


def test_fills_go_on_naming_the_container_whose_order_they_filled(new_bus: NewBus) -> None:
    original = new_bus("original")
    trace = recorded(original)
    fill = Fill("trading", "SPX", 0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0, 1, 1, 0, 0)
    original.publish(Event(fill, "execution", "original"))
    bus, recorder = new_bus("replay"), Recorder()
    bus.subscribe(EventType.FILL, recorder.on_event, by_container("trading"))
    EventReplay(trace).replay(bus)
    assert [one.payload for one in recorder.events] == [fill]


def test_a_trace_may_be_an_iterator_and_be_replayed_twice(new_bus: NewBus) -> None:
    trace = a_trace(new_bus("original"))
    replay = EventReplay(iter(trace))
    assert [replay.replay(new_bus("one")), replay.replay(new_bus("other"))] == [9, 9]


def test_a_trace_that_still_grows_is_replayed_as_it_was(new_bus: NewBus) -> None:
    bus = new_bus("original")
    trace = a_trace(bus)
    replay = EventReplay(trace, types=[EventType.SIGNAL])
    assert replay.replay(bus) == 3
    assert len(trace) == 12
    assert replay.replay(bus) == 3


def test_a_trace_without_events_replays_none(new_bus: NewBus) -> None:
    assert EventReplay([]).replay(new_bus("replay")) == 0


def test_every_type_can_be_replayed(new_bus: NewBus) -> None:
    original = new_bus("original")
    trace = recorded(original)
    for payload in PAYLOADS.values():
        original.publish(Event(payload(*payload._fields), "someone", "original"))
    bus = new_bus("replay")
    again = recorded(bus)
    assert EventReplay(trace).replay(bus) == len(EventType)
    assert [one.payload for one in again] == [one.payload for one in trace]


def test_closed_buses_and_wrong_options_are_refused(new_bus: NewBus) -> None:
    trace = a_trace(new_bus("original"))
    bus = new_bus("replay")
    bus.close()
    with pytest.raises(EventError, match="container 'replay' is closed"):
        EventReplay(trace).replay(bus)
    with pytest.raises(ConfigError, match="replay: .*BARS"):
        EventReplay(trace, types=["BARS"])
    with pytest.raises(ConfigError, match="containers='original' is a text"):
        EventReplay(trace, containers="original")
