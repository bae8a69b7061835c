"""The event bus of one container: who is told what, in which order, and what happens when somebody fails."""

import threading
import time
import traceback
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Literal, overload

from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, EventError, IsolationViolation, first_line
from admf_ray.events.event import Event, malformation
from admf_ray.events.filters import ContainerFilter, Filter, StrategyFilter
from admf_ray.events.isolation import LIVE, ContainerRegistry
from admf_ray.events.observers import BusObserver, Closing, HandlerTimer
from admf_ray.events.payloads import PAYLOADS, Error, EventType, Fill, Signal
from admf_ray.events.routes import Routes
from admf_ray.events.subscription import Entry, ForwardingRule, Handler, Subscription, UnfilteredType, crossing
from admf_ray.logs import LOGGER

__all__ = ["EventBus"]

_CONFINED = {EventType.SIGNAL: ("strategy", "by_strategy(...)"), EventType.FILL: ("container", "by_container(...)")}
_BUS = "bus"
_RECORDED = 100


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
    registry : ContainerRegistry
        Of live containers.

    Attributes
    ----------
    rules : tuple of ForwardingRule
    is_closed : bool
    violations : list of str
        The first 100.
    failures : Counter
        How often which handler failed with which error.

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
        "_errors",
        "_idle",
        "_isolation",
        "_lock",
        "_next",
        "_observers",
        "_queue",
        "_registry",
        "_routes",
        "_subtree",
        "_timers",
        "_told",
        "container_id",
        "failures",
        "is_closed",
        "kind",
        "parent",
        "rules",
        "violations",
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
        registry: ContainerRegistry = LIVE,
    ) -> None:
        if not isinstance(container_id, str) or not container_id:
            raise ConfigError(f"container_id: {container_id!r} is no id; allowed: a text that is not empty")
        for option, value, allowed in (
            ("isolation", isolation, ("strict", "lenient")),
            ("errors", errors, ("event", "raise")),
        ):
            if value not in allowed:
                raise ConfigError(f"{option}: {value!r} is not allowed; allowed: {', '.join(allowed)}")
        if forwards and parent is None:
            raise ConfigError(f"container '{container_id}' has forwarding rules and no parent")
        self.container_id = container_id
        self.kind = kind
        self.parent = parent
        self.is_closed = False
        self.violations: list[str] = []
        self.failures: Counter[tuple[str, str]] = Counter()
        self._isolation = isolation
        self._errors = errors
        self._registry = registry
        self._children: weakref.WeakValueDictionary[str, EventBus] = weakref.WeakValueDictionary()
        self._subtree = {container_id}
        self.rules = tuple(forwards)
        self._told = Routes()
        self._routes = self._told.by_payload
        self._queue: deque[Event[Any]] = deque()
        # Whoever takes the token delivers. Taking it is one atomic step and costs half of a lock.
        self._idle = [None]
        # Held while observers change, never while another bus is told of anything.
        self._lock = threading.Lock()
        self._next = count(1).__next__
        self._observers: tuple[BusObserver, ...] = ()
        self._timers: tuple[HandlerTimer, ...] = ()
        if parent is not None:
            parent._require_open()
        registry.add(self)
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
            is_own = event.container_id == self.container_id and event.source_id
        except (AttributeError, KeyError, TypeError):
            is_own = False
        if not is_own:
            self._refuse(event)
            return
        if not event.sequence:
            event.sequence = self._next()
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
                            self._fail(event, about.handler, error)
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
                    self._deliver(waiting, self._routes.get(waiting.payload.__class__, ()))
            except BaseException:
                self._queue.clear()
                raise
            finally:
                self._idle.append(token)

    def _deliver(self, event: Event[Any], entries: tuple[Entry, ...]) -> None:
        for observer in self._observers:
            try:
                observer.on_event(event)
            except Exception as error:
                self._fail(event, f"{type(observer).__name__}.on_event", error)
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
                self._fail(event, about.handler, error)
            if timers:
                taken = time.perf_counter_ns() - began
                for timer in timers:
                    timer.on_handled(event, about.handler, taken)

    def receive(self, event: Event[Any]) -> None:
        """Deliver an event that a rule or a channel brings from another container."""
        if not self.is_closed:
            self._enqueue(event)

    def _refuse(self, event: Event[Any]) -> None:
        """Say what is wrong with an event that cannot be delivered."""
        self._require_open()
        wrong = malformation(event)
        if wrong is None:
            self._violate(event)
            return
        LOGGER.error("container %s: malformed event: %s", self.container_id, wrong)
        self.publish(Event(Error("malformed", wrong, str(getattr(event, "source_id", ""))), _BUS, self.container_id))

    def _violate(self, event: Event[Any]) -> None:
        said = (
            f"component '{event.source_id}' published {event.type} as container '{event.container_id}' "
            f"on the bus of '{self.container_id}'"
        )
        if self._isolation == "strict":
            raise IsolationViolation(said)
        LOGGER.warning("%s", said)
        if len(self.violations) < _RECORDED:
            self.violations.append(said)
        told = Error("IsolationViolation", said, event.source_id)
        self.publish(Event(told, _BUS, self.container_id, event.timestamp))

    def _fail(self, event: Event[Any], handler: str, error: Exception) -> None:
        """Turn a handler's failure into an ERROR event, or raise it where that is asked for."""
        self.failures[handler, type(error).__name__] += 1
        said = f"container {self.container_id}: {handler} failed at {event.event_id} {event.type}"
        # One line for each cause: further ones are counted.
        if self.failures[handler, type(error).__name__] == 1:
            LOGGER.error("%s: %s: %s", said, type(error).__name__, first_line(error))
        if self._errors == "raise" or (self._isolation == "strict" and isinstance(error, IsolationViolation)):
            error.add_note(said)
            raise error
        if event.type is EventType.ERROR or self.is_closed:
            return
        told = Error(
            type(error).__name__,
            first_line(error),
            handler,
            str(event.event_id),
            "".join(traceback.format_exception(error)),
        )
        self.publish(Event(told, _BUS, self.container_id, cause=event))

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
        if kind not in PAYLOADS:
            raise EventError(unknown_name("type of event", str(kind), list(EventType)))
        needed, allowed = _CONFINED.get(kind, (None, ""))
        if needed is not None and (where is None or needed not in where.confines):
            given = "no filter" if where is None else f"the filter {where}"
            raise EventError(
                f"container '{self.container_id}': {kind} subscriptions confine the {needed}, this one has {given}; "
                f"allowed: {allowed}, alone or with others"
            )
        self._require_open()
        subscription = Subscription.of(EventType(kind), handler, where)
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

    @property
    def waiting(self) -> int:
        """How many events wait for their turn."""
        return len(self._queue)

    @property
    def observers(self) -> tuple[BusObserver | HandlerTimer, ...]:
        """Who is attached, in order."""
        only_timers = (one for one in self._timers if not isinstance(one, BusObserver))
        return (*self._observers, *only_timers)

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
            bus._subtree.add(child.container_id)
            bus = bus.parent
        for rule in child.rules:
            is_up = rule.direction == "up"
            sender, receiver = (child, self) if is_up else (self, child)
            # Up goes what comes from below, down what does not: nothing comes back to where it was.
            accepts = crossing(child._subtree, is_up, rule.filter)
            sender.forward(rule.types, receiver, EventBus.receive, accepts, f"forward to {receiver.container_id}")

    def _abandon(self, child: "EventBus") -> None:
        """Let a child go that was closed."""
        bus: EventBus | None = self
        while bus is not None:
            bus._subtree.discard(child.container_id)
            bus = bus.parent
        self._children.pop(child.container_id, None)
        self._told.drop(child)

    # Ending

    def close(self) -> None:
        """End the container: its children first, then subscriptions, then observers; what waits is dropped.

        Once closed it may be closed again. An observer that fails to close stops nothing; its error is raised last.
        """
        failed = [error for child in self.children for error in _closing(child)]
        with self._lock:
            if self.is_closed:
                return
            self.is_closed = True
            observers, self._observers, self._timers = self.observers, (), ()
        # Without routes every further event is refused, which costs those of live containers nothing.
        self._told.end()
        self._queue.clear()
        failed += [error for one in observers if isinstance(one, Closing) for error in _closing(one)]
        if self.parent is not None:
            self.parent._abandon(self)
        self._registry.remove(self)
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
