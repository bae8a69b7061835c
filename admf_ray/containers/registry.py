"""The component kinds: what can be named as a component, what it takes, and what it takes part in."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from admf_ray.containers.component import protocols_of
from admf_ray.containers.spec import ComponentSpec
from admf_ray.core.registry import Registry
from admf_ray.events import EventType
from admf_ray.events.contracts import CONTRACTS

__all__ = ["COMPONENTS", "Argument", "ComponentKind", "component_kind"]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Argument:
    """What a factory takes under one name.

    Attributes
    ----------
    name : str
    annotation : str
        As it is written, without modules; empty where there is none.
    default : str or None
        As Python writes it; None where it must be given.
    """

    name: str
    annotation: str
    default: str | None

    def __str__(self) -> str:
        default = "" if self.default is None else f" = {self.default}"
        return f"{self.name}{': ' if self.annotation else ''}{self.annotation}{default}"


@dataclass(frozen=True, slots=True)
class ComponentKind:
    """A component that specs can name; `component_kind` derives what there is to know from its factory.

    Attributes
    ----------
    name : str
    factory : callable
        A class, or a function that makes the component.
    parameters : tuple of Argument
        What the factory takes by name.
    protocols : tuple of str
        Names of the component protocols that its class implements.
    hears, tells : tuple of EventType or None
        The types of its contract; None where `admf_ray.events.contracts.CONTRACTS` has none.
    description : str
        The first line of the factory's docstring.
    """

    name: str
    factory: Callable[..., Any]
    parameters: tuple[Argument, ...]
    protocols: tuple[str, ...]
    hears: tuple[EventType, ...] | None
    tells: tuple[EventType, ...] | None
    description: str

    def spec(
        self,
        needs: Mapping[str, str] = MappingProxyType({}),
        options: Mapping[str, object] = MappingProxyType({}),
        name: str | None = None,
    ) -> ComponentSpec:
        """Give the spec of such a component.

        Parameters
        ----------
        needs : mapping of str to str
            Parameter to the component or service that it gets. One that must be given, and is neither here nor among
            the options, gets what has its name.
        options : mapping of str to object
        name : str, optional
            In the container; the registered one.
        """
        required = {one.name: one.name for one in self.parameters if one.default is None and one.name not in options}
        return ComponentSpec(name or self.name, self.factory, {**required, **needs}, options)


def component_kind(factory: Callable[..., Any], name: str | None = None, contract: str | None = None) -> ComponentKind:
    """Derive a component kind from its factory.

    Parameters
    ----------
    factory : callable
        A class, or a function whose return annotation is the class of the component.
    name : str, optional
        That of the factory, in snake case.
    contract : str, optional
        The component of `admf_ray.events.contracts.CONTRACTS` that it is; the one of its name.

    Examples
    --------
    >>> from admf_ray.containers import component_kind
    >>> class StopWatch:
    ...     "Counts bars."
    ...     def __init__(self, bars: tuple[float, ...], limit: int = 5) -> None:
    ...         self.reset()
    ...     def reset(self) -> None:
    ...         self.count = 0
    >>> kind = component_kind(StopWatch)
    >>> kind.name, [str(one) for one in kind.parameters], kind.protocols, kind.description
    ('stop_watch', ['bars: tuple[float, ...]', 'limit: int = 5'], ('Resettable',), 'Counts bars.')
    >>> kind.spec({"bars": "closes"}, {"limit": 3}).needs
    {'bars': 'closes'}
    """
    called = name or _snake_case(getattr(factory, "__name__", type(factory).__name__))
    declared = next((one for one in CONTRACTS if one.component == (contract or called)), None)
    made = _made_by(factory)
    return ComponentKind(
        name=called,
        factory=factory,
        parameters=_parameters(factory),
        protocols=() if made is None else tuple(protocol.__name__ for protocol in protocols_of(made)),
        hears=None if declared is None else declared.consumes,
        tells=None if declared is None else declared.emits,
        description=(factory.__doc__ or "").strip().partition("\n")[0],
    )


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _signature(factory: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError):
        # Some that are written in C do not say what they take.
        return None


def _parameters(factory: Callable[..., Any]) -> tuple[Argument, ...]:
    signature = _signature(factory)
    found = () if signature is None else signature.parameters.values()
    return tuple(
        Argument(
            one.name,
            "" if one.annotation is one.empty else _annotation(one.annotation),
            None if one.default is one.empty else repr(one.default),
        )
        for one in found
        if one.kind in _NAMED
    )


def _annotation(annotation: object) -> str:
    written = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    short = re.sub(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])", "", written)
    # What NDArray stands for.
    return re.sub(r"ndarray\[tuple\[\w+, \.\.\.\], dtype\[(\w+)\]\]", r"NDArray[\1]", short)


def _made_by(factory: Callable[..., Any]) -> type | None:
    """Give the class of what a factory makes; None where it does not say."""
    if isinstance(factory, type):
        return factory
    signature = _signature(factory)
    made = None if signature is None else signature.return_annotation
    return made if isinstance(made, type) and made is not inspect.Signature.empty else None


COMPONENTS: Registry[ComponentKind] = Registry("component", ["admf_ray.engine.registered"])
"""Those of the engine, which is imported when a name is looked for, and of plugins."""
