"""Capture of signals: every change of a target as a row of columns, small enough to keep for a whole run."""

import struct
from typing import Any

from admf_ray.events.event import Event
from admf_ray.events.payloads import EventType

__all__ = ["SignalCapture"]

# timestamp, bar, number; target; regime; then numbers of names: container, strategy, symbol, correlation.
_ROW = struct.Struct("=qqqdiiiii")


class SignalCapture:
    """Keeps the signals of a bus as 52 bytes each, and each name once.

    An observer: attach it with `EventBus.attach`. It keeps nothing of the events themselves. A signal that has no place
    in a table (a bar that is no integer) is refused whole, with the error of the bus for a failing observer. One bus
    at a time may let it see events; `columns` may be called by any thread, `clear` while nothing is delivered.

    Parameters
    ----------
    *strategies : str
        Whose signals are kept; none for those of all.

    Examples
    --------
    >>> from admf_ray.events import Event, EventBus, Signal
    >>> from admf_ray.events.capture import SignalCapture
    >>> bus, capture = EventBus("doctest-capture"), SignalCapture("cross")
    >>> bus.attach(capture)
    >>> bus.publish(Event(Signal("cross", "SPX", 3, 1.0, 1), "cross", "doctest-capture", timestamp=5))
    >>> bus.publish(Event(Signal("mean", "SPX", 3, -1.0, 1), "mean", "doctest-capture", timestamp=5))
    >>> len(capture), capture.columns()["target"]
    (1, [1.0])
    >>> bus.close()
    """

    __slots__ = ("__weakref__", "_names", "_rows", "_strategies")

    def __init__(self, *strategies: str) -> None:
        self._strategies = frozenset(strategies)
        # One block of whole rows, not a block for each column: a row is added in one step, or not at all.
        self._rows = bytearray()
        self._names: dict[str | None, int] = {}

    def on_event(self, event: Event[Any]) -> None:
        """Keep an event that is a signal of one of the strategies."""
        if event.type is not EventType.SIGNAL:
            return
        signal = event.payload
        if self._strategies and signal.strategy not in self._strategies:
            return
        self._rows += _ROW.pack(
            event.timestamp,
            signal.bar,
            signal.number,
            signal.target,
            signal.regime,
            self._number(event.container_id),
            self._number(signal.strategy),
            self._number(signal.symbol),
            self._number(event.correlation_id),
        )

    def _number(self, name: str | None) -> int:
        names = self._names
        return names.setdefault(name, len(names))

    def columns(self) -> dict[str, list[Any]]:
        """Give what was kept, in the order in which it was delivered.

        Returns
        -------
        dict
            Lists of one length: ``timestamp`` (int, nanoseconds UTC), ``bar`` (int), ``container``, ``strategy``,
            ``symbol`` (str), ``target`` (float, in [-1, +1]), ``number``, ``regime`` (int) and ``correlation`` (str,
            or None).
        """
        # A copy: rows may come in while it is read, and a block that is read cannot grow.
        rows = list(_ROW.iter_unpack(bytes(self._rows)))
        names = list(self._names)
        return {
            "timestamp": [row[0] for row in rows],
            "bar": [row[1] for row in rows],
            "container": [names[row[5]] for row in rows],
            "strategy": [names[row[6]] for row in rows],
            "symbol": [names[row[7]] for row in rows],
            "target": [row[3] for row in rows],
            "number": [row[2] for row in rows],
            "regime": [row[4] for row in rows],
            "correlation": [names[row[8]] for row in rows],
        }

    def __len__(self) -> int:
        """Give the number of signals kept."""
        return len(self._rows) // _ROW.size

    @property
    def retained(self) -> int:
        """The number of signals kept."""
        return len(self)

    @property
    def retained_bytes(self) -> int:
        """What they take: the rows, and the names by which they are told apart."""
        names = list(self._names)
        return self._rows.__sizeof__() + self._names.__sizeof__() + sum(name.__sizeof__() for name in names)

    def clear(self) -> None:
        """Forget what was kept."""
        self._rows = bytearray()
        self._names = {}
