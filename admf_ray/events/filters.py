"""Filters: which events a handler, a forwarding rule or a channel takes.

A filter knows what it confines events to. Subscriptions to SIGNAL need one that confines the strategy, to FILL one that
confines the container: the type says so to a type checker, `Filter.confines` at run time.
"""

from collections.abc import Callable
from typing import Any, Self, overload

from admf_ray.events.event import Event
from admf_ray.events.payloads import EventType

__all__ = ["ContainerFilter", "Filter", "StrategyFilter", "by_container", "by_strategy", "by_symbol", "by_type"]

Accepts = Callable[[Event[Any]], bool]


class Filter:
    """A condition on events; ``&``, ``|`` and ``~`` compose, the kind of the left one counts for type checkers.

    Attributes
    ----------
    accepts : callable
        Takes an event, says whether it passes.
    confines : frozenset of str
        ``"strategy"`` and ``"container"`` where only events of named ones pass.

    Examples
    --------
    >>> from admf_ray.events import Event, Signal, by_strategy, by_symbol
    >>> one = by_strategy("cross") & ~by_symbol("COMP")
    >>> str(one), sorted(one.confines)
    ('(strategy=cross and not symbol=COMP)', ['strategy'])
    >>> one.accepts(Event(Signal("cross", "SPX", 3, 1.0), "cross", "a"))
    True
    """

    __slots__ = ("_text", "accepts", "confines")

    def __init__(self, accepts: Accepts, confines: frozenset[str], text: str) -> None:
        self.accepts = accepts
        self.confines = confines
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __and__(self, other: "Filter") -> Self:
        """Pass what both pass."""
        one, two = self.accepts, other.accepts
        text = f"({self} and {other})"
        return type(self)(lambda event: one(event) and two(event), self.confines | other.confines, text)

    def __or__(self, other: "Filter") -> "Filter":
        """Pass what either passes."""
        return Filter(*self._either(other))

    def _either(self, other: "Filter") -> tuple[Accepts, frozenset[str], str]:
        one, two = self.accepts, other.accepts
        return lambda event: one(event) or two(event), self.confines & other.confines, f"({self} or {other})"

    def __invert__(self) -> "Filter":
        """Pass what this one does not."""
        one = self.accepts
        return Filter(lambda event: not one(event), frozenset(), f"not {self}")


class StrategyFilter(Filter):
    """A filter that lets only named strategies through."""

    __slots__ = ()

    @overload
    def __or__(self, other: "StrategyFilter") -> "StrategyFilter": ...
    @overload
    def __or__(self, other: Filter) -> Filter: ...
    def __or__(self, other: Filter) -> Filter:
        """Pass what either passes."""
        return StrategyFilter(*self._either(other)) if isinstance(other, StrategyFilter) else super().__or__(other)


class ContainerFilter(Filter):
    """A filter that lets only named containers through."""

    __slots__ = ()

    @overload
    def __or__(self, other: "ContainerFilter") -> "ContainerFilter": ...
    @overload
    def __or__(self, other: Filter) -> Filter: ...
    def __or__(self, other: Filter) -> Filter:
        """Pass what either passes."""
        return ContainerFilter(*self._either(other)) if isinstance(other, ContainerFilter) else super().__or__(other)


def by_strategy(*names: str) -> StrategyFilter:
    """Pass events whose payload names one of these strategies."""
    return StrategyFilter(_naming("strategy", names), frozenset(["strategy"]), f"strategy={'|'.join(names)}")


def by_symbol(*names: str) -> Filter:
    """Pass events whose payload names one of these symbols."""
    return Filter(_naming("symbol", names), frozenset(), f"symbol={'|'.join(names)}")


def _naming(field: str, names: tuple[str, ...]) -> Accepts:
    if len(names) == 1:
        (name,) = names
        return lambda event: getattr(event.payload, field, None) == name
    several = frozenset(names)
    return lambda event: getattr(event.payload, field, None) in several


def by_container(*container_ids: str) -> ContainerFilter:
    """Pass events of these containers: those whose order a fill fills, otherwise those that published."""
    several = frozenset(container_ids)
    return ContainerFilter(
        lambda event: getattr(event.payload, "container_id", event.container_id) in several,
        frozenset(["container"]),
        f"container={'|'.join(container_ids)}",
    )


def by_type(*types: EventType) -> Filter:
    """Pass events of these types."""
    several = frozenset(types)
    return Filter(lambda event: event.type in several, frozenset(), f"type={'|'.join(types)}")
