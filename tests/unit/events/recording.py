"""Components for tests of buses: they keep what they are told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from admf_ray.events import ContainerRegistry, Event, EventBus, Signal, System


class Listener:
    """Keeps the events that it is told of, and then does something."""

    def __init__(self, then: Callable[[Event[Any]], object] = lambda event: None) -> None:
        self.events: list[Event[Any]] = []
        self.then = then

    def on_event(self, event: Event[Any]) -> None:
        self.events.append(event)
        self.then(event)

    @property
    def texts(self) -> list[str]:
        return [event.payload.message for event in self.events]


@contextmanager
def buses(*names: str, **options: Any) -> Iterator[list[EventBus]]:
    """Give buses in a registry of their own."""
    registry = ContainerRegistry()
    made = [EventBus(name, registry=registry, **options) for name in names]
    try:
        yield made
    finally:
        for bus in made:
            bus.close()


def system(bus: EventBus, text: str, **options: Any) -> Event[System]:
    return Event(System(text), "tester", bus.container_id, **options)


def signal(bus: EventBus, strategy: str = "cross", symbol: str = "SPX") -> Event[Signal]:
    return Event(Signal(strategy, symbol, 3, 1.0), strategy, bus.container_id)
