"""Memory of containers: what each of them holds, and how much its observers keep."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from admf_ray.events.bus import EventBus
from admf_ray.events.event import Event
from admf_ray.events.isolation import LIVE, ContainerRegistry

__all__ = ["ContainerMemory", "Retaining", "container_memory", "event_bytes", "memory_statistics"]

# Texts that are written for one event. All other texts name something, and an event only refers to the name.
_WRITTEN = frozenset(["message", "why", "event_id", "traceback"])

# Integers that CPython makes once: bytes of an event's own only outside.
_MADE_ONCE = range(-5, 257)


@runtime_checkable
class Retaining(Protocol):
    """An observer that keeps events, or rows made of them, and can say how many."""

    @property
    def retained(self) -> int:
        """The number of events kept in memory."""

    @property
    def retained_bytes(self) -> int:
        """What they take, in bytes; an estimate will do."""


@dataclass(frozen=True, slots=True)
class ContainerMemory:
    """What one container holds at a moment.

    Attributes
    ----------
    container_id : str
    kind : str
        Of the container.
    subscriptions : int
        That are live.
    children : int
        Containers directly below it that live.
    waiting : int
        Events that are published and not yet delivered.
    retained : int
        Events that its observers keep in memory; an observer of several containers counts in each of them.
    retained_bytes : int
        What those take.
    """

    container_id: str
    kind: str
    subscriptions: int
    children: int
    waiting: int
    retained: int
    retained_bytes: int


def container_memory(bus: EventBus) -> ContainerMemory:
    """Give what a container holds, without its children.

    Examples
    --------
    >>> from admf_ray.events import Event, EventBus, Signal
    >>> from admf_ray.events.capture import SignalCapture
    >>> from admf_ray.events.memory import container_memory
    >>> bus = EventBus("doctest-memory")
    >>> bus.attach(SignalCapture())
    >>> bus.publish(Event(Signal("cross", "SPX", 3, 1.0), "cross", "doctest-memory"))
    >>> container_memory(bus).retained
    1
    >>> bus.close()
    """
    retaining = [observer for observer in bus.observers if isinstance(observer, Retaining)]
    return ContainerMemory(
        container_id=bus.container_id,
        kind=bus.kind,
        subscriptions=len(bus.subscriptions),
        children=len(bus.children),
        waiting=bus.waiting,
        retained=sum(observer.retained for observer in retaining),
        retained_bytes=sum(observer.retained_bytes for observer in retaining),
    )


def memory_statistics(registry: ContainerRegistry = LIVE) -> list[ContainerMemory]:
    """Give what every live container holds, by id."""
    return [container_memory(bus) for bus in registry.live()]


def event_bytes(event: Event[Any]) -> int:
    """Estimate the memory that is kept because one event is kept, in bytes.

    Counted with `sys.getsizeof`: the event, the id of its cause, its payload with the tuples in it, and their numbers,
    an object that occurs twice once. Texts that name something (containers, components, symbols, strategies, a trade)
    and integers from -5 to 256 are shared and count nothing; texts that are written for one event (message, why, event
    id, traceback) count in full. Where events share numbers, such as the time of a bar, it says too much.

    Examples
    --------
    >>> from admf_ray.events import Event, System
    >>> from admf_ray.events.memory import event_bytes
    >>> event_bytes(Event(System("x" * 1_000), "a", "b")) - event_bytes(Event(System(""), "a", "b"))
    1000
    """
    payload = event.payload
    parts = [event, payload, event.timestamp, event.sequence]
    if event.causation_id is not None:
        parts.append(event.causation_id)
    for name, value in zip(payload._fields, payload, strict=True):
        if not isinstance(value, str):
            parts.extend(_own(value))
        elif name in _WRITTEN:
            parts.append(value)
    distinct = {id(part): part for part in parts}
    return sum(sys.getsizeof(part) for part in distinct.values() if not _is_made_once(part))


def _own(value: Any) -> Iterator[Any]:
    """Give a value and, of a tuple, what is in it; no names."""
    if isinstance(value, str):
        return
    yield value
    if isinstance(value, tuple):
        for item in value:
            yield from _own(item)


def _is_made_once(part: Any) -> bool:
    if isinstance(part, int):
        return part in _MADE_ONCE
    return part is None or (isinstance(part, tuple) and not part)
