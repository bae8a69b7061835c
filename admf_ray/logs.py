"""The platform's logger: one line for each cause, to a rotating file and, on request, as JSON to the terminal."""

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

__all__ = ["LOGGER", "JsonLines", "file_log", "json_log", "log_record", "plain"]

LOGGER = logging.getLogger("admf_ray")
LOGGER.addHandler(logging.NullHandler())
LOGGER.setLevel(logging.DEBUG)
LOGGER.propagate = False

_DETAIL = {"CHUNK", "NEXT_WINDOW", "HOST"}


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, message, kind and the fields of the record."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        head = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "kind": getattr(record, "kind", "MESSAGE"),
            "message": record.getMessage(),
        }
        return json.dumps(plain({**fields, **head}), default=str)


class _PlainLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S.%fZ} {record.levelname:<7} {record.getMessage()}"


def log_record(kind: str, record: Mapping[str, Any]) -> None:
    """Log one progress record; those of single chunks and hosts only at level DEBUG."""
    shown = " ".join(f"{name}={_short(value)}" for name, value in record.items() if not isinstance(value, dict))
    level = logging.DEBUG if kind in _DETAIL else logging.INFO
    LOGGER.log(level, "%s %s", kind, shown, extra={"kind": kind, "fields": dict(record)})


def plain(value: Any) -> Any:
    """Give a value with every number that JSON cannot say replaced by null."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@contextmanager
def file_log(path: Path, level: str, rotation: int, kept: int) -> Iterator[None]:
    """Log to a file while the block runs.

    Parameters
    ----------
    path : Path
    level : str
    rotation : int
        Bytes after which the file starts anew.
    kept : int
        Older files kept beside it, as ``run.log.1`` and so on.
    """
    handler = RotatingFileHandler(path, maxBytes=rotation, backupCount=kept, encoding="utf-8")
    with _attached(handler, level, _PlainLines()):
        yield


@contextmanager
def json_log(level: str) -> Iterator[None]:
    """Log JSON lines to the standard output while the block runs."""
    with _attached(logging.StreamHandler(sys.stdout), level, JsonLines()):
        yield


@contextmanager
def _attached(handler: logging.Handler, level: str, formatter: logging.Formatter) -> Iterator[None]:
    handler.setLevel(level)
    handler.setFormatter(formatter)
    LOGGER.addHandler(handler)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        handler.close()
