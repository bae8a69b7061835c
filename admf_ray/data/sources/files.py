"""Bars in files that a researcher brings: CSV and Parquet."""

from pathlib import Path

import polars as pl

from admf_ray.data.sources.source import Source
from admf_ray.errors import DataError

__all__ = ["CSV", "PARQUET", "read_csv"]


def read_csv(path: Path) -> pl.DataFrame:
    """Read a comma-separated file (gzip as well) as text, so that every value can be named in a message."""
    try:
        return pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, UnicodeError) as error:
        raise DataError(f"{path.name}: cannot be read as CSV: {str(error).splitlines()[0]}") from None


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path.name}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


CSV = Source(name="csv", read=read_csv)
PARQUET = Source(name="parquet", read=_read_parquet)
