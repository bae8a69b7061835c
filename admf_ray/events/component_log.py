"""The log of a component: what came in and went out, how its state changed, what it measured and checked."""

import logging
from typing import Any, Literal

from admf_ray.events.event import Event
from admf_ray.logs import is_heard, log_record, utc

__all__ = ["ComponentLog"]


class ComponentLog:
    """Writes records of one component to the platform's log, each with its container and whose life it belongs to.

    Every method asks first whether anybody would read the record, and makes nothing where nobody does: no field, no
    text. Asking goes through the handlers of the logger, of which there is one that reads nothing in a quiet run.

    Parameters
    ----------
    container_id : str
    component : str

    Examples
    --------
    >>> import sys
    >>> from admf_ray.events import Event, Signal
    >>> from admf_ray.events.component_log import ComponentLog
    >>> from admf_ray.logs import stream_log
    >>> log = ComponentLog("doctest-log", "risk")
    >>> signal = Event(Signal("cross", "SPX", 3, 1.0), "cross", "doctest-log", correlation_id="trade-1")
    >>> with stream_log(sys.stdout, "INFO"):
    ...     log.event_flow(signal, "in")
    ...     log.validation("cash", False, "12 needed", cause=signal)  # doctest: +ELLIPSIS
    {"container_id": "doctest-log", "component": "risk", "check": "cash", "holds": false, "detail": "12 needed", ...}
    """

    __slots__ = ("component", "container_id")

    def __init__(self, container_id: str, component: str) -> None:
        self.container_id = container_id
        self.component = component

    def event_flow(self, event: Event[Any], direction: Literal["in", "out"]) -> None:
        """Log at DEBUG that an event came in or went out.

        Parameters
        ----------
        event : Event
            One that is published, so that it has its number.
        direction : {"in", "out"}
        """
        if is_heard(logging.DEBUG):
            record = {
                "container_id": self.container_id,
                "component": self.component,
                "direction": direction,
                "type": event.type,
                "event_id": str(event.event_id),
                "source_id": event.source_id,
                "correlation_id": event.correlation_id,
                "causation_id": event.causation_id and str(event.causation_id),
                "market_time": _market_time(event),
            }
            log_record("EVENT_FLOW", record, logging.DEBUG)

    def state_change(self, before: str, after: str, reason: str = "", *, cause: Event[Any] | None = None) -> None:
        """Log at INFO that the component went from one state to another.

        Parameters
        ----------
        before, after : str
        reason : str, optional
        cause : Event, optional
            That led to it.
        """
        if is_heard(logging.INFO):
            fields = {"before": before, "after": after, "reason": reason or None}
            self._log("STATE_CHANGE", logging.INFO, fields, cause)

    def performance(self, what: str, value: float, unit: str, *, cause: Event[Any] | None = None) -> None:
        """Log at DEBUG what was measured.

        Parameters
        ----------
        what : str
        value : float
        unit : str
            Of the value: ``s``, ``bytes``, ``bars/s``.
        cause : Event, optional
            At which it was measured.
        """
        if is_heard(logging.DEBUG):
            self._log("PERFORMANCE", logging.DEBUG, {"what": what, "value": value, "unit": unit}, cause)

    def validation(self, check: str, holds: bool, detail: str = "", *, cause: Event[Any] | None = None) -> None:
        """Log that something was checked: at WARNING where it does not hold, at DEBUG where it does.

        Parameters
        ----------
        check : str
            What should hold.
        holds : bool
        detail : str, optional
            What there is instead.
        cause : Event, optional
            That was checked, or at which.
        """
        level = logging.DEBUG if holds else logging.WARNING
        if is_heard(level):
            self._log("VALIDATION", level, {"check": check, "holds": holds, "detail": detail or None}, cause)

    def _log(self, kind: str, level: int, fields: dict[str, Any], cause: Event[Any] | None) -> None:
        record = {
            "container_id": self.container_id,
            "component": self.component,
            **fields,
            "correlation_id": cause and cause.correlation_id,
            "causation_id": cause and str(cause.event_id),
            "market_time": cause and _market_time(cause),
        }
        log_record(kind, record, level)


def _market_time(event: Event[Any]) -> str | None:
    return utc(event.timestamp) if event.timestamp else None
