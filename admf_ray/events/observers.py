"""Observers: what may be attached to a bus to see its events, or to time its handlers."""

from typing import Any, Protocol, runtime_checkable

from admf_ray.events.event import Event

__all__ = ["BusObserver", "Closing", "HandlerTimer"]


@runtime_checkable
class BusObserver(Protocol):
    """Sees every event of a bus before its handlers do."""

    def on_event(self, event: Event[Any]) -> None:
        """Take in an event."""


@runtime_checkable
class HandlerTimer(Protocol):
    """Is told how long each handler took."""

    def on_handled(self, event: Event[Any], handler: str, nanoseconds: int) -> None:
        """Take in one call of a handler."""


@runtime_checkable
class Closing(Protocol):
    """Has something to finish when its container ends."""

    def close(self) -> None:
        """Finish it; the bus delivers nothing more."""
