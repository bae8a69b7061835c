"""The catalog: prepared bars as Arrow files, keyed by what they were made from, memory-mapped when read."""

import contextlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.fingerprint import cache_directory

__all__ = ["prepared"]


def prepared(key: str, prepare: Callable[[], Bars]) -> Bars:
    """Give the bars of a key, preparing and keeping them where the catalog has none.

    Parameters
    ----------
    key : str
        Fingerprint of everything that the bars are made from: content, request, code.
    prepare : callable
        Makes the bars.

    Returns
    -------
    Bars
        Of one symbol: views of the memory-mapped file. An entry that cannot be read is made anew.
    """
    path = cache_directory() / "bars" / f"{key}.arrow"
    if path.is_file():
        with contextlib.suppress(OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
            return _read(path)
    _write(path, prepare())
    return _read(path)


def _write(path: Path, bars: Bars) -> None:
    columns: dict[str, npt.NDArray[Any]] = {"known_at": bars.known_at, "session": bars.session}
    for symbol in range(len(bars.symbols)):
        columns |= {f"{name}[{symbol}]": getattr(bars, name)[symbol] for name in FIELDS}
    about = {
        "symbols": bars.symbols,
        "covers_until": bars.covers_until,
        "periods_per_year": bars.periods_per_year,
        "adjustment": bars.adjustment,
        "calendar": bars.calendar,
    }
    table = pa.table(columns).replace_schema_metadata({"bars": json.dumps(about)})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{uuid.uuid4().hex}.partial")
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    partial.replace(path)


def _read(path: Path) -> Bars:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    about = json.loads(table.schema.metadata[b"bars"])
    symbols = tuple(about.pop("symbols"))

    def column(name: str) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = table[name].combine_chunks().to_numpy(zero_copy_only=True)
        return array

    fields: dict[str, Any] = {}
    for name in FIELDS:
        rows = [column(f"{name}[{symbol}]") for symbol in range(len(symbols))]
        fields[name] = rows[0][np.newaxis] if len(rows) == 1 else np.stack(rows)
    return Bars(symbols=symbols, known_at=column("known_at"), session=column("session"), **fields, **about)
