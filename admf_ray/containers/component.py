"""Components: what they may take part in, and the life of one of them in its container."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from admf_ray.containers.lifecycle import Lifecycle, State
from admf_ray.containers.spec import ComponentSpec
from admf_ray.events import EventBus

__all__ = [
    "PROTOCOLS",
    "Component",
    "Disposing",
    "Initializing",
    "Resettable",
    "Starting",
    "Stopping",
    "protocols_of",
]


@runtime_checkable
class Initializing(Protocol):
    """Wants to know its bus, mostly to subscribe."""

    def initialize(self, bus: EventBus) -> object:
        """Subscribe; its dependencies are initialized."""


@runtime_checkable
class Starting(Protocol):
    """Has something to do when its container starts."""

    def start(self) -> object:
        """Begin; every component of the container is initialized, and its dependencies are started."""


@runtime_checkable
class Stopping(Protocol):
    """Has something to do when its container stops."""

    def stop(self) -> object:
        """End; its dependencies still run."""


@runtime_checkable
class Resettable(Protocol):
    """Can be used for another run."""

    def reset(self) -> object:
        """Become as it was when it was initialized; subscriptions stay."""


@runtime_checkable
class Disposing(Protocol):
    """Holds something that must be let go, such as a file."""

    def dispose(self) -> object:
        """Let it go; its dependencies still hold theirs."""


PROTOCOLS: tuple[type, ...] = (Initializing, Starting, Stopping, Resettable, Disposing)
"""What a component may take part in, in the order of its life."""


def protocols_of(kind: type) -> tuple[type, ...]:
    """Give the protocols that a class implements, in the order of `PROTOCOLS`.

    Examples
    --------
    >>> class Positions:
    ...     def reset(self):
    ...         self.held = {}
    >>> protocols_of(Positions)
    (<class 'admf_ray.containers.component.Resettable'>,)
    """
    return tuple(protocol for protocol in PROTOCOLS if callable(getattr(kind, _action(protocol), None)))


def _action(protocol: type) -> str:
    """Give the name of the one method of a protocol."""
    (name,) = (name for name in vars(protocol) if not name.startswith("_"))
    return name


class Component:
    """A component in its container: its value, its state, and the calls to what it takes part in.

    A call that raises leaves it FAILED, and the error says in a note which component of which container it was.

    Parameters
    ----------
    spec : ComponentSpec
    value : object
        What the factory made.
    container_id : str

    Attributes
    ----------
    name : str
    kind : str
        Name of the value's class.
    needs : mapping of str to str
    where : str
        What it is, for messages.
    value : object or None
        None once it is disposed of.
    """

    __slots__ = ("_lifecycle", "kind", "name", "needs", "value", "where")

    def __init__(self, spec: ComponentSpec, value: Any, container_id: str) -> None:
        self.name = spec.name
        self.needs: Mapping[str, str] = spec.needs
        self.kind = type(value).__name__
        self.value = value
        self.where = f"component '{spec.name}' of container '{container_id}'"
        self._lifecycle = Lifecycle(self.where)

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._lifecycle.state

    def takes_part(self, protocol: type) -> bool:
        """Say whether its value implements one of the protocols of this module."""
        # An attribute of that name is not enough: a range has a start and a stop.
        return isinstance(self.value, protocol) and callable(getattr(self.value, _action(protocol)))

    def initialize(self, bus: EventBus) -> None:
        """Let it subscribe."""
        self._call(Initializing, "initialize", State.INITIALIZED, bus)

    def start(self) -> None:
        """Let it begin."""
        self._call(Starting, "start", State.RUNNING)

    def stop(self) -> None:
        """Let it end."""
        self._call(Stopping, "stop", State.COMPLETED)

    def reset(self) -> None:
        """Make it as it was when it was initialized."""
        self._call(Resettable, "reset", State.INITIALIZED)

    def dispose(self) -> None:
        """Let it let go of what it holds; it is DISPOSED in any case."""
        try:
            if self.takes_part(Disposing):
                self.value.dispose()
        finally:
            self.value = None
            self._lifecycle.to(State.DISPOSED)

    def _call(self, protocol: type, action: str, after: State, *arguments: object) -> None:
        try:
            if self.takes_part(protocol):
                getattr(self.value, action)(*arguments)
        except BaseException as error:
            self._lifecycle.to(State.FAILED)
            error.add_note(f"{self.where} failed to {action}")
            raise
        self._lifecycle.to(after)
