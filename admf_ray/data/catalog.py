"""The catalog: prepared bars as Arrow files, keyed by what they were made from, memory-mapped when read."""

import contextlib
import json
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.findings import DataReport
from admf_ray.core.sessions import Sessions
from admf_ray.errors import DataError
from admf_ray.fingerprint import cache_directory

__all__ = ["prepared", "whole_file"]

_HEAD = 64  # bytes
_ABANDONED = 3_600.0  # seconds after which a half-written file has no writer any more


def prepared(key: str, prepare: Callable[[], Bars], keep: Callable[[Bars], bool] = lambda bars: True) -> Bars:
    """Give the bars of a key, preparing and keeping them where the catalog has none.

    Processes may prepare the same key at the same time: each writes a file of its own and renames it.

    Parameters
    ----------
    key : str
        Fingerprint of everything that the bars are made from: content, request, code.
    prepare : callable
        Makes the bars.
    keep : callable, optional
        Says whether bars that were made are what the key says, and stay so.

    Returns
    -------
    Bars
        As they were made, or views of the memory-mapped file. An entry that cannot be read, or whose checksum is wrong,
        is made anew.
    """
    path = cache_directory() / "bars" / f"{key}.arrow"
    if path.is_file():
        with contextlib.suppress(OSError, pa.ArrowException, KeyError, TypeError, ValueError, DataError):
            return _read(path)
    bars = prepare()
    if keep(bars):
        with contextlib.suppress(OSError):
            _write(path, bars)
    return bars


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name of this process's own to write a file under; it is renamed once written, and removed on an error.

    What killed writers left in the folder is cleared after an hour.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob("*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write(path: Path, bars: Bars) -> None:
    columns: dict[str, npt.NDArray[Any]] = {"known_at": bars.known_at, "session": bars.session}
    columns |= {name: getattr(bars, name).reshape(-1) for name in FIELDS}
    if bars.sessions is not None:
        columns |= {f"sessions.{name}": getattr(bars.sessions, name) for name in Sessions.__dataclass_fields__}
    about = {
        "symbols": bars.symbols,
        "covers_until": bars.covers_until,
        "periods_per_year": bars.periods_per_year,
        "adjustment": bars.adjustment,
        "calendar": bars.calendar,
        "min_history": bars.min_history,
        "report": bars.report.plain() if bars.report else None,
    }
    # One row whose cells are the arrays: they differ in length, and stay contiguous.
    cells = {name: pa.LargeListArray.from_arrays([0, len(values)], values) for name, values in columns.items()}
    table = pa.table(cells).replace_schema_metadata({"bars": json.dumps(about)})
    with whole_file(path) as partial:
        with pa.OSFile(str(partial), "wb") as sink:
            sink.write(bytes(_HEAD))
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
        with pa.memory_map(str(partial), "r+") as written:
            head = _head(written.read_buffer().slice(_HEAD))
            written.seek(0)
            written.write(head)


def _read(path: Path) -> Bars:
    with pa.memory_map(str(path)) as source:
        content = source.read_buffer()
    # Arrow trusts lengths and offsets that it reads, so the content is proven before it is looked at.
    body = content.slice(_HEAD)
    if content.slice(0, _HEAD).to_pybytes() != _head(body):
        raise DataError(f"'{path}' is damaged")
    table = pa.ipc.open_stream(body).read_all()
    columns: dict[str, npt.NDArray[Any]] = {
        name: table[name].chunk(0).values.to_numpy(zero_copy_only=True) for name in table.column_names
    }
    about = json.loads(table.schema.metadata[b"bars"])
    symbols, report = tuple(about.pop("symbols")), about.pop("report")
    shape = (len(symbols), len(columns["known_at"]))
    sessions = {
        name: columns[f"sessions.{name}"] for name in Sessions.__dataclass_fields__ if f"sessions.{name}" in columns
    }
    fields: dict[str, Any] = {name: columns[name].reshape(shape) for name in FIELDS}
    return Bars(
        symbols=symbols,
        known_at=columns["known_at"],
        session=columns["session"],
        sessions=Sessions(**sessions) if sessions else None,
        report=DataReport.from_plain(report) if report else None,
        **fields,
        **about,
    )


def _head(body: Any) -> bytes:
    """Give what stands before the Arrow stream: its length and CRC-32, padded so that arrays stay aligned."""
    return f"admf_ray {len(body)} {zlib.crc32(body)}".encode().ljust(_HEAD)
