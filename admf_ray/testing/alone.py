"""One component alone in a container, to be told things and heard."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from admf_ray.containers import (
    COMPONENTS,
    KINDS,
    SERVICES_OF,
    ComponentKind,
    ComponentSpec,
    ContainerSpec,
    ScopedContainer,
    component_kind,
)
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError
from admf_ray.events import ContainerRegistry, Error, Event, EventBus, EventType

__all__ = ["Alone", "Factory", "alone", "kind_of"]

Factory: TypeAlias = str | Callable[..., Any]
"""A component by its registered name, or what makes it."""

_TESTER = "tester"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class _Recorder:
    """Sees all events of a bus, and keeps apart what was given to it."""

    def __init__(self) -> None:
        self.given: list[Event[Any]] = []
        self.heard: list[Event[Any]] = []
        self.errors: list[Error] = []

    def on_event(self, event: Event[Any]) -> None:
        # What is given is kept before it is published, so that no other event has its identity.
        if any(event is one for one in reversed(self.given)):
            return
        if event.type is EventType.ERROR:
            self.errors.append(event.payload)
        else:
            self.heard.append(event)


class Alone:
    """A component in a container that runs, and what came of it; `alone` makes it.

    Attributes
    ----------
    container : ScopedContainer
    component : object
    """

    def __init__(self, container: ScopedContainer, component: Any, recorder: _Recorder) -> None:
        self.container = container
        self.component = component
        self._recorder = recorder

    @property
    def bus(self) -> EventBus:
        """That of the container."""
        return self.container.bus

    @property
    def given(self) -> list[Event[Any]]:
        """What was published for the component to hear, in order."""
        return self._recorder.given

    @property
    def heard(self) -> list[Event[Any]]:
        """What the component published, in order, from its construction on; what is beside it counts as well."""
        return self._recorder.heard

    @property
    def errors(self) -> list[Error]:
        """What ERROR events said, in order."""
        return self._recorder.errors

    def publish(
        self,
        payload: Any,
        source_id: str = _TESTER,
        timestamp: int | None = None,
        correlation_id: str | None = None,
        cause: Event[Any] | None = None,
    ) -> Event[Any]:
        """Publish a payload in the container; parameters as in `admf_ray.events.Event`.

        Raises
        ------
        Exception
            What a handler raised, unless errors become events.
        """
        event = Event(payload, source_id, self.bus.container_id, timestamp, correlation_id, cause)
        self.given.append(event)
        self.bus.publish(event)
        return event


@contextmanager
def alone(
    component: Factory,
    services: Mapping[str, object] = _NOTHING,
    options: Mapping[str, object] = _NOTHING,
    *,
    beside: Mapping[str, Factory] = _NOTHING,
    kind: str = "test",
    container_id: str = "alone",
    isolation: Literal["strict", "lenient"] = "strict",
    errors: Literal["event", "raise"] = "raise",
) -> Iterator[Alone]:
    """Run a component in a container of its own, which is torn down after the block.

    Each parameter of a factory gets what has its name: an option, a component beside it, or a service.

    Parameters
    ----------
    component : str or callable
    services : mapping of str to object
        Read-only for the component, as always.
    options : mapping of str to object
        Of the component's factory.
    beside : mapping of str to (str or callable)
        Components that it needs, by the names of its parameters.
    kind : str
        Of the container, by `admf_ray.containers.KINDS`; it gets the services that this kind may have.
    container_id : str
        It need not be unique: no other container sees this one.
    isolation, errors : str
        As of a bus; here a failing handler raises.

    Raises
    ------
    ConfigError
        Where no component has the name, there is no such kind of container, or something that is needed is not there.
    IsolationViolation
        Where it needs what this kind of container may not have.
    Exception
        What the component raised.

    Examples
    --------
    >>> from admf_ray.events import Event, EventType, System
    >>> from admf_ray.testing.alone import alone
    >>> class Echo:
    ...     def __init__(self, times):
    ...         self.times = times
    ...     def initialize(self, bus):
    ...         self.bus = bus
    ...         bus.subscribe(EventType.PHASE, self.on_phase)
    ...     def on_phase(self, event):
    ...         said = System(event.payload.phase * self.times)
    ...         self.bus.publish(Event(said, "echo", self.bus.container_id, cause=event))
    >>> from admf_ray.events import Phase
    >>> with alone(Echo, options={"times": 2}) as echo:
    ...     first = echo.publish(Phase("train", "begins"))
    >>> [event.payload.message for event in echo.heard], echo.heard[0].causation_id == first.event_id
    (['traintrain'], True)
    """
    if kind not in KINDS:
        raise ConfigError(unknown_name("kind of container", kind, list(KINDS)))
    subject = kind_of(component)
    specs = [_spec(kind_of(factory), name, {*services, *beside}, _NOTHING) for name, factory in beside.items()]
    specs.append(_spec(subject, subject.name, {*services, *beside}, options))
    recorder = _Recorder()
    container = ScopedContainer(
        ContainerSpec(kind, specs),
        container_id,
        services,
        isolation=isolation,
        errors=errors,
        policy=SERVICES_OF,
        observe=lambda bus: bus.attach(recorder),
        registry=ContainerRegistry(),
    )
    with container:
        yield Alone(container, container.resolve(subject.name), recorder)


def kind_of(component: Factory) -> ComponentKind:
    """Give a component kind by its registered name, or that of what makes the component."""
    return COMPONENTS[component] if isinstance(component, str) else component_kind(component)


def _spec(kind: ComponentKind, name: str, there: set[str], options: Mapping[str, object]) -> ComponentSpec:
    """Give the spec of a component that also takes what it could do without, where that is there."""
    offered = {one.name: one.name for one in kind.parameters if one.name in there and one.name not in options}
    return kind.spec(offered, options, name)
