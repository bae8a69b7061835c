"""The contract of components, as checks that run one alone and raise where it is broken.

Each check takes a `Specimen` and raises `ContractError`; `check_component` puts one through all that apply to it.
"""

import gc
import re
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from admf_ray.containers import ComponentKind, Resettable, is_immutable
from admf_ray.errors import ContractError, EventError, first_line
from admf_ray.events import PAYLOADS, Event, EventId, EventType
from admf_ray.testing.alone import Alone, Factory, alone, kind_of

__all__ = [
    "CONFORMANCE",
    "Specimen",
    "check_component",
    "check_contract",
    "check_dependencies",
    "check_life",
    "check_own",
    "check_release",
    "check_reset",
    "check_strangers",
    "sample",
]

CONFORMANCE = {
    "life": "built, driven and ended twice, it does so cleanly, and says the same",
    "own": "it publishes under the id of its own container only",
    "contract": "it hears and tells what its contract declares, and nothing else",
    "release": "nothing of it and its bus stays in memory when it is disposed of",
    "reset": "after a reset it says of the same events what a new one says",
    "strangers": "events of other types do not make it fail",
    "dependencies": "it does not hide that a service fails, and what it raises names the service",
}
"""The checks by name, and what each promises."""

_SAMPLES: Mapping[object, object] = {str: "X", int: 0, float: 1.0}
_SPECIAL = (
    *("__getattr__", "__call__", "__iter__", "__len__", "__contains__", "__getitem__", "__bool__"),
    *("__int__", "__float__", "__index__", "__array__"),
)


def sample(kind: EventType, container_id: str) -> Any:
    """Give a payload of a type, all texts ``X``, all numbers 0 or 1; a fill is of the container.

    Examples
    --------
    >>> from admf_ray.events import EventType
    >>> sample(EventType.POSITION_OPEN, "a")
    PositionOpen(symbol='X', bar=0, quantity=1.0, price=1.0)
    """
    payload = PAYLOADS[kind]
    values = {name: _SAMPLES.get(given, ()) for name, given in payload.__annotations__.items()}
    return payload(**{name: container_id if name == "container_id" else value for name, value in values.items()})


def _tell_samples(one: Alone, types: tuple[EventType, ...]) -> None:
    for kind in types:
        one.publish(sample(kind, one.bus.container_id))


@dataclass(frozen=True, slots=True)
class Specimen:
    """A component, what it is given, and what is done with it.

    Attributes
    ----------
    component : str or callable
        Registered name, or what makes it.
    services, options, beside : mapping
        As in `admf_ray.testing.alone.alone`.
    drive : callable, optional
        Takes an `Alone` and does what the component is there for: publishes to it, or calls it. By default it publishes
        a `sample` of each type that the component hears by its contract. It must do the same each time.

    Examples
    --------
    >>> from admf_ray.events import Event, EventType, System
    >>> from admf_ray.testing.conformance import Specimen, check_component
    >>> class Talker:
    ...     def initialize(self, bus):
    ...         bus.subscribe(EventType.PHASE, self.on_phase)
    ...     def on_phase(self, event):
    ...         raise ValueError("no phase")
    >>> talker = Specimen(Talker, drive=lambda one: one.publish(sample(EventType.PHASE, "alone")))
    >>> found = dict(check_component(talker))
    >>> print(found["life"])
    ValueError: no phase; container alone: Talker.on_phase failed at alone#1 PHASE
    """

    component: Factory
    services: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    beside: Mapping[str, Factory] = field(default_factory=dict)
    drive: Callable[[Alone], object] | None = None

    @property
    def kind(self) -> ComponentKind:
        """What is known of it."""
        return kind_of(self.component)

    def alone(self, **changes: Any) -> AbstractContextManager[Alone]:
        """Run it in a container of its own; changes are further arguments of `alone`."""
        given = {"services": self.services, "options": self.options, "beside": self.beside, **changes}
        return alone(self.component, **given)

    def run(self, one: Alone) -> None:
        """Drive it; refuse errors that became events."""
        if self.drive is None:
            _tell_samples(one, self.kind.hears or ())
        else:
            self.drive(one)
        _refuse_errors(one)


def _refuse_errors(one: Alone) -> None:
    if one.errors:
        error = one.errors[0]
        raise ContractError(f"an ERROR event says: {error.error}: {error.message}")


@contextmanager
def _refused() -> Iterator[None]:
    """Turn whatever goes wrong into a broken contract."""
    try:
        yield
    except ContractError:
        raise
    except Exception as error:
        raise ContractError(f"{type(error).__name__}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return "; ".join([first_line(error), *getattr(error, "__notes__", ())])


def _results(events: list[Event[Any]], before: int) -> list[str]:
    """Give what events say, as texts that compare bit for bit; numbers of causes count from a number on."""
    return [
        f"{event.type} {tuple(event.payload)!r} by {event.source_id} at {event.timestamp} of {event.correlation_id} "
        f"after {_relative(event.causation_id, before)}"
        for event in events
    ]


def _relative(cause: EventId | None, before: int) -> str:
    return "nothing" if cause is None else f"event {cause.sequence - before}"


def _refuse_difference(wanted: list[str], got: list[str], when: str) -> None:
    for number, (one, other) in enumerate(zip(wanted, got, strict=False), 1):
        if one != other:
            raise ContractError(f"{when} its event {number} is {other}; a new one says {one}")
    if len(wanted) != len(got):
        raise ContractError(f"{when} it publishes {len(got)} events; a new one publishes {len(wanted)}")


@_refused()
def check_life(specimen: Specimen) -> None:
    """Refuse a component that fails in its life, driven or not, or says something else the second time."""
    said = []
    for _ in range(2):
        with specimen.alone() as idle:
            _refuse_errors(idle)
        with specimen.alone() as one:
            specimen.run(one)
        _refuse_errors(one)
        said.append(_results(one.heard, 0))
    _refuse_difference(said[0], said[1], "built again")


@_refused()
def check_own(specimen: Specimen) -> None:
    """Refuse a component that publishes under another container's id."""
    with specimen.alone(isolation="lenient") as one, suppress(ContractError):
        # The bus records it, and tells of it by an ERROR event.
        specimen.run(one)
    if one.bus.violations:
        raise ContractError(one.bus.violations[0])


@_refused()
def check_contract(specimen: Specimen) -> None:
    """Refuse a component that hears or tells types which its contract does not declare.

    What is beside it counts as its own.
    """
    kind = specimen.kind
    hears, tells = kind.hears or (), kind.tells or ()
    with specimen.alone() as one:
        for subscription in one.bus.subscriptions:
            if subscription.type not in hears:
                raise ContractError(f"it hears {subscription.type}; declared: {', '.join(hears) or 'nothing'}")
        specimen.run(one)
    for event in one.heard:
        if event.type not in tells:
            raise ContractError(f"it tells {event.type}; declared: {', '.join(tells) or 'nothing'}")
    types = {event.event_id: event.type for event in [*one.given, *one.heard]}
    for event in one.heard:
        cause = None if event.causation_id is None else types.get(event.causation_id)
        if cause is not None and cause not in hears:
            raise ContractError(f"it tells {event.type} after {cause}; declared: after {', '.join(hears)}")


@_refused()
def check_release(specimen: Specimen) -> None:
    """Refuse a component that stays in memory, or holds its bus there, after it was disposed of."""
    left = _lived(specimen)
    gc.collect()
    for what, reference in left.items():
        held = reference()
        if held is not None:
            raise ContractError(f"its {what} is still in memory after disposal: somebody holds it")


def _lived(specimen: Specimen) -> dict[str, weakref.ref[Any]]:
    """Let one live and end; give what must be gone then."""
    left: dict[str, weakref.ref[Any]] = {}
    with specimen.alone() as one:
        specimen.run(one)
        left["bus"] = weakref.ref(one.bus)
        # What never changes may be shared, and what has no weak references cannot be watched.
        if not is_immutable(one.component):
            with suppress(TypeError):
                left["component"] = weakref.ref(one.component)
    return left


@_refused()
def check_reset(specimen: Specimen) -> None:
    """Refuse a component that remembers something when it was reset."""
    with specimen.alone() as one:
        specimen.run(one)
        new = _results(one.heard, 0)
        one.container.stop()
        one.container.reset()
        one.container.start()
        before, heard = _newest(one), len(one.heard)
        specimen.run(one)
        again = _results(one.heard[heard:], before)
    _refuse_difference(new, again, "after a reset")


def _newest(one: Alone) -> int:
    return max((event.sequence for event in [*one.given, *one.heard]), default=0)


@_refused()
def check_strangers(specimen: Specimen) -> None:
    """Refuse a component that fails at an event of a type with which it is not driven."""
    with specimen.alone() as one:
        specimen.run(one)
        driven = {event.type for event in one.given}
        _tell_samples(one, tuple(kind for kind in EventType if kind not in driven))
        _refuse_errors(one)


@_refused()
def check_dependencies(specimen: Specimen) -> None:
    """Refuse a component that hides that a service fails, or raises what does not name it.

    Arrays are left as they are: compiled code reads their memory, which does not fail.
    """
    for name, service in specimen.services.items():
        if not isinstance(service, np.ndarray):
            _check_dependency(specimen, name)


def _check_dependency(specimen: Specimen, name: str) -> None:
    used: list[str] = []
    said = []
    try:
        with specimen.alone(services={**specimen.services, name: _failing(name, used)}) as one:
            try:
                if specimen.drive is None:
                    specimen.run(one)
                else:
                    specimen.drive(one)
            finally:
                said += [f"{error.error}: {error.message}" for error in one.errors]
    except Exception as error:
        said += _chain(error)
    if used and not said:
        raise ContractError(f"service '{name}' fails, and it goes on and says nothing")
    # As a word: a short name is part of many others.
    named = re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])")
    if said and not any(map(named.search, said)):
        raise ContractError(f"service '{name}' fails, and what it says does not name it: {said[0]}")


def _chain(error: BaseException | None) -> list[str]:
    """Give what an error says, with its notes, and what it was raised from."""
    said = []
    while error is not None:
        said.append(f"{type(error).__name__}: {_said(error)}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said


def _failing(name: str, used: list[str]) -> object:
    """Give a service that fails whatever is done with it, and says so."""

    def refuse(*_arguments: object, **_named: object) -> NoReturn:
        used.append(name)
        raise EventError(f"service '{name}' fails")

    # The name of the class is what the operators of Python name, which are not intercepted.
    return type(f"Failing_{name}", (), dict.fromkeys(_SPECIAL, refuse))()


_CHECKS: dict[str, Callable[[Specimen], None]] = {
    "life": check_life,
    "own": check_own,
    "contract": check_contract,
    "release": check_release,
    "reset": check_reset,
    "strangers": check_strangers,
    "dependencies": check_dependencies,
}


def check_component(specimen: Specimen) -> Iterator[tuple[str, ContractError | None]]:
    """Put one component through all checks that apply to it.

    ``contract`` applies where it has one, ``reset`` where it is resettable with all that is beside it, and
    ``dependencies`` where it is given services.

    Parameters
    ----------
    specimen : Specimen

    Yields
    ------
    (str, ContractError or None)
        Name of the check, by `CONFORMANCE`, and what breaks it.
    """
    for name, check in _CHECKS.items():
        if not _applies(name, specimen):
            continue
        broken = None
        try:
            check(specimen)
        except ContractError as error:
            broken = error
        yield name, broken


def _applies(name: str, specimen: Specimen) -> bool:
    if name == "contract":
        return specimen.kind.hears is not None
    if name == "dependencies":
        return bool(specimen.services)
    return name != "reset" or _resets(specimen)


def _resets(specimen: Specimen) -> bool:
    # One that cannot be built at all is for the other checks to name.
    with suppress(Exception), specimen.alone() as one:
        return isinstance(one.component, Resettable) and all(
            part.takes_part(Resettable) or is_immutable(part.value) for part in one.container.components
        )
    return False
