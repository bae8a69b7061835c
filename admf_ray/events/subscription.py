"""Subscriptions: who is told, held weakly, and what parent and child exchange."""

import weakref
from collections.abc import Callable, Container
from dataclasses import dataclass
from types import MethodType
from typing import Any, Literal, NamedTuple, TypeAlias

from admf_ray.errors import ConfigError, EventError
from admf_ray.events.event import Event
from admf_ray.events.filters import Filter
from admf_ray.events.payloads import EventType, known_types

__all__ = ["About", "Entry", "ForwardingRule", "Handler", "Subscription", "UnfilteredType", "crossing", "nobody"]

Handler: TypeAlias = Callable[[Event[Any]], object]

UnfilteredType: TypeAlias = Literal[
    EventType.BAR,
    EventType.INDICATOR,
    EventType.REGIME,
    EventType.ENSEMBLE,
    EventType.ORDER_REQUEST,
    EventType.ORDER,
    EventType.ORDER_REJECTED,
    EventType.POSITION_OPEN,
    EventType.POSITION_CLOSE,
    EventType.PORTFOLIO,
    EventType.RISK_BREACH,
    EventType.TRAIN_WINDOW,
    EventType.TEST_WINDOW,
    EventType.PHASE,
    EventType.SYSTEM,
    EventType.ERROR,
]
"""Types that may be subscribed to without a filter."""


@dataclass(frozen=True, slots=True)
class ForwardingRule:
    """What a container exchanges with its parent.

    Attributes
    ----------
    direction : {"up", "down"}
        From the container to its parent, or from the parent to the container.
    types : frozenset of EventType
    filter : Filter or None
    """

    direction: Literal["up", "down"]
    types: frozenset[EventType]
    filter: Filter | None = None

    def __post_init__(self) -> None:
        """Refuse directions and types that there are not."""
        if self.direction not in {"up", "down"}:
            raise ConfigError(f"direction of forwarding: {self.direction!r} is not allowed; allowed: up, down")
        object.__setattr__(self, "types", frozenset(known_types(self.types, "forwarding")))

    def __str__(self) -> str:
        condition = f" where {self.filter}" if self.filter else ""
        return f"{self.direction}: {', '.join(sorted(self.types))}{condition}"


def crossing(below: Container[str], is_up: bool, condition: Filter | None) -> Callable[[Event[Any]], bool]:
    """Give the condition of forwarding: the event comes from below, or not, and passes the rule's filter."""
    if condition is None:
        return lambda event: (event.container_id in below) is is_up
    passes = condition.accepts
    return lambda event: (event.container_id in below) is is_up and passes(event)


def nobody() -> None:
    """Stand for a target that is gone."""


class About(NamedTuple):
    """What is known of an entry of a bus beside what is called.

    Attributes
    ----------
    type : EventType or None
        None for forwarding, which serves several.
    handler : str
        Name of the handler.
    filter : Filter or None
    """

    type: EventType | None
    handler: str
    filter: Filter | None


Entry: TypeAlias = list[Any]
"""Whom a bus tells: weak reference, function of target and event, condition or None, `About`.

A list, so that ending it counts at once, also for an event that is just being delivered.
"""


class Subscription:
    """A handler on a bus; it ends when its component does, when the bus is closed, or with `EventBus.unsubscribe`.

    The component behind a bound method is held weakly. Anything else that can be called, such as a function, is told
    for as long as somebody holds it, or the subscription that `EventBus.subscribe` gave.
    """

    __slots__ = ("_function", "entry")

    def __init__(self, entry: Entry, function: Handler | None = None) -> None:
        self.entry = entry
        self._function = function

    @classmethod
    def of(cls, kind: EventType, handler: Handler, condition: Filter | None) -> "Subscription":
        """Give the subscription of a handler that has not been called yet.

        Raises
        ------
        EventError
            Where the handler's component cannot be held weakly.
        """
        target: Any = handler
        function: Any = type(handler).__call__
        name = getattr(handler, "__qualname__", type(handler).__name__)
        if isinstance(handler, MethodType):
            target, function = handler.__self__, handler.__func__
            name = f"{type(target).__name__}.{function.__name__}"
        try:
            reference = weakref.ref(target)
        except TypeError:
            raise EventError(
                f"handler {name}: a {type(target).__name__} cannot be held weakly; allowed: a class without __slots__, "
                "or with '__weakref__' among them"
            ) from None
        entry = [reference, function, condition and condition.accepts, About(kind, name, condition)]
        return cls(entry, None if isinstance(handler, MethodType) else handler)

    @property
    def type(self) -> EventType:
        """What is subscribed to."""
        kind: EventType = self.entry[3].type
        return kind

    @property
    def handler(self) -> str:
        """Name of the handler."""
        name: str = self.entry[3].handler
        return name

    @property
    def filter(self) -> Filter | None:
        """What an event has to pass."""
        condition: Filter | None = self.entry[3].filter
        return condition

    @property
    def is_live(self) -> bool:
        """Whether the handler would still be called."""
        return self.entry[0]() is not None
