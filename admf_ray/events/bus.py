"""The event bus of one container: who is told what, in which order, and what happens when somebody fails."""

import re
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Literal, overload

from admf_ray.errors import ConfigError, EventError, first_line
from admf_ray.events.event import Event
from admf_ray.events.filters import ContainerFilter, Filter, StrategyFilter
from admf_ray.events.isolation import LIVE, ContainerRegistry
from admf_ray.events.observers import BusObserver, Closing, HandlerTimer
from admf_ray.events.payloads import PAYLOADS, EventType, Fill, Signal, known_types
from admf_ray.events.routes import Routes
from admf_ray.events.subscription import Entry, ForwardingRule, Handler, Subscription, UnfilteredType, crossing
from admf_ray.events.trouble import Trouble
from admf_ray.logs import LOGGER

__all__ = ["EventBus"]

_CONFINED = {EventType.SIGNAL: ("strategy", "by_strategy(...)"), EventType.FILL: ("container", "by_container(...)")}
# Folders of containers are named by it.
_ID = re.compile(r"[^/\\\0\n]{1,200}")


class EventBus:
    """Delivers the events of one container to its handlers, and to parent and children what rules name.

    Publishing delivers at once: observers first, then handlers in the order in which they subscribed, then forwarding
    in the order in which it was declared. An event that is published while another one is delivered (by a handler, or
    by another thread) waits until that one is done; what waits is delivered first in, first out, before the outermost
    `publish` returns. Subscriptions that are added while an event is delivered count from the next event on.

    A handler that raises starves nobody: the others are called, and an ERROR event says what happened. An event that is
    malformed is refused with an ERROR event as well. An event under another container's id is a violation.

    Parameters
    ----------
    container_id : str
        Unique among the live containers of the registry.
    parent : EventBus, optional
        None for a root.
    forwards : sequence of ForwardingRule
        What is exchanged with the parent.
    kind : str
        Of the container, which the access policies of channels name.
    isolation : {"strict", "lenient"}
        Whether a violation raises, or is recorded in `violations`; it is not delivered in either case.
    errors : {"event", "raise"}
        Whether a handler's exception becomes an ERROR event, or ends the outermost `publish`; what waits is then
        dropped.
    registry : ContainerRegistry, optional
        Of live containers; the parent's, or that of the process.

    Attributes
    ----------
    rules : tuple of ForwardingRule
    is_closed : bool

    Raises
    ------
    ConfigError
        Where an id, a rule or a mode is not allowed.
    IsolationViolation
        Where a live container has the id.

    Examples
    --------
    >>> from admf_ray.events import Event, EventBus, EventType, System
    >>> class Component:
    ...     def on_system(self, event):
    ...         print(event.sequence, event.payload.message)
    >>> bus, component = EventBus("doctest"), Component()
    >>> subscription = bus.subscribe(EventType.SYSTEM, component.on_system)
    >>> bus.publish(Event(System("hello"), "someone", "doctest"))
    1 hello
    >>> bus.close()
    """

    __slots__ = (
        "__weakref__",
        "_children",
        "_family",
        "_idle",
        "_lock",
        "_next",
        "_numbers",
        "_observers",
        "_queue",
        "_registry",
        "_routes",
        "_timers",
        "_told",
        "_trouble",
        "container_id",
        "is_closed",
        "kind",
        "parent",
        "rules",
    )

    def __init__(
        self,
        container_id: str,
        parent: "EventBus | None" = None,
        forwards: Sequence[ForwardingRule] = (),
        *,
        kind: str = "container",
        isolation: Literal["strict", "lenient"] = "strict",
        errors: Literal["event", "raise"] = "event",
        registry: ContainerRegistry | None = None,
    ) -> None:
        if not isinstance(container_id, str) or not _ID.fullmatch(container_id) or container_id in {".", ".."}:
            raise ConfigError(
                f"container_id: {container_id!r} is no id; allowed: up to 200 characters without / and \\"
            )
        if forwards and parent is None:
            raise ConfigError(f"container '{container_id}' has forwarding rules and no parent")
        self.container_id = container_id
        self.kind = kind
        self.parent = parent
        self.is_closed = False
        self._trouble = Trouble(container_id, isolation, errors)
        inherited = LIVE if parent is None else parent._registry
        self._registry: ContainerRegistry = inherited if registry is None else registry
        self._children: weakref.WeakValueDictionary[str, EventBus] = weakref.WeakValueDictionary()
        # Itself and what is below it, by id.
        self._family: weakref.WeakValueDictionary[str, EventBus] = weakref.WeakValueDictionary({container_id: self})
        self.rules = tuple(forwards)
        self._told = Routes()
        self._routes = self._told.by_payload
        # None ends the observers of a bus that is closed.
        self._queue: deque[Event[Any] | None] = deque()
        # Whoever takes the token delivers. Taking it is one atomic step and costs half of a lock.
        self._idle = [None]
        # Held while observers change, never while another bus is told of anything.
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._next = self._numbers.__next__
        self._observers: tuple[BusObserver, ...] = ()
        self._timers: tuple[HandlerTimer, ...] = ()
        if parent is not None:
            parent._require_open()
        self._registry.add(self)
        if parent is not None:
            parent._adopt(self)

    def __repr__(self) -> str:
        return f"<EventBus {self.container_id}{' closed' if self.is_closed else ''}>"

    # Publishing

    def publish(self, event: Event[Any]) -> None:  # noqa: PLR0912  (all in place: a call costs more than it does)
        """Give an event its number and deliver it; see the class for the order of things.

        Parameters
        ----------
        event : Event
            Of this container. One that has a number keeps it.

        Raises
        ------
        EventError
            Where the bus is closed.
        IsolationViolation
            Where the event is another container's and isolation is strict.
        """
        try:
            entries = self._routes[event.payload.__class__]
            is_sound = (
                event.__class__ is Event
                and event.container_id == self.container_id
                and event.source_id.__class__ is str
                and event.timestamp.__class__ is int
                and event.source_id
            )
        except (AttributeError, KeyError, TypeError):
            is_sound = False
        if not is_sound:
            self._require_open()
            self._trouble.refuse(self, event)
            return
        if not event.sequence:
            event.sequence = self._next()
        if self._queue:
            self._enqueue(event)
            return
        try:
            token = self._idle.pop()
        except IndexError:
            self._enqueue(event)
            return
        try:
            if self._observers or self._timers:
                self._deliver(event, entries)
            else:
                # `_deliver` without observers, in place: calling it costs more than the loop.
                for target_of, function, accepts, about in entries:
                    target = target_of()
                    if target is not None:
                        try:
                            if accepts is None or accepts(event):
                                function(target, event)
                        except Exception as error:
                            self._trouble.fail(self, event, about.handler, error)
        except BaseException:
            self._queue.clear()
            raise
        finally:
            self._idle.append(token)
        if self._queue:
            self._drain()

    def _enqueue(self, event: Event[Any]) -> None:
        """Let an event wait for its turn; it is delivered here where nobody else delivers."""
        self._queue.append(event)
        self._drain()

    def _drain(self) -> None:
        """Deliver what waits, unless somebody else does."""
        # Whoever gives the token back looks once more, so that what came in between is not left lying.
        while self._queue:
            try:
                token = self._idle.pop()
            except IndexError:
                return
            try:
                while self._queue:
                    waiting = self._queue.popleft()
                    if waiting is None:
                        self._end_observers()
                    else:
                        self._deliver(waiting, self._routes.get(waiting.payload.__class__, ()))
            except BaseException:
                self._queue.clear()
                raise
            finally:
                self._idle.append(token)

    def _deliver(self, event: Event[Any], entries: tuple[Entry, ...]) -> None:
        self._trouble.is_on_error = event.type is EventType.ERROR
        for observer in self._observers:
            try:
                observer.on_event(event)
            except Exception as error:
                self._trouble.fail(self, event, f"{type(observer).__name__}.on_event", error)
        timers = self._timers
        for target_of, function, accepts, about in entries:
            target = target_of()
            if target is None:
                continue
            began = time.perf_counter_ns() if timers else 0
            try:
                if accepts is not None and not accepts(event):
                    continue
                function(target, event)
            except Exception as error:
                self._trouble.fail(self, event, about.handler, error)
            if timers:
                taken = time.perf_counter_ns() - began
                for timer in timers:
                    try:
                        timer.on_handled(event, about.handler, taken)
                    except Exception as error:
                        self._trouble.fail(self, event, f"{type(timer).__name__}.on_handled", error)
        self._trouble.is_on_error = False

    def receive(self, event: Event[Any]) -> None:
        """Deliver an event that a rule or a channel brings from another container."""
        if not self.is_closed:
            self._enqueue(event)

    # Subscribing

    @overload
    def subscribe(
        self,
        kind: Literal[EventType.SIGNAL],
        handler: Callable[[Event[Signal]], object],
        where: StrategyFilter,
    ) -> Subscription: ...
    @overload
    def subscribe(
        self,
        kind: Literal[EventType.FILL],
        handler: Callable[[Event[Fill]], object],
        where: ContainerFilter,
    ) -> Subscription: ...
    @overload
    def subscribe(self, kind: UnfilteredType, handler: Handler, where: Filter | None = None) -> Subscription: ...
    def subscribe(self, kind: EventType, handler: Callable[..., object], where: Filter | None = None) -> Subscription:
        """Have a handler called for every event of a type that passes a filter.

        Parameters
        ----------
        kind : EventType
        handler : callable
            Takes the event. The component of a bound method is held weakly; see `Subscription`.
        where : Filter, optional
            SIGNAL needs one that confines the strategy, FILL one that confines the container.

        Returns
        -------
        Subscription

        Raises
        ------
        EventError
            Where the filter is missing or confines the wrong thing, or the bus is closed.
        """
        (kind,) = known_types([kind], f"container '{self.container_id}'")
        if where is not None and not isinstance(where, Filter):
            raise EventError(f"where: {where!r} is no filter; allowed: by_strategy(...) and the like")
        needed, allowed = _CONFINED.get(kind, (None, ""))
        if needed is not None and (where is None or needed not in where.confines):
            given = "no filter" if where is None else f"the filter {where}"
            raise EventError(
                f"container '{self.container_id}': {kind} subscriptions confine the {needed}, this one has {given}; "
                f"allowed: {allowed}, alone or with others"
            )
        self._require_open()
        subscription = Subscription.of(kind, handler, where)
        self._told.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription: its handler is not called again, not even for an event that is just being delivered."""
        self._told.remove(subscription)

    @property
    def subscriptions(self) -> list[Subscription]:
        """The live ones, by type in the order of `EventType` and then as they were made."""
        return self._told.subscriptions()

    def _require_open(self) -> None:
        if self.is_closed:
            raise EventError(f"container '{self.container_id}' is closed")

    # Observing

    def attach(self, observer: BusObserver | HandlerTimer) -> None:
        """Let an observer see every event, or be told how long handlers take, or both; it is held until `detach`.

        Raises
        ------
        EventError
            Where it can do neither, or the bus is closed.
        """
        if not isinstance(observer, BusObserver | HandlerTimer):
            raise EventError(f"a {type(observer).__name__} observes nothing: it has no on_event and no on_handled")
        with self._lock:
            self._require_open()
            if isinstance(observer, BusObserver):
                self._observers = (*self._observers, observer)
            if isinstance(observer, HandlerTimer):
                self._timers = (*self._timers, observer)

    def detach(self, observer: BusObserver | HandlerTimer) -> None:
        """Let an observer go."""
        with self._lock:
            self._observers = tuple(one for one in self._observers if one is not observer)
            self._timers = tuple(one for one in self._timers if one is not observer)

    def hears(self, kind: EventType) -> bool:
        """Say whether anybody would be told of an event of a type; where nobody would, it need not be made."""
        return bool(self._observers or self._routes.get(PAYLOADS[kind]))

    @property
    def published(self) -> int:
        """How many events were published so far."""
        # A counter says where it is by its text only: count(7).
        return int(repr(self._numbers)[len("count(") : -1]) - 1

    @property
    def waiting(self) -> int:
        """How many events wait for their turn."""
        return len(self._queue)

    @property
    def observers(self) -> tuple[BusObserver | HandlerTimer, ...]:
        """Who is attached, in order."""
        only_timers = (one for one in self._timers if not isinstance(one, BusObserver))
        return (*self._observers, *only_timers)

    @property
    def failures(self) -> Counter[tuple[str, str]]:
        """How often which handler failed with which error, and which source published something malformed."""
        return self._trouble.failures

    @property
    def violations(self) -> list[str]:
        """What was recorded in lenient mode: the first 100."""
        return self._trouble.violations

    # Parents and children

    @property
    def children(self) -> list["EventBus"]:
        """The live ones, in the order in which they were made."""
        return list(self._children.values())

    def forward(
        self,
        types: Iterable[EventType],
        receiver: object,
        function: Callable[[Any, Event[Any]], object],
        accepts: Callable[[Event[Any]], bool],
        name: str,
    ) -> None:
        """Add an entry behind the handlers that hands events on; what rules and channels are made of.

        Parameters
        ----------
        types : iterable of EventType
        receiver : object
            Held weakly.
        function : callable
            Takes the receiver and the event.
        accepts : callable
            Says which events are handed on.
        name : str
        """
        self._require_open()
        self._told.forward(types, receiver, function, accepts, name)

    def _adopt(self, child: "EventBus") -> None:
        """Take in a child, and what it exchanges with this bus."""
        self._require_open()
        self._children[child.container_id] = child
        bus: EventBus | None = self
        while bus is not None:
            bus._family[child.container_id] = child
            bus = bus.parent
        for rule in child.rules:
            is_up = rule.direction == "up"
            sender, receiver = (child, self) if is_up else (self, child)
            # Up goes what comes from below, down what does not: nothing comes back to where it was.
            accepts = crossing(child._family, is_up, rule.filter)
            sender.forward(rule.types, receiver, EventBus.receive, accepts, f"forward to {receiver.container_id}")

    def _abandon(self, child: "EventBus") -> None:
        """Let a child go that was closed."""
        bus: EventBus | None = self
        while bus is not None:
            bus._family.pop(child.container_id, None)
            bus = bus.parent
        self._children.pop(child.container_id, None)
        self._told.drop(child)

    # Ending

    def close(self) -> None:
        """End the container: its children first, then subscriptions, then observers; what waits is dropped.

        Once closed it may be closed again. Where an event is just being delivered, observers are closed when that is
        done. One that fails to close stops nothing; its error is raised last.
        """
        failed = [error for child in self.children for error in _closing(child)]
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
        # Without routes every further event is refused, which costs those of live containers nothing.
        self._told.end()
        self._queue.clear()
        if self.parent is not None:
            self.parent._abandon(self)
        self._registry.remove(self)
        # Observers see the delivery to its end, whoever is at it.
        self._queue.append(None)
        self._drain()
        if failed:
            raise failed[0]

    def _end_observers(self) -> None:
        with self._lock:
            observers, self._observers, self._timers = self.observers, (), ()
        failed = [error for one in observers if isinstance(one, Closing) for error in _closing(one)]
        if failed:
            raise failed[0]


def _closing(one: Closing) -> list[Exception]:
    """Close something; give what went wrong."""
    try:
        one.close()
    except Exception as error:
        LOGGER.error("%r failed to close: %s", one, first_line(error))
        return [error]
    return []
