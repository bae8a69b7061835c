"""The tracer: counts a container's events, keeps those that its settings name, and streams them to files."""

import json
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, EventError
from admf_ray.events.bus import EventBus
from admf_ray.events.event import Event
from admf_ray.events.latency import LatencyStatistics
from admf_ray.events.memory import event_bytes
from admf_ray.events.payloads import EventType
from admf_ray.events.records import plain_number
from admf_ray.events.retention import Retention, retain
from admf_ray.events.storage import TraceStorage, read_trace
from admf_ray.events.trace import Trace
from admf_ray.events.trace_settings import TraceSettings, TracingConfig
from admf_ray.files import write_text
from admf_ray.logs import plain

__all__ = ["EventTracer", "Metrics", "attach_tracer"]

Metrics = Callable[[], Mapping[str, float]]
"""Gives the metrics of a container as they are now, by name."""

_DECISIVE = {EventType.POSITION_CLOSE, EventType.TRAIN_WINDOW, EventType.TEST_WINDOW, EventType.PHASE}
_DECIDES_EVERY = 1_000
_MEGABYTE = 10**6


def attach_tracer(
    bus: EventBus, config: TracingConfig, folder: Path | None = None, metrics: Metrics | None = None
) -> "EventTracer | None":
    """Attach the tracer that a configuration names for a container; None where it names none.

    Parameters
    ----------
    bus : EventBus
    config : TracingConfig
    folder : Path, optional
        Holds a folder for each container.
    metrics : callable, optional
        For rules that ask for ``metrics.<name>``, and for what is written at the end.
    """
    settings = config.settings_for(bus.container_id)
    if settings.retention is Retention.NONE and not settings.rules:
        return None
    tracer = EventTracer(settings, folder and folder / bus.container_id, metrics)
    bus.attach(tracer)
    if tracer.latencies is not None:
        bus.attach(tracer.latencies)
    return tracer


class EventTracer:
    """An observer that counts every event and keeps what its settings say.

    Closing it (the bus does so with its container) stores what is left, and writes ``metrics.json`` where there is a
    folder.

    Parameters
    ----------
    settings : TraceSettings
    folder : Path, optional
        Of this container; needed where events go to disk.
    metrics : callable, optional

    Attributes
    ----------
    settings : TraceSettings
        Those that count now.
    counts : dict of EventType to int
    latencies : LatencyStatistics or None
        To be attached to the bus as well, as `attach_tracer` does.

    Raises
    ------
    ConfigError
        Where a folder is missing, or a rule asks for a metric that there is not.

    Examples
    --------
    >>> from admf_ray.events import Event, EventTracer, Retention, System, TraceSettings
    >>> tracer = EventTracer(TraceSettings(retention=Retention.SLIDING_WINDOW, max_events=2))
    >>> for text in "abc":
    ...     tracer.on_event(Event(System(text), "someone", "a"))
    >>> [event.payload.message for event in tracer.trace()], tracer.events, tracer.dropped
    (['b', 'c'], 3, 1)
    """

    def __init__(self, settings: TraceSettings, folder: Path | None = None, metrics: Metrics | None = None) -> None:
        self._under = [(rule.when, settings.under(rule)) for rule in settings.rules]
        every = (settings, *(under for _, under in self._under))
        if folder is None and any(one.storage_backend == "disk" for one in every):
            raise ConfigError("storage_backend: disk needs a folder; allowed: one, or storage_backend=memory")
        self.counts = dict.fromkeys(EventType, 0)
        self.latencies = LatencyStatistics() if any(one.latencies for one in every) else None
        self._base = settings
        self._folder = folder
        self._metrics = metrics
        self._storage: TraceStorage | None = None
        self._curve = (array("q"), array("d"))
        self._closed_trades = 0
        self._dropped = 0
        self._began = time.perf_counter()
        self._ended: float | None = None
        self._retained = retain(Retention.NONE, None, None)
        self._check_rules()
        self._use(settings)

    def _check_rules(self) -> None:
        known = {f"events.{kind}" for kind in EventType}
        known |= {f"metrics.{name}" for name in (self._metrics() if self._metrics else ())}
        for when, _ in self._under:
            for name in when.names:
                if name not in known:
                    raise ConfigError(f"rule '{when.text}': {unknown_name('figure', name, sorted(known))}")

    def _use(self, settings: TraceSettings) -> None:
        """Go on with other settings, and with what was kept before."""
        storage = self._storage
        is_stored = settings.storage_backend == "disk"
        if is_stored and storage is None:
            assert self._folder is not None
            size = int(settings.max_file_size_mb * _MEGABYTE)
            storage = TraceStorage(settings.file_format, self._folder, size)
        before, self._storage = self._retained, storage
        self._retained = retain(settings.retention, settings.max_events, self._store if is_stored else None)
        self._dropped += before.dropped
        self.settings = settings
        for event in before.events():
            self._retained.keep(event)

    def on_event(self, event: Event[Any]) -> None:
        """Take in an event."""
        if self._ended is not None:
            return
        kind = event.type
        self.counts[kind] += 1
        if kind is EventType.PORTFOLIO and self.settings.store_equity_curve:
            equity = float(event.payload.equity)
            self._curve[0].append(event.timestamp)
            self._curve[1].append(equity)
        if kind in self.settings.events_to_trace:
            self._retained.keep(event)
        if kind is EventType.POSITION_CLOSE and self._storage is not None:
            self._closed_trades += 1
            if self._closed_trades % self.settings.flush_trades == 0:
                self._storage.flush()
        if self._under and (kind in _DECISIVE or self.events % _DECIDES_EVERY == 0):
            self._decide()

    def _decide(self) -> None:
        """Let the first rule count whose condition holds."""
        figures = {f"events.{kind}": float(count) for kind, count in self.counts.items()}
        figures |= {f"metrics.{name}": value for name, value in (self._metrics() if self._metrics else {}).items()}
        settings = next((under for when, under in self._under if when.holds(figures)), self._base)
        if settings is not self.settings:
            self._use(settings)

    def _store(self, events: Sequence[Event[Any]]) -> None:
        assert self._storage is not None
        for event in events:
            self._storage.write(event)

    @property
    def events(self) -> int:
        """How many events there were, of all types."""
        return sum(self.counts.values())

    @property
    def events_per_second(self) -> float:
        """Events by the seconds since the tracer was made, or until it was closed."""
        return self.events / ((self._ended or time.perf_counter()) - self._began)

    @property
    def dropped(self) -> int:
        """Events that were kept and had to go because there were too many, or could not be written."""
        lost = self._storage.lost if self._storage else 0
        return self._dropped + self._retained.dropped + lost

    @property
    def retained(self) -> int:
        """Events that are in memory."""
        return len(self._retained)

    @property
    def retained_bytes(self) -> int:
        """An estimate of what they take, with what waits to be written."""
        buffered = self._storage.buffered if self._storage else 0
        return sum(map(event_bytes, self._retained.events())) + buffered

    @property
    def equity_curve(self) -> tuple[Sequence[int], Sequence[float]]:
        """Times (ns UTC) and equities of the PORTFOLIO events, where they were asked for."""
        return self._curve

    def trace(self) -> Trace:
        """Give what was kept: from the files that it wrote, if any, and then from memory."""
        stored: list[Event[Any]] = []
        if self._storage is not None:
            self._storage.flush()
            assert self._folder is not None
            if any(self._folder.glob("events*")):
                stored = list(read_trace(self._folder, self._storage.first))
        return Trace([*stored, *self._retained.events()])

    def summary(self) -> dict[str, Any]:
        """Give counts, rate, what is kept, metrics and latencies as plain values."""
        return {
            "events": self.events,
            "counts": {kind.value: count for kind, count in self.counts.items() if count},
            "events_per_second": self.events_per_second,
            "retained": self.retained,
            "dropped": self.dropped,
            "metrics": dict(self._metrics()) if self._metrics else {},
            "latencies_ns": [asdict(one) for one in self.latencies.latencies()] if self.latencies else [],
        }

    def close(self) -> None:
        """Store what is left, and write ``metrics.json``; once closed it may be closed again.

        Raises
        ------
        EventError
            Where something could not be stored; all else is.
        """
        if self._ended is not None:
            return
        self._ended = time.perf_counter()
        failed: list[EventError] = []
        if self._storage is not None:
            left, before = self._retained.events(), self._retained
            self._retained = retain(Retention.NONE, None, None)
            self._dropped += before.dropped
            steps: list[Callable[[], None]] = [partial(self._storage.write, event) for event in left]
            for store in (*steps, self._storage.flush):
                try:
                    store()
                except EventError as error:
                    failed.append(error)
        if self._folder is not None:
            summary = json.dumps(plain(self.summary()), indent=2, default=plain_number)
            write_text(self._folder / "metrics.json", f"{summary}\n")
        if failed:
            raise failed[0]
