"""Events as plain records and back: what is written to files."""

import json
import math
from collections.abc import Mapping
from typing import Any, get_type_hints

from admf_ray.core.registry import unknown_name
from admf_ray.errors import EventError
from admf_ray.events.event import Event, EventId
from admf_ray.events.payloads import PAYLOADS, EventType
from admf_ray.logs import plain

__all__ = ["event_from", "event_line", "flat_event_line"]

_SAID = {math.inf: "Infinity", -math.inf: "-Infinity"}


def event_line(event: Event[Any]) -> str:
    """Give an event as one line of JSON; NaN is null, an infinite number its name."""
    return _json({**_about(event), "payload": event.payload._asdict()})


def flat_event_line(event: Event[Any]) -> str:
    """Give an event as one line of JSON whose payload is a text, JSON itself, so that all lines have one schema."""
    return _json({**_about(event), "payload": _json(event.payload._asdict())})


def _about(event: Event[Any]) -> dict[str, Any]:
    return {
        "type": event.type.value,
        "container": event.container_id,
        "sequence": event.sequence,
        "source": event.source_id,
        "timestamp": event.timestamp,
        "correlation": event.correlation_id,
        "causation": event.causation_id and str(event.causation_id),
    }


def event_from(record: Mapping[str, Any]) -> Event[Any]:
    """Give the event of a record, equal to the one that was written.

    Raises
    ------
    EventError
        Where it is no record of an event.
    """
    try:
        kind = record["type"]
        if kind not in PAYLOADS:
            raise EventError(unknown_name("type of event", str(kind), list(EventType)))
        fields = record["payload"]
        fields = json.loads(fields) if isinstance(fields, str) else fields
        causation = record["causation"]
        return Event(
            PAYLOADS[EventType(kind)](**{name: _restored(kind, name, value) for name, value in fields.items()}),
            record["source"],
            record["container"],
            record["timestamp"],
            record["correlation"],
            causation_id=causation and EventId.parse(causation),
            sequence=record["sequence"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise EventError(f"a record of a trace is no event ({type(error).__name__}: {error}): {record}") from None


def _json(record: dict[str, Any]) -> str:
    try:
        return json.dumps(record, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(plain(_named(record)), separators=(",", ":"))


def _named(value: Any) -> Any:
    """Give a value with infinite numbers by name, which JSON cannot say."""
    match value:
        case float() if value in _SAID:
            return _SAID[value]
        case dict():
            return {key: _named(item) for key, item in value.items()}
        case list() | tuple():
            return [_named(item) for item in value]
        case _:
            return value


_HINTS = {kind: get_type_hints(payload) for kind, payload in PAYLOADS.items()}


def _restored(kind: str, name: str, value: Any) -> Any:
    hint = _HINTS[EventType(kind)].get(name)
    if hint is float:
        return math.nan if value is None else float(value)
    if hint == tuple[float, ...]:
        return tuple(math.nan if item is None else float(item) for item in value)
    return tuple(value) if isinstance(value, list) else value
