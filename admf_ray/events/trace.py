"""A trace: events that were kept, and what can be asked of them."""

from collections.abc import Iterable, Iterator
from typing import Any

from admf_ray.events.event import Event, EventId
from admf_ray.events.filters import Filter
from admf_ray.events.payloads import EventType

__all__ = ["Trace"]


class Trace:
    """Events in the order in which they were delivered.

    Parameters
    ----------
    events : iterable of Event

    Attributes
    ----------
    events : tuple of Event

    Examples
    --------
    >>> from admf_ray.events import Event, Signal, System, Trace
    >>> signal = Event(Signal("cross", "SPX", 3, 1.0), "cross", "a", correlation_id="trade-1", sequence=1)
    >>> seen = Event(System("seen"), "risk", "a", cause=signal, sequence=2)
    >>> trace = Trace([signal, seen])
    >>> [str(event.event_id) for event in trace.life("trade-1")], trace.causes(seen) == [signal]
    (['a#1', 'a#2'], True)
    """

    __slots__ = ("_by_id", "_effects", "_lives", "events")

    def __init__(self, events: Iterable[Event[Any]]) -> None:
        self.events = tuple(events)
        self._by_id: dict[EventId, Event[Any]] = {}
        self._effects: dict[EventId, list[Event[Any]]] = {}
        self._lives: dict[str, list[Event[Any]]] = {}
        for event in self.events:
            self._by_id[event.event_id] = event
            if event.causation_id is not None:
                self._effects.setdefault(event.causation_id, []).append(event)
            if event.correlation_id is not None:
                self._lives.setdefault(event.correlation_id, []).append(event)

    def __len__(self) -> int:
        """Give the number of events."""
        return len(self.events)

    def __iter__(self) -> Iterator[Event[Any]]:
        """Go through the events in order."""
        return iter(self.events)

    @property
    def correlations(self) -> list[str]:
        """The lives that there are, in order of their first event."""
        return list(self._lives)

    def life(self, correlation_id: str) -> list[Event[Any]]:
        """Give the whole life of one thing, such as a trade, from its first event on; empty where there is none."""
        return list(self._lives.get(correlation_id, ()))

    def causes(self, event: Event[Any]) -> list[Event[Any]]:
        """Give what led to an event, the first cause first, as far back as the trace goes."""
        chain: dict[EventId, Event[Any]] = {}
        cause = event.causation_id
        while cause is not None and cause not in chain and (found := self._by_id.get(cause)) is not None:
            chain[cause] = found
            cause = found.causation_id
        return list(chain.values())[::-1]

    def effects(self, event: Event[Any]) -> list[Event[Any]]:
        """Give everything that an event led to, directly or through others, in the order of the trace."""
        found: set[EventId] = set()
        left = [event.event_id]
        while left:
            for effect in self._effects.get(left.pop(), ()):
                if effect.event_id not in found:
                    found.add(effect.event_id)
                    left.append(effect.event_id)
        return [one for one in self.events if one.event_id in found]

    def select(
        self,
        types: Iterable[EventType] | None = None,
        where: Filter | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> "Trace":
        """Give the part that is of some types, passes a filter, and lies in ``[start, stop)`` of event time (ns)."""
        wanted = None if types is None else frozenset(types)
        return Trace(
            event
            for event in self.events
            if (wanted is None or event.type in wanted)
            and (where is None or where.accepts(event))
            and (start is None or event.timestamp >= start)
            and (stop is None or event.timestamp < stop)
        )
