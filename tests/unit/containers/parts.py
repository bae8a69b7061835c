"""Components for tests of containers: they write down what happens to them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from admf_ray.containers import ComponentSpec, ContainerSpec, ScopedContainer
from admf_ray.events import ContainerRegistry, Event, EventBus, EventType, System, current_bus


class Part:
    """Takes part in everything, writes it into a diary, and fails where it is told to."""

    def __init__(self, diary: list[str], name: str, failing: str = "", **needed: object) -> None:
        self.diary, self.name, self.failing, self.needed = diary, name, failing, needed
        self.bus: EventBus | None = None
        self.note("build")

    def note(self, action: str) -> None:
        self.diary.append(f"{action} {self.name}")
        if action in self.failing.split():
            raise ValueError(f"{self.name} cannot {action}")

    def initialize(self, bus: EventBus) -> None:
        self.bus = bus
        assert current_bus() is bus
        self.note("initialize")

    def start(self) -> None:
        self.note("start")

    def stop(self) -> None:
        self.note("stop")

    def reset(self) -> None:
        self.note("reset")

    def dispose(self) -> None:
        self.note("dispose")


class Listener:
    """Subscribes to SYSTEM when it is initialized, and keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def initialize(self, bus: EventBus) -> None:
        bus.subscribe(EventType.SYSTEM, self.on_system)

    def on_system(self, event: Event[System]) -> None:
        self.texts.append(f"{event.container_id}: {event.payload.message}")

    def reset(self) -> None:
        self.texts.clear()


def part(diary: list[str], name: str, *needs: str, failing: str = "") -> ComponentSpec:
    """Give the spec of a part that needs others."""

    def factory(**needed: object) -> Part:
        return Part(diary, name, failing, **needed)

    return ComponentSpec(name, factory, {need: need for need in needs})


def made(spec: ContainerSpec, container_id: str = "a", *arguments: Any, **options: Any) -> ScopedContainer:
    """Give a container in a registry of its own."""
    return ScopedContainer(spec, container_id, *arguments, **{"registry": ContainerRegistry(), **options})


@contextmanager
def living(spec: ContainerSpec, container_id: str = "a", **options: Any) -> Iterator[ScopedContainer]:
    """Give a container that is disposed of whatever happens to it."""
    container = made(spec, container_id, **options)
    try:
        yield container
    finally:
        container.dispose()


def tell(container: ScopedContainer, text: str) -> None:
    container.bus.publish(Event(System(text), "tester", container.container_id))


def of_kind(kind: str, *components: ComponentSpec, **options: Any) -> ContainerSpec:
    return ContainerSpec(kind, components, **options)


def component(name: str, factory: Callable[..., Any], **needs: str) -> ComponentSpec:
    return ComponentSpec(name, factory, needs)
