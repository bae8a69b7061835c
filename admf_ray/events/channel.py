"""Channels: events between containers that are no parent and child of each other."""

import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from admf_ray.errors import ConfigError, IsolationViolation
from admf_ray.events.bus import EventBus
from admf_ray.events.event import Event
from admf_ray.events.filters import Filter
from admf_ray.events.payloads import EventType, known_types

__all__ = ["AccessPolicy", "InterContainerChannel"]


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may use a channel.

    Attributes
    ----------
    publishers, subscribers : frozenset of str
        Kinds of containers (`EventBus.kind`); empty for any.
    max_subscribers : int or None
        At a time; None for any number.
    """

    publishers: frozenset[str] = frozenset()
    subscribers: frozenset[str] = frozenset()
    max_subscribers: int | None = None

    def __post_init__(self) -> None:
        """Refuse a text where kinds are asked for."""
        for name in ("publishers", "subscribers"):
            kinds = getattr(self, name)
            if isinstance(kinds, str):
                raise ConfigError(f"{name}: {kinds!r} is not allowed; allowed: a set of kinds")
            object.__setattr__(self, name, frozenset(kinds))


class InterContainerChannel:
    """Brings events of some types from the containers that publish on it to those that subscribed.

    Only what a publisher's own container published is carried, so channels never pass an event on twice; and no event
    is delivered to the container that it comes from. Subscribers are told in the order in which they subscribed.
    The channel holds no container alive, and no container holds it: keep it for as long as it is to carry.

    Parameters
    ----------
    name : str
    types : iterable of EventType
        That are carried.
    policy : AccessPolicy, optional
    where : Filter, optional
        Events that do not pass it are not carried.

    Raises
    ------
    ConfigError
        Where a type is unknown.

    Examples
    --------
    >>> from admf_ray.events import Event, EventBus, EventType, InterContainerChannel, Regime
    >>> class Strategy:
    ...     def on_regime(self, event):
    ...         print(event.container_id, event.payload.regime)
    >>> one, other, strategy = EventBus("regimes"), EventBus("trading"), Strategy()
    >>> channel = InterContainerChannel("regimes", [EventType.REGIME])
    >>> channel.publish_from(one)
    >>> channel.subscribe(other)
    >>> _ = other.subscribe(EventType.REGIME, strategy.on_regime)
    >>> one.publish(Event(Regime("trend", "SPX", 3, 1), "classifier", "regimes"))
    regimes 1
    >>> one.close(), other.close()
    (None, None)
    """

    __slots__ = ("__weakref__", "_accepts", "_lock", "_publishers", "_subscribers", "name", "policy", "types")

    def __init__(
        self, name: str, types: Iterable[EventType], policy: AccessPolicy | None = None, where: Filter | None = None
    ) -> None:
        self.name = name
        self.types = frozenset(known_types(types, f"channel '{name}'"))
        self.policy = policy or AccessPolicy()
        self._accepts = where.accepts if where else None
        self._publishers: weakref.WeakSet[EventBus] = weakref.WeakSet()
        self._subscribers: tuple[weakref.ref[EventBus], ...] = ()
        self._lock = threading.RLock()

    def publish_from(self, bus: EventBus) -> None:
        """Carry what a container publishes from now on.

        Raises
        ------
        IsolationViolation
            Where the policy does not admit its kind, or it publishes already.
        EventError
            Where its bus is closed.
        """
        self._check("publish on", bus, self.policy.publishers)
        with self._lock:
            if bus in self._publishers:
                raise IsolationViolation(f"container '{bus.container_id}' publishes on channel '{self.name}' already")
            own, passes = bus.container_id, self._accepts
            bus.forward(
                self.types,
                self,
                InterContainerChannel._carry,
                lambda event: event.container_id == own and (passes is None or passes(event)),
                f"channel {self.name}",
            )
            self._publishers.add(bus)

    def subscribe(self, bus: EventBus) -> None:
        """Bring what is carried to a container's bus, whose handlers subscribe there as to any other event.

        Raises
        ------
        IsolationViolation
            Where the policy does not admit its kind or one more subscriber, or it subscribed already.
        """
        self._check("subscribe to", bus, self.policy.subscribers)
        with self._lock:
            if bus in self.subscribers:
                raise IsolationViolation(f"container '{bus.container_id}' subscribes to channel '{self.name}' already")
            if self.policy.max_subscribers is not None and len(self.subscribers) >= self.policy.max_subscribers:
                raise IsolationViolation(
                    f"channel '{self.name}' has {len(self.subscribers)} subscribers; allowed: "
                    f"{self.policy.max_subscribers}"
                )
            self._subscribers = (*(weakref.ref(one) for one in self.subscribers), weakref.ref(bus))

    def unsubscribe(self, bus: EventBus) -> None:
        """Bring nothing more to a container."""
        with self._lock:
            self._subscribers = tuple(weakref.ref(one) for one in self.subscribers if one is not bus)

    @property
    def subscribers(self) -> list[EventBus]:
        """The live ones, in the order in which they subscribed."""
        found = (reference() for reference in self._subscribers)
        return [bus for bus in found if bus is not None and not bus.is_closed]

    def _check(self, what: str, bus: EventBus, allowed: frozenset[str]) -> None:
        if allowed and bus.kind not in allowed:
            raise IsolationViolation(
                f"container '{bus.container_id}' of kind '{bus.kind}' may not {what} channel '{self.name}'; allowed: "
                f"{', '.join(sorted(allowed))}"
            )

    def _carry(self, event: Event[Any]) -> None:
        """Bring an event to everybody; what one of them raises is raised when all have it."""
        failed: list[Exception] = []
        for reference in self._subscribers:
            bus = reference()
            if bus is not None and bus.container_id != event.container_id:
                try:
                    bus.receive(event)
                except Exception as error:
                    failed.append(error)
        if failed:
            raise failed[0]
