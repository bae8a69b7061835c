"""Events as plain records and back: what is written to files."""

import json
import math
from collections.abc import Mapping
from operator import index
from typing import Any, get_type_hints

import numpy as np

from admf_ray.errors import ConfigError, EventError
from admf_ray.events.event import Event, EventId
from admf_ray.events.payloads import PAYLOADS, EventType, known_types
from admf_ray.logs import plain

__all__ = ["event_from", "event_line", "flat_event_line", "plain_number"]

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


def event_from(record: Mapping[str, Any] | bytes) -> Event[Any]:
    """Give the event of a record or of a line, equal to the one that was written.

    Raises
    ------
    EventError
        Where it is no record of an event.
    """
    try:
        record = json.loads(record) if isinstance(record, bytes) else record
        (kind,) = known_types([record["type"]], "trace")
        fields = record["payload"]
        fields = json.loads(fields) if isinstance(fields, str) else fields
        causation = record["causation"]
        return Event(
            PAYLOADS[kind](**{name: _restored(kind, name, value) for name, value in fields.items()}),
            record["source"],
            record["container"],
            record["timestamp"],
            record["correlation"],
            causation_id=causation and EventId.parse(causation),
            sequence=record["sequence"],
        )
    except (AttributeError, ConfigError, KeyError, TypeError, ValueError) as error:
        raise EventError(f"a record of a trace is no event ({type(error).__name__}: {error}): {record!r}") from None


def _json(record: dict[str, Any]) -> str:
    try:
        return json.dumps(record, separators=(",", ":"), allow_nan=False, default=plain_number)
    except ValueError:
        return json.dumps(plain(_named(record)), separators=(",", ":"), default=plain_number)


def plain_number(value: Any) -> int | float:
    """Give a number of numpy as one that JSON can say.

    Raises
    ------
    TypeError
        Where it is none.
    """
    return float(value) if isinstance(value, np.floating) else index(value)


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


def _restored(kind: EventType, name: str, value: Any) -> Any:
    hint = _HINTS[kind].get(name)
    if hint is float:
        return math.nan if value is None else float(value)
    if hint == tuple[float, ...]:
        return tuple(math.nan if item is None else float(item) for item in value)
    return tuple(value) if isinstance(value, list) else value
