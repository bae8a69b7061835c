"""Events as lines on a console: what a line says, and which events get one."""

import io
import math
from collections.abc import Iterator

import numpy as np
import pytest

from admf_ray.errors import ConfigError
from admf_ray.events import (
    Ensemble,
    Error,
    Event,
    EventBus,
    EventType,
    Indicator,
    Portfolio,
    Regime,
    Signal,
    System,
    by_symbol,
)
from admf_ray.events.console import ConsoleObserver

JANUARY_2 = 1_514_926_800_000_000_000
"""2018-01-02 21:00 UTC."""


@pytest.fixture
def bus() -> Iterator[EventBus]:
    bus = EventBus("test-console")
    yield bus
    bus.close()


def lines(bus: EventBus, *events: Event, **options: object) -> list[str]:
    stream = io.StringIO()
    bus.attach(ConsoleObserver(stream, **options))
    for event in events:
        bus.publish(event)
    return stream.getvalue().splitlines()


def of(payload: object, **about: object) -> Event:
    return Event(payload, "rule", "test-console", **about)


def test_a_line_says_when_what_who_and_whose_life(bus: EventBus) -> None:
    event = of(Signal("cross", "SPX", 3, 1 / 3, 1, 2), timestamp=JANUARY_2, correlation_id="trade-1")
    (line,) = lines(bus, event)
    assert line == (
        "2018-01-02T21:00:00Z SIGNAL test-console#1 rule: "
        "strategy=cross symbol=SPX bar=3 target=0.333333 number=1 regime=2 [trade-1]"
    )


def test_time_is_shown_to_the_nanosecond_where_it_has_them(bus: EventBus) -> None:
    (line,) = lines(bus, of(System("x"), timestamp=JANUARY_2 + 1))
    assert line.startswith("2018-01-02T21:00:00.000000001Z ")


def test_what_an_event_does_not_have_is_left_out(bus: EventBus) -> None:
    without, error = lines(bus, of(System("started")), of(Error("ValueError", "no")))
    assert without == "- SYSTEM test-console#1 rule: message=started"
    assert error == "- ERROR test-console#2 rule: error=ValueError message=no"


def test_numbers_have_six_digits_in_tuples_as_well(bus: EventBus) -> None:
    ensemble = of(Ensemble("vote", "SPX", 3, 0.5, ("cross", "mean"), (2 / 3, 1.0)))
    portfolio = of(Portfolio(3, 123_456.789, 1e9, (0.1 + 0.2,)))
    unknown = of(Indicator("sma", 3, math.nan))
    assert [line.partition(": ")[2] for line in lines(bus, ensemble, portfolio, unknown)] == [
        "ensemble=vote symbol=SPX bar=3 target=0.5 strategies=(cross, mean) strengths=(0.666667, 1)",
        "bar=3 equity=123457 cash=1e+09 positions=(0.3)",
        "key=sma bar=3 value=nan",
    ]


def test_an_event_has_one_line_whatever_its_texts_are(bus: EventBus) -> None:
    traceback = "Traceback\n" + "x" * 1_000
    error = Error("ValueError", "two\nlines \x1b[31m", "", "", traceback)
    (line,) = lines(bus, Event(error, "a\nrule", "test-console", correlation_id="a\ntrade"))
    assert " 'a\\nrule': " in line
    assert line.endswith(" ['a\\ntrade']")
    assert r"message='two\nlines \x1b[31m'" in line
    shown = line.partition("traceback=")[2].partition(" [")[0]
    assert len(shown) == 100
    assert shown.startswith(r"'Traceback\nxxx")
    assert shown.endswith("x…")


@pytest.mark.parametrize(
    ("array", "shown"),
    [
        (np.array([0.5, 1.0]), "[0.5 1. ]"),
        (np.array([]), "[]"),
        (np.eye(2), "[[1. 0.]  [0. 1.]]"),
    ],
)
def test_an_array_in_a_payload_is_shown_in_the_line(bus: EventBus, array: np.ndarray, shown: str) -> None:
    (line,) = lines(bus, of(Signal("cross", "SPX", 3, array)))
    assert line == f"- SIGNAL test-console#1 rule: strategy=cross symbol=SPX bar=3 target={shown} number=0 regime=-1"


def test_only_the_asked_types_are_written(bus: EventBus) -> None:
    events = [of(Signal("cross", "SPX", 3, 1.0)), of(Regime("trend", "SPX", 3, 1)), of(System("x"))]
    written = lines(bus, *events, types=[EventType.SIGNAL, EventType.SYSTEM])
    assert [line.split()[1] for line in written] == ["SIGNAL", "SYSTEM"]


def test_type_and_filter_must_both_pass(bus: EventBus) -> None:
    events = [of(Signal("cross", "SPX", 3, 1.0)), of(Signal("cross", "COMP", 3, 1.0)), of(Regime("trend", "SPX", 3, 1))]
    assert len(lines(bus, *events, where=by_symbol("SPX"))) == 2
    again = [of(event.payload) for event in events]
    assert [line.split()[1:3] for line in lines(bus, *again, types=[EventType.SIGNAL], where=by_symbol("SPX"))] == [
        ["SIGNAL", "test-console#4"]
    ]


def test_no_types_are_no_lines(bus: EventBus) -> None:
    assert lines(bus, of(System("x")), types=[]) == []


def test_a_type_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="console: no type of event is named 'SIGNALS' .did you mean SIGNAL?"):
        ConsoleObserver(io.StringIO(), types=["SIGNALS"])


def test_the_standard_error_is_written_to_by_default(bus: EventBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.attach(ConsoleObserver())
    bus.publish(of(System("x")))
    captured = capsys.readouterr()
    assert captured.err == "- SYSTEM test-console#1 rule: message=x\n"
    assert captured.out == ""


def test_a_stream_that_is_closed_stops_no_handler(bus: EventBus) -> None:
    class Component:
        seen = 0

        def on_system(self, event: Event[System]) -> None:
            self.seen += 1

    stream, component = io.StringIO(), Component()
    bus.attach(ConsoleObserver(stream))
    bus.subscribe(EventType.SYSTEM, component.on_system)
    stream.close()
    bus.publish(of(System("x")))
    assert component.seen == 1
    assert bus.failures["ConsoleObserver.on_event", "ValueError"] == 2  # The event, and the ERROR event about it.
