"""Routes: whom a bus tells of which payloads, in which order."""

import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from admf_ray.errors import EventError
from admf_ray.events.event import Event
from admf_ray.events.payloads import PAYLOADS, TYPES, EventType
from admf_ray.events.subscription import About, Entry, Subscription, nobody

__all__ = ["Routes"]


class Routes:
    """The entries of a bus: its handlers in the order in which they subscribed, then what hands events on.

    Attributes
    ----------
    by_payload : dict of type to tuple of Entry
        Of each class of payload, ready to go through; empty once ended. A tuple is replaced, never changed: a delivery
        goes on with what was there when it began.
    """

    __slots__ = ("_forwards", "_handlers", "_lock", "by_payload")

    def __init__(self) -> None:
        self.by_payload: dict[type[Any], tuple[Entry, ...]] = dict.fromkeys(TYPES, ())
        self._handlers: dict[EventType, list[Entry]] = {kind: [] for kind in EventType}
        self._forwards: dict[EventType, list[Entry]] = {kind: [] for kind in EventType}
        # Held while who is told is changed, never while somebody is told. Collecting garbage may change it from within.
        self._lock = threading.RLock()

    def add(self, subscription: Subscription) -> None:
        """Tell one more handler."""
        with self._lock:
            self._handlers[subscription.type].append(subscription.entry)
            self._renew(subscription.type)

    def remove(self, subscription: Subscription) -> None:
        """Tell a handler no more, one that is not told any more included.

        Raises
        ------
        EventError
            Where it is another bus's.
        """
        with self._lock:
            if subscription.is_live and not any(one is subscription.entry for one in self._handlers[subscription.type]):
                raise EventError(f"the subscription of {subscription.handler} to {subscription.type} is another bus's")
            subscription.entry[0] = nobody
            self._renew(subscription.type)

    def forward(
        self,
        types: Iterable[EventType],
        receiver: object,
        function: Callable[[Any, Event[Any]], object],
        accepts: Callable[[Event[Any]], bool],
        name: str,
    ) -> None:
        """Hand events on behind the handlers; see `admf_ray.events.bus.EventBus.forward`."""
        with self._lock:
            for kind in types:
                self._forwards[kind].append([weakref.ref(receiver), function, accepts, About(None, name, None)])
                self._renew(kind)

    def drop(self, receiver: object) -> None:
        """Hand nothing more on to a receiver."""
        with self._lock:
            for kind, entries in self._forwards.items():
                self._forwards[kind] = [entry for entry in entries if entry[0]() is not receiver]
                self._renew(kind)

    def subscriptions(self) -> list[Subscription]:
        """Give those that are live, by type in the order of `EventType`; forget the others."""
        with self._lock:
            for kind in EventType:
                self._renew(kind)
            return [Subscription(entry) for entries in self._handlers.values() for entry in entries]

    def end(self) -> None:
        """Tell nobody any more, not even of an event that is just being delivered."""
        with self._lock:
            self.by_payload.clear()
            for entries in (*self._handlers.values(), *self._forwards.values()):
                for entry in entries:
                    entry[0] = nobody
                entries.clear()

    def _renew(self, kind: EventType) -> None:
        if not self.by_payload:
            return
        for entries in (self._handlers, self._forwards):
            entries[kind] = [entry for entry in entries[kind] if entry[0]() is not None]
        self.by_payload[PAYLOADS[kind]] = (*self._handlers[kind], *self._forwards[kind])
