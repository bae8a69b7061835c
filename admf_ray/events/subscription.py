"""Subscriptions: who is told, held weakly, and what parent and child exchange."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType
from typing import Any, Literal, TypeAlias

from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, EventError
from admf_ray.events.event import Event
from admf_ray.events.filters import Filter
from admf_ray.events.payloads import PAYLOADS, EventType

__all__ = ["ForwardingRule", "Handler", "Subscription", "UnfilteredType", "crossing", "nobody"]

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
        for kind in self.types:
            if kind not in PAYLOADS:
                raise ConfigError(f"forwarding: {unknown_name('type of event', str(kind), list(EventType))}")

    def __str__(self) -> str:
        condition = f" where {self.filter}" if self.filter else ""
        return f"{self.direction}: {', '.join(sorted(self.types))}{condition}"


def crossing(below: set[str], is_up: bool, condition: Filter | None) -> Callable[[Event[Any]], bool]:
    """Give the condition of forwarding: the event comes from below, or not, and passes the rule's filter."""
    if condition is None:
        return lambda event: (event.container_id in below) is is_up
    passes = condition.accepts
    return lambda event: (event.container_id in below) is is_up and passes(event)


def nobody() -> None:
    """Stand for a target that is gone."""


class Subscription:
    """A handler on a bus; it ends when its component does, when the bus is closed, or when it is cancelled.

    The component behind a bound method is held weakly. A plain function has no component: it is held by this
    subscription alone, so keep the subscription for as long as the function is to be called.

    Attributes
    ----------
    type : EventType
    filter : Filter or None
    handler : str
        Name of the handler.
    """

    __slots__ = ("__weakref__", "_function", "entry", "filter", "handler", "type")

    def __init__(self, kind: EventType, handler: Handler, condition: Filter | None) -> None:
        self.type = kind
        self.filter = condition
        self._function: Any = None
        if isinstance(handler, MethodType):
            target, function = handler.__self__, handler.__func__
            self.handler = f"{type(target).__name__}.{function.__name__}"
        else:
            target, function = handler, type(handler).__call__
            self.handler = getattr(handler, "__qualname__", type(handler).__name__)
            self._function = handler
        try:
            reference = weakref.ref(target)
        except TypeError:
            raise EventError(
                f"handler {self.handler}: a {type(target).__name__} cannot be held weakly; allowed: a class without "
                "__slots__, or with '__weakref__' among them"
            ) from None
        # What the bus goes through for every event: a list, so that ending it counts at once.
        self.entry: list[Any] = [reference, function, condition and condition.accepts, self.handler]

    @property
    def is_live(self) -> bool:
        """Whether it would still be called."""
        return self.entry[0]() is not None

    def cancel(self) -> None:
        """End it; the handler is not called again, not even for an event that is just being delivered."""
        self.entry[0] = nobody
        self._function = None
