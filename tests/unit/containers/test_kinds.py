"""What each kind of container may have: a broker is out of reach of everything that is computed."""

import pytest

from admf_ray.containers import BROKERAGE, KINDS, SERVICES_OF, ComponentSpec, ContainerSpec
from admf_ray.engine.composition import Composition
from admf_ray.engine.event_driven import BOOK, open_market
from admf_ray.errors import IsolationViolation
from admf_ray.events import ContainerRegistry
from admf_ray.strategies import STRATEGIES
from tests.unit.containers.parts import made

SERVICES = {"bars": (1.0,), **{name: (name,) for name in BROKERAGE}}


@pytest.mark.parametrize("kind", ["optimization", "backtest", "signal_generation", "signal_replay"])
@pytest.mark.parametrize("name", ["order_router", "broker", "credentials"])
def test_what_reaches_a_broker_is_out_of_reach_where_nothing_is_traded(kind: str, name: str) -> None:
    container = made(ContainerSpec(kind), "a", SERVICES, policy=SERVICES_OF)
    with pytest.raises(IsolationViolation, match=f"of kind '{kind}' may not have service '{name}'; allowed: bars"):
        container.resolve(name)
    assert container.resolve("bars") == (1.0,)
    container.dispose()


@pytest.mark.parametrize("kind", ["live", "test"])
def test_live_containers_and_tests_have_everything(kind: str) -> None:
    container = made(ContainerSpec(kind), "a", SERVICES, policy=SERVICES_OF)
    assert container.resolve("order_router") == ("order_router",)
    assert set(container.services) == set(SERVICES)
    container.dispose()


def test_a_component_of_an_optimization_that_needs_an_order_router_is_not_built() -> None:
    registry = ContainerRegistry()
    spec = ContainerSpec("optimization", [ComponentSpec("cheat", lambda router: router, {"router": "order_router"})])
    with pytest.raises(IsolationViolation, match="may not have service 'order_router'"):
        made(spec, "a", SERVICES, policy=SERVICES_OF, registry=registry)
    assert len(registry) == 0


def test_nothing_reaches_a_live_container_through_an_optimization_around_it() -> None:
    spec = ContainerSpec("optimization", children={"inner": ContainerSpec("live")})
    outer = made(spec, "a", SERVICES, policy=SERVICES_OF)
    (inner,) = outer.children
    with pytest.raises(IsolationViolation, match="container 'a' of kind 'optimization' may not have"):
        inner.resolve("broker")
    outer.dispose()


def test_the_engine_s_containers_are_backtests_and_reach_no_broker() -> None:
    with open_market({BOOK: Composition.of(STRATEGIES["sma_cross"])}, "kinds") as market:
        assert market.container.spec.kind == "backtest"
    services = {"order_router": print}
    container = made(market.container.spec, "kinds", services, policy=SERVICES_OF)
    with pytest.raises(IsolationViolation, match="order_router"):
        container.resolve("order_router")
    container.dispose()


def test_every_kind_is_named() -> None:
    assert KINDS == ("optimization", "backtest", "signal_generation", "signal_replay", "live", "test")
