"""Bars in CSV: any delimiter and decimal mark, gzip, byte-order marks; one file, or a folder with one a symbol."""

import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from admf_ray.core.bars import FIELDS
from admf_ray.data.columns import Table, canonical_name
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.source import Source, files_of, given_path, one_each, origin_of
from admf_ray.errors import DataError, first_line

__all__ = ["CSV", "READ_ERRORS", "read_csv"]

READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeError, OSError, TypeError)
"""What polars raises for a file that it cannot read."""

_DELIMITERS = ",;\t|"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 65_536


def read_csv(path: Path, request: DataRequest, folder: Path | None = None) -> Table:
    """Read one file; prices as numbers where all of them are, else everything as text, so that each can be named.

    Parameters
    ----------
    path : Path
        Gzip is recognized by its content.
    request : DataRequest
        May declare the delimiter.
    folder : Path, optional
        That the file is one of, a file a symbol.

    Raises
    ------
    DataError
        Where it is no text in columns.
    """
    origin = origin_of(path, folder)
    header = _header(path, origin)
    delimiter = request.delimiter or max(_DELIMITERS, key=header.count)
    names = [name.strip('"') for name in header.split(delimiter)]
    prices = {name: pl.Float64 for name in names if canonical_name(name) in FIELDS}
    # Beside a semicolon a point may mark thousands: then the text itself is looked at.
    as_text = request.decimal == "," or (request.decimal is None and delimiter == ";")
    try:
        if as_text:
            frame = pl.read_csv(path, separator=delimiter, infer_schema=False, glob=False)
        else:
            try:
                frame = pl.read_csv(path, separator=delimiter, infer_schema=False, glob=False, schema_overrides=prices)
            except pl.exceptions.PolarsError:
                frame = pl.read_csv(path, separator=delimiter, infer_schema=False, glob=False)
    except READ_ERRORS as error:
        raise DataError(
            f"{origin}: cannot be read as CSV: {first_line(error)}; allowed: UTF-8 text whose first line names the "
            "columns, and lines with no more cells than it"
        ) from None
    frame = _without_empty_lines(frame)
    stem = re.sub(r"(?i)(\.csv)?(\.gz)?$", "", path.name)
    symbol = stem if folder else request.symbol or stem
    return Table(origin, frame, symbol, {"delimiter": "tab" if delimiter == "\t" else delimiter})


def _without_empty_lines(frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out lines without a single value, as spreadsheets write them."""
    if not frame.width or not frame.to_series(0).null_count():
        return frame
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _header(path: Path, origin: str) -> str:
    """Give the first line that says something."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(path) as stream:
                head = stream.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{origin}: cannot be read as CSV: {error}") from None
    if head.startswith(_UTF16):
        raise DataError(f"{origin}: is UTF-16 text; allowed: UTF-8 (save it again as such)")
    lines = (line.strip() for line in head.decode("utf-8-sig", errors="replace").splitlines())
    return next((line for line in lines if line), "")


def _read(path: Path | None, request: DataRequest) -> Sequence[Table]:
    assert path is not None
    if path.is_file():
        return [read_csv(path, request)]
    files = files_of(path, (".csv", ".csv.gz"))
    return one_each([read_csv(file, request, path) for file in files], request, path)


CSV = Source(name="csv", locate=given_path, read=_read)
