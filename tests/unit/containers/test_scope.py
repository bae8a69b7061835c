"""Which services a container gets: its own, those around it, and never those that its kind may not have."""

import pytest

from admf_ray.containers import ComponentSpec, ContainerSpec, Scope, ServicePolicy
from admf_ray.errors import ConfigError, IsolationViolation
from admf_ray.events import ContainerRegistry
from tests.unit.containers.parts import made

SERVICES = {"bars": (1.0,), "order_router": ("router",)}
POLICY: ServicePolicy = {"optimization": {"bars"}, "live": None}


def test_the_nearest_service_of_a_name_counts() -> None:
    outer = Scope("outer", "any", {"bars": (1,), "costs": (2,)})
    inner = Scope("inner", "any", {"bars": (3,)}, outer)
    assert (inner.resolve("bars"), inner.resolve("costs"), outer.resolve("bars")) == ((3,), (2,), (1,))


def test_a_service_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(
        ConfigError, match=r"container 'a': no service is named 'bar' \(did you mean bars\?\); allowed: bars"
    ):
        Scope("a", "any", SERVICES, policy={"any": ["bars"]}).resolve("bar")


def test_an_optimization_cannot_have_the_order_router() -> None:
    scope = Scope("a", "optimization", SERVICES, policy=POLICY)
    with pytest.raises(
        IsolationViolation,
        match="container 'a' of kind 'optimization' may not have service 'order_router'; allowed: bars",
    ) as caught:
        scope.resolve("order_router")
    assert caught.value.container_id == "a"
    assert (scope.resolve("bars"), scope.allowed_names()) == ((1.0,), ["bars"])
    assert Scope("b", "live", SERVICES, policy=POLICY).resolve("order_router") == ("router",)


def test_a_kind_that_the_policy_does_not_name_may_have_nothing() -> None:
    with pytest.raises(IsolationViolation, match="of kind 'other' may not have service 'bars'; allowed: none"):
        Scope("a", "other", SERVICES, policy=POLICY).resolve("bars")


def test_nested_containers_inherit_the_policy_and_get_nothing_through_a_parent_that_may_not_have_it() -> None:
    outer = Scope("outer", "optimization", SERVICES, policy=POLICY)
    inner = Scope("inner", "live", above=outer)
    assert (inner.resolve("bars"), inner.allowed_names()) == ((1.0,), ["bars"])
    with pytest.raises(IsolationViolation, match="container 'outer' of kind 'optimization' may not have"):
        inner.resolve("order_router")


def test_a_text_is_no_set_of_services() -> None:
    with pytest.raises(ConfigError, match="policy of 'optimization': 'bars' is not allowed; allowed: a set of names"):
        Scope("a", "optimization", SERVICES, policy={"optimization": "bars"})


def test_a_container_is_not_built_when_a_component_needs_what_it_may_not_have() -> None:
    built: list[str] = []
    spec = ContainerSpec(
        "optimization",
        [
            ComponentSpec("first", lambda: built.append("first")),
            ComponentSpec("cheat", lambda router: built.append("cheat"), {"router": "order_router"}),
        ],
    )
    registry = ContainerRegistry()
    with pytest.raises(IsolationViolation, match="may not have service 'order_router'"):
        made(spec, "a", SERVICES, policy=POLICY, registry=registry)
    assert "cheat" not in built
    assert len(registry) == 0


def test_asking_a_container_obeys_the_policy_as_well() -> None:
    container = made(ContainerSpec("optimization"), "a", SERVICES, policy=POLICY)
    assert container.services == ["bars"]
    with pytest.raises(IsolationViolation, match="may not have service 'order_router'"):
        container.resolve("order_router")
    container.dispose()
