"""Replay: a stored trace is published again, on a bus whose handlers take it for what happens."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

from admf_ray.errors import ConfigError
from admf_ray.events.bus import EventBus
from admf_ray.events.event import Event, EventId
from admf_ray.events.filters import Filter
from admf_ray.events.payloads import EventType, known_types

__all__ = ["EventReplay"]


class EventReplay:
    """A stored trace that can be published again, whole or in part.

    Published events do not change, and a bus numbers its own: a replay publishes fresh ones under the id of the
    container that it is replayed in, with the payload, source, timestamp and correlation of the originals, in their
    order. On a new bus whose handlers publish nothing, a whole trace gets the numbers that it had.

    A cause is the fresh event of the original cause where that one was replayed before. Where it was not (it lies
    before the start, is of another type, or came from a container that is left out) the fresh event has no cause. A
    fresh event is held until the last one that it caused is published.

    A trace may hold events that rules or channels brought from other containers. Their own bus numbered them, and
    replaying them makes this container say them. Only those of `containers` are replayed, therefore.

    Payloads are not touched: a `Fill` goes on naming the container whose order it filled, and filters on it go on
    asking for that name. ERROR events of the trace are replayed too, unless `types` leaves them out.

    Parameters
    ----------
    events : iterable of Event
        The trace, in its order. It is read once, and what may be replayed of it is held.
    types : iterable of EventType, optional
        That are replayed; all of them by default.
    where : Filter, optional
        Which of the originals are replayed.
    containers : iterable of str, optional
        Whose events are replayed; by default those of the container that the first event comes from. Name it where a
        trace may begin with an event from elsewhere.

    Attributes
    ----------
    containers : frozenset of str
        Whose events are replayed.

    Raises
    ------
    ConfigError
        Where a type is unknown, or `containers` is a text instead of several.

    Examples
    --------
    >>> from admf_ray.events import Event, EventBus, EventType, System
    >>> class Listener:
    ...     def on_event(self, event):
    ...         print(event.event_id, event.payload.message, event.causation_id)
    >>> first = Event(System("hello"), "someone", "original", timestamp=5)
    >>> first.sequence = 1  # as its bus did
    >>> second = Event(System("again"), "someone", "original", timestamp=7, cause=first)
    >>> bus = EventBus("doctest-replay")
    >>> bus.attach(Listener())
    >>> EventReplay([first, second]).replay(bus)
    doctest-replay#1 hello None
    doctest-replay#2 again doctest-replay#1
    2
    >>> bus.close()
    """

    __slots__ = ("_events", "containers")

    def __init__(
        self,
        events: Iterable[Event[Any]],
        types: Iterable[EventType] | None = None,
        where: Filter | None = None,
        containers: Iterable[str] | None = None,
    ) -> None:
        chosen = frozenset(known_types(EventType if types is None else types, "replay"))
        if isinstance(containers, str):
            raise ConfigError(f"replay: containers={containers!r} is a text; allowed: several ids, [{containers!r}]")
        trace = iter(events)
        if containers is None:
            head = list(islice(trace, 1))
            containers = [event.container_id for event in head]
            trace = chain(head, trace)
        self.containers = frozenset(containers)
        self._events = tuple(
            event
            for event in trace
            if event.container_id in self.containers
            and event.type in chosen
            and (where is None or where.accepts(event))
        )

    def replay(self, bus: EventBus, start: int | None = None, stop: int | None = None) -> int:
        """Publish the events of ``[start, stop)`` on a bus.

        Parameters
        ----------
        bus : EventBus
        start, stop : int, optional
            Timestamps, nanoseconds UTC; without limit by default.

        Returns
        -------
        int
            How many were published.

        Raises
        ------
        EventError
            Where the bus is closed.
        """
        span = [
            event
            for event in self._events
            if (start is None or event.timestamp >= start) and (stop is None or event.timestamp < stop)
        ]
        effects = Counter(event.causation_id for event in span)
        causes: dict[EventId, Event[Any]] = {}
        for event in span:
            cause = None if event.causation_id is None else causes.get(event.causation_id)
            fresh = Event(
                event.payload, event.source_id, bus.container_id, event.timestamp, event.correlation_id, cause=cause
            )
            bus.publish(fresh)
            effects[event.causation_id] -= 1
            if event.causation_id is not None and not effects[event.causation_id]:
                causes.pop(event.causation_id, None)
            if effects[event.event_id]:
                causes[event.event_id] = fresh
        return len(span)
