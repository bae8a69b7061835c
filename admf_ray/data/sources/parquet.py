"""Bars in Parquet: one file, a folder with a file a symbol, or a partitioned folder."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.csv import READ_ERRORS
from admf_ray.data.sources.source import Source, files_of, given_path, one_each, origin_of
from admf_ray.errors import DataError, first_line

__all__ = ["PARQUET"]


def _read(path: Path | None, request: DataRequest) -> Sequence[Table]:
    """Read all files; those of a partitioned folder (``key=value``) are one table."""
    assert path is not None
    if path.is_file():
        return [Table(origin_of(path), _frame(path, origin_of(path)), request.symbol or path.stem)]
    files = files_of(path, (".parquet",))
    if any("=" in part for file in files for part in file.relative_to(path).parts[:-1]):
        frames = [_with_keys(_frame(file, origin_of(file, path)), file.relative_to(path)) for file in files]
        try:
            joined = pl.concat(frames, how="diagonal_relaxed")
        except READ_ERRORS as error:
            raise DataError(f"{path.name}: its parts differ: {first_line(error)}") from None
        return [Table(path.name, joined, request.symbol or path.name)]
    tables = [Table(origin_of(file, path), _frame(file, origin_of(file, path)), file.stem) for file in files]
    return one_each(tables, request, path)


def _with_keys(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Add the keys of the folders that a file lies in, as text: names such as 0700 stay what they are."""
    keys = dict(part.split("=", 1) for part in path.parts[:-1] if "=" in part)
    return frame.with_columns(pl.lit(unquote(value)).alias(key) for key, value in keys.items())


def _frame(path: Path, origin: str) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, glob=False, hive_partitioning=False)
    except READ_ERRORS as error:
        raise DataError(f"{origin}: cannot be read as Parquet: {first_line(error)}") from None


PARQUET = Source(name="parquet", locate=given_path, read=_read)
