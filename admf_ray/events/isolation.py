"""Isolation: which bus this code runs for, which containers live, and what happens when one speaks for another."""

import gc
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from admf_ray.errors import IsolationViolation

if TYPE_CHECKING:
    from admf_ray.events.bus import EventBus

__all__ = ["LIVE", "ContainerRegistry", "active", "current_bus"]

_CURRENT: ContextVar["EventBus | None"] = ContextVar("admf_ray_current_bus", default=None)


def current_bus() -> "EventBus":
    """Give the bus of the container that this thread or asyncio task works for; see `active`.

    Raises
    ------
    IsolationViolation
        Where there is none: a new thread begins without one.
    """
    bus = _CURRENT.get()
    if bus is None:
        raise IsolationViolation("no container is active here: enter one with `with active(bus):`")
    return bus


@contextmanager
def active(bus: "EventBus") -> Iterator["EventBus"]:
    """Make a bus the current one of this thread or asyncio task, and of tasks that it starts, while the block runs."""
    token = _CURRENT.set(bus)
    try:
        yield bus
    finally:
        _CURRENT.reset(token)


class ContainerRegistry:
    """The containers that live in this process; holds none of them alive.

    Attributes
    ----------
    disposed : int
        Containers that were closed.
    """

    def __init__(self) -> None:
        self._live: weakref.WeakValueDictionary[str, EventBus] = weakref.WeakValueDictionary()
        self._closed: weakref.WeakSet[EventBus] = weakref.WeakSet()
        # Collecting garbage may close a container while this is held.
        self._lock = threading.RLock()
        self.disposed = 0

    def add(self, bus: "EventBus") -> None:
        """Take in a container.

        Raises
        ------
        IsolationViolation
            Where a live one has its id.
        """
        with self._lock:
            if bus.container_id in self._live:
                raise IsolationViolation(f"a container named '{bus.container_id}' lives already; close it first")
            self._live[bus.container_id] = bus

    def remove(self, bus: "EventBus") -> None:
        """Count a container as disposed of."""
        with self._lock:
            del self._live[bus.container_id]
            self._closed.add(bus)
            self.disposed += 1

    def __len__(self) -> int:
        """Give the number of live containers."""
        return len(self._live)

    def live(self) -> list["EventBus"]:
        """Give the live containers by id."""
        with self._lock:
            found = [bus for reference in self._live.valuerefs() if (bus := reference()) is not None]
        return sorted(found, key=lambda bus: bus.container_id)

    def leaked(self) -> list[str]:
        """Give the ids of containers that were closed and are still held by somebody, after collecting garbage."""
        gc.collect()
        return sorted(bus.container_id for bus in set(self._closed))


LIVE = ContainerRegistry()
"""Of this process."""
