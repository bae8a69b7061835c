"""Trouble: what a bus makes of handlers that fail, of malformed events, and of events that are not its own."""

import traceback
from collections import Counter
from typing import Any, Protocol

from admf_ray.errors import ConfigError, IsolationViolation, first_line
from admf_ray.events.event import Event, malformation
from admf_ray.events.payloads import Error, EventType
from admf_ray.logs import LOGGER

__all__ = ["Trouble"]

_BUS = "bus"
_RECORDED = 100
_MODES = {"isolation": ("strict", "lenient"), "errors": ("event", "raise")}


class _Bus(Protocol):
    is_closed: bool

    def publish(self, event: Event[Any]) -> None: ...


class Trouble:
    """The policy of one bus, and a count of what went wrong on it; see `admf_ray.events.bus.EventBus`.

    Parameters
    ----------
    container_id : str
    isolation : {"strict", "lenient"}
    errors : {"event", "raise"}

    Attributes
    ----------
    failures : Counter of (str, str)
        By handler or source, and kind of error.
    violations : list of str
        The first 100.
    is_on_error : bool
        Whether an ERROR event is being delivered: what goes wrong then is counted and no ERROR event of its own, which
        would go round in circles.

    Raises
    ------
    ConfigError
        Where there is no such mode.
    """

    __slots__ = ("_container_id", "_errors", "_isolation", "failures", "is_on_error", "violations")

    def __init__(self, container_id: str, isolation: str, errors: str) -> None:
        for option, value in (("isolation", isolation), ("errors", errors)):
            if value not in _MODES[option]:
                raise ConfigError(f"{option}: {value!r} is not allowed; allowed: {', '.join(_MODES[option])}")
        self._container_id = container_id
        self._isolation = isolation
        self._errors = errors
        self.failures: Counter[tuple[str, str]] = Counter()
        self.violations: list[str] = []
        self.is_on_error = False

    def refuse(self, bus: _Bus, event: Any) -> None:
        """Say what is wrong with an event that cannot be delivered.

        Raises
        ------
        IsolationViolation
            Where it is another container's and isolation is strict.
        """
        wrong = malformation(event)
        if wrong is None:
            self._violate(bus, event)
            return
        source = str(getattr(event, "source_id", ""))
        self._count(source, "malformed", f"container {self._container_id}: malformed event: {wrong}")
        self._tell(bus, Event(Error("malformed", wrong, source), _BUS, self._container_id))

    def _violate(self, bus: _Bus, event: Event[Any]) -> None:
        said = (
            f"component '{event.source_id}' published {event.type} as container '{event.container_id}' "
            f"on the bus of '{self._container_id}'"
        )
        if self._isolation == "strict":
            violation = IsolationViolation(said)
            violation.container_id = self._container_id
            raise violation
        self._count(event.source_id, "IsolationViolation", said)
        if len(self.violations) < _RECORDED:
            self.violations.append(said)
        told = Error("IsolationViolation", said, event.source_id)
        self._tell(bus, Event(told, _BUS, self._container_id, event.timestamp))

    def fail(self, bus: _Bus, event: Event[Any], handler: str, error: Exception) -> None:
        """Turn a handler's failure into an ERROR event.

        Raises
        ------
        Exception
            The failure itself, where that is asked for, and where it is a violation of this container's.
        """
        name = type(error).__name__
        said = f"container {self._container_id}: {handler} failed at {event.event_id} {event.type}"
        self._count(handler, name, f"{said}: {name}: {first_line(error)}")
        is_own = isinstance(error, IsolationViolation) and error.container_id == self._container_id
        if self._errors == "raise" or is_own:
            error.add_note(said)
            raise error
        if event.type is not EventType.ERROR:
            trace = "".join(traceback.format_exception(error))
            told = Error(name, first_line(error), handler, str(event.event_id), trace)
            self._tell(bus, Event(told, _BUS, self._container_id, cause=event))

    def _count(self, who: str, what: str, said: str) -> None:
        """Count a failure; the first one of a kind is logged."""
        self.failures[who, what] += 1
        if self.failures[who, what] == 1:
            LOGGER.error("%s", said)

    def _tell(self, bus: _Bus, error: Event[Error]) -> None:
        if not self.is_on_error and not bus.is_closed:
            bus.publish(error)
