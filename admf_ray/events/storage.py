"""Traces on disk: compressed JSON lines, or Parquet; in parts, and readable whatever became of the writer."""

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, EventError
from admf_ray.events.event import Event
from admf_ray.events.records import event_from, event_line, flat_event_line
from admf_ray.files import write_whole
from admf_ray.logs import LOGGER

__all__ = ["FORMATS", "FileFormat", "TraceStorage", "read_trace"]

_BUFFER = 1 << 20
_READ = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b\x08"


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How events are written to files.

    Attributes
    ----------
    ending : str
        Of the file names.
    line : callable
        Gives an event as a line of JSON.
    write : callable
        Writes lines to a file, behind what is there.
    grows : bool
        Whether a file is written to more than once.
    modules : tuple of str
        That writing needs.
    """

    ending: str
    line: Callable[[Event[Any]], str]
    write: Callable[[Path, Sequence[bytes]], None]
    grows: bool
    modules: tuple[str, ...]


def _append_member(path: Path, lines: Sequence[bytes]) -> None:
    with path.open("ab") as stream:
        stream.write(gzip.compress(b"".join(lines), compresslevel=3, mtime=0))


def _write_table(path: Path, lines: Sequence[bytes]) -> None:
    arrow, parquet, reader = map(import_module, _ARROW)
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in _COLUMNS.items()])
    # Arrow reads the lines: given lists it would load pandas to see whether they are its own.
    table = reader.read_json(
        arrow.BufferReader(b"".join(lines)),
        read_options=reader.ReadOptions(use_threads=False, block_size=max(_BUFFER, 2 * max(map(len, lines)))),
        parse_options=reader.ParseOptions(explicit_schema=schema),
    )
    write_whole(path, lambda stream: parquet.write_table(table, stream, compression="zstd"))


_ARROW = ("pyarrow", "pyarrow.parquet", "pyarrow.json")
_COLUMNS = {
    "type": "string",
    "container": "string",
    "sequence": "int64",
    "source": "string",
    "timestamp": "int64",
    "correlation": "string",
    "causation": "string",
    "payload": "string",
}

FORMATS = {
    "jsonl": FileFormat("jsonl.gz", event_line, _append_member, grows=True, modules=()),
    "parquet": FileFormat("parquet", flat_event_line, _write_table, grows=False, modules=_ARROW),
}
"""Compressed JSON lines, each flush a gzip member of its own; and Parquet, each flush a file, payloads as JSON."""


class TraceStorage:
    """Streams events to ``events.<ending>`` in a folder, and to ``events.1.<ending>`` and so on.

    Files that are there stay as they are: the first one that is written has the next number.

    Parameters
    ----------
    file_format : str
        A name in `FORMATS`.
    folder : Path
        Of one container; made where it is not there.
    max_file_size : int
        Bytes after which another file begins; each flush of a format that does not grow is a file anyway.

    Attributes
    ----------
    first : int
        Number of the first file that it writes.
    buffered : int
        Bytes that are not written yet, at most about a megabyte.
    lost : int
        Events that could not be written.

    Raises
    ------
    ConfigError
        Where there is no such format.
    EventError
        Where the folder holds a trace in another format.
    """

    __slots__ = ("_folder", "_format", "_lines", "_max_file_size", "_part", "buffered", "first", "lost")

    def __init__(self, file_format: str, folder: Path, max_file_size: int) -> None:
        if file_format not in FORMATS:
            raise ConfigError(f"file_format: {unknown_name('format of traces', file_format, sorted(FORMATS))}")
        for name, other in FORMATS.items():
            if name != file_format and _parts(folder, other.ending):
                raise EventError(f"'{folder}' holds a trace as {name}; allowed: file_format={name}, or another folder")
        self.buffered = 0
        self.lost = 0
        self._format = FORMATS[file_format]
        self._folder = folder
        self._max_file_size = max_file_size
        self._lines: list[bytes] = []
        # Loading Arrow takes a while: before the first event, not at it.
        for module in self._format.modules:
            import_module(module)
        folder.mkdir(parents=True, exist_ok=True)
        self.first = self._part = max(_parts(folder, self._format.ending), default=-1) + 1

    def write(self, event: Event[Any]) -> None:
        """Take an event; it is written with the next flush, which comes by itself before the buffer grows large.

        Raises
        ------
        EventError
            Where it cannot be put into words; it is counted as lost.
        """
        try:
            line = f"{self._format.line(event)}\n".encode()
        except (AttributeError, TypeError, ValueError) as error:
            self.lost += 1
            raise EventError(f"event {event.event_id} cannot be stored: {error}") from None
        self._lines.append(line)
        self.buffered += len(line)
        if self.buffered >= _BUFFER:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered.

        Raises
        ------
        EventError
            Where it cannot be written; files then are as they were, and the events are counted as lost.
        """
        if not self._lines:
            return
        lines, self._lines, self.buffered = self._lines, [], 0
        path = self._path()
        size = path.stat().st_size if path.is_file() else 0
        if size >= self._max_file_size:
            self._part += 1
            path, size = self._path(), 0
        try:
            self._format.write(path, lines)
        # Formats have errors of their own.
        except Exception as error:
            self.lost += len(lines)
            if path.is_file():
                with suppress(OSError):
                    os.truncate(path, size)
            raise EventError(f"'{path}' cannot be written ({error}): {len(lines)} events are lost") from error
        if not self._format.grows:
            self._part += 1

    def _path(self) -> Path:
        return self._folder / f"events{f'.{self._part}' if self._part else ''}.{self._format.ending}"


def read_trace(folder: Path, first: int = 0) -> Iterator[Event[Any]]:
    """Read the events of one container's folder in the order in which they were stored.

    What a killed writer left half-written at the end of a file is left out, with a warning in the log.

    Parameters
    ----------
    folder : Path
    first : int
        Number of the first file to read.

    Raises
    ------
    EventError
        Where there is no trace, or a record in the middle of it is damaged.
    """
    lines, tables = (_parts(folder, FORMATS[name].ending) for name in ("jsonl", "parquet"))
    if not lines and not tables:
        raise EventError(f"'{folder}' holds no trace: neither events.jsonl.gz nor events.parquet")
    for number, path in lines.items():
        if number >= first:
            yield from map(event_from, _whole_lines(path))
    for number, path in tables.items():
        if number >= first:
            yield from _rows(path)


def _rows(path: Path) -> Iterator[Event[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=4_096):
                yield from map(event_from, batch.to_pylist())
    except pa.ArrowException as error:
        raise EventError(f"'{path}' is damaged: {error}") from None


def _parts(folder: Path, ending: str) -> dict[int, Path]:
    """Give the files of a trace by number, in order."""
    pattern = re.compile(rf"events(?:\.(\d+))?\.{re.escape(ending)}")
    found = [(int(match[1] or 0), path) for path in folder.glob("events.*") if (match := pattern.fullmatch(path.name))]
    return dict(sorted(found))


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Give the lines of a file of gzip members, but for what is half-written at its end."""
    member, content, position, end = zlib.decompressobj(_GZIP), b"", 0, 0
    with path.open("rb") as stream:
        while data := stream.read(_READ):
            position += len(data)
            while data:
                try:
                    content += member.decompress(data)
                except zlib.error:
                    _require_no_more(path, end)
                    return
                if not member.eof:
                    break
                data = member.unused_data
                end = position - len(data)
                yield from content.splitlines()
                member, content = zlib.decompressobj(_GZIP), b""
    if end != position:
        LOGGER.warning("'%s' was not finished: what is half-written at its end is left out", path)


def _require_no_more(path: Path, end: int) -> None:
    """Refuse a file that is damaged somewhere behind ``end`` and goes on after that."""
    with path.open("rb") as stream:
        stream.seek(end)
        if stream.read().find(_MAGIC, 1) >= 0:
            raise EventError(f"'{path}' is damaged behind byte {end}")
    LOGGER.warning("'%s' ends with something else than events: it is left out", path)
