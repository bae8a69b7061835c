"""Containers: a bus, the components around it, and the containers in it, from being built to being gone."""

import copy
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType, TracebackType
from typing import Any, Literal, Self, TypeAlias

from admf_ray.containers.component import Component, Resettable
from admf_ray.containers.describe import describe
from admf_ray.containers.lifecycle import Lifecycle, State, Transition
from admf_ray.containers.scope import Scope, ServicePolicy
from admf_ray.containers.services import is_immutable
from admf_ray.containers.spec import ComponentSpec, ContainerSpec
from admf_ray.containers.teardown import Teardown
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, EventError, first_line
from admf_ray.events import ContainerRegistry, Error, EventBus, active
from admf_ray.logs import LOGGER

__all__ = ["ScopedContainer"]

_Failed: TypeAlias = list[tuple[str, Exception]]


class ScopedContainer:
    """A container that is built from a spec, components in the order of their dependencies, and nested ones after them.

    A component gets what it needs from the components of its own container, then from its shared services, then from
    those of the containers around it; never a component of another container. Factories and everything else that a
    component takes part in (see `admf_ray.containers.component`) run with the container's bus as `current_bus`.

    Components are initialized and started in order, then the nested containers; they are stopped and disposed of in
    reverse. Tearing down tries every one of them: what failed is logged, counted, and raised last as one error.

    As a context manager it is initialized and started, then stopped and disposed of; an error inside leaves it FAILED
    and is raised. `boundary` contains errors instead. One thread at a time uses a container.

    Parameters
    ----------
    spec : ContainerSpec
    container_id : str
        Unique among the live containers.
    services : mapping of str to object, optional
        Shared with others, so that components get them read-only: see `admf_ray.containers.services`.
    parent : ScopedContainer, optional
    isolation : {"strict", "lenient"}, optional
        Of the bus; the parent's or strict.
    errors : {"event", "raise"}, optional
        Of the bus; the parent's or event.
    policy : mapping of str to collection of str or None, optional
        See `admf_ray.containers.scope.ServicePolicy`; the parent's, or everything is allowed.
    observe : callable, optional
        Is called with the bus before any component is built, to attach observers, also for nested containers. The
        parent's, or nothing.
    registry : ContainerRegistry, optional
        The parent's, or that of the process.

    Attributes
    ----------
    bus : EventBus
    spec : ContainerSpec
    parent : ScopedContainer or None
    failure : Error or None
        The first error that made it FAILED, as a value.

    Raises
    ------
    ConfigError
        Where a component needs what is not there; nothing is built then.
    IsolationViolation
        Where a component needs a service that its container may not have, or a live container has the id.

    Examples
    --------
    >>> from admf_ray.containers import ComponentSpec, ContainerSpec, ScopedContainer
    >>> class Strategy:
    ...     def __init__(self, bars):
    ...         self.bars = bars
    ...     def start(self):
    ...         print("last price", self.bars[-1])
    >>> spec = ContainerSpec("backtest", [ComponentSpec("strategy", Strategy, {"bars": "bars"})])
    >>> with ScopedContainer(spec, "doctest-containers", {"bars": [100.0, 101.0]}) as container:
    ...     print(container.state)
    last price 101.0
    RUNNING
    >>> print(container.state)
    DISPOSED
    """

    __slots__ = (
        "__weakref__",
        "_children",
        "_components",
        "_errors",
        "_isolation",
        "_lifecycle",
        "_observe",
        "_scope",
        "_teardown",
        "bus",
        "failure",
        "parent",
        "spec",
    )

    def __init__(
        self,
        spec: ContainerSpec,
        container_id: str,
        services: Mapping[str, object] = MappingProxyType({}),
        parent: "ScopedContainer | None" = None,
        *,
        isolation: Literal["strict", "lenient"] | None = None,
        errors: Literal["event", "raise"] | None = None,
        policy: ServicePolicy | None = None,
        observe: Callable[[EventBus], object] | None = None,
        registry: ContainerRegistry | None = None,
    ) -> None:
        self.spec = spec
        self.parent = parent
        self.failure: Error | None = None
        self._teardown = Teardown(container_id)
        self._components: dict[str, Component] = {}
        self._children: list[ScopedContainer] = []
        self._lifecycle = Lifecycle(f"container '{container_id}'")
        self._scope: Scope = Scope(container_id, spec.kind, services, None if parent is None else parent._scope, policy)
        spec.check(self._scope.named())
        self._isolation: Literal["strict", "lenient"] = isolation or (parent._isolation if parent else "strict")
        self._errors: Literal["event", "raise"] = errors or (parent._errors if parent else "event")
        self._observe: Callable[[EventBus], object] | None = observe or (parent._observe if parent else None)
        self.bus: EventBus = EventBus(
            container_id,
            None if parent is None else parent.bus,
            spec.forwards,
            kind=spec.kind,
            isolation=self._isolation,
            errors=self._errors,
            registry=registry,
        )
        try:
            self._build()
        except BaseException as error:
            self.fail(error)
            self._dispose_after(error)
            raise
        if parent is not None:
            parent._children.append(self)

    def __repr__(self) -> str:
        return f"<ScopedContainer {self.container_id} {self.state}>"

    def _build(self) -> None:
        if self._observe is not None:
            self._observe(self.bus)
        with active(self.bus):
            for spec in self.spec.order():
                self._components[spec.name] = self._made(spec)
        for name, child in self.spec.children.items():
            ScopedContainer(child, f"{self.container_id}.{name}", parent=self)

    def _made(self, spec: ComponentSpec) -> Component:
        needed = {parameter: self.resolve(name) for parameter, name in spec.needs.items()}
        try:
            value = spec.factory(**needed, **copy.deepcopy(dict(spec.options)))
        except BaseException as error:
            error.add_note(f"component '{spec.name}' of container '{self.container_id}' failed to be built")
            raise
        return Component(spec, value, self.container_id)

    # What it is and has

    @property
    def container_id(self) -> str:
        """Its id, and that of its bus."""
        return self.bus.container_id

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._lifecycle.state

    @property
    def teardown_failures(self) -> Counter[tuple[str, str]]:
        """How often which component failed to stop or to be disposed of, with which kind of error; and the bus."""
        return self._teardown.counts

    @property
    def listener_failures(self) -> Counter[tuple[str, str]]:
        """How often which listener of its states failed, with which kind of error."""
        return self._lifecycle.failures

    @property
    def components(self) -> tuple[Component, ...]:
        """In the order in which they were built."""
        return tuple(self._components.values())

    @property
    def children(self) -> "tuple[ScopedContainer, ...]":
        """The nested containers that are not disposed of, in the order in which they were built."""
        return tuple(self._children)

    @property
    def services(self) -> list[str]:
        """Names of the shared services that it may have."""
        return self._scope.allowed_names()

    def family(self) -> "Iterator[ScopedContainer]":
        """Go through it and all containers in it, parents first."""
        yield self
        for child in self._children:
            yield from child.family()

    def resolve(self, name: str) -> Any:
        """Give a component, or else a shared service.

        Parameters
        ----------
        name : str

        Raises
        ------
        ConfigError
            Where there is nothing of that name.
        IsolationViolation
            Where it is a service that this container may not have.
        EventError
            Where the container is disposed of.
        """
        if self.state is State.DISPOSED:
            raise EventError(f"container '{self.container_id}' is DISPOSED: it has no '{name}' any more")
        if name in self._components:
            return self._components[name].value
        if name in self._scope.named():
            return self._scope.resolve(name)
        there = sorted({*self._components, *self.services})
        raise ConfigError(f"container '{self.container_id}': {unknown_name('component or service', name, there)}")

    def listen(self, listener: Transition) -> None:
        """Have a listener called with the states before and after each change, until the container is disposed of."""
        self._lifecycle.listen(listener)

    def snapshot(self) -> dict[str, Any]:
        """Give what it holds as plain values; see `admf_ray.containers.describe.describe`."""
        return describe(self)

    # Its life

    def initialize(self) -> None:
        """Let components subscribe, in order, then initialize nested containers.

        Raises
        ------
        EventError
            Where it is not UNINITIALIZED.
        Exception
            What a component raised; the container is FAILED.
        """
        self._lifecycle.expect(State.UNINITIALIZED, "initialize")
        with self._failing():
            for component in self.components:
                component.initialize(self.bus)
            for child in self.children:
                if child.state is State.UNINITIALIZED:
                    child.initialize()
            self._lifecycle.to(State.INITIALIZED)

    def start(self) -> None:
        """Let components begin, in order, then start nested containers.

        Raises
        ------
        EventError
            Where it is not INITIALIZED.
        Exception
            What a component raised; the container is FAILED.
        """
        self._lifecycle.expect(State.INITIALIZED, "start")
        with self._failing():
            for component in self.components:
                component.start()
            for child in self.children:
                if child.state is State.UNINITIALIZED:
                    child.initialize()
                if child.state is State.INITIALIZED:
                    child.start()
            self._lifecycle.to(State.RUNNING)

    def stop(self) -> None:
        """Stop nested containers, then let components end, all in reverse; the run is COMPLETED.

        Raises
        ------
        EventError
            Where it is not RUNNING; and where components failed to stop: it names them, and the container is FAILED.
        """
        self._lifecycle.expect(State.RUNNING, "stop")
        self._teardown.refuse(self._halt(), "stop")

    def reset(self) -> None:
        """Make components and nested containers ready for another run; what is not resettable must be immutable.

        Subscriptions and observers stay, and the numbers of events go on, so that no id of an event comes twice.

        Raises
        ------
        EventError
            Where it is not COMPLETED, or `is_resettable` is false.
        Exception
            What a component raised; the container is FAILED.
        """
        self._lifecycle.expect(State.COMPLETED, "reset")
        if not self.is_resettable:
            raise EventError(
                f"container '{self.container_id}' cannot be reset: a component has state and no reset(), or nested "
                "containers are not those of the spec"
            )
        with self._failing():
            for component in self.components:
                component.reset()
            for child in self.children:
                child.reset()
            self._lifecycle.to(State.INITIALIZED)

    @property
    def is_resettable(self) -> bool:
        """Whether it is COMPLETED, each component resets or is immutable, and so is what is nested, as in the spec."""
        wanted = [f"{self.container_id}.{name}" for name in self.spec.children]
        return (
            self.state is State.COMPLETED
            and [child.container_id for child in self._children] == wanted
            and all(one.takes_part(Resettable) or is_immutable(one.value) for one in self.components)
            and all(child.is_resettable for child in self._children)
        )

    def fail(self, error: BaseException) -> None:
        """Make it FAILED because of an error, which is logged and kept as `failure`; it stays so if it is.

        Nothing is stopped: that happens when it is disposed of.

        Raises
        ------
        EventError
            Where it is DISPOSED.
        """
        if self.state is State.FAILED:
            return
        # A value: the error itself would hold all that its traceback refers to.
        said = first_line(error)
        trace = "".join(traceback.format_exception(error))
        self.failure = Error(type(error).__name__, said, self.container_id, traceback=trace)
        LOGGER.error("container %s failed: %s: %s", self.container_id, type(error).__name__, said)
        self._lifecycle.to(State.FAILED)

    def dispose(self) -> None:
        """Stop what runs, dispose of nested containers and components in reverse, close the bus; twice is once.

        Raises
        ------
        EventError
            Where components failed to stop or to be disposed of: it names them all. The container is DISPOSED.
        """
        if self.state is State.DISPOSED:
            return
        self._teardown.refuse([*self._halt(), *self._end()], "end")

    @contextmanager
    def boundary(self) -> Iterator[Self]:
        """Contain errors of the block: they make the container FAILED, and are logged, kept and not raised.

        The block runs with the container's bus as `current_bus`; look at `state` or `failure` after it. What is no
        `Exception`, such as an interrupt, is raised, and so is an error when the container is DISPOSED.

        Examples
        --------
        >>> from admf_ray.containers import ContainerSpec, ScopedContainer
        >>> with ScopedContainer(ContainerSpec("empty"), "doctest-containers") as container:
        ...     with container.boundary():
        ...         raise ValueError("no bars")
        ...     print(container.state, container.failure.message)
        FAILED no bars
        """
        try:
            with active(self.bus):
                yield self
        except BaseException as error:
            if self.state is State.DISPOSED:
                raise
            self.fail(error)
            if not isinstance(error, Exception):
                raise

    def __enter__(self) -> Self:
        try:
            self.initialize()
            self.start()
        except BaseException as error:
            self._dispose_after(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.dispose()
            return
        if self.state is not State.DISPOSED:
            self.fail(error)
        self._dispose_after(error)

    # Failing and ending

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            with active(self.bus):
                yield
        except BaseException as error:
            self.fail(error)
            raise

    def _dispose_after(self, error: BaseException) -> None:
        """Dispose of it because of an error, which is to be raised; what fails now is noted there."""
        try:
            self.dispose()
        except Exception as another:
            error.add_note(str(another))

    def _halt(self) -> _Failed:
        """Stop what runs, nested containers first; give what failed."""
        failed = [one for child in reversed(self.children) for one in child._halt()]
        with active(self.bus):
            for component in reversed(self.components):
                if component.state is State.RUNNING:
                    failed += self._teardown.attempt(component.name, component.where, component.stop)
        if self.state is State.RUNNING:
            if failed:
                self.fail(failed[0][1])
            else:
                self._lifecycle.to(State.COMPLETED)
        return failed

    def _end(self) -> _Failed:
        """Dispose of everything, nested containers first; give what failed."""
        failed = [one for child in reversed(self.children) for one in child._end()]
        with active(self.bus):
            for component in reversed(self.components):
                # Those that are went when an interrupt ended an earlier attempt.
                if component.state is not State.DISPOSED:
                    failed += self._teardown.attempt(component.name, component.where, component.dispose)
        failed += self._teardown.attempt("bus", f"the bus of container '{self.container_id}'", self.bus.close)
        if self.parent is not None and self in self.parent._children:
            self.parent._children.remove(self)
        self._lifecycle.to(State.DISPOSED)
        return failed
