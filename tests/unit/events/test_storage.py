"""Stored traces: parts, torn tails, full disks, and numbers that JSON cannot say."""

import gzip
import json
import math
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admf_ray.errors import ConfigError, EventError
from admf_ray.events import PAYLOADS, Event, EventId, EventType, Portfolio, System, read_trace
from admf_ray.events.records import event_from, event_line, flat_event_line
from admf_ray.events.storage import FORMATS, TraceStorage
from tests.unit.events.trades import events_of_trades

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    float: FLOATS,
    int: st.integers(-(2**53), 2**53),
    str: st.text(),
    tuple[float, ...]: st.lists(FLOATS, max_size=3).map(tuple),
    tuple[str, ...]: st.lists(st.text(), max_size=3).map(tuple),
}


@st.composite
def stored_events(draw: st.DrawFn) -> Event[Any]:
    payload = PAYLOADS[draw(st.sampled_from(list(EventType)))]
    values = [draw(FIELDS[hint]) for hint in payload.__annotations__.values()]
    return Event(
        payload(*values),
        draw(st.text(min_size=1)),
        draw(st.text(min_size=1)),
        draw(st.integers(-(2**62), 2**62)),
        draw(st.none() | st.text(min_size=1)),
        causation_id=draw(st.none() | st.builds(EventId, st.text(min_size=1), st.integers(1, 2**40))),
        sequence=draw(st.integers(1, 2**40)),
    )


@given(stored_events())
def test_every_event_comes_back_as_it_was(event: Event[Any]) -> None:
    for line in (event_line(event), flat_event_line(event)):
        assert "\n" not in line
        assert repr(event_from(json.loads(line, parse_constant=pytest.fail))) == repr(event)


@settings(max_examples=25)
@given(events=st.lists(stored_events(), min_size=1, max_size=20))
def test_every_event_comes_back_from_parquet(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event[Any]]
) -> None:
    folder = tmp_path_factory.mktemp("parquet")
    written("parquet", folder, events)
    assert list(map(repr, read_trace(folder))) == list(map(repr, events))


def written(kind: str, folder: Path, events: list[Event[Any]], size: float = 64.0) -> None:
    storage = TraceStorage(kind, folder, int(size * 1e6))
    for number, event in enumerate(events):
        storage.write(event)
        if number % 50 == 49:
            storage.flush()
    storage.flush()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_trace_is_added_to_when_it_is_opened_again(tmp_path: Path, kind: str) -> None:
    events = list(events_of_trades(4))
    written(kind, tmp_path, events[:170])
    written(kind, tmp_path, events[170:])
    assert list(map(repr, read_trace(tmp_path))) == list(map(repr, events))


def test_a_file_that_grows_too_large_is_followed_by_another(tmp_path: Path) -> None:
    events = list(events_of_trades(30))
    written("jsonl", tmp_path, events, size=0.001)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"events.jsonl.gz", "events.1.jsonl.gz", "events.10.jsonl.gz"} <= names
    assert max(path.stat().st_size for path in tmp_path.iterdir()) < 3_000
    assert list(map(repr, read_trace(tmp_path))) == list(map(repr, events))


def test_the_lines_are_json_that_any_tool_reads(tmp_path: Path) -> None:
    event = Event(Portfolio(3, math.nan, math.inf, (1.5,)), "portfolio", "a", 7, "trade-1", sequence=12)
    written("jsonl", tmp_path, [event])
    with gzip.open(tmp_path / "events.jsonl.gz", "rt") as stream:
        assert stream.read() == (
            '{"type":"PORTFOLIO","container":"a","sequence":12,"source":"portfolio","timestamp":7,'
            '"correlation":"trade-1","causation":null,'
            '"payload":{"bar":3,"equity":null,"cash":"Infinity","positions":[1.5]}}\n'
        )


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_torn_tail_is_left_out_and_more_goes_into_another_file(tmp_path: Path, cut: int) -> None:
    events = list(events_of_trades(3))
    written("jsonl", tmp_path, events)
    path = tmp_path / "events.jsonl.gz"
    os.truncate(path, path.stat().st_size - cut)
    torn = path.read_bytes()
    assert list(map(repr, read_trace(tmp_path))) == list(map(repr, events[:250]))
    written("jsonl", tmp_path, events[250:])
    assert list(map(repr, read_trace(tmp_path))) == list(map(repr, events))
    assert list(map(repr, read_trace(tmp_path, first=1))) == list(map(repr, events[250:]))
    assert path.read_bytes() == torn


def test_noise_at_the_end_is_left_out_too(tmp_path: Path) -> None:
    events = list(events_of_trades(1))
    written("jsonl", tmp_path, events)
    with (tmp_path / "events.jsonl.gz").open("ab") as stream:
        stream.write(b"\0" * 100)
    assert list(map(repr, read_trace(tmp_path))) == list(map(repr, events))


def test_damage_that_is_followed_by_more_is_refused_and_never_deleted(tmp_path: Path) -> None:
    written("jsonl", tmp_path, list(events_of_trades(3)))
    path = tmp_path / "events.jsonl.gz"
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(EventError, match="events.jsonl.gz' is damaged behind byte 0"):
        list(read_trace(tmp_path))
    TraceStorage("jsonl", tmp_path, 10**8)
    assert path.read_bytes() == content


def test_a_folder_holds_one_format(tmp_path: Path) -> None:
    written("parquet", tmp_path, list(events_of_trades(1)))
    with pytest.raises(EventError, match="holds a trace as parquet; allowed: file_format=parquet, or another folder"):
        TraceStorage("jsonl", tmp_path, 1)


def test_a_part_that_was_removed_is_not_written_again(tmp_path: Path) -> None:
    events = list(events_of_trades(2))
    written("parquet", tmp_path, events[:150])
    (tmp_path / "events.parquet").unlink()
    written("parquet", tmp_path, events[150:])
    assert list(map(repr, read_trace(tmp_path))) == list(map(repr, events[50:]))


@pytest.mark.parametrize("kind", FORMATS)
def test_numbers_of_numpy_are_numbers(tmp_path: Path, kind: str) -> None:
    event = Event(Portfolio(np.int64(3), np.float64(1.5), np.float32(2.5), (np.float64(1.0),)), "p", "a", sequence=1)
    written(kind, tmp_path, [event])
    assert [event.payload for event in read_trace(tmp_path)] == [Portfolio(3, 1.5, 2.5, (1.0,))]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_cannot_be_put_into_words_is_counted_and_takes_nothing_with_it(tmp_path: Path, kind: str) -> None:
    storage = TraceStorage(kind, tmp_path, 10**8)
    with pytest.raises(EventError, match="event a#2 cannot be stored"):
        storage.write(Event(System(object()), "tester", "a", sequence=2))
    storage.write(Event(System("goes on"), "tester", "a", sequence=3))
    storage.flush()
    assert (storage.lost, len(list(read_trace(tmp_path)))) == (1, 1)


def test_numbers_that_do_not_fit_a_table_are_said_to_be_lost(tmp_path: Path) -> None:
    storage = TraceStorage("parquet", tmp_path, 10**8)
    storage.write(Event(System("x"), "tester", "a", 2**70, sequence=1))
    with pytest.raises(EventError, match="1 events are lost"):
        storage.flush()
    assert storage.lost == 1


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    written("parquet", tmp_path, list(events_of_trades(1)))
    path = tmp_path / "events.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(EventError, match="events.parquet' is damaged"):
        list(read_trace(tmp_path))


def test_where_there_is_no_trace_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(EventError, match="holds no trace: neither events.jsonl.gz nor events.parquet"):
        list(read_trace(tmp_path))
    with pytest.raises(ConfigError, match="no format of traces is named 'csv'; allowed: jsonl, parquet"):
        TraceStorage("csv", tmp_path, 1)


@pytest.mark.parametrize(
    "record",
    [
        {"type": "FILLS"},
        {"type": "FILL", "payload": {}},
        {"type": "SYSTEM", "payload": {"msg": "x"}, "source": "a", "container": "a", "timestamp": 0},
        {"type": "SYSTEM", "payload": None},
        {"type": "SYSTEM", "payload": []},
        b"no json",
    ],
)
def test_a_record_that_is_no_event_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(EventError):
        event_from(record)


KILLED = """
import os, signal, sys
from pathlib import Path
from admf_ray.events.storage import TraceStorage
from tests.unit.events.trades import events_of_trades
storage = TraceStorage(sys.argv[1], Path(sys.argv[2]), 10**8)
for number, event in enumerate(events_of_trades(1_000_000)):
    storage.write(event)
    if number % 500 == 499:
        storage.flush()
    if number == 2_000:
        print("going", flush=True)
"""


@pytest.mark.parametrize("kind", FORMATS)
def test_what_a_killed_writer_flushed_is_there(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-c", KILLED, kind, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    assert process.stdout
    assert process.stdout.readline() == b"going\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    count = 0
    for number, event in enumerate(events_of_trades(1_000_000)):
        if number == 0:
            stored = read_trace(tmp_path)
        try:
            assert repr(next(stored)) == repr(event)
        except StopIteration:
            break
        count += 1
    assert count >= 2_000
    assert count % 500 == 0


@pytest.mark.parametrize("kind", FORMATS)
def test_a_full_disk_loses_what_does_not_fit_and_says_how_much(tmp_path: Path, kind: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    events = list(events_of_trades(20))
    storage = TraceStorage(kind, tmp_path, 10**8)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for event in events[:100]:
            storage.write(event)
        storage.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_500, before[1]))
        for event in events[100:]:
            storage.write(event)
        with pytest.raises(EventError, match=r"cannot be written \(.*\): 1900 events are lost"):
            storage.flush()
        assert (storage.lost, storage.buffered) == (1_900, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    storage.write(Event(System("goes on"), "tester", "a", sequence=1))
    storage.flush()
    assert [event.type for event in read_trace(tmp_path)] == [*(event.type for event in events[:100]), "SYSTEM"]
