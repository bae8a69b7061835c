"""The console: events as lines that people read, while they happen."""

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from admf_ray.events.event import Event
from admf_ray.events.filters import Filter, by_type
from admf_ray.events.payloads import EventType, known_types
from admf_ray.logs import compact, utc

__all__ = ["ConsoleObserver"]

_WIDTH = 100


class ConsoleObserver:
    """Writes one line for each event of a bus: when, what, by whom, the payload, and whose life it belongs to.

    An observer: attach it with `EventBus.attach`. Time is that of the market in UTC, ``-`` where the event has none;
    the container and the number on its bus are the event's id. Floats have six digits, fields that are empty are left
    out, and one that is longer than 100 characters is cut.

    Parameters
    ----------
    stream : text stream, optional
        The standard error if not given. It is neither flushed nor closed.
    types : iterable of EventType, optional
        That are written; all if not given.
    where : Filter, optional
        Events that do not pass it are not written.

    Raises
    ------
    ConfigError
        Where a type is unknown.

    Examples
    --------
    >>> import sys
    >>> from admf_ray.events import Event, EventBus, Signal
    >>> from admf_ray.events.console import ConsoleObserver
    >>> bus = EventBus("doctest-console")
    >>> bus.attach(ConsoleObserver(sys.stdout))
    >>> bus.publish(Event(Signal("cross", "SPX", 3, 0.5, 1), "rule", "doctest-console", correlation_id="trade-1"))
    - SIGNAL doctest-console#1 rule: strategy=cross symbol=SPX bar=3 target=0.5 number=1 regime=-1 [trade-1]
    >>> bus.close()
    """

    __slots__ = ("__weakref__", "_accepts", "_stream")

    def __init__(
        self, stream: TextIO | None = None, types: Iterable[EventType] | None = None, where: Filter | None = None
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        if types is not None:
            chosen = known_types(types, "console")
            where = by_type(*chosen) if where is None else by_type(*chosen) & where
        self._accepts = None if where is None else where.accepts

    def on_event(self, event: Event[Any]) -> None:
        """Write an event that passes."""
        if self._accepts is None or self._accepts(event):
            self._stream.write(f"{_line(event)}\n")


def _line(event: Event[Any]) -> str:
    at = utc(event.timestamp) if event.timestamp else "-"
    named = zip(event.payload._fields, event.payload, strict=True)
    fields = " ".join(f"{name}={_cut(compact(value))}" for name, value in named if not _is_empty(value))
    life = f" [{compact(event.correlation_id)}]" if event.correlation_id else ""
    return f"{at} {event.type} {compact(str(event.event_id))} {compact(event.source_id)}: {fields}{life}"


def _is_empty(value: Any) -> bool:
    # What else a payload may hold, such as an array, need not compare to a plain truth.
    return isinstance(value, str | tuple) and not value


def _cut(text: str) -> str:
    # Texts have no line breaks any more, arrays do.
    text = " ".join(text.splitlines())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
