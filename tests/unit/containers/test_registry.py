"""Component kinds: what is derived from a factory, and specs by registered names."""

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from admf_ray.containers import COMPONENTS, ContainerSpec, component_kind
from admf_ray.engine.composition import Composition
from admf_ray.engine.event_driven import BOOK, container_spec
from admf_ray.errors import ConfigError
from admf_ray.events import EventBus, EventType
from admf_ray.strategies import STRATEGIES
from tests.unit.containers.parts import living


class LastPrice:
    """Knows the last price.

    And nothing else.
    """

    stop = "a word, and nothing to call"

    def __init__(self, bars: npt.NDArray[np.float64], *, scale: float = 1.0, name="last", **further: object) -> None:
        self.price = float(bars[-1]) * scale

    def initialize(self, bus: EventBus) -> None: ...

    def dispose(self) -> None: ...


def make_price(bars: "tuple[float, ...]") -> LastPrice:
    return LastPrice(np.array(bars))


def test_a_kind_says_what_its_class_takes_and_takes_part_in() -> None:
    kind = component_kind(LastPrice)
    assert kind.name == "last_price"
    assert kind.description == "Knows the last price."
    assert [str(one) for one in kind.parameters] == ["bars: NDArray[float64]", "scale: float = 1.0", "name = 'last'"]
    assert [one.default for one in kind.parameters] == [None, "1.0", "'last'"]
    assert kind.protocols == ("Initializing", "Disposing")
    assert (kind.hears, kind.tells) == (None, None)


def test_a_function_takes_part_in_what_it_says_to_make() -> None:
    kind = component_kind(make_price, "price")
    assert (kind.name, kind.protocols, kind.description) == ("price", ("Initializing", "Disposing"), "")
    assert [str(one) for one in kind.parameters] == ["bars: tuple[float, ...]"]
    assert component_kind(lambda bars: bars).protocols == ()


def test_what_is_written_in_c_may_not_say_what_it_takes() -> None:
    assert (component_kind(dict).parameters, component_kind(dict).name) == ((), "dict")


def test_a_kind_has_the_events_of_its_contract() -> None:
    kind = component_kind(LastPrice, contract="feed")
    assert (kind.hears, kind.tells) == ((), (EventType.BAR,))
    assert component_kind(LastPrice, "execution").hears == (EventType.ORDER, EventType.BAR)


def test_a_spec_of_a_kind_gets_what_has_the_names_of_its_parameters() -> None:
    spec = component_kind(LastPrice).spec({"bars": "closes"}, {"scale": 2.0}, "price")
    with living(ContainerSpec("backtest", [spec]), services={"closes": np.array([1.0, 5.0])}) as container:
        assert container.resolve("price").price == 10.0
    assert component_kind(LastPrice).spec().needs == {"bars": "bars"}
    assert component_kind(LastPrice).spec(options={"bars": [1.0]}).needs == {}


def test_the_engine_s_components_are_found_by_name() -> None:
    runners = {"classifier_runner", "strategy_runner", "ensemble_runner"}
    assert set(COMPONENTS.names()) >= {"feed", "hub", *runners, "risk", "execution", "portfolio", "account"}
    for spec in container_spec({BOOK: Composition.of(STRATEGIES["sma_cross"])}, streams=True).components:
        assert COMPONENTS[spec.name].factory is spec.factory


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no component is named 'rsik' \(did you mean risk\?\); allowed: account, "):
        COMPONENTS["rsik"]


def test_the_engine_is_not_loaded_before_a_name_is_looked_for() -> None:
    code = (
        "import sys\n"
        "from admf_ray.containers import COMPONENTS\n"
        "assert 'admf_ray.engine' not in sys.modules\n"
        "COMPONENTS['risk']\n"
        "assert 'admf_ray.engine' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
