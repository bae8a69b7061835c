"""One container: how it is built, lives, fails and ends."""

import gc
import logging
import weakref
from typing import Any

import numpy as np
import pytest

from admf_ray.containers import ComponentSpec, ContainerSpec, ScopedContainer, State
from admf_ray.errors import ConfigError, EventError, IsolationViolation
from admf_ray.events import ContainerRegistry, Event, EventBus, EventType, System, current_bus
from tests.unit.containers.parts import Listener, Part, component, living, made, of_kind, part, tell


def chain(diary: list[str], **failing: str) -> ContainerSpec:
    """Three parts, declared last first: c needs b, b needs a."""
    needs: dict[str, list[str]] = {"c": ["b"], "b": ["a"], "a": []}
    return of_kind("backtest", *(part(diary, name, *needs[name], failing=failing.get(name, "")) for name in needs))


def words(action: str, names: str) -> list[str]:
    return [f"{action} {name}" for name in names]


class TestLife:
    def test_components_begin_in_order_and_end_in_reverse(self) -> None:
        diary: list[str] = []
        container = made(chain(diary))
        container.initialize()
        container.start()
        container.stop()
        container.dispose()
        assert diary == [
            *words("build", "abc"),
            *words("initialize", "abc"),
            *words("start", "abc"),
            *words("stop", "cba"),
            *words("dispose", "cba"),
        ]

    def test_states_and_listeners_follow(self) -> None:
        container, told = made(chain([])), []
        container.listen(lambda before, after: told.append(f"{before} {after}"))
        states = [container.state]
        for action in (container.initialize, container.start, container.stop, container.dispose):
            action()
            states.append(container.state)
        assert states == [State.UNINITIALIZED, State.INITIALIZED, State.RUNNING, State.COMPLETED, State.DISPOSED]
        assert told == [
            "UNINITIALIZED INITIALIZED",
            "INITIALIZED RUNNING",
            "RUNNING COMPLETED",
            "COMPLETED DISPOSED",
        ]

    def test_as_a_context_manager_it_runs_inside_and_is_gone_after(self) -> None:
        diary: list[str] = []
        with made(chain(diary)) as container:
            assert container.state is State.RUNNING
            assert {one.state for one in container.components} == {State.RUNNING}
        assert container.state is State.DISPOSED
        assert {one.state for one in container.components} == {State.DISPOSED}
        assert diary[-6:] == [*words("stop", "cba"), *words("dispose", "cba")]

    @pytest.mark.parametrize(
        ("actions", "said"),
        [
            (["start"], "container 'a' is UNINITIALIZED: it cannot start; allowed when INITIALIZED"),
            (["initialize", "initialize"], "container 'a' is INITIALIZED: it cannot initialize"),
            (["initialize", "stop"], "container 'a' is INITIALIZED: it cannot stop; allowed when RUNNING"),
            (["initialize", "start", "start"], "container 'a' is RUNNING: it cannot start"),
            (["initialize", "start", "reset"], "container 'a' is RUNNING: it cannot reset; allowed when COMPLETED"),
            (["initialize", "start", "stop", "initialize"], "container 'a' is COMPLETED: it cannot initialize"),
            (["dispose", "initialize"], "container 'a' is DISPOSED: it cannot initialize"),
        ],
    )
    def test_what_does_not_follow_is_refused_and_touches_no_component(self, actions: list[str], said: str) -> None:
        diary: list[str] = []
        with living(chain(diary)) as container:
            for action in actions[:-1]:
                getattr(container, action)()
            before = list(diary)
            with pytest.raises(EventError, match=said):
                getattr(container, actions[-1])()
            assert diary == before

    def test_disposing_twice_is_disposing_once(self) -> None:
        diary: list[str] = []
        container = made(chain(diary))
        container.dispose()
        container.dispose()
        assert diary == [*words("build", "abc"), *words("dispose", "cba")]

    def test_components_take_part_in_what_they_implement(self) -> None:
        class Only:
            started = False

            def start(self) -> None:
                self.started = True

        with made(of_kind("any", component("only", Only), component("number", lambda: 7))) as container:
            assert container.resolve("only").started
            assert container.resolve("number") == 7

    def test_an_attribute_of_the_name_is_not_taking_part(self) -> None:
        with made(of_kind("any", component("range", lambda: range(2, 5)))) as container:
            assert container.resolve("range").stop == 5

    def test_a_listener_of_states_that_fails_stops_nothing(self) -> None:
        def fail(before: State, after: State) -> None:
            raise ValueError("deaf")

        container = made(chain([]))
        container.listen(fail)
        with container:
            pass
        assert container.state is State.DISPOSED
        assert container.listener_failures.total() == 4


class TestBuilding:
    def test_components_get_what_they_need_by_parameter(self) -> None:
        spec = of_kind(
            "any",
            component("both", lambda left, right: (left, right), left="own", right="shared"),
            component("own", lambda: "own one"),
        )
        with living(spec, services={"shared": "shared one", "own": "hidden"}) as container:
            assert container.resolve("both") == ("own one", "shared one")

    def test_services_are_read_only(self) -> None:
        class Cheat:
            def __init__(self, prices: Any, settings: Any) -> None:
                self.prices, self.settings = prices, settings

        prices, settings = np.arange(3.0), {"commission": 1.0}
        spec = of_kind("any", component("cheat", Cheat, prices="prices", settings="settings"))
        with living(spec, services={"prices": prices, "settings": settings}) as container:
            cheat = container.resolve("cheat")
            with pytest.raises(ValueError, match="read-only"):
                cheat.prices[0] = 5.0
            with pytest.raises(IsolationViolation, match="service 'settings' is read-only"):
                cheat.settings["commission"] = 0.0
            cheat.own = "components may change themselves"

    def test_each_container_has_options_of_its_own(self) -> None:
        spec = of_kind("any", ComponentSpec("rows", lambda rows: rows, options={"rows": []}))
        with living(spec, "one") as one, living(spec, "two") as two:
            one.resolve("rows").append(1)
            assert two.resolve("rows") == []

    def test_factories_run_for_the_bus_of_their_container(self) -> None:
        with living(of_kind("any", component("bus", current_bus))) as container:
            assert container.resolve("bus") is container.bus

    def test_observers_are_attached_before_any_component_speaks(self) -> None:
        seen: list[str] = []

        class Observer:
            def on_event(self, event: Event[Any]) -> None:
                seen.append(event.payload.message)

        def speak() -> None:
            bus = current_bus()
            bus.publish(Event(System("built"), "speaker", bus.container_id))

        with living(of_kind("any", component("speaker", speak)), observe=lambda bus: bus.attach(Observer())):
            assert seen == ["built"]

    def test_nothing_is_built_when_something_is_missing(self) -> None:
        diary: list[str] = []
        registry = ContainerRegistry()
        with pytest.raises(
            ConfigError, match="component 'b': no component or service is named 'missing'; allowed: a, b"
        ):
            made(of_kind("any", part(diary, "a"), part(diary, "b", "missing")), registry=registry)
        assert (diary, len(registry)) == ([], 0)

    def test_a_factory_that_fails_is_named_and_what_was_built_is_disposed_of(self) -> None:
        diary: list[str] = []
        registry = ContainerRegistry()
        with pytest.raises(ValueError, match="b cannot build") as caught:
            made(chain(diary, b="build"), registry=registry)
        assert caught.value.__notes__ == ["component 'b' of container 'a' failed to be built"]
        assert diary == ["build a", "build b", "dispose a"]
        assert len(registry) == 0

    def test_ids_are_unique_among_the_living(self) -> None:
        registry = ContainerRegistry()
        container = made(of_kind("any"), registry=registry)
        with pytest.raises(IsolationViolation, match="a container named 'a' lives already"):
            made(of_kind("any"), registry=registry)
        container.dispose()
        made(of_kind("any"), registry=registry).dispose()

    def test_modes_of_the_bus_are_those_asked_for(self) -> None:
        with living(of_kind("any"), isolation="lenient") as container:
            container.bus.publish(Event(System("not mine"), "tester", "b"))
            assert len(container.bus.violations) == 1
        with pytest.raises(ConfigError, match="errors: 'ignore' is not allowed"):
            made(of_kind("any"), errors="ignore")


class TestResolving:
    def test_what_is_not_there_is_named_with_what_is(self) -> None:
        said = r"container 'a': no component or service is named 'bar' \(did you mean bars\?\); allowed: a, b, bars, c$"
        with living(chain([]), services={"bars": (1,)}) as container, pytest.raises(ConfigError, match=said):
            container.resolve("bar")

    def test_a_disposed_container_has_nothing(self) -> None:
        container = made(chain([]))
        container.dispose()
        with pytest.raises(EventError, match="container 'a' is DISPOSED: it has no 'b' any more"):
            container.resolve("b")


class TestFailing:
    @pytest.mark.parametrize(
        ("action", "done", "ended"),
        [
            ("initialize", [*words("initialize", "ab")], words("dispose", "cba")),
            ("start", [*words("initialize", "abc"), *words("start", "ab")], ["stop a", *words("dispose", "cba")]),
        ],
    )
    def test_a_component_that_cannot_begin_fails_its_container(
        self, action: str, done: list[str], ended: list[str]
    ) -> None:
        diary: list[str] = []
        container = made(chain(diary, b=action))
        with pytest.raises(ValueError, match=f"b cannot {action}") as caught, container:
            pytest.fail("the block is not entered")
        assert caught.value.__notes__ == [f"component 'b' of container 'a' failed to {action}"]
        assert diary == [*words("build", "abc"), *done, *ended]
        assert container.state is State.DISPOSED
        assert container.failure is not None
        assert container.failure[:3] == ("ValueError", f"b cannot {action}", "a")

    def test_a_container_whose_start_failed_is_failed_until_it_is_disposed_of(self) -> None:
        with living(chain([], b="start")) as container:
            container.initialize()
            with pytest.raises(ValueError, match="b cannot start"):
                container.start()
            assert container.state is State.FAILED
            assert [str(one.state) for one in container.components] == ["RUNNING", "FAILED", "INITIALIZED"]

    def test_an_error_in_the_block_is_raised_and_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        states: list[State] = []
        container = made(chain([]))
        container.listen(lambda before, after: states.append(after))
        with pytest.raises(ValueError, match="no bars"), container:
            raise ValueError("no bars\nat row 3")
        assert states[-2:] == [State.FAILED, State.DISPOSED]
        assert container.failure is not None
        assert container.failure.message == "no bars"
        assert "at row 3" in container.failure.traceback

    def test_a_boundary_contains_errors(self) -> None:
        with made(chain([])) as container:
            with container.boundary():
                assert current_bus() is container.bus
                raise ValueError("no bars")
            assert container.state is State.FAILED
            assert container.failure is not None
            assert (container.failure.error, container.failure.message) == ("ValueError", "no bars")
            with container.boundary():
                raise KeyError("later")
            assert container.failure.message == "no bars", "the first one counts"

    def test_a_boundary_without_errors_changes_nothing(self) -> None:
        with made(chain([])) as container:
            with container.boundary() as same:
                assert same is container
            assert (container.state, container.failure) == (State.RUNNING, None)

    def test_an_interrupt_passes_a_boundary(self) -> None:
        with pytest.raises(KeyboardInterrupt), made(chain([])) as container, container.boundary():
            raise KeyboardInterrupt
        assert container.failure is not None
        assert container.failure.error == "KeyboardInterrupt"

    def test_an_error_of_a_disposed_container_is_not_contained(self) -> None:
        container = made(chain([]))
        container.dispose()
        with pytest.raises(ValueError, match="late"), container.boundary():
            raise ValueError("late")
        with pytest.raises(EventError, match="cannot go from DISPOSED to FAILED"):
            container.fail(ValueError("late"))


class TestTeardown:
    def test_components_that_fail_to_end_hinder_no_others(self, caplog: pytest.LogCaptureFixture) -> None:
        diary: list[str] = []
        container = made(chain(diary, c="stop", b="dispose", a="stop dispose"))
        container.initialize()
        container.start()
        with pytest.raises(EventError) as caught:
            container.dispose()
        assert diary[-6:] == [*words("stop", "cba"), *words("dispose", "cba")]
        assert str(caught.value) == (
            "container 'a': 4 failed to end: "
            "component 'c' of container 'a': ValueError: c cannot stop; "
            "component 'a' of container 'a': ValueError: a cannot stop; "
            "component 'b' of container 'a': ValueError: b cannot dispose; "
            "component 'a' of container 'a': ValueError: a cannot dispose"
        )
        assert isinstance(caught.value.__cause__, ExceptionGroup)
        assert len(caught.value.__cause__.exceptions) == 4
        assert container.teardown_failures == {("c", "ValueError"): 1, ("a", "ValueError"): 2, ("b", "ValueError"): 1}
        assert (container.state, container.bus.is_closed) == (State.DISPOSED, True)

    def test_what_fails_to_end_is_logged(self) -> None:
        records: list[str] = []

        class Kept(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                records.append(record.getMessage())

        logger, handler = logging.getLogger("admf_ray"), Kept()
        logger.addHandler(handler)
        try:
            with pytest.raises(EventError):
                made(chain([], b="dispose")).dispose()
        finally:
            logger.removeHandler(handler)
        assert records == ["component 'b' of container 'a' failed to end: ValueError: b cannot dispose"]

    def test_a_run_that_does_not_stop_well_is_failed(self) -> None:
        diary: list[str] = []
        with living(chain(diary, b="stop")) as container:
            container.initialize()
            container.start()
            with pytest.raises(
                EventError, match="1 failed to stop: component 'b' of container 'a': ValueError: b cannot"
            ):
                container.stop()
            assert container.state is State.FAILED
            assert diary[-3:] == words("stop", "cba")

    def test_an_error_of_the_block_comes_before_those_of_the_teardown(self) -> None:
        with pytest.raises(KeyError, match="block") as caught, made(chain([], b="dispose")):
            raise KeyError("block")
        assert caught.value.__notes__ == [
            "container 'a': 1 failed to end: component 'b' of container 'a': ValueError: b cannot dispose"
        ]

    def test_a_bus_that_fails_to_close_is_named(self) -> None:
        class Full:
            def on_event(self, event: Event[Any]) -> None: ...

            def close(self) -> None:
                raise OSError("disk full")

        container = made(of_kind("any"), observe=lambda bus: bus.attach(Full()))
        with pytest.raises(EventError, match="the bus of container 'a': OSError: disk full"):
            container.dispose()
        assert container.state is State.DISPOSED

    def test_components_can_publish_to_the_end(self) -> None:
        class Last:
            def __init__(self, listener: Listener) -> None:
                self.listener = listener

            def dispose(self) -> None:
                bus = current_bus()
                bus.publish(Event(System("bye"), "last", bus.container_id))

        spec = of_kind("any", component("listener", Listener), component("last", Last, listener="listener"))
        with made(spec) as container:
            listener = container.resolve("listener")
        assert listener.texts == ["a: bye"]

    @pytest.mark.parametrize("failing", [{}, {"b": "stop", "c": "dispose"}])
    def test_nothing_is_held_after_disposal(self, failing: dict[str, str]) -> None:
        registry = ContainerRegistry()
        container = made(chain([], **failing), registry=registry)
        container.initialize()
        container.start()
        with container.boundary():
            raise ValueError("its traceback refers to the container")
        parts = [weakref.ref(one.value) for one in container.components]
        try:
            container.dispose()
        except EventError:
            assert failing
        gc.collect()
        assert [reference() for reference in parts] == [None] * 3, "while the container is still held"
        left = [weakref.ref(container), weakref.ref(container.bus)]
        del container
        gc.collect()
        assert [reference() for reference in left] == [None, None]
        assert registry.leaked() == []


class TestReset:
    def test_a_completed_container_can_run_again_with_its_subscriptions(self) -> None:
        with living(of_kind("any", component("listener", Listener))) as container:
            container.initialize()
            for text in ("one", "two"):
                container.start()
                tell(container, text)
                assert container.resolve("listener").texts == [f"a: {text}"]
                container.stop()
                container.reset()
                assert container.state is State.INITIALIZED

    def test_what_has_state_and_no_reset_hinders_it_what_is_immutable_does_not(self) -> None:
        with living(of_kind("any", component("limit", lambda: 0.5))) as container:
            container.initialize()
            container.start()
            assert not container.is_resettable, "it runs"
            container.stop()
            assert container.is_resettable
        with living(of_kind("any", component("positions", dict))) as container:
            container.initialize()
            container.start()
            container.stop()
            assert not container.is_resettable
            with pytest.raises(EventError, match="container 'a' cannot be reset: a component has state and no reset"):
                container.reset()
            assert container.state is State.COMPLETED

    def test_a_reset_that_fails_fails_the_container(self) -> None:
        with living(chain([], b="reset")) as container:
            container.initialize()
            container.start()
            container.stop()
            with pytest.raises(ValueError, match="b cannot reset"):
                container.reset()
            assert container.state is State.FAILED


def test_components_that_are_gone_are_not_told() -> None:
    class Holder:
        def __init__(self) -> None:
            self.listener: Listener | None = Listener()

        def initialize(self, bus: EventBus) -> None:
            assert self.listener is not None
            bus.subscribe(EventType.SYSTEM, self.listener.on_system)

    with made(of_kind("any", component("holder", Holder))) as container:
        container.resolve("holder").listener = None
        gc.collect()
        assert container.bus.subscriptions == []


def test_a_container_says_what_it_is() -> None:
    with living(of_kind("any")) as container:
        assert repr(container) == "<ScopedContainer a UNINITIALIZED>"
        assert isinstance(container, ScopedContainer)
    assert Part([], "x").bus is None
