"""Retention: which of the traced events stay in memory, and which are handed on to be stored."""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Protocol

from admf_ray.events.event import Event
from admf_ray.events.payloads import EventType

__all__ = ["BOUNDS", "Release", "Retained", "Retention", "retain"]

Release = Callable[[Sequence[Event[Any]]], None]
"""Takes events that are complete and no longer kept."""

_LATE = 256
_TROUBLES = frozenset([EventType.ERROR, EventType.RISK_BREACH])


class Retention(StrEnum):
    """What a tracer keeps.

    Attributes
    ----------
    FULL
        Everything.
    TRADE_COMPLETE
        The events of trades that are open; those of a trade go when it is closed. Where events are stored, errors and
        breaches that belong to no trade are as well.
    SLIDING_WINDOW
        The newest events.
    MINIMAL
        Counts, and the newest errors and breaches.
    NONE
        Nothing: no tracer is attached, unless a rule may change that.
    """

    FULL = "full"
    TRADE_COMPLETE = "trade_complete"
    SLIDING_WINDOW = "sliding_window"
    MINIMAL = "minimal"
    NONE = "none"


BOUNDS: dict[Retention, int | None] = {
    Retention.FULL: None,
    Retention.TRADE_COMPLETE: 10_000,
    Retention.SLIDING_WINDOW: 10_000,
    Retention.MINIMAL: 100,
    Retention.NONE: 0,
}
"""How many events are kept where ``max_events`` does not say."""


class Retained(Protocol):
    """The events that are kept.

    Attributes
    ----------
    dropped : int
        Events that were kept and had to go because there were too many.
    """

    dropped: int

    def keep(self, event: Event[Any]) -> None:
        """Take in an event."""

    def events(self) -> list[Event[Any]]:
        """Give what is kept, in order."""

    def __len__(self) -> int:
        """Give how many events are kept."""


class _Newest:
    """The newest events, all of them where there is no bound."""

    __slots__ = ("_events", "dropped")

    def __init__(self, most: int | None) -> None:
        self._events: deque[Event[Any]] = deque(maxlen=most)
        self.dropped = 0

    def keep(self, event: Event[Any]) -> None:
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(event)

    def events(self) -> list[Event[Any]]:
        return list(self._events)

    def __len__(self) -> int:
        return len(self._events)


class _NewestTroubles(_Newest):
    __slots__ = ()

    def keep(self, event: Event[Any]) -> None:
        if event.type in _TROUBLES:
            super().keep(event)


class _HandedOn:
    """Nothing: every event is handed on at once."""

    __slots__ = ("_release", "dropped")

    def __init__(self, release: Release) -> None:
        self._release = release
        self.dropped = 0

    def keep(self, event: Event[Any]) -> None:
        self._release((event,))

    def events(self) -> list[Event[Any]]:
        return []

    def __len__(self) -> int:
        return 0


class _Nothing:
    """No event: what there is waits for a rule."""

    __slots__ = ("dropped",)

    def __init__(self) -> None:
        self.dropped = 0

    def keep(self, event: Event[Any]) -> None:
        pass

    def events(self) -> list[Event[Any]]:
        return []

    def __len__(self) -> int:
        return 0


class _OpenTrades:
    """The events of lives that have not ended; POSITION_CLOSE ends one. Of others troubles are handed on at once."""

    __slots__ = ("_arrived", "_ended", "_events", "_lives", "_most", "_release", "dropped")

    def __init__(self, most: int | None, release: Release | None) -> None:
        # All events by number of arrival, and the numbers of each life.
        self._events: dict[int, Event[Any]] = {}
        self._lives: OrderedDict[str, list[int]] = OrderedDict()
        # What still comes of a life that has ended, or had to go, must not begin it again.
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._arrived = 0
        self._most = most
        self._release = release
        self.dropped = 0

    def keep(self, event: Event[Any]) -> None:
        life = event.correlation_id
        if life is None:
            if self._release is not None and event.type in _TROUBLES:
                self._release((event,))
            return
        if life in self._ended:
            return
        self._arrived += 1
        self._events[self._arrived] = event
        self._lives.setdefault(life, []).append(self._arrived)
        if event.type is EventType.POSITION_CLOSE:
            events = self._end(life)
            if self._release is not None:
                self._release(events)
        elif self._most is not None and len(self._events) > self._most:
            self.dropped += len(self._end(next(iter(self._lives))))

    def _end(self, life: str) -> list[Event[Any]]:
        self._ended[life] = None
        if len(self._ended) > _LATE:
            self._ended.popitem(last=False)
        return [self._events.pop(number) for number in self._lives.pop(life)]

    def events(self) -> list[Event[Any]]:
        return list(self._events.values())

    def __len__(self) -> int:
        return len(self._events)


def retain(retention: Retention, max_events: int | None, release: Release | None) -> Retained:
    """Give the container of what a retention keeps.

    Parameters
    ----------
    retention : Retention
    max_events : int or None
        None for the bound of the retention.
    release : callable or None
        Takes what is complete, where it is to be stored.
    """
    most = BOUNDS[retention] if max_events is None else max_events
    if retention is Retention.FULL and release is not None:
        return _HandedOn(release)
    if retention is Retention.NONE:
        return _Nothing()
    if retention is Retention.TRADE_COMPLETE:
        return _OpenTrades(most, release)
    return _NewestTroubles(most) if retention is Retention.MINIMAL else _Newest(most)
