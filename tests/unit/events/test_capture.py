"""Signals as columns: which are kept, in which order, and what they take."""

import math
from collections.abc import Iterator

import pytest

from admf_ray.events import Event, EventBus, Regime, Signal
from admf_ray.events.capture import SignalCapture
from admf_ray.events.memory import event_bytes

COLUMNS = ["timestamp", "bar", "container", "strategy", "symbol", "target", "number", "regime", "correlation"]


@pytest.fixture
def bus() -> Iterator[EventBus]:
    bus = EventBus("test-capture")
    yield bus
    bus.close()


def publish(bus: EventBus, signal: Signal, timestamp: int = 0, correlation: str | None = None) -> None:
    bus.publish(Event(signal, signal.strategy, bus.container_id, timestamp, correlation))


def test_signals_become_rows_in_the_order_in_which_they_came(bus: EventBus) -> None:
    capture = SignalCapture()
    bus.attach(capture)
    publish(bus, Signal("cross", "SPX", 3, 1.0, 1, 2), 1_514_926_800_000_000_001, "trade-1")
    publish(bus, Signal("mean", "COMP", 4, -0.25, 2), 1_515_013_200_000_000_000)
    assert len(capture) == 2
    assert capture.columns() == {
        "timestamp": [1_514_926_800_000_000_001, 1_515_013_200_000_000_000],
        "bar": [3, 4],
        "container": ["test-capture", "test-capture"],
        "strategy": ["cross", "mean"],
        "symbol": ["SPX", "COMP"],
        "target": [1.0, -0.25],
        "number": [1, 2],
        "regime": [2, -1],
        "correlation": ["trade-1", None],
    }


def test_a_capture_of_nothing_has_all_columns() -> None:
    assert SignalCapture().columns() == {name: [] for name in COLUMNS}


def test_other_events_are_not_kept(bus: EventBus) -> None:
    capture = SignalCapture()
    bus.attach(capture)
    bus.publish(Event(Regime("trend", "SPX", 3, 1), "classifier", bus.container_id))
    assert len(capture) == 0


def test_only_the_named_strategies_are_kept(bus: EventBus) -> None:
    capture = SignalCapture("cross", "mean")
    bus.attach(capture)
    for strategy in ("cross", "breakout", "mean"):
        publish(bus, Signal(strategy, "SPX", 3, 1.0))
    assert capture.columns()["strategy"] == ["cross", "mean"]


def test_the_container_is_that_of_the_event_where_it_was_forwarded(bus: EventBus) -> None:
    capture = SignalCapture()
    bus.attach(capture)
    bus.receive(Event(Signal("cross", "SPX", 3, 1.0), "cross", "child"))
    assert capture.columns()["container"] == ["child"]


def test_a_target_keeps_every_bit(bus: EventBus) -> None:
    capture = SignalCapture()
    bus.attach(capture)
    for target in (0.1 + 0.2, math.nan, -0.0):
        publish(bus, Signal("cross", "SPX", 3, target))
    third, unknown, zero = capture.columns()["target"]
    assert third == 0.1 + 0.2
    assert math.isnan(unknown)
    assert math.copysign(1, zero) == -1


def test_a_signal_that_fits_no_column_leaves_the_columns_as_they_were(bus: EventBus) -> None:
    capture = SignalCapture()
    bus.attach(capture)
    publish(bus, Signal("cross", "SPX", None, 1.0))
    publish(bus, Signal("cross", "SPX", 3, 1.0))
    columns = capture.columns()
    assert [len(column) for column in columns.values()] == [1] * len(COLUMNS)
    assert columns["bar"] == [3]
    assert list(bus.failures) == [("SignalCapture.on_event", "error")]


def test_what_is_cleared_is_gone_and_the_next_signal_is_the_first(bus: EventBus) -> None:
    capture = SignalCapture()
    bus.attach(capture)
    publish(bus, Signal("cross", "SPX", 3, 1.0))
    before = capture.columns()
    capture.clear()
    assert len(capture) == 0
    assert capture.columns() == {name: [] for name in COLUMNS}
    publish(bus, Signal("mean", "COMP", 4, -1.0))
    assert capture.columns()["strategy"] == ["mean"]
    assert before["strategy"] == ["cross"]


def test_a_row_takes_a_fraction_of_the_event(bus: EventBus) -> None:
    capture = SignalCapture()
    bus.attach(capture)
    for bar in range(1_000, 2_000):
        publish(bus, Signal("cross", "SPX", bar, bar / 7, bar), bar)
    event = Event(Signal("cross", "SPX", 1_000, 1 / 7, 1_000), "cross", bus.container_id, 1_000_000)
    assert capture.retained == len(capture) == 1_000
    # 52 bytes a row, and a bytearray grows by an eighth at a time.
    assert 52 <= capture.retained_bytes / 1_000 < 52 * 1.125 + 1
    assert capture.retained_bytes / 1_000 < event_bytes(event) / 3
