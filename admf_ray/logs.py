"""The platform's logger: one line for each cause, to a rotating file and, on request, to a stream or as JSON."""

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

__all__ = [
    "LOGGER",
    "JsonLines",
    "compact",
    "file_log",
    "is_heard",
    "json_log",
    "log_record",
    "plain",
    "stream_log",
    "utc",
]

_SILENT = logging.NullHandler()
# Above every level, so that `is_heard` need not tell it from the handlers that write.
_SILENT.setLevel(logging.CRITICAL + 1)

LOGGER = logging.getLogger("admf_ray")
LOGGER.addHandler(_SILENT)
LOGGER.setLevel(logging.DEBUG)
LOGGER.propagate = False

_LEVELS = {
    "CHUNK": logging.DEBUG,
    "CONTAINERS": logging.DEBUG,
    "NEXT_WINDOW": logging.DEBUG,
    "HOST": logging.DEBUG,
    "FAILURE": logging.WARNING,
    "HOST_ENDED": logging.WARNING,
    "MEMORY": logging.WARNING,
}


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


def is_heard(level: int) -> bool:
    """Say whether any handler would write a record of this level; where none would, a record need not be made."""
    # The logger itself takes every level and so cannot tell. A run has none to two handlers: looking costs less than
    # the fields of one record.
    for handler in LOGGER.handlers:
        if handler.level <= level:
            return LOGGER.isEnabledFor(level)
    return False


def log_record(kind: str, record: Mapping[str, Any], level: int | None = None) -> None:
    """Log one record of named fields.

    Parameters
    ----------
    kind : str
    record : mapping
        Fields that are None or mappings are in the JSON only.
    level : int, optional
        DEBUG for the progress of single chunks, windows and hosts, WARNING for failures, for hosts that end and memory
        that runs short, INFO for all other kinds.
    """
    shown = " ".join(
        f"{name}={compact(value)}"
        for name, value in record.items()
        if value is not None and not isinstance(value, dict)
    )
    if level is None:
        level = _LEVELS.get(kind, logging.INFO)
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


def compact(value: Any) -> str:
    r"""Give a value as a line shows it: floats to six digits, and in quotes the texts that are no single word.

    Examples
    --------
    >>> print(compact(0.1 + 0.2), compact("cross"), compact("two\nlines"), compact(("a", 1 / 3)))
    0.3 cross 'two\nlines' (a, 0.333333)
    """
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        is_word = value and value.isprintable() and " " not in value
        return str(value) if is_word else repr(str(value))
    if isinstance(value, tuple):
        return f"({', '.join(map(compact, value))})"
    return str(value)


def utc(nanoseconds: int) -> str:
    """Give a moment in nanoseconds since 1970 as text in UTC; without the part of a second where there is none.

    Examples
    --------
    >>> utc(1_514_926_800_000_000_000), utc(1)
    ('2018-01-02T21:00:00Z', '1970-01-01T00:00:00.000000001Z')
    """
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    at = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
    return f"{at}.{rest:09d}Z" if rest else f"{at}Z"


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
def stream_log(stream: TextIO, level: str) -> Iterator[None]:
    """Log to a stream while the block runs: lines for people where it is a terminal, otherwise JSON lines.

    Parameters
    ----------
    stream : text stream
        Stays open.
    level : str

    Examples
    --------
    >>> import io
    >>> stream = io.StringIO()
    >>> with stream_log(stream, "INFO"):
    ...     log_record("PHASE", {"phase": "sweep"})
    >>> json.loads(stream.getvalue())["phase"]
    'sweep'
    """
    formatter = _PlainLines() if stream.isatty() else JsonLines()
    with _attached(logging.StreamHandler(stream), level, formatter):
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
