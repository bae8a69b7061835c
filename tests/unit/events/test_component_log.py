"""What a component logs: as JSON for machines, as lines for people, and nothing where nobody reads."""

import io
import json
import logging
import os
import pty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from admf_ray.events import Event, Signal, System
from admf_ray.events.component_log import ComponentLog
from admf_ray.logs import LOGGER, file_log, is_heard, stream_log

JANUARY_2 = 1_514_926_800_000_000_000
"""2018-01-02 21:00 UTC."""


@pytest.fixture
def log() -> ComponentLog:
    return ComponentLog("a", "risk")


@pytest.fixture
def signal() -> Event[Signal]:
    event = Event(Signal("cross", "SPX", 3, 1.0), "rule", "a", timestamp=JANUARY_2, correlation_id="trade-1")
    event.sequence = 7
    return event


@contextmanager
def alone() -> Iterator[None]:
    """No handler but the silent one: pytest attaches its own to loggers that do not propagate."""
    others = [handler for handler in LOGGER.handlers if handler.level <= logging.CRITICAL]
    for handler in others:
        LOGGER.removeHandler(handler)
    try:
        yield
    finally:
        for handler in others:
            LOGGER.addHandler(handler)


def said_as_json(say: Callable[[], None], level: str = "DEBUG") -> list[dict]:
    stream = io.StringIO()
    with stream_log(stream, level):
        say()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def said_on_a_terminal(say: Callable[[], None]) -> list[str]:
    ours, theirs = pty.openpty()
    shown = ""
    try:
        with os.fdopen(theirs, "w") as terminal:
            with stream_log(terminal, "DEBUG"):
                say()
            print("end", file=terminal, flush=True)
            # A terminal hands on what was written piece by piece.
            while not shown.endswith("end\r\n"):
                shown += os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
    return shown.splitlines()[:-1]


def test_an_event_that_came_in_is_named_with_its_cause_and_life(log: ComponentLog, signal: Event[Signal]) -> None:
    answer = Event(System("seen"), "risk", "b", cause=signal)
    answer.sequence = 2
    came, went = said_as_json(lambda: (log.event_flow(signal, "in"), log.event_flow(answer, "out")))
    assert came.pop("time") <= went.pop("time")
    assert came.pop("message").startswith("EVENT_FLOW container_id=a component=risk direction=in type=SIGNAL")
    assert came == {
        "level": "DEBUG",
        "kind": "EVENT_FLOW",
        "container_id": "a",
        "component": "risk",
        "direction": "in",
        "type": "SIGNAL",
        "event_id": "a#7",
        "source_id": "rule",
        "correlation_id": "trade-1",
        "causation_id": None,
        "market_time": "2018-01-02T21:00:00Z",
    }
    assert (went["direction"], went["event_id"], went["causation_id"]) == ("out", "b#2", "a#7")
    assert (went["container_id"], went["correlation_id"]) == ("a", "trade-1")


def test_a_change_of_state_says_from_what_to_what_and_why(log: ComponentLog) -> None:
    (change,) = said_as_json(lambda: log.state_change("RUNNING", "FAILED", "no data"))
    assert (change["kind"], change["level"]) == ("STATE_CHANGE", "INFO")
    assert (change["before"], change["after"], change["reason"]) == ("RUNNING", "FAILED", "no data")


def test_a_measurement_has_its_unit(log: ComponentLog) -> None:
    (measured,) = said_as_json(lambda: log.performance("delivery", 0.25, "s"))
    assert (measured["kind"], measured["level"]) == ("PERFORMANCE", "DEBUG")
    assert (measured["what"], measured["value"], measured["unit"]) == ("delivery", 0.25, "s")


def test_a_check_that_does_not_hold_is_a_warning(log: ComponentLog) -> None:
    held, failed = said_as_json(
        lambda: (log.validation("cash is positive", True), log.validation("cash is positive", False, "-12"))
    )
    assert (held["kind"], held["level"], held["holds"]) == ("VALIDATION", "DEBUG", True)
    assert (failed["kind"], failed["level"], failed["holds"]) == ("VALIDATION", "WARNING", False)
    assert (failed["check"], failed["detail"]) == ("cash is positive", "-12")


@pytest.mark.parametrize(
    "say",
    [
        lambda log, cause: log.state_change("RUNNING", "HALTED", cause=cause),
        lambda log, cause: log.performance("delivery", 1.0, "s", cause=cause),
        lambda log, cause: log.validation("cash", False, cause=cause),
    ],
)
def test_records_belong_to_the_life_of_the_event_that_led_to_them(
    log: ComponentLog, signal: Event[Signal], say: Callable[[ComponentLog, Event[Signal]], None]
) -> None:
    (record,) = said_as_json(lambda: say(log, signal))
    assert (record["container_id"], record["component"]) == ("a", "risk")
    assert (record["correlation_id"], record["causation_id"]) == ("trade-1", "a#7")
    assert record["market_time"] == "2018-01-02T21:00:00Z"


def test_records_without_a_cause_say_so(log: ComponentLog) -> None:
    (record,) = said_as_json(lambda: log.state_change("RUNNING", "COMPLETED"))
    assert record["correlation_id"] is record["causation_id"] is record["market_time"] is record["reason"] is None


def test_a_terminal_shows_lines_for_people(log: ComponentLog, signal: Event[Signal]) -> None:
    flow, change = said_on_a_terminal(
        lambda: (log.event_flow(signal, "in"), log.state_change("RUNNING", "FAILED", "no data\nat all"))
    )
    assert flow.endswith(
        "Z DEBUG   EVENT_FLOW container_id=a component=risk direction=in type=SIGNAL event_id=a#7 source_id=rule "
        "correlation_id=trade-1 market_time=2018-01-02T21:00:00Z"
    )
    # What is empty is left out, and a reason of two lines stays on one.
    assert change.endswith(
        r"Z INFO    STATE_CHANGE container_id=a component=risk before=RUNNING after=FAILED reason='no data\nat all'"
    )


def test_a_file_has_the_lines_of_a_terminal(log: ComponentLog, tmp_path: Path) -> None:
    with file_log(tmp_path / "run.log", "DEBUG", 10_000, 1):
        log.performance("delivery", 1 / 3, "s")
    said = (tmp_path / "run.log").read_text()
    assert said.endswith("DEBUG   PERFORMANCE container_id=a component=risk what=delivery value=0.333333 unit=s\n")


def test_the_level_says_what_is_written(log: ComponentLog, signal: Event[Signal]) -> None:
    def say() -> None:
        log.event_flow(signal, "in")
        log.performance("delivery", 1.0, "s")
        log.validation("cash", True)
        log.state_change("RUNNING", "FAILED")
        log.validation("cash", False)

    assert [record["kind"] for record in said_as_json(say, "INFO")] == ["STATE_CHANGE", "VALIDATION"]
    assert [record["kind"] for record in said_as_json(say, "WARNING")] == ["VALIDATION"]
    assert said_as_json(say, "ERROR") == []


def test_an_event_is_not_even_looked_at_where_nobody_reads(log: ComponentLog) -> None:
    no_event = object()
    with alone():
        log.event_flow(no_event, "in")
        with stream_log(io.StringIO(), "INFO"):
            log.event_flow(no_event, "in")
        with stream_log(io.StringIO(), "DEBUG"), pytest.raises(AttributeError):
            log.event_flow(no_event, "in")


def test_only_levels_that_a_handler_writes_are_heard() -> None:
    with alone():
        assert not is_heard(logging.CRITICAL)
        with stream_log(io.StringIO(), "INFO"):
            assert is_heard(logging.INFO)
            assert not is_heard(logging.DEBUG)
        assert not is_heard(logging.CRITICAL)


def test_what_is_disabled_is_not_heard() -> None:
    with stream_log(io.StringIO(), "DEBUG"):
        logging.disable(logging.INFO)
        try:
            assert not is_heard(logging.INFO)
            assert is_heard(logging.WARNING)
        finally:
            logging.disable(logging.NOTSET)


def test_the_stream_stays_open_and_gets_no_more(log: ComponentLog) -> None:
    stream = io.StringIO()
    with stream_log(stream, "INFO"):
        log.state_change("RUNNING", "COMPLETED")
    log.state_change("COMPLETED", "DISPOSED")
    assert len(stream.getvalue().splitlines()) == 1
