"""What a bus delivers, to whom, in which order, and what it makes of failures."""

import gc
import logging
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from admf_ray.errors import ConfigError, EventError, IsolationViolation
from admf_ray.events import (
    Bar,
    ContainerRegistry,
    Error,
    Event,
    EventBus,
    EventId,
    EventType,
    Fill,
    ForwardingRule,
    System,
    by_container,
    by_strategy,
    by_symbol,
)
from tests.unit.events.recording import Listener, buses, signal, system

FILL = Fill("a", "SPX", 3, 1.0, 100.0, 0.0, 0.0, 1.0, 0.0, 2, 1, 1, 1, 0)


def test_handlers_are_told_in_the_order_in_which_they_subscribed() -> None:
    told: list[int] = []
    with buses("a") as [bus]:
        listeners = [Listener(lambda event, k=k: told.append(k)) for k in range(5)]
        for k in (3, 1, 4, 0, 2):
            bus.subscribe(EventType.SYSTEM, listeners[k].on_event)
        bus.publish(system(bus, "one"))
    assert told == [3, 1, 4, 0, 2]


def test_events_are_numbered_from_1_and_know_what_caused_them() -> None:
    with buses("a") as [bus]:
        listener = Listener()
        bus.subscribe(EventType.SYSTEM, listener.on_event)
        first = system(bus, "first", timestamp=7, correlation_id="trade-1")
        bus.publish(first)
        bus.publish(system(bus, "second", cause=first))
    one, two = listener.events
    assert [one.event_id, two.event_id] == [EventId("a", 1), EventId("a", 2)]
    assert (one.causation_id, two.causation_id) == (None, EventId("a", 1))
    assert (two.timestamp, two.correlation_id) == (7, "trade-1")


def test_a_filter_lets_through_what_it_says() -> None:
    with buses("a") as [bus]:
        cross, spx, neither = Listener(), Listener(), Listener()
        bus.subscribe(EventType.SIGNAL, cross.on_event, by_strategy("cross"))
        bus.subscribe(EventType.SIGNAL, spx.on_event, by_strategy("cross", "reversion") & by_symbol("SPX"))
        bus.subscribe(EventType.SIGNAL, neither.on_event, by_strategy("cross") & ~by_symbol("SPX", "COMP"))
        for strategy, symbol in (("cross", "SPX"), ("cross", "COMP"), ("reversion", "SPX"), ("other", "SPX")):
            bus.publish(signal(bus, strategy, symbol))
    assert [event.payload.symbol for event in cross.events] == ["SPX", "COMP"]
    assert [event.payload.strategy for event in spx.events] == ["cross", "reversion"]
    assert neither.events == []


@pytest.mark.parametrize(
    "where", [None, by_symbol("SPX"), by_container("a"), ~by_strategy("cross"), by_strategy("cross") | by_symbol("SPX")]
)
def test_signals_need_a_filter_that_confines_the_strategy(where: Any) -> None:
    with buses("a") as [bus], pytest.raises(EventError, match="SIGNAL subscriptions confine the strategy"):
        bus.subscribe(EventType.SIGNAL, Listener().on_event, where)


@pytest.mark.parametrize("where", [None, by_symbol("SPX"), by_strategy("cross")])
def test_fills_need_a_filter_that_confines_the_container(where: Any) -> None:
    with buses("a") as [bus], pytest.raises(EventError, match="FILL subscriptions confine the container"):
        bus.subscribe(EventType.FILL, Listener().on_event, where)


def test_a_fill_belongs_to_the_container_whose_order_it_fills() -> None:
    with buses("execution") as [bus]:
        own, other = Listener(), Listener()
        bus.subscribe(EventType.FILL, own.on_event, by_container("a"))
        bus.subscribe(EventType.FILL, other.on_event, by_container("b", "execution"))
        bus.publish(Event(FILL, "broker", "execution"))
    assert (len(own.events), other.events) == (1, [])


def test_a_deleted_component_disappears_from_the_bus() -> None:
    with buses("a") as [bus]:
        stays, goes = Listener(), Listener()
        for listener in (goes, stays):
            bus.subscribe(EventType.SYSTEM, listener.on_event)
        del goes, listener
        gc.collect()
        bus.publish(system(bus, "one"))
        assert [one.handler for one in bus.subscriptions] == ["Listener.on_event"]
        assert stays.texts == ["one"]


def test_a_function_is_told_for_as_long_as_its_subscription_is_kept() -> None:
    told: list[str] = []
    with buses("a") as [bus]:
        subscription = bus.subscribe(EventType.SYSTEM, lambda event: told.append(event.payload.message))
        bus.publish(system(bus, "kept"))
        del subscription
        gc.collect()
        bus.publish(system(bus, "gone"))
        assert bus.subscriptions == []
    assert told == ["kept"]


def test_a_component_that_cannot_be_held_weakly_is_refused() -> None:
    class Slotted:
        __slots__ = ()

        def on_event(self, event: Event[Any]) -> None: ...

    with buses("a") as [bus], pytest.raises(EventError, match=r"Slotted.on_event: a Slotted cannot be held weakly"):
        bus.subscribe(EventType.SYSTEM, Slotted().on_event)


def test_an_ended_subscription_is_not_called_even_for_the_event_at_hand() -> None:
    with buses("a") as [bus]:
        second = Listener()
        first = Listener(lambda event: bus.unsubscribe(of_second))
        bus.subscribe(EventType.SYSTEM, first.on_event)
        of_second = bus.subscribe(EventType.SYSTEM, second.on_event)
        bus.publish(system(bus, "one"))
        bus.unsubscribe(of_second)
    assert (first.texts, second.texts) == (["one"], [])


def test_a_new_subscription_counts_from_the_next_event_on() -> None:
    with buses("a") as [bus]:
        second = Listener()
        first = Listener(lambda event: bus.subscribe(EventType.SYSTEM, second.on_event))
        of_first = bus.subscribe(EventType.SYSTEM, first.on_event)
        bus.publish(system(bus, "one"))
        bus.unsubscribe(of_first)
        bus.publish(system(bus, "two"))
    assert second.texts == ["two"]


def test_what_a_handler_publishes_waits_until_all_have_been_told_of_the_event_at_hand() -> None:
    order: list[str] = []
    with buses("a") as [bus]:

        def answer(event: Event[System]) -> None:
            order.append(f"first {event.payload.message}")
            if event.payload.message == "one":
                bus.publish(system(bus, "two", cause=event))
                bus.publish(system(bus, "three", cause=event))
                assert bus.waiting == 2

        first = Listener(answer)
        second = Listener(lambda event: order.append(f"second {event.payload.message}"))
        bus.subscribe(EventType.SYSTEM, first.on_event)
        bus.subscribe(EventType.SYSTEM, second.on_event)
        bus.publish(system(bus, "one"))
        assert bus.waiting == 0
    assert order == ["first one", "second one", "first two", "second two", "first three", "second three"]


def test_a_handler_that_raises_starves_nobody_and_becomes_an_error_event(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: Event[Any]) -> None:
        raise ValueError("no number\nat row 3")

    with buses("a") as [bus]:
        failing, other, errors = Listener(fail), Listener(), Listener()
        bus.subscribe(EventType.SYSTEM, failing.on_event)
        bus.subscribe(EventType.SYSTEM, other.on_event)
        bus.subscribe(EventType.ERROR, errors.on_event)
        for text in ("one", "two"):
            bus.publish(system(bus, text, correlation_id="trade-1"))
        assert bus.failures == {("Listener.on_event", "ValueError"): 2}
    assert other.texts == ["one", "two"]
    error = errors.events[0]
    assert error.payload[:4] == ("ValueError", "no number", "Listener.on_event", "a#1")
    assert "in fail" in error.payload.traceback
    assert (error.causation_id, error.correlation_id) == (EventId("a", 1), "trade-1")


def test_a_handler_of_errors_that_raises_does_not_go_round_in_circles() -> None:
    def fail(event: Event[Any]) -> None:
        raise ValueError

    with buses("a") as [bus]:
        failing = Listener(fail)
        bus.subscribe(EventType.ERROR, failing.on_event)
        bus.publish(Event(Error("broken", "on purpose"), "tester", "a"))
        assert len(failing.events) == 1
        assert bus.failures == {("Listener.on_event", "ValueError"): 1}


def test_a_handler_of_errors_that_publishes_nonsense_does_not_go_round_in_circles() -> None:
    with buses("a", "b", isolation="lenient") as [bus, other]:
        listener = Listener(lambda event: bus.publish("nonsense"))  # type: ignore[arg-type]
        foreign = Listener(lambda event: bus.publish(system(other, "not mine")))
        for one in (listener, foreign):
            bus.subscribe(EventType.ERROR, one.on_event)
        bus.publish(Event(Error("broken", "on purpose"), "tester", "a"))
        assert bus.failures == {("", "malformed"): 3, ("tester", "IsolationViolation"): 3}
        assert len(listener.events) == 3, "of the first one, and of each of the two that it led to"


def test_a_timer_that_raises_starves_nobody() -> None:
    class Timer:
        def on_handled(self, event: Event[Any], handler: str, nanoseconds: int) -> None:
            raise ValueError("no time")

    with buses("a") as [bus]:
        first, second = Listener(), Listener()
        for one in (first, second):
            bus.subscribe(EventType.SYSTEM, one.on_event)
        bus.attach(Timer())
        bus.publish(system(bus, "one"))
        assert (first.texts, second.texts) == (["one"], ["one"])
        assert bus.failures == {("Timer.on_handled", "ValueError"): 2}


def test_observers_see_a_delivery_to_its_end_though_a_handler_closes_the_container() -> None:
    order: list[str] = []

    class Observer:
        def on_event(self, event: Event[Any]) -> None:
            order.append(event.payload.message)

        def close(self) -> None:
            order.append("closed")

    with buses("a") as [bus]:
        closing = Listener(lambda event: bus.close())
        bus.subscribe(EventType.SYSTEM, closing.on_event)
        for _ in range(2):
            bus.attach(Observer())
        bus.publish(system(bus, "one"))
    assert order == ["one", "one", "closed", "closed"]


def test_where_errors_raise_the_first_one_ends_publishing_and_drops_what_waits() -> None:
    def fail(event: Event[Any]) -> None:
        bus.publish(system(bus, "never"))
        raise ValueError("stop")

    with buses("a", errors="raise") as [bus]:
        failing, other = Listener(fail), Listener()
        bus.subscribe(EventType.SYSTEM, failing.on_event)
        bus.subscribe(EventType.SYSTEM, other.on_event)
        with pytest.raises(ValueError, match="stop") as raised:
            bus.publish(system(bus, "one"))
        assert raised.value.__notes__ == ["container a: Listener.on_event failed at a#1 SYSTEM"]
        assert (other.events, bus.waiting) == ([], 0)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("no event", "a str was published; allowed: an Event"),
        (Event({"price": 1.0}, "tester", "a"), "the payload is a dict, which has no type of event; allowed: Bar, "),
        (Event(("BAR", 1.0), "tester", "a"), "the payload is a tuple"),
        (Event(System("x"), "", "a"), "source_id of a SYSTEM event is ''; allowed: a text that is not empty"),
        (Event(System("x"), None, "a"), "source_id of a SYSTEM event is None"),  # type: ignore[arg-type]
        (Event(System("x"), 5, "a"), "source_id of a SYSTEM event is 5"),  # type: ignore[arg-type]
        (Event(System("x"), "tester", "a", "noon"), "timestamp of a SYSTEM event is 'noon'; allowed: an int"),  # type: ignore[arg-type]
        (Event(System("x"), "tester", "a", np.int64(3)), "timestamp of a SYSTEM event is "),
        (SimpleNamespace(payload=System("x"), source_id="a", container_id="a"), "a SimpleNamespace was published"),
        (Event(System("x"), "tester", ""), "container_id of a SYSTEM event is ''"),
        (Event(System("x"), "tester", None), "container_id of a SYSTEM event is None"),  # type: ignore[arg-type]
    ],
)
def test_a_malformed_event_is_an_error_event_and_takes_nothing_down(event: Any, said: str) -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("admf_ray").addHandler(handler)
    try:
        with buses("a") as [bus]:
            errors, others = Listener(), Listener()
            bus.subscribe(EventType.ERROR, errors.on_event)
            bus.subscribe(EventType.SYSTEM, others.on_event)
            bus.publish(event)
            bus.publish(system(bus, "goes on"))
    finally:
        logging.getLogger("admf_ray").removeHandler(handler)
    (error,) = errors.events
    assert error.payload.error == "malformed"
    assert error.payload.message.startswith(said)
    assert others.texts == ["goes on"]
    assert [line.startswith(f"container a: malformed event: {said}") for line in lines] == [True]


def test_another_containers_event_raises_in_strict_mode() -> None:
    with buses("a", "b") as [one, other]:
        listener = Listener()
        one.subscribe(EventType.SYSTEM, listener.on_event)
        with pytest.raises(
            IsolationViolation, match="component 'tester' published SYSTEM as container 'b' on the bus of 'a'"
        ):
            one.publish(system(other, "not mine"))
        assert listener.events == []


def test_a_violation_stops_the_container_that_did_it_and_no_other() -> None:
    registry = ContainerRegistry()
    down = [ForwardingRule("down", frozenset([EventType.SYSTEM]))]
    parent = EventBus("parent", registry=registry)
    one, two = (EventBus(name, parent, down) for name in ("one", "two"))
    impostor = Listener(lambda event: one.publish(system(two, "not mine")))
    after, of_two, errors = Listener(), Listener(), Listener()
    one.subscribe(EventType.SYSTEM, impostor.on_event)
    one.subscribe(EventType.SYSTEM, after.on_event)
    two.subscribe(EventType.SYSTEM, of_two.on_event)
    parent.subscribe(EventType.ERROR, errors.on_event)
    parent.publish(system(parent, "down"))
    assert (after.events, of_two.texts) == ([], ["down"])
    assert [event.payload[:3:2] for event in errors.events] == [("IsolationViolation", "forward to one")]
    parent.close()


def test_another_containers_event_is_recorded_in_lenient_mode_and_reaches_nobody() -> None:
    with buses("a", "b", isolation="lenient") as [one, other]:
        listener, errors = Listener(), Listener()
        one.subscribe(EventType.SYSTEM, listener.on_event)
        one.subscribe(EventType.ERROR, errors.on_event)
        one.publish(system(other, "not mine"))
        assert one.violations == ["component 'tester' published SYSTEM as container 'b' on the bus of 'a'"]
        assert listener.events == []
        assert errors.events[0].payload.error == "IsolationViolation"


def test_a_closed_bus_delivers_and_takes_nothing() -> None:
    with buses("a") as [bus]:
        listener = Listener()
        bus.subscribe(EventType.SYSTEM, listener.on_event)
        bus.close()
        bus.close()
        event = system(bus, "late")
        for refused in (
            lambda: bus.publish(event),
            lambda: bus.subscribe(EventType.SYSTEM, listener.on_event),
            lambda: bus.attach(listener),  # type: ignore[arg-type]
            lambda: EventBus("child", bus),
        ):
            with pytest.raises(EventError, match="container 'a' is closed"):
                refused()
        assert listener.events == []


def test_a_handler_that_closes_its_container_ends_the_delivery() -> None:
    with buses("a") as [bus]:
        second = Listener()

        def close(event: Event[Any]) -> None:
            bus.publish(system(bus, "waits"))
            bus.close()

        first = Listener(close)
        bus.subscribe(EventType.SYSTEM, first.on_event)
        bus.subscribe(EventType.SYSTEM, second.on_event)
        bus.publish(system(bus, "one"))
    assert (first.texts, second.texts) == (["one"], [])


def test_an_observer_sees_every_event_before_the_handlers() -> None:
    order: list[str] = []

    class Observer:
        def on_event(self, event: Event[Any]) -> None:
            order.append(f"observed {event.sequence}")

    with buses("a") as [bus]:
        listener, observer = Listener(lambda event: order.append(f"handled {event.sequence}")), Observer()
        bus.subscribe(EventType.SYSTEM, listener.on_event)
        bus.attach(observer)
        bus.publish(system(bus, "one"))
        bus.publish(signal(bus))
        bus.detach(observer)
        bus.publish(system(bus, "unseen"))
    assert order == ["observed 1", "handled 1", "observed 2", "handled 3"]


def test_an_observer_that_raises_starves_nobody() -> None:
    class Observer:
        def on_event(self, event: Event[Any]) -> None:
            raise ValueError("blind")

    with buses("a") as [bus]:
        listener = Listener()
        bus.subscribe(EventType.SYSTEM, listener.on_event)
        bus.attach(Observer())
        bus.publish(system(bus, "one"))
        assert listener.texts == ["one"]
        assert bus.failures["Observer.on_event", "ValueError"] == 2, "at the event, and at the ERROR event about it"


def test_an_observer_that_fails_to_close_stops_no_disposal() -> None:
    class Observer:
        def on_event(self, event: Event[Any]) -> None: ...

        def close(self) -> None:
            raise OSError("disk full")

    registry = ContainerRegistry()
    parent = EventBus("parent", registry=registry)
    child = EventBus("child", parent, registry=registry)
    child.attach(Observer())
    with pytest.raises(OSError, match="disk full"):
        parent.close()
    assert child.is_closed
    assert len(registry) == 0


def test_something_that_observes_nothing_is_refused() -> None:
    with buses("a") as [bus], pytest.raises(EventError, match="a Listener|a object observes nothing"):
        bus.attach(object())  # type: ignore[arg-type]


def test_an_event_from_another_thread_waits_and_is_delivered_by_whoever_delivers() -> None:
    with buses("a") as [bus]:
        inside, done = threading.Event(), threading.Event()

        def wait(event: Event[System]) -> None:
            if event.payload.message == "slow":
                inside.set()
                assert done.wait(10)

        listener = Listener(wait)
        bus.subscribe(EventType.SYSTEM, listener.on_event)
        thread = threading.Thread(target=lambda: bus.publish(system(bus, "slow")))
        thread.start()
        assert inside.wait(10)
        bus.publish(system(bus, "from elsewhere"))
        assert listener.texts == ["slow"]
        done.set()
        thread.join()
        assert listener.texts == ["slow", "from elsewhere"]


def test_many_threads_on_one_bus_lose_nothing_and_number_each_event_once() -> None:
    with buses("a") as [bus]:
        listener = Listener()
        bus.subscribe(EventType.SYSTEM, listener.on_event)

        def work(name: int) -> None:
            for k in range(500):
                bus.publish(system(bus, f"{name} {k}"))

        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(event.sequence for event in listener.events) == list(range(1, 4_001))
    for name in range(8):
        own = [text for text in listener.texts if text.startswith(f"{name} ")]
        assert own == [f"{name} {k}" for k in range(500)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"container_id": ""}, "container_id: '' is no id"),
        ({"container_id": "../up"}, "container_id: '../up' is no id; allowed: up to 200 characters without / and"),
        ({"container_id": ".."}, "container_id: '..' is no id"),
        ({"container_id": 7}, "container_id: 7 is no id"),
        ({"isolation": "loose"}, "isolation: 'loose' is not allowed; allowed: strict, lenient"),
        ({"errors": "ignore"}, "errors: 'ignore' is not allowed; allowed: event, raise"),
        ({"forwards": [ForwardingRule("up", frozenset([EventType.SIGNAL]))]}, "has forwarding rules and no parent"),
    ],
)
def test_a_bus_that_cannot_be_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        EventBus(**{"container_id": "a", "registry": ContainerRegistry(), **options})


def test_something_that_is_no_filter_is_refused() -> None:
    with buses("a") as [bus], pytest.raises(EventError, match="is no filter; allowed: by_strategy"):
        bus.subscribe(EventType.SIGNAL, Listener().on_event, lambda event: True)  # type: ignore[call-overload]


def test_a_subscription_is_ended_on_its_own_bus() -> None:
    with buses("a", "b") as [one, other]:
        listener = Listener()
        subscription = one.subscribe(EventType.SYSTEM, listener.on_event)
        with pytest.raises(EventError, match=r"the subscription of Listener.on_event to SYSTEM is another bus's"):
            other.unsubscribe(subscription)
        one.publish(system(one, "told"))
    assert listener.texts == ["told"]


def test_a_cause_that_was_not_published_is_refused() -> None:
    with pytest.raises(EventError, match="the cause of an event has no number"):
        Event(System("effect"), "tester", "a", cause=Event(System("cause"), "tester", "a"))


def test_children_live_in_the_registry_of_their_parent() -> None:
    registry = ContainerRegistry()
    parent = EventBus("parent", registry=registry)
    child = EventBus("child", parent)
    assert registry.live() == [child, parent]
    parent.close()


def test_collecting_garbage_may_end_subscriptions_while_others_change() -> None:
    class Cyclic(Listener):
        def __init__(self, bus: EventBus) -> None:
            super().__init__()
            self.itself, self.bus = self, bus
            self.subscription = bus.subscribe(EventType.SYSTEM, self.on_event)

        def __del__(self) -> None:
            self.bus.unsubscribe(self.subscription)

    before = gc.get_threshold()
    gc.set_threshold(20)
    try:
        with buses("a") as [bus]:
            for _ in range(500):
                Cyclic(bus)
                assert len(bus.subscriptions) < 100
    finally:
        gc.set_threshold(*before)


def test_unknown_types_and_directions_are_refused() -> None:
    with buses("a") as [bus], pytest.raises(ConfigError, match="no type of event is named 'SIGNALS'"):
        bus.subscribe("SIGNALS", Listener().on_event)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="direction of forwarding: 'sideways'"):
        ForwardingRule("sideways", frozenset())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no type of event is named 'BARS'"):
        ForwardingRule("up", frozenset(["BARS"]))  # type: ignore[list-item]


def test_a_bar_event_says_what_it_is() -> None:
    event = Event(Bar("SPX", 3, 1.0, 2.0, 0.5, 1.5, 10.0), "feed", "a", correlation_id="trade-1")
    assert repr(event) == (
        "<a#0 Bar(symbol='SPX', bar=3, open=1.0, high=2.0, low=0.5, close=1.5, volume=10.0, timeframe='') by feed "
        "of trade-1>"
    )
