"""Specs: what is refused when they are made, and in which order components are built."""

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.containers import ComponentSpec, ContainerSpec
from admf_ray.errors import ConfigError
from admf_ray.events import EventType, ForwardingRule
from tests.unit.containers.parts import part


def spec(*components: ComponentSpec, **options: Any) -> ContainerSpec:
    return ContainerSpec("backtest", components, **options)


def names(made: ContainerSpec) -> list[str]:
    return [component.name for component in made.order()]


def test_components_come_after_those_that_they_need() -> None:
    made = spec(part([], "risk", "strategy", "bars"), part([], "strategy", "hub"), part([], "hub", "bars"))
    assert names(made) == ["hub", "strategy", "risk"]


def test_free_components_come_as_they_are_declared() -> None:
    # 'd' frees nothing; 'b' becomes free with 'c' and is declared before 'e'.
    made = spec(part([], "d"), part([], "b", "c"), part([], "c"), part([], "a"), part([], "e"))
    assert names(made) == ["d", "c", "b", "a", "e"]


@given(st.data())
def test_any_graph_without_circles_has_an_order_with_dependencies_first(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 12))
    needs = [data.draw(st.sets(st.integers(0, number - 1))) if number else set() for number in range(size)]
    declared = data.draw(st.permutations(range(size)))
    made = spec(*(part([], str(number), *(str(need) for need in needs[number])) for number in declared))
    order = [int(name) for name in names(made)]
    assert sorted(order) == list(range(size))
    for place, number in enumerate(order):
        done = set(order[:place])
        free = [one for one in declared if one not in done and needs[one] <= done]
        assert number == free[0]


@pytest.mark.parametrize(
    ("needs", "path"),
    [
        ({"a": ["a"]}, "a -> a"),
        ({"a": ["b"], "b": ["a"]}, "a -> b -> a"),
        ({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]}, "a -> b -> c -> a"),
        ({"free": [], "b": ["free", "c"], "c": ["b"]}, "b -> c -> b"),
    ],
)
def test_a_circle_is_named_as_a_path(needs: dict[str, list[str]], path: str) -> None:
    with pytest.raises(ConfigError, match=rf"kind 'backtest': components need each other in a circle: {path}$"):
        spec(*(part([], name, *wanted) for name, wanted in needs.items()))


def test_two_components_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="kind 'backtest': two components are named 'a'"):
        spec(part([], "a"), part([], "b"), part([], "a"))


def test_a_dependency_that_is_not_there_is_named_with_what_is() -> None:
    made = spec(part([], "strategy", "hup"), part([], "other"))
    with pytest.raises(
        ConfigError,
        match=r"component 'strategy': no component or service is named 'hup' \(did you mean hub\?\); "
        "allowed: hub, other, strategy",
    ):
        made.check({"hub"})
    made.check({"hup"})


def test_nested_containers_are_checked_as_well_and_see_no_components_of_their_parent() -> None:
    inner = ContainerSpec("strategy", [part([], "cross", "hub")])
    outer = spec(part([], "hub"), children={"inner": inner})
    with pytest.raises(ConfigError, match="kind 'strategy': component 'cross': no component or service is named 'hub'"):
        outer.check()
    outer.check({"hub"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("", list), "name of a component: '' is not allowed"),
        (("a", 7), "component 'a': factory 7 is not allowed; allowed: a callable"),
        (
            ("a", lambda one: one),
            r"component 'a': missing a required argument: 'one'; its factory is .*<lambda>\(one\)",
        ),
        (("a", lambda: 1, {"bars": "bars"}), "component 'a': got an unexpected keyword argument 'bars'"),
        (("a", dict, {"x": "bars"}, {"x": 1}), "component 'a': given as dependency and as option: x"),
    ],
)
def test_a_component_that_cannot_be_built_is_refused(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ComponentSpec(*arguments)


def test_a_container_without_a_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="kind of a container: '' is not allowed"):
        ContainerSpec("")


def test_specs_do_not_change() -> None:
    needs = {"x": "bars"}
    made = spec(ComponentSpec("a", dict, needs))
    needs["y"] = "more"
    assert made.components[0].needs == {"x": "bars"}
    with pytest.raises(FrozenInstanceError):
        made.kind = "other"  # type: ignore[misc]


def test_specs_travel_to_other_processes() -> None:
    rule = ForwardingRule("up", frozenset([EventType.SIGNAL]))
    made = spec(ComponentSpec("a", dict, {"x": "bars"}), children={"inner": ContainerSpec("inner", forwards=[rule])})
    assert pickle.loads(pickle.dumps(made)) == made
