import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from admf_ray.errors import ConfigError
from admf_ray.events.bus import EventBus
from admf_ray.events.contracts import (
    CONTRACTS,
    PAGE,
    Contract,
    contract_table,
    fill_in,
    payload_table,
    undeclared,
)
from admf_ray.events.event import Event
from admf_ray.events.payloads import PAYLOADS, Bar, EventType, Fill, Order, Signal, System
from admf_ray.events.trace_settings import TracingConfig

ANY = tuple(EventType)
SPECIFIC = [contract for contract in CONTRACTS if contract.consumes != ANY]
OBSERVERS = next(contract for contract in CONTRACTS if contract.component == "observers")
REGENERATE = "EVENTS.md is not what the code says; run: python -m admf_ray.events.contracts"


@pytest.fixture
def bus() -> Iterator[EventBus]:
    bus = EventBus("contracts")
    yield bus
    bus.close()


def say(bus: EventBus, payload, cause: Event | None = None) -> Event:
    event = Event(payload, "component", bus.container_id, cause=cause)
    bus.publish(event)
    return event


def between(name: str) -> str:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    return rest.partition(f"\n<!-- /{name} -->")[0]


def cells(table: str) -> list[list[str]]:
    """Give the rows of a table in Markdown, without its header."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("kind", list(EventType))
def test_every_type_is_emitted_and_consumed_by_somebody(kind: EventType) -> None:
    assert any(kind in contract.emits for contract in CONTRACTS)
    assert any(kind in contract.consumes for contract in SPECIFIC)


def test_what_is_for_observers_is_what_no_component_consumes() -> None:
    consumed = {kind for contract in SPECIFIC if contract is not OBSERVERS for kind in contract.consumes}
    assert set(OBSERVERS.consumes) == set(EventType) - consumed
    assert OBSERVERS.emits == ()


def test_components_are_declared_once() -> None:
    names = [contract.component for contract in CONTRACTS]
    assert len(set(names)) == len(names)


def test_a_trade_keeps_the_contracts_from_bar_to_ledger(bus: EventBus) -> None:
    bar = say(bus, Bar("SPX", 0, 1.0, 1.0, 1.0, 1.0, 1.0))
    indicator = say(bus, PAYLOADS[EventType.INDICATOR]("sma(10)", 0, 1.0), bar)
    regime = say(bus, PAYLOADS[EventType.REGIME]("trend", "SPX", 0, 1), indicator)
    signal = say(bus, Signal("cross", "SPX", 0, 1.0), regime)
    combined = say(bus, PAYLOADS[EventType.ENSEMBLE]("mean", "SPX", 0, 1.0), signal)
    request = say(bus, PAYLOADS[EventType.ORDER_REQUEST]("SPX", 0, 1.0), combined)
    order = say(bus, Order("SPX", 0, 1, 1, 1.0, 0, float("nan")), request)
    fill = say(bus, Fill("contracts", "SPX", 1, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0, 1, 1, 0, 0), order)
    opened = say(bus, PAYLOADS[EventType.POSITION_OPEN]("SPX", 1, 1.0, 1.0), fill)
    account = say(bus, PAYLOADS[EventType.PORTFOLIO](1, 1.0, 0.0, (1.0,)), bar)
    breach = say(bus, PAYLOADS[EventType.RISK_BREACH]("max_drawdown", 1, 0.1, 0.2), account)
    trace = [bar, indicator, regime, signal, combined, request, order, fill, opened, account, breach]
    assert len({event.type for event in trace}) == 11
    assert undeclared(trace) == []


def test_a_step_that_nobody_declares_is_named(bus: EventBus) -> None:
    bar = say(bus, Bar("SPX", 0, 1.0, 1.0, 1.0, 1.0, 1.0))
    order = say(bus, Order("SPX", 0, 1, 1, 1.0, 0, float("nan")), bar)
    signal = say(bus, Signal("cross", "SPX", 0, 1.0), order)
    window = say(bus, PAYLOADS[EventType.TEST_WINDOW](0, 0, 1), bar)
    assert undeclared(event for event in (window, signal, order, bar)) == [
        (
            "contracts#4 by component: TEST_WINDOW after BAR contracts#1; declared: TEST_WINDOW after TRAIN_WINDOW, "
            "TEST_WINDOW, PHASE"
        ),
        "contracts#3 by component: SIGNAL after ORDER contracts#2; declared: SIGNAL after BAR, INDICATOR, REGIME",
    ]


@pytest.mark.parametrize("kind", list(EventType))
def test_errors_may_follow_anything(bus: EventBus, kind: EventType) -> None:
    payload = PAYLOADS[kind]
    cause = say(bus, payload(*payload._fields))
    error = say(bus, PAYLOADS[EventType.ERROR]("ValueError", "no number"), cause)
    assert undeclared([cause, error]) == []


def test_roots_and_causes_that_are_not_there_are_not_judged(bus: EventBus) -> None:
    root = say(bus, System("begun"))
    effect = say(bus, Signal("cross", "SPX", 0, 1.0), root)
    assert undeclared([root]) == []
    assert undeclared([effect]) == []
    assert len(undeclared([root, effect])) == 1


def test_events_of_a_bus_whose_handler_fails_keep_the_contracts(bus: EventBus) -> None:
    trace: list[Event] = []

    class Recorder:
        def on_event(self, event: Event) -> None:
            trace.append(event)

    def fail(event: Event) -> None:
        raise ValueError("no number")

    subscription = bus.subscribe(EventType.BAR, fail)
    bus.attach(Recorder())
    say(bus, Bar("SPX", 0, 1.0, 1.0, 1.0, 1.0, 1.0))
    assert subscription.is_live
    assert [event.type for event in trace] == [EventType.BAR, EventType.ERROR]
    assert undeclared(trace) == []


def test_the_page_has_the_contracts_of_the_code() -> None:
    assert between("contracts") == contract_table(), REGENERATE


def test_the_page_has_the_payloads_of_the_code() -> None:
    assert between("payloads") == payload_table(), REGENERATE


def test_the_page_lists_exactly_the_types_and_fields_that_there_are() -> None:
    listed = {kind: (payload, fields) for kind, payload, fields, meaning in cells(between("payloads")) if meaning}
    assert {
        kind.strip("`"): (payload.strip("`"), tuple(field.strip("`").split("=")[0] for field in fields.split(", ")))
        for kind, (payload, fields) in listed.items()
    } == {str(kind): (payload.__name__, payload._fields) for kind, payload in PAYLOADS.items()}, REGENERATE


def test_the_page_says_who_turns_which_events_into_which() -> None:
    def types(cell: str) -> tuple[EventType, ...]:
        return {"any": ANY, "-": ()}.get(cell) or tuple(EventType(kind) for kind in cell.split(", ") if kind != "-")

    listed = [
        Contract(component, where, types(consumes), types(emits), f"{does}.")
        for component, where, consumes, emits, does in cells(between("contracts"))
    ]
    assert listed == list(CONTRACTS), REGENERATE


def test_tables_are_written_between_their_markers_only() -> None:
    page = "a\n<!-- payloads -->\nold\n<!-- /payloads -->\nb\n<!-- contracts --><!-- /contracts -->\nc\n"
    filled = fill_in(page)
    assert fill_in(filled) == filled
    assert "old" not in filled
    assert [line for line in filled.splitlines() if not line.startswith(("|", "<!--"))] == ["a", "b", "c"]
    with pytest.raises(ConfigError, match="no <!-- contracts --> ... <!-- /contracts -->"):
        fill_in("<!-- payloads --><!-- /payloads --> <!-- contracts -->")


def test_the_module_writes_the_page_anew(tmp_path: Path) -> None:
    # A copy of the package's page is what a copy of the module writes.
    (tmp_path / "events").mkdir()
    (tmp_path / "EVENTS.md").write_text("<!-- payloads --><!-- /payloads -->\n<!-- contracts --><!-- /contracts -->\n")
    source = Path(sys.modules[Contract.__module__].__file__).read_text(encoding="utf-8")
    (tmp_path / "events" / "contracts.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, tmp_path / "events" / "contracts.py"],
        capture_output=True,
        text=True,
        check=True,
        cwd=PAGE.parents[1],
    )
    assert done.stdout == ""
    written = (tmp_path / "EVENTS.md").read_text(encoding="utf-8")
    assert contract_table() in written
    assert payload_table() in written


def test_the_configuration_that_the_page_shows_is_one() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    found: dict[str, Any] = {"TracingConfig": TracingConfig}
    exec(compile(example, str(PAGE), "exec"), found)
    assert found["config"].settings_for("best_7").storage_backend == "disk"
