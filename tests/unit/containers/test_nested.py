"""Containers in containers: order, services, forwarding, and what failing and ending mean for the others."""

import gc
import weakref
from typing import Any

import pytest

from admf_ray.containers import ContainerSpec, ScopedContainer, State
from admf_ray.errors import ConfigError, EventError, IsolationViolation
from admf_ray.events import ContainerRegistry, Event, EventType, ForwardingRule, System
from tests.unit.containers.parts import Listener, component, living, made, of_kind, part, tell

UP = ForwardingRule("up", frozenset([EventType.SYSTEM]))
DOWN = ForwardingRule("down", frozenset([EventType.SYSTEM]))


def family(diary: list[str], failing: str = "", where: str = "") -> ContainerSpec:
    """Classifier > risk > two strategies, a part in each of them."""

    def failing_in(name: str) -> str:
        return failing if name == where else ""

    def strategy(name: str) -> ContainerSpec:
        return of_kind("strategy", part(diary, name, failing=failing_in(name)))

    risk = of_kind(
        "risk",
        part(diary, "risk", failing=failing_in("risk")),
        children={"one": strategy("one"), "two": strategy("two")},
    )
    return of_kind("classifier", part(diary, "classifier", failing=failing_in("classifier")), children={"risk": risk})


ORDER = ["classifier", "risk", "one", "two"]


def words(action: str, names: list[str]) -> list[str]:
    return [f"{action} {name}" for name in names]


def test_ids_say_where_a_container_is() -> None:
    with living(family([]), "root") as container:
        assert [one.container_id for one in container.family()] == [
            "root",
            "root.risk",
            "root.risk.one",
            "root.risk.two",
        ]
        (risk,) = container.children
        assert risk.parent is container
        assert risk.bus.parent is container.bus
        assert risk.bus.kind == "risk"


def test_parents_begin_before_their_children_and_end_after_them() -> None:
    diary: list[str] = []
    with made(family(diary)) as container:
        assert {one.state for one in container.family()} == {State.RUNNING}
        members = list(container.family())
    assert diary == [
        *words("build", ORDER),
        *words("initialize", ORDER),
        *words("start", ORDER),
        *words("stop", ORDER[::-1]),
        *words("dispose", ORDER[::-1]),
    ]
    assert {one.state for one in members} == {State.DISPOSED}
    assert container.children == ()


def test_services_come_from_the_containers_around_and_components_do_not() -> None:
    inner = of_kind("strategy", component("cross", lambda bars: bars, bars="bars"))
    with living(of_kind("root", children={"inner": inner}), services={"bars": (1.0,)}) as container:
        assert container.children[0].resolve("cross") == (1.0,)
    spec = of_kind("root", component("bars", lambda: (1.0,)), children={"inner": inner})
    with pytest.raises(
        ConfigError, match="kind 'strategy': component 'cross': no component or service is named 'bars'"
    ):
        made(spec)


def test_modes_policy_and_observers_are_those_of_the_parent() -> None:
    observed: list[str] = []
    options: dict[str, Any] = {
        "services": {"bars": (1.0,)},
        "policy": {"classifier": None, "risk": None},
        "isolation": "lenient",
        "observe": lambda bus: observed.append(bus.container_id),
    }
    with living(family([]), **options) as container:
        *_, last = container.family()
        with pytest.raises(IsolationViolation, match="container 'a.risk.two' of kind 'strategy' may not have"):
            last.resolve("bars")
        assert observed == ["a", "a.risk", "a.risk.one", "a.risk.two"]
        last.bus.publish(Event(System("not mine"), "tester", "elsewhere"))
        assert len(last.bus.violations) == 1


def test_rules_of_the_spec_say_what_parent_and_child_exchange() -> None:
    listener = component("listener", Listener)
    spec = of_kind(
        "root",
        listener,
        children={
            "mute": of_kind("leaf", listener),
            "up": of_kind("leaf", listener, forwards=[UP]),
            "down": of_kind("leaf", listener, forwards=[DOWN]),
        },
    )
    with made(spec) as container:
        mute, up, down = container.children
        for one in (container, mute, up, down):
            tell(one, "x")
        heard = {one.container_id: one.resolve("listener").texts for one in container.family()}
    assert heard == {
        "a": ["a: x", "a.up: x"],
        "a.mute": ["a.mute: x"],
        "a.up": ["a.up: x"],
        "a.down": ["a: x", "a.up: x", "a.down: x"],
    }


def test_rules_without_a_parent_are_refused() -> None:
    with pytest.raises(ConfigError, match="container 'a' has forwarding rules and no parent"):
        made(of_kind("leaf", forwards=[UP]))


def test_a_child_that_fails_in_a_boundary_leaves_its_parent_running() -> None:
    diary: list[str] = []
    with made(family(diary)) as container:
        (risk,) = container.children
        one, two = risk.children
        with one.boundary():
            raise ValueError("only mine")
        assert [container.state, risk.state, one.state, two.state] == [
            State.RUNNING,
            State.RUNNING,
            State.FAILED,
            State.RUNNING,
        ]
    assert diary.count("stop one") == 1
    assert diary.count("dispose one") == 1


@pytest.mark.parametrize("action", ["initialize", "start"])
def test_a_child_that_cannot_begin_fails_those_around_it_and_all_is_torn_down(action: str) -> None:
    diary: list[str] = []
    registry = ContainerRegistry()
    with pytest.raises(ValueError, match=f"one cannot {action}"), made(family(diary, action, "one"), registry=registry):
        pytest.fail("the block is not entered")
    assert diary[-4:] == words("dispose", ORDER[::-1])
    assert len(registry) == 0


def test_a_child_that_cannot_be_built_leaves_nothing() -> None:
    diary: list[str] = []
    registry = ContainerRegistry()
    with pytest.raises(ValueError, match="two cannot build"):
        made(family(diary, "build", "two"), registry=registry)
    assert diary == [*words("build", ORDER), *words("dispose", ["one", "risk", "classifier"])]
    assert len(registry) == 0


def test_one_error_names_all_that_failed_at_any_depth() -> None:
    diary: list[str] = []
    container = made(family(diary, "stop dispose", "two"))
    container.initialize()
    container.start()
    with pytest.raises(EventError) as caught:
        container.stop()
    assert str(caught.value) == (
        "container 'a': 1 failed to stop: component 'two' of container 'a.risk.two': ValueError: two cannot stop"
    )
    assert {one.state for one in container.family()} == {State.FAILED, State.COMPLETED}
    with pytest.raises(EventError, match="1 failed to end: component 'two' of container 'a.risk.two'"):
        container.dispose()
    assert diary[-8:] == [*words("stop", ORDER[::-1]), *words("dispose", ORDER[::-1])]


def test_a_child_may_end_before_its_parent() -> None:
    diary: list[str] = []
    with made(family(diary)) as container:
        (risk,) = container.children
        risk.dispose()
        assert container.children == ()
        assert container.bus.children == []
    assert diary[-2:] == ["stop classifier", "dispose classifier"]


def test_a_container_may_be_added_to_one_that_runs() -> None:
    diary: list[str] = []
    with made(family(diary), services={"bars": (1.0,)}) as container:
        late = ScopedContainer(of_kind("late", part(diary, "late"), forwards=[UP]), "late", parent=container)
        late.initialize()
        late.start()
        assert late.resolve("bars") == (1.0,)
        assert container.children[-1] is late
    assert diary[10 + 4 :][:4] == ["start late", "stop late", "stop two", "stop one"]
    assert late.state is State.DISPOSED


def test_a_container_that_was_added_begins_with_its_parent() -> None:
    container = made(family([]))
    late = ScopedContainer(of_kind("late"), "late", parent=container)
    with container:
        assert late.state is State.RUNNING


def test_a_container_that_was_added_late_catches_up_when_its_parent_starts() -> None:
    diary: list[str] = []
    with living(of_kind("root")) as container:
        container.initialize()
        ScopedContainer(of_kind("late", part(diary, "late")), "late", parent=container)
        container.start()
        assert diary == ["build late", "initialize late", "start late"]


def test_a_disposed_container_takes_no_children() -> None:
    container = made(of_kind("root"))
    container.dispose()
    with pytest.raises(EventError, match="container 'a' is closed"):
        ScopedContainer(of_kind("late"), "late", parent=container)


def test_only_the_nested_containers_of_the_spec_are_reset() -> None:
    diary: list[str] = []
    with living(family(diary)) as container:
        container.initialize()
        container.start()
        container.stop()
        assert container.is_resettable
        container.reset()
        assert diary[-4:] == words("reset", ORDER)
        container.start()
        container.children[0].children[0].dispose()
        container.stop()
        assert not container.is_resettable


def test_nothing_of_a_family_is_held_after_disposal() -> None:
    registry = ContainerRegistry()
    with made(family([]), registry=registry) as container:
        left = [weakref.ref(one) for one in container.family()]
        left += [weakref.ref(part.value) for one in container.family() for part in one.components]
    del container
    gc.collect()
    assert [reference() for reference in left] == [None] * 8
    assert registry.leaked() == []
