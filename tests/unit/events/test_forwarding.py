"""What parents, children and channels exchange."""

from typing import Any

import pytest

from admf_ray.errors import ConfigError, EventError, IsolationViolation
from admf_ray.events import (
    AccessPolicy,
    ContainerRegistry,
    EventBus,
    EventType,
    ForwardingRule,
    InterContainerChannel,
    by_strategy,
    by_symbol,
)
from tests.unit.events.recording import Listener, buses, signal, system

UP = ForwardingRule("up", frozenset([EventType.SIGNAL]))
DOWN = ForwardingRule("down", frozenset([EventType.SYSTEM]))


def family(*rules: ForwardingRule) -> tuple[EventBus, EventBus, EventBus]:
    registry = ContainerRegistry()
    parent = EventBus("parent", registry=registry)
    return parent, EventBus("one", parent, rules, registry=registry), EventBus("two", parent, rules, registry=registry)


def listening(bus: EventBus) -> Listener:
    listener = Listener()
    bus.subscribe(EventType.SYSTEM, listener.on_event)
    bus.subscribe(EventType.SIGNAL, listener.on_event, by_strategy("cross"))
    return listener


def test_without_rules_parents_and_children_hear_nothing_of_each_other() -> None:
    parent, one, two = family()
    heard = [listening(bus) for bus in (parent, one, two)]
    one.publish(signal(one))
    parent.publish(system(parent, "down"))
    assert [len(listener.events) for listener in heard] == [1, 1, 0]
    parent.close()


def test_rules_name_what_goes_up_and_what_goes_down() -> None:
    parent, one, two = family(UP, DOWN)
    of_parent, of_one, of_two = (listening(bus) for bus in (parent, one, two))
    event = signal(one)
    one.publish(event)
    one.publish(system(one, "stays"))
    parent.publish(system(parent, "down"))
    parent.publish(signal(parent))
    assert [event.container_id for event in of_parent.events] == ["one", "parent", "parent"]
    assert of_parent.events[0] is event, "it keeps its container, its number and its causes"
    assert [event.container_id for event in of_one.events] == ["one", "one", "parent"]
    assert of_two.texts == ["down"]
    parent.close()


def test_nothing_comes_back_to_where_it_was() -> None:
    everything = frozenset([EventType.SYSTEM])
    parent, one, two = family(ForwardingRule("up", everything), ForwardingRule("down", everything))
    below = EventBus("below", one, [ForwardingRule("up", everything), ForwardingRule("down", everything)])
    heard = {bus.container_id: listening(bus) for bus in (parent, one, two, below)}
    below.publish(system(below, "once"))
    assert {name: listener.texts for name, listener in heard.items()} == {name: ["once"] for name in heard}
    parent.close()


def test_a_rule_may_have_a_filter() -> None:
    parent, one, _ = family(ForwardingRule("up", frozenset([EventType.SIGNAL]), by_symbol("SPX")))
    heard = listening(parent)
    one.publish(signal(one, symbol="COMP"))
    one.publish(signal(one, symbol="SPX"))
    assert [event.payload.symbol for event in heard.events] == ["SPX"]
    assert str(one.rules[0]) == "up: SIGNAL where symbol=SPX"
    parent.close()


def test_forwarding_comes_after_the_handlers_of_the_bus() -> None:
    order: list[str] = []
    parent, one, _ = family(DOWN)
    child, later = Listener(lambda event: order.append("child")), Listener(lambda event: order.append("parent"))
    one.subscribe(EventType.SYSTEM, child.on_event)
    parent.subscribe(EventType.SYSTEM, later.on_event)
    parent.publish(system(parent, "down"))
    assert order == ["parent", "child"]
    parent.close()


def test_a_failure_in_a_child_stays_there() -> None:
    def fail(event: Any) -> None:
        raise ValueError

    parent, one, two = family(DOWN)
    failing, errors, of_two = Listener(fail), Listener(), listening(two)
    one.subscribe(EventType.SYSTEM, failing.on_event)
    parent.subscribe(EventType.ERROR, errors.on_event)
    parent.publish(system(parent, "down"))
    assert one.failures.total() == 1
    assert (errors.events, of_two.texts) == ([], ["down"])
    parent.close()


def test_closing_a_parent_closes_its_children_and_a_closed_child_is_forgotten() -> None:
    parent, one, two = family(UP, DOWN)
    assert parent.children == [one, two]
    one.close()
    assert parent.children == [two]
    parent.publish(system(parent, "down"))
    parent.close()
    assert two.is_closed


class TestChannel:
    def test_it_carries_the_types_that_it_is_for_to_those_that_subscribed(self) -> None:
        with buses("publisher", "one", "two", "other") as [publisher, one, two, other]:
            channel = InterContainerChannel("systems", [EventType.SYSTEM])
            channel.publish_from(publisher)
            for bus in (one, two):
                channel.subscribe(bus)
            heard = [listening(bus) for bus in (one, two, other)]
            publisher.publish(system(publisher, "carried"))
            publisher.publish(signal(publisher))
            channel.unsubscribe(one)
            publisher.publish(system(publisher, "again"))
        assert [listener.texts for listener in heard] == [["carried"], ["carried", "again"], []]

    def test_nothing_is_delivered_to_the_container_that_it_comes_from_nor_passed_on_twice(self) -> None:
        with buses("a", "b", "c") as members:
            channel = InterContainerChannel("all", [EventType.SYSTEM])
            for bus in members:
                channel.publish_from(bus)
                channel.subscribe(bus)
            heard = [listening(bus) for bus in members]
            members[0].publish(system(members[0], "once"))
        assert [listener.texts for listener in heard] == [["once"]] * 3

    def test_it_may_have_a_filter(self) -> None:
        with buses("a", "b") as [one, other]:
            channel = InterContainerChannel("signals", [EventType.SIGNAL], where=by_symbol("SPX"))
            channel.publish_from(one)
            channel.subscribe(other)
            heard = listening(other)
            one.publish(signal(one, symbol="COMP"))
            one.publish(signal(one))
        assert len(heard.events) == 1

    def test_its_policy_names_kinds_of_containers_and_a_maximum_of_subscribers(self) -> None:
        registry = ContainerRegistry()
        policy = AccessPolicy(
            publishers=frozenset(["classifier"]), subscribers=frozenset(["strategy"]), max_subscribers=1
        )
        channel = InterContainerChannel("regimes", [EventType.REGIME], policy)
        classifier = EventBus("regimes", kind="classifier", registry=registry)
        one, two = (EventBus(name, kind="strategy", registry=registry) for name in ("one", "two"))
        with pytest.raises(IsolationViolation, match="'one' of kind 'strategy' may not publish on channel 'regimes'"):
            channel.publish_from(one)
        with pytest.raises(IsolationViolation, match="may not subscribe to channel 'regimes'; allowed: strategy"):
            channel.subscribe(classifier)
        channel.publish_from(classifier)
        channel.subscribe(one)
        with pytest.raises(IsolationViolation, match="'regimes' has 1 subscribers; allowed: 1"):
            channel.subscribe(two)
        one.close()
        channel.subscribe(two)
        assert channel.subscribers == [two]

    def test_a_subscriber_that_fails_starves_no_other(self) -> None:
        with buses("publisher", "one", "two", errors="raise") as [publisher, one, two]:
            channel = InterContainerChannel("systems", [EventType.SYSTEM])
            channel.publish_from(publisher)
            for bus in (one, two):
                channel.subscribe(bus)

            def fail(event: Any) -> None:
                raise ValueError("of one")

            failing, of_two = Listener(fail), listening(two)
            one.subscribe(EventType.SYSTEM, failing.on_event)
            with pytest.raises(ValueError, match="of one"):
                publisher.publish(system(publisher, "carried"))
            assert of_two.texts == ["carried"]

    def test_a_policy_takes_sets_of_kinds(self) -> None:
        with pytest.raises(ConfigError, match="publishers: 'risk' is not allowed; allowed: a set of kinds"):
            AccessPolicy(publishers="risk")  # type: ignore[arg-type]

    def test_nobody_joins_twice_and_unknown_types_are_refused(self) -> None:
        with buses("a", "b") as [one, other]:
            channel = InterContainerChannel("systems", [EventType.SYSTEM])
            channel.publish_from(one)
            channel.subscribe(other)
            with pytest.raises(IsolationViolation, match="publishes on channel 'systems' already"):
                channel.publish_from(one)
            with pytest.raises(IsolationViolation, match="subscribes to channel 'systems' already"):
                channel.subscribe(other)
            one.close()
            with pytest.raises(EventError, match="closed"):
                InterContainerChannel("late", [EventType.SYSTEM]).publish_from(one)
        with pytest.raises(ConfigError, match="channel 'x': no type of event is named 'SYSTEMS'"):
            InterContainerChannel("x", ["SYSTEMS"])  # type: ignore[list-item]
