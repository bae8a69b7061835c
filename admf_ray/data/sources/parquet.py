"""Bars in Parquet: one file, a folder with a file a symbol, or a partitioned folder."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.csv import READ_ERRORS
from admf_ray.data.sources.source import Source, files_of, given_path, one_each
from admf_ray.errors import DataError

__all__ = ["PARQUET"]


def _read(path: Path | None, request: DataRequest) -> Sequence[Table]:
    """Read all files; those of a partitioned folder (``key=value``), or with a symbol column, are one table."""
    assert path is not None
    files = files_of(path, (".parquet",))
    if path.is_file():
        return [_table(path, path.name, request.symbol or path.stem)]
    keys = {part.partition("=")[0] for file in files for part in file.relative_to(path).parts[:-1] if "=" in part}
    if keys:
        return [Table(path.name, _frame(files, path.name, keys), request.symbol or path.name)]
    return one_each([_table(file, str(file.relative_to(path)), file.stem) for file in files], request, path)


def _table(path: Path, origin: str, symbol: str) -> Table:
    return Table(origin, _frame([path], origin, set()), symbol)


def _frame(files: Sequence[Path], origin: str, keys: set[str]) -> pl.DataFrame:
    """Read files as one table; the keys of their folders become columns of text, as they are written."""
    schema = dict.fromkeys(keys, pl.String()) or None
    try:
        return pl.read_parquet(list(files), glob=False, hive_partitioning=bool(keys), hive_schema=schema)
    except READ_ERRORS as error:
        raise DataError(f"{origin}: cannot be read as Parquet: {(str(error) or repr(error)).splitlines()[0]}") from None


PARQUET = Source(name="parquet", locate=given_path, read=_read)
