"""The contract of components: what keeps it passes, and each check catches the fault that is planted for it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
import pytest

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.containers import COMPONENTS, component_kind
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.simulate import Part
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ContractError
from admf_ray.events import (
    PAYLOADS,
    Ensemble,
    Event,
    EventBus,
    EventType,
    Fill,
    Order,
    Phase,
    Regime,
    Signal,
    System,
    by_strategy,
)
from admf_ray.optimize import Candidates, plan_search
from admf_ray.strategies import STRATEGIES
from admf_ray.testing.alone import Alone
from admf_ray.testing.conformance import (
    CONFORMANCE,
    Specimen,
    check_component,
    check_contract,
    check_dependencies,
    check_life,
    check_own,
    check_release,
    check_reset,
    check_strangers,
    sample,
)
from tests.unit.engine.account import bars_of
from tests.unit.testing.parts import Counter

Declared = Callable[[Callable[..., Any]], Specimen]


def two_phases(one: Alone) -> None:
    one.publish(Phase("train", "begins"))
    one.publish(Phase("test", "begins"))


def counting(factory: Callable[..., Any], **given: Any) -> Specimen:
    return Specimen(factory, drive=two_phases, **given)


@pytest.fixture
def declared() -> Iterator[Declared]:
    """Registers a component as what a coordinator is by contract: it hears phases, and tells of them."""
    added = []

    def register(factory: Callable[..., Any]) -> Specimen:
        added.append(COMPONENTS.add(component_kind(factory, "counter", contract="coordinator")))
        return Specimen("counter", drive=two_phases)

    yield register
    for kind in added:
        COMPONENTS.remove(kind)


class TestWhatKeepsTheContract:
    def test_passes_every_check(self, declared: Declared) -> None:
        specimen = declared(Counter)
        given = Specimen("counter", {"prices": (1.0, 2.0, 3.0)}, drive=two_phases)
        assert list(check_component(given)) == [(name, None) for name in CONFORMANCE]
        assert [name for name, _ in check_component(specimen)] == [name for name in CONFORMANCE if name[:3] != "dep"]

    def test_is_checked_where_a_check_applies(self) -> None:
        class Still:
            pass

        assert dict(check_component(Specimen(Still))) == dict.fromkeys(("life", "own", "release", "strangers"))

    def test_is_told_samples_of_what_it_hears_by_contract(self, declared: Declared) -> None:
        declared(Counter)
        with Specimen("counter").alone() as one:
            Specimen("counter").run(one)
            assert [event.type for event in one.given] == [
                EventType.PHASE,
                EventType.TRAIN_WINDOW,
                EventType.TEST_WINDOW,
            ]
            assert [event.payload.message for event in one.heard] == ["X 1 2.0"]

    def test_of_every_type_there_is_a_sample(self) -> None:
        for kind, payload in PAYLOADS.items():
            assert isinstance(sample(kind, "a"), payload)
        assert sample(EventType.FILL, "a").container_id == "a"


class TestLife:
    def test_what_fails_when_nothing_happened_is_caught(self) -> None:
        class Averaging(Counter):
            def stop(self) -> None:
                _ = 1 / self.count

        with pytest.raises(ContractError, match="1 failed to end: component 'averaging'.*ZeroDivisionError"):
            check_life(counting(Averaging))

    def test_what_can_be_built_only_once_is_caught(self) -> None:
        class Once(Counter):
            built: ClassVar[list[int]] = []

            def initialize(self, bus: EventBus) -> None:
                if len(self.built) == 3:
                    raise ValueError("there is one already")
                self.built.append(1)
                super().initialize(bus)

        with pytest.raises(ContractError, match="there is one already; component 'once'.*failed to initialize"):
            check_life(counting(Once))

    def test_what_says_something_else_the_second_time_is_caught(self) -> None:
        class Shared(Counter):
            total = 0

            def on_phase(self, event: Event[Phase]) -> None:
                type(self).total += 1
                self.count = self.total
                super().on_phase(event)

        with pytest.raises(ContractError, match=r"built again its event 1 is SYSTEM \('train 4 2.0',\).*'train 2 3.0'"):
            check_life(counting(Shared))

    def test_a_malformed_event_is_caught(self) -> None:
        class Nameless(Counter):
            def on_phase(self, event: Event[Phase]) -> None:
                self.bus.publish(Event(System("from nobody"), "", self.bus.container_id))

        with pytest.raises(ContractError, match="an ERROR event says: malformed"):
            check_life(counting(Nameless))


@pytest.mark.parametrize("hides", [False, True])
def test_what_speaks_for_another_container_is_caught(hides: bool) -> None:
    class Impostor(Counter):
        def on_phase(self, event: Event[Phase]) -> None:
            with suppress(*([Exception] if hides else [])):
                self.bus.publish(Event(System("not mine"), "impostor", "other"))

    with pytest.raises(ContractError, match="component 'impostor' published SYSTEM as container 'other'"):
        check_own(counting(Impostor))


class TestContract:
    def test_what_hears_an_undeclared_type_is_caught(self, declared: Declared) -> None:
        class Eavesdropper(Counter):
            def initialize(self, bus: EventBus) -> None:
                super().initialize(bus)
                bus.subscribe(EventType.ORDER, self.on_phase)

        with pytest.raises(ContractError, match="it hears ORDER; declared: PHASE, TRAIN_WINDOW, TEST_WINDOW"):
            check_contract(declared(Eavesdropper))

    def test_what_tells_an_undeclared_type_is_caught(self, declared: Declared) -> None:
        class Signalling(Counter):
            def on_phase(self, event: Event[Phase]) -> None:
                signal = Signal("x", "X", 0, 1.0)
                self.bus.publish(Event(signal, "x", self.bus.container_id, cause=event))

        with pytest.raises(ContractError, match="it tells SIGNAL; declared: PHASE, TRAIN_WINDOW, TEST_WINDOW, SYSTEM"):
            check_contract(declared(Signalling))

    def test_an_undeclared_cause_is_caught(self, declared: Declared) -> None:
        class Chatting(Counter):
            def on_phase(self, event: Event[Phase]) -> None:
                first = Event(System("first"), "x", self.bus.container_id, cause=event)
                self.bus.publish(first)
                self.bus.publish(Event(System("second"), "x", self.bus.container_id, cause=first))

        with pytest.raises(ContractError, match="it tells SYSTEM after SYSTEM; declared: after PHASE"):
            check_contract(declared(Chatting))


class TestRelease:
    def test_what_somebody_keeps_is_caught(self) -> None:
        class Kept(Counter):
            all: ClassVar[list[Any]] = []

            def initialize(self, bus: EventBus) -> None:
                super().initialize(bus)
                self.all.append(self.on_phase)

        with pytest.raises(ContractError, match="its bus is still in memory after disposal"):
            check_release(counting(Kept))

    def test_a_component_that_let_go_of_its_bus_alone_is_caught(self) -> None:
        class Cached(Counter):
            all: ClassVar[list[Any]] = []

            def dispose(self) -> None:
                del self.bus
                self.all.append(self)

        with pytest.raises(ContractError, match="its component is still in memory after disposal"):
            check_release(counting(Cached))

    def test_a_value_that_never_changes_may_be_shared(self) -> None:
        check_release(Specimen(lambda: PAYLOADS[EventType.BAR]))


class TestReset:
    def test_what_goes_on_counting_is_caught(self) -> None:
        class Forgetless(Counter):
            def __init__(self) -> None:
                super().__init__()
                self.count = 0

            def reset(self) -> None:
                pass

        with pytest.raises(ContractError, match=r"after a reset its event 1 is .*'train 3 1.0'.*says .*'train 1 2.0'"):
            check_reset(counting(Forgetless))

    def test_what_keeps_an_old_cause_is_caught(self) -> None:
        class Attributing(Counter):
            first: Event[Phase] | None = None

            def on_phase(self, event: Event[Phase]) -> None:
                self.first = self.first or event
                self.bus.publish(Event(System("same"), "x", self.bus.container_id, cause=self.first))

        with pytest.raises(ContractError, match="after event -3; a new one says .* after event 1"):
            check_reset(counting(Attributing))

    def test_what_falls_silent_is_caught(self) -> None:
        class Silent(Counter):
            def on_phase(self, event: Event[Phase]) -> None:
                if self.count >= 0:
                    super().on_phase(event)

            def reset(self) -> None:
                self.count = -1 if hasattr(self, "count") else 0

        with pytest.raises(ContractError, match="after a reset it publishes 0 events; a new one publishes 2"):
            check_reset(counting(Silent))


def test_what_fails_at_another_type_is_caught() -> None:
    class Curious(Counter):
        def initialize(self, bus: EventBus) -> None:
            super().initialize(bus)
            for kind in EventType:
                if kind not in {EventType.PHASE, EventType.SIGNAL, EventType.FILL}:
                    bus.subscribe(kind, self.on_other)
            bus.subscribe(EventType.SIGNAL, self.on_other, by_strategy("X"))

        def on_other(self, event: Event[Any]) -> None:
            if not isinstance(event.payload, System):
                self.last = event.payload.bar

    check_life(counting(Curious))
    with pytest.raises(ContractError, match="AttributeError: 'TrainWindow' object has no attribute 'bar'"):
        check_strangers(counting(Curious))


class TestDependencies:
    def test_what_hides_that_a_service_fails_is_caught(self) -> None:
        class Hiding(Counter):
            def on_phase(self, event: Event[Phase]) -> None:
                with suppress(Exception):
                    super().on_phase(event)

        with pytest.raises(ContractError, match="service 'prices' fails, and it goes on and says nothing"):
            check_dependencies(counting(Hiding, services={"prices": (1.0, 2.0, 3.0)}))

    def test_what_does_not_name_the_service_is_caught(self) -> None:
        class Vague(Counter):
            def on_phase(self, event: Event[Phase]) -> None:
                try:
                    super().on_phase(event)
                except Exception:
                    raise ValueError("something went wrong") from None

        with pytest.raises(ContractError, match="does not name it: ValueError: something went wrong"):
            check_dependencies(counting(Vague, services={"prices": (1.0, 2.0, 3.0)}))

    def test_what_says_why_it_fails_names_the_service(self) -> None:
        class Wrapping(Counter):
            def on_phase(self, event: Event[Phase]) -> None:
                try:
                    super().on_phase(event)
                except Exception as error:
                    raise ValueError("something went wrong") from error

        check_dependencies(counting(Wrapping, services={"prices": (1.0, 2.0, 3.0)}))


def test_a_check_that_fails_is_reported_and_the_others_go_on() -> None:
    class Forgetless(Counter):
        def reset(self) -> None:
            self.count = getattr(self, "count", 0)

    found = dict(check_component(counting(Forgetless)))
    assert {name for name, error in found.items() if error} == {"reset"}


BARS = bars_of([10.0, 11.0, 12.0, 9.0, 8.0, 12.0, 13.0, 14.0])
SPAN = (0, 8)
ONE = Composition.of(STRATEGIES["price_sma"])
SEVERAL = Composition(
    (Member("trend", STRATEGIES["price_sma"]), Member("dip", STRATEGIES["rsi_reversion"])),
    (Watch("classifier", CLASSIFIERS["trend"]),),
    "weighted",
    (0.6, 0.4),
)
OPTIONS: dict[str, dict[str, Any]] = {
    "classifier_runner": {"watch": 0},
    "ensemble_runner": {"strategies": SEVERAL.member_names},
    "risk": {"strategies": ONE.member_names},
    "risk of several": {"strategies": SEVERAL.member_names, "is_combined": True, "regime": "classifier"},
    "strategy_runner of several": {"member": 1, "waits": True},
}
COMPONENTS_OF_THE_ENGINE = (
    *("account", "classifier_runner", "ensemble_runner", "execution", "feed", "hub", "portfolio", "risk"),
    *("risk of several", "strategy_runner", "strategy_runner of several"),
)


def chain(name: str) -> Specimen:
    """Give one of the engine's components with all that it needs, and what a backtest does with it."""
    component = name.partition(" ")[0]
    composition = SEVERAL if component in {"classifier_runner", "ensemble_runner"} or " " in name else ONE
    periods = {text: 2.0 for text in composition.parameter_names if text.endswith("period")}
    candidates = Candidates.single(composition.complete(periods))
    search = plan_search(BARS, composition, candidates, AccountRules(cash=10_000.0))
    hub = search.hub()
    setup = search.setup(hub, 0)
    closes = BARS.close[0].tolist()

    def tell_bar(one: Alone, bar: int) -> Event[Any]:
        return one.publish(PAYLOADS[EventType.BAR]("A", bar, *[closes[bar]] * 4, 1e6), "feed", bar + 1)

    def tell_bars(one: Alone) -> None:
        for bar in range(*SPAN):
            tell_bar(one, bar)

    def feed(one: Alone) -> None:
        for bar in range(*SPAN):
            one.component.publish(bar)

    def strategy_runner_of_several(one: Alone) -> None:
        for bar in range(*SPAN):
            one.publish(Regime("classifier", "A", bar, bar % 2, -1), "classifier")
            one.component.end_bar(bar, tell_bar(one, bar))

    def ensemble_runner(one: Alone) -> None:
        for bar, (strategy, target) in enumerate((("trend", 1.0), ("dip", 0.5), ("trend", 0.0), ("dip", np.nan))):
            one.publish(Signal(strategy, "A", bar, target), strategy)
            one.component.end_bar(bar, tell_bar(one, bar))

    def decide(one: Alone) -> None:
        # As the portfolio would have it.
        one.container.resolve("account").postpone_mark()
        one.component.end_bar(0, tell_bar(one, 0))

    def risk(one: Alone) -> None:
        one.publish(Signal("price_sma", "A", 0, 1.0), "price_sma", correlation_id="trade-1")
        decide(one)

    def risk_of_several(one: Alone) -> None:
        one.publish(Regime("classifier", "A", 0, 1, -1), "classifier")
        combined = Ensemble("weighted", "A", 0, 0.6, SEVERAL.member_names, (0.6, 0.0))
        one.publish(combined, "weighted", correlation_id="trade-1")
        decide(one)

    def execution(one: Alone) -> None:
        closing = tell_bar(one, 0)
        # As risk would have it.
        account = one.container.resolve("account")
        account.targets[:, 0] = 1.0
        account.postpone_mark()
        account.do_part(Part.DECIDE, 0)
        one.publish(Order("A", 0, 1, 1, 1_000.0, 0, np.nan))
        one.component.end_bar(0, closing)
        one.component.end_bar(1, tell_bar(one, 1))

    def portfolio(one: Alone) -> None:
        one.component.end_bar(0, tell_bar(one, 0))
        one.publish(Fill("alone", "A", 1, 10.0, 11.0, 0.0, 0.0, 10.0, 9_890.0, 0, 1, 1, 0, 0))
        one.component.end_bar(1, tell_bar(one, 1))

    drives: dict[str, Callable[[Alone], None]] = {
        "account": lambda one: None,
        "classifier_runner": tell_bars,
        "ensemble_runner": ensemble_runner,
        "execution": execution,
        "feed": feed,
        "hub": tell_bars,
        "portfolio": portfolio,
        "risk": risk,
        "risk of several": risk_of_several,
        "strategy_runner": tell_bars,
        "strategy_runner of several": strategy_runner_of_several,
    }
    beside = {"account": "account"} if "account" in {one.name for one in COMPONENTS[component].parameters} else {}

    def drive(one: Alone) -> None:
        for part in beside:
            one.container.resolve(part).begin(setup, SPAN)
        if component == "hub":
            one.component.begin(hub, SPAN[0])
        else:
            one.component.begin(setup, SPAN)
        drives[name](one)

    return Specimen(component, options=OPTIONS.get(name, {}), beside=beside, drive=drive)


@pytest.mark.parametrize("name", COMPONENTS_OF_THE_ENGINE)
def test_the_engine_s_components_keep_their_contracts(name: str) -> None:
    found = dict(check_component(chain(name)))
    assert {check: str(error) for check, error in found.items() if error} == {}
    assert set(found) == {check for check in CONFORMANCE if check not in {"dependencies", "contract"}} | (
        set() if name == "account" else {"contract"}
    )


def test_what_is_told_of_a_candidate_is_what_its_component_is_there_for() -> None:
    said = {}
    for name in COMPONENTS_OF_THE_ENGINE:
        specimen = chain(name)
        with specimen.alone() as one:
            specimen.run(one)
            said[name] = {str(event.type) for event in one.heard}
    assert said == {
        "account": set(),
        "classifier_runner": {"REGIME"},
        "ensemble_runner": {"ENSEMBLE"},
        "execution": {"FILL"},
        "feed": {"BAR"},
        "hub": {"INDICATOR"},
        "portfolio": {"PORTFOLIO", "POSITION_OPEN"},
        "risk": {"ORDER"},
        "risk of several": {"ORDER"},
        "strategy_runner": {"SIGNAL"},
        "strategy_runner of several": {"SIGNAL"},
    }


def test_risk_alone_turns_a_signal_into_an_order() -> None:
    specimen = chain("risk")
    with specimen.alone() as one:
        specimen.run(one)
        (order,) = one.heard
    assert (order.type, order.payload.quantity, order.correlation_id) == (EventType.ORDER, 1_000.0, "trade-1")
    assert order.causation_id == one.given[0].event_id
