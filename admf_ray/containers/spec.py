"""Specs: what a container is made of, as values that are checked when they are made."""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError
from admf_ray.events import ForwardingRule

__all__ = ["ComponentSpec", "ContainerSpec"]


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """One component: how it is made, and of what.

    Attributes
    ----------
    name : str
        Unique in its container.
    factory : callable
        Takes dependencies and options as keyword arguments, gives the component; a class will do.
    needs : mapping of str to str
        Parameter of the factory to the component or shared service that it gets.
    options : mapping of str to object
        Further keyword arguments. Each container gets a copy of its own: what is large or shared is a service.

    Raises
    ------
    ConfigError
        Where the name is empty, or the factory does not take these arguments.
    """

    name: str
    factory: Callable[..., Any]
    needs: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"name of a component: {self.name!r} is not allowed; allowed: a text that is not empty")
        object.__setattr__(self, "needs", dict(self.needs))
        object.__setattr__(self, "options", dict(self.options))
        if twice := sorted(set(self.needs) & set(self.options)):
            raise ConfigError(f"component '{self.name}': given as dependency and as option: {', '.join(twice)}")
        if not callable(self.factory):
            raise ConfigError(f"component '{self.name}': factory {self.factory!r} is not allowed; allowed: a callable")
        try:
            signature = inspect.signature(self.factory)
        except (TypeError, ValueError):
            # Some that are written in C do not say what they take.
            return
        try:
            signature.bind(**self.needs, **self.options)
        except TypeError as error:
            name = getattr(self.factory, "__qualname__", repr(self.factory))
            raise ConfigError(f"component '{self.name}': {error}; its factory is {name}{signature}") from None


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A kind of container: its components, the containers in it, and what it exchanges with its parent.

    Attributes
    ----------
    kind : str
        What policies and channels know it as.
    components : tuple of ComponentSpec
    children : mapping of str to ContainerSpec
        Nested containers by name; the id of one is that of its parent, a point, and its name.
    forwards : tuple of ForwardingRule
        What is exchanged with the parent; a container without parent must have none.
    description : str

    Raises
    ------
    ConfigError
        Where two components have one name, or they need each other in a circle.

    Examples
    --------
    >>> from admf_ray.containers import ComponentSpec, ContainerSpec
    >>> spec = ContainerSpec(
    ...     "backtest",
    ...     [
    ...         ComponentSpec("both", lambda one, other: [one, other], {"one": "a", "other": "b"}),
    ...         ComponentSpec("b", list),
    ...         ComponentSpec("a", dict, {"source": "b"}),
    ...     ],
    ... )
    >>> [one.name for one in spec.order()]
    ['b', 'a', 'both']
    >>> ContainerSpec("circle", [ComponentSpec("a", dict, {"x": "b"}), ComponentSpec("b", dict, {"x": "a"})])
    Traceback (most recent call last):
    ...
    admf_ray.errors.ConfigError: containers of kind 'circle': components need each other in a circle: a -> b -> a
    """

    kind: str
    components: Sequence[ComponentSpec] = ()
    children: Mapping[str, "ContainerSpec"] = field(default_factory=dict)
    forwards: Sequence[ForwardingRule] = ()
    description: str = ""

    def __post_init__(self) -> None:
        """Refuse duplicates and circles."""
        object.__setattr__(self, "components", tuple(self.components))
        object.__setattr__(self, "children", dict(self.children))
        object.__setattr__(self, "forwards", tuple(self.forwards))
        if not isinstance(self.kind, str) or not self.kind:
            raise ConfigError(f"kind of a container: {self.kind!r} is not allowed; allowed: a text that is not empty")
        names = [component.name for component in self.components]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"{self._said}: two components are named '{twice[0]}'")
        self.order()

    @property
    def _said(self) -> str:
        return f"containers of kind '{self.kind}'"

    def family(self) -> Iterator["ContainerSpec"]:
        """Go through this container and all that are nested in it."""
        yield self
        for child in self.children.values():
            yield from child.family()

    def order(self) -> list[ComponentSpec]:
        """Give the components so that each comes after those that it needs; otherwise as they are declared.

        Of those whose dependencies have come, the one that is declared first comes next.
        """
        waiting = {component.name: component for component in self.components}
        ordered = []
        while waiting:
            free = (one for one in waiting.values() if not any(name in waiting for name in one.needs.values()))
            following = next(free, None)
            if following is None:
                raise ConfigError(f"{self._said}: components need each other in a circle: {_circle(waiting)}")
            ordered.append(waiting.pop(following.name))
        return ordered

    def check(self, services: Collection[str] = ()) -> None:
        """Refuse dependencies that are neither components nor services, here and in nested containers.

        Parameters
        ----------
        services : collection of str
            Names of the shared services that there will be.

        Raises
        ------
        ConfigError
        """
        there = {component.name for component in self.components}.union(services)
        for component in self.components:
            for name in component.needs.values():
                if name not in there:
                    unknown = unknown_name("component or service", name, sorted(there))
                    raise ConfigError(f"{self._said}: component '{component.name}': {unknown}")
        for child in self.children.values():
            child.check(services)


def _circle(waiting: Mapping[str, ComponentSpec]) -> str:
    """Give one circle among components that all wait for another one, as a path back to its beginning."""
    path = [next(iter(waiting))]
    while len(set(path)) == len(path):
        path.append(next(name for name in waiting[path[-1]].needs.values() if name in waiting))
    return " -> ".join(path[path.index(path[-1]) :])
