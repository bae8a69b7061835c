"""A component alone in a container: what it gets, what it is told, what it is heard to say, and how it ends."""

import pytest

from admf_ray.containers import State
from admf_ray.errors import ConfigError, IsolationViolation
from admf_ray.events import LIVE, Error, Event, EventBus, Phase, System
from admf_ray.testing.alone import alone
from tests.unit.testing.parts import Counter


def test_what_it_says_is_heard_in_order_and_what_it_is_told_is_not() -> None:
    with alone(Counter) as one:
        first = one.publish(Phase("train", "begins"), "someone", 7, "trade-1")
        second = one.publish(Phase("test", "begins"), cause=first)
    assert [event.payload.message for event in one.heard] == ["train 1 2.0", "test 2 3.0"]
    assert one.given == [first, second]
    assert [event.causation_id for event in one.heard] == [first.event_id, second.event_id]
    assert {(event.timestamp, event.correlation_id) for event in [*one.given, *one.heard]} == {(7, "trade-1")}
    assert one.errors == []


def test_it_runs_inside_and_is_gone_after() -> None:
    live = len(LIVE)
    with alone(Counter) as one:
        assert one.container.state is State.RUNNING
        assert isinstance(one.component, Counter)
        assert one.bus is one.container.bus
        assert len(LIVE) == live
    assert one.container.state is State.DISPOSED
    assert one.bus.is_closed


def test_parameters_get_options_services_and_what_is_beside_it() -> None:
    class Sum:
        def __init__(self, counter: Counter, bars: tuple[float, ...], scale: float = 1.0, shift: float = 0.0) -> None:
            self.total = sum(bars) * scale + shift + counter.count

    given = {"bars": (1.0, 2.0), "shift": 0.5, "unused": None}
    with alone(Sum, given, {"scale": 10.0}, beside={"counter": Counter}) as one:
        assert one.component.total == 30.5
        assert [part.name for part in one.container.components] == ["counter", "sum"]


def test_services_are_read_only() -> None:
    prices = [1.0, 2.0, 3.0]
    with alone(Counter, {"prices": prices}) as one, pytest.raises(IsolationViolation, match="'prices' is read-only"):
        one.component.prices[0] = 5.0


def test_a_registered_component_is_found_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"no component is named 'fed' \(did you mean feed\?\)"), alone("fed"):
        pass
    with (
        pytest.raises(ConfigError, match="component 'risk': no component or service is named 'account'"),
        alone("risk"),
    ):
        pass


def test_a_failing_handler_raises_or_becomes_an_error() -> None:
    class Failing(Counter):
        def on_phase(self, event: Event[Phase]) -> None:
            raise ValueError("no phase")

    with pytest.raises(ValueError, match="no phase"), alone(Failing) as one:
        one.publish(Phase("train", "begins"))
    assert one.container.state is State.DISPOSED
    with alone(Failing, errors="event") as one:
        one.publish(Phase("train", "begins"))
        one.publish(Error("mine", "given by the tester"))
    assert [(error.error, error.message) for error in one.errors] == [("ValueError", "no phase")]
    assert one.heard == []


def test_an_error_of_the_block_is_raised_after_all_is_torn_down() -> None:
    with pytest.raises(ZeroDivisionError), alone(Counter) as one:
        _ = 1 / 0
    assert one.container.state is State.DISPOSED


def test_what_is_said_while_it_is_built_and_when_it_stops_counts() -> None:
    class Talking:
        def initialize(self, bus: EventBus) -> None:
            self.bus = bus
            self.say("initialized")

        def stop(self) -> None:
            self.say("stopped")

        def say(self, text: str) -> None:
            self.bus.publish(Event(System(text), "talking", self.bus.container_id))

    with alone(Talking) as one:
        pass
    assert [event.payload.message for event in one.heard] == ["initialized", "stopped"]


def test_the_kind_of_container_decides_what_it_may_have() -> None:
    class Trader:
        def __init__(self, order_router: object) -> None:
            self.router = order_router

    services = {"order_router": ("router",)}
    with alone(Trader, services) as one:
        assert one.component.router == ("router",)
    with pytest.raises(IsolationViolation, match="of kind 'optimization' may not have service 'order_router'"):
        alone(Trader, services, kind="optimization").__enter__()
    with pytest.raises(ConfigError, match=r"no kind of container is named 'optimisation' \(did you mean optimization"):
        alone(Trader, services, kind="optimisation").__enter__()
