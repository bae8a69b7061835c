"""Bars in Parquet: one file, a folder with a file a symbol, or a partitioned folder."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from admf_ray.data.columns import Table, canonical_name
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.csv import READ_ERRORS
from admf_ray.data.sources.source import Source, files_of, given_path
from admf_ray.errors import DataError

__all__ = ["PARQUET"]


def _read(path: Path | None, request: DataRequest) -> Sequence[Table]:
    """Read all files; those of a partitioned folder (``key=value``), or with a symbol column, are one table."""
    assert path is not None
    files = files_of(path, ("*.parquet",))
    if path.is_file():
        return [_table(path, path.name, request.symbol or path.stem)]
    is_partitioned = any("=" in part for file in files for part in file.relative_to(path).parts[:-1])
    if is_partitioned:
        frame = _frame(path / "**" / "*.parquet", path.name, partitioned=True)
        return [Table(path.name, frame, request.symbol or path.name)]
    tables = [_table(file, str(file.relative_to(path)), file.stem) for file in files]
    has_symbol = any(canonical_name(name) == "symbol" for name in tables[0].frame.columns)
    if request.symbol is not None and not has_symbol and request.symbol not in {table.symbol for table in tables}:
        # A name that no file has: the files are parts of the one symbol.
        return [Table(table.origin, table.frame, request.symbol) for table in tables]
    return tables


def _table(path: Path, origin: str, symbol: str) -> Table:
    return Table(origin, _frame(path, origin, partitioned=False), symbol)


def _frame(path: Path, origin: str, *, partitioned: bool) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, hive_partitioning=partitioned)
    except READ_ERRORS as error:
        raise DataError(f"{origin}: cannot be read as Parquet: {(str(error) or repr(error)).splitlines()[0]}") from None


PARQUET = Source(name="parquet", locate=given_path, read=_read)
