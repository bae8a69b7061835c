"""Tables that stay in their files: read piece by piece, or whole when somebody asks for all of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from admf_ray.errors import ReproductionError, first_line

__all__ = ["StoredTable", "Tables", "parquet_writer", "read_file"]


def read_file(path: Path, read: Callable[[Path], Any]) -> Any:
    """Read a file of a run.

    Raises
    ------
    ReproductionError
        Where it is missing or damaged.
    """
    try:
        return read(path)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise ReproductionError(f"'{path}' cannot be read: {first_line(error)}") from None


class StoredTable:
    """A table in a Parquet file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ReproductionError
        Where the file is missing or damaged, here or when it is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        metadata = read_file(path, pq.read_metadata)
        self.columns: list[str] = metadata.schema.names
        self._groups: list[int] = [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)]

    def __len__(self) -> int:
        """Give the number of rows."""
        return sum(self._groups)

    def read(self) -> pl.DataFrame:
        """Read all of it."""
        frame: pl.DataFrame = read_file(self.path, pl.read_parquet)
        return frame

    def collect(self, query: Callable[[pl.LazyFrame], pl.LazyFrame]) -> pl.DataFrame:
        """Read what a query over it leaves."""
        frame: pl.DataFrame = read_file(self.path, lambda path: query(pl.scan_parquet(path)).collect())
        return frame

    def pieces(self, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Read some columns, a row group at a time and in order; at least one piece, which may be empty."""
        first = 0
        for rows in self._groups or [0]:
            yield self.collect(partial(_part, first, rows, columns))
            first += rows


class Tables(Mapping[str, pl.DataFrame]):
    """Tables of a run by name: small ones in memory, large ones in their files until somebody asks for them.

    Parameters
    ----------
    frames : mapping of str to polars.DataFrame
    stored : mapping of str to StoredTable

    Attributes
    ----------
    frames, stored : mapping
        As given.
    """

    def __init__(self, frames: Mapping[str, pl.DataFrame], stored: Mapping[str, StoredTable]) -> None:
        self.frames = frames
        self.stored = stored

    def __getitem__(self, name: str) -> pl.DataFrame:
        """Give a table, all of it."""
        return self.stored[name].read() if name in self.stored else self.frames[name]

    def __contains__(self, name: object) -> bool:
        """Say whether there is such a table, without reading it."""
        return name in self.stored or name in self.frames

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        yield from (*self.stored, *self.frames)

    def __len__(self) -> int:
        """Give the number of tables."""
        return len(self.stored) + len(self.frames)

    def columns(self, name: str) -> list[str]:
        """Give the columns of a table."""
        return self.stored[name].columns if name in self.stored else self.frames[name].columns

    def rows(self, name: str) -> int:
        """Give the number of rows of a table."""
        return len(self.stored[name] if name in self.stored else self.frames[name])

    def pieces(self, name: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Read some columns of a table, not more than a part of them at a time; see `StoredTable.pieces`."""
        return self.stored[name].pieces(columns) if name in self.stored else iter([self.frames[name].select(columns)])


def _part(first: int, rows: int, columns: Sequence[str], table: pl.LazyFrame) -> pl.LazyFrame:
    return table.slice(first, rows).select(columns)


def parquet_writer(
    schema: pa.Schema, tables: Iterable[pa.Table], compression: str = "zstd"
) -> Callable[[IO[bytes]], None]:
    """Give a function that writes tables as the row groups of one Parquet file.

    Text columns may come as dictionaries: readers get text all the same.
    """
    texts = [field.name for field in schema if pa.types.is_dictionary(field.type)]

    def write(stream: IO[bytes]) -> None:
        with pq.ParquetWriter(
            stream, schema, compression=compression, use_dictionary=texts, store_schema=False
        ) as writer:
            for table in tables:
                writer.write_table(table, row_group_size=max(len(table), 1))

    return write
