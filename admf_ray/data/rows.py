"""Rows: the tables of a source as one set of arrays, each row placed in time, before it is checked."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.core.bars import FIELDS, Field
from admf_ray.core.registry import unknown_name
from admf_ray.data.columns import Columns, Mark, Table, decimal_mark, find_columns, numbers_of
from admf_ray.data.request import DataRequest
from admf_ray.data.stamps import NO_STAMP, Kind, Stamps, read_stamps
from admf_ray.errors import DataError

__all__ = ["Origin", "Reading", "Rows", "read_rows"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stretch of rows comes from, to name one of them.

    Attributes
    ----------
    name : str
    first : int
        Number of its first row among all.
    stamps : polars.Series
        As the source wrote them.
    """

    name: str
    first: int
    stamps: pl.Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Bars as rows of arrays.

    Attributes
    ----------
    symbols : tuple of str
        In the order of the panel.
    symbol : int32 array, shape [row]
        Index into ``symbols``.
    moments : int64 array, shape [row]
        Nanoseconds since 1970: as read (see `Stamps.moments`); once placed in time, ``known_at``.
    number : int64 array, shape [row]
        Of the row among all rows of all tables.
    fields : dict of Field to float64 array, shape [row]
    extras : dict of str to float64 array, shape [row]
        Other columns of numbers.
    origins : tuple of Origin
    """

    symbols: tuple[str, ...]
    symbol: npt.NDArray[np.int32]
    moments: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    fields: dict[Field, npt.NDArray[np.float64]]
    extras: dict[str, npt.NDArray[np.float64]]
    origins: tuple[Origin, ...]

    def __len__(self) -> int:
        """Give the number of rows."""
        return len(self.moments)

    def take(self, rows: npt.NDArray[Any]) -> "Rows":
        """Give some of the rows, by a mask or by indices."""
        return replace(
            self,
            symbol=self.symbol[rows],
            moments=self.moments[rows],
            number=self.number[rows],
            fields={name: values[rows] for name, values in self.fields.items()},
            extras={name: values[rows] for name, values in self.extras.items()},
        )

    def name(self, row: int) -> tuple[str, str, int]:
        """Give origin, stamp and number (from 1) of a row, as its source has it."""
        number = int(self.number[row])
        origin = self.origins[self.origin_at(number)]
        return origin.name, str(origin.stamps[number - origin.first]), number - origin.first + 1

    def origin_at(self, number: int) -> int:
        """Give the index of the origin of the row with that number among all rows."""
        return bisect_right(self.origins, number, key=lambda origin: origin.first) - 1

    def each_symbol(self) -> list[slice]:
        """Give the stretch of each symbol's rows, where rows are sorted by symbol."""
        if len(self.symbols) == 1:
            return [slice(0, len(self))]
        edges = np.searchsorted(self.symbol, np.arange(len(self.symbols) + 1)).tolist()
        return [slice(start, stop) for start, stop in pairwise(edges)]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and what could not be.

    Attributes
    ----------
    rows : Rows
        In the order of the source.
    unread : bool array, shape [row]
        Stamps that are no date or time.
    wrong : dict of Field to bool array, shape [row]
        Text that is no number, where there is any.
    texts : dict of Field to list of polars.Series
        The columns as text, for what is wrong in them; one a source.
    kind : {"day", "time", "moment"}
    notes : dict
        What was detected or assumed.
    is_made : bool
        Whether the bars were drawn.
    """

    rows: Rows
    unread: npt.NDArray[np.bool_]
    wrong: dict[Field, npt.NDArray[np.bool_]]
    texts: dict[Field, list[pl.Series]]
    kind: Kind
    notes: dict[str, Any]
    is_made: bool

    def text(self, name: Field, number: int) -> str:
        """Give what a column says in the row with that number among all rows."""
        at = self.rows.origin_at(number)
        return str(self.texts[name][at][number - self.rows.origins[at].first])


def read_rows(tables: Sequence[Table], request: DataRequest, origin: str) -> Reading:
    """Read tables into rows.

    Parameters
    ----------
    tables : sequence of Table
    request : DataRequest
    origin : str
        Of all of them together, for messages.

    Raises
    ------
    DataError
        Where a column is missing, there is no bar, or tables or rows contradict each other in kind.
    """
    found = [(table, find_columns(table, request.columns, request.ohl_from_close)) for table in tables]
    names = [_names_of(table, columns) for table, columns in found]
    there = sorted({name for written in names for name in written.values()})
    symbols = _chosen(there, request, origin)
    order = {symbol: index for index, symbol in enumerate(symbols)}
    stamps, columns_of, origins, codes = [], [], [], []
    first = 0
    for (table, columns), written in zip(found, names, strict=True):
        count = len(columns.stamps)
        if columns.symbol is None:
            code = np.full(count, order.get(table.symbol, -1), dtype=np.int32)
        else:
            by_text = {text: order.get(name, -1) for text, name in written.items()}
            code = columns.symbol.cast(pl.String).replace_strict(by_text, return_dtype=pl.Int32).to_numpy()
        if (code < 0).all():
            continue
        stamps.append((table.origin, read_stamps(columns.stamps, request.date_format, table.origin)))
        columns_of.append((table, columns))
        origins.append(Origin(table.origin, first, columns.stamps))
        codes.append(code)
        first += count
    kind = _common_kind(stamps, origins[0].stamps[0])
    mark = _common_mark(columns_of, request)
    fields, wrong, texts = _fields(columns_of, mark)
    symbol = _joined(codes)
    rows = Rows(
        symbols=symbols,
        symbol=symbol,
        moments=_joined([read.moments for _, read in stamps]),
        number=np.arange(first),
        fields=fields,
        extras=_extras(columns_of, mark),
        origins=tuple(origins),
    )
    unread = _joined([read.unread for _, read in stamps])
    if (symbol < 0).any():
        keep = symbol >= 0
        rows, unread = rows.take(keep), unread[keep]
        wrong = {name: mask[keep] for name, mask in wrong.items()}
    notes: dict[str, Any] = {}
    for key in sorted({key for table, _ in columns_of for key in table.reading}):
        values = list(dict.fromkeys(str(table.reading[key]) for table, _ in columns_of if key in table.reading))
        notes[key] = ", ".join(values)
    if any(column.dtype == pl.String for _, columns in columns_of for column in columns.fields.values()):
        notes["decimal mark"] = mark
    notes["times"] = ", ".join(dict.fromkeys(read.form for _, read in stamps))
    first_columns = columns_of[0][1]
    if first_columns.fields["open"] is first_columns.fields["close"]:
        notes["open, high, low"] = "not in the data: taken from the close (data.ohl_from_close)"
    left = sorted({name for _, columns in columns_of for name in columns.extras})
    if left:
        notes["columns left aside"] = ", ".join(left)
    return Reading(rows, unread, wrong, texts, kind, notes, all(table.is_made for table in tables))


def _names_of(table: Table, columns: Columns) -> dict[str, str]:
    """Give the names of the symbols in a table, by how they are written."""
    if columns.symbol is None:
        return {table.symbol: table.symbol}
    if columns.symbol.dtype.is_nested() or columns.symbol.dtype in {pl.Object, pl.Binary}:
        raise DataError(f"{table.origin}: column {columns.symbol.name} holds {columns.symbol.dtype}, not names")
    written = columns.symbol.cast(pl.String)
    names = {text: (text or "").strip() for text in written.unique()}
    if not all(names.values()):
        row = next(row for row, text in enumerate(written) if not names[text])
        raise DataError(f"{table.origin}: row {row + 1}: no symbol; allowed: a name in every row")
    return names


def _chosen(there: Sequence[str], request: DataRequest, origin: str) -> tuple[str, ...]:
    wanted = (request.symbol,) if request.symbol is not None else request.symbols
    if wanted is None:
        return tuple(there)
    option = "data.symbol" if request.symbol is not None else "data.symbols"
    for name in wanted:
        if name not in there:
            raise DataError(f"{option}: {origin}: {unknown_name('symbol', name, list(there[:100]))}")
    return tuple(wanted)


def _common_kind(stamps: Sequence[tuple[str, Stamps]], first: object) -> Kind:
    """Give the kind that the stamps of all tables have."""
    said = [(origin, read.kind) for origin, read in stamps if not read.unread.all()]
    if not said:
        raise DataError(f"{stamps[0][0]}: timestamps: every row, such as row 1: '{first}': {NO_STAMP}")
    words = {"day": "days", "time": "times without an offset", "moment": "times with an offset"}
    for origin, kind in said:
        if kind != said[0][1]:
            raise DataError(
                f"{origin}: holds {words[kind]}, but {said[0][0]} holds {words[said[0][1]]}; allowed: one kind"
            )
    return said[0][1]


def _common_mark(found: Sequence[tuple[Table, Columns]], request: DataRequest) -> Mark:
    """Give the decimal mark of all tables."""
    if request.decimal is not None:
        return request.decimal
    marks: dict[Mark, str] = {}
    for table, columns in found:
        mark = decimal_mark(columns.fields, table.reading.get("delimiter"), table.origin)
        if mark is None and any(column.dtype.is_float() for column in columns.fields.values()):
            mark = "."
        if mark is not None:
            marks.setdefault(mark, table.origin)
    if len(marks) > 1:
        raise DataError(
            f"{marks[',']} has decimal commas, {marks['.']} has decimal points; allowed: one kind, or data.decimal"
        )
    return next(iter(marks), ".")


def _fields(
    found: Sequence[tuple[Table, Columns]], mark: Mark
) -> tuple[dict[Field, npt.NDArray[np.float64]], dict[Field, npt.NDArray[np.bool_]], dict[Field, list[pl.Series]]]:
    values: dict[Field, npt.NDArray[np.float64]] = {}
    wrong: dict[Field, npt.NDArray[np.bool_]] = {}
    texts: dict[Field, list[pl.Series]] = {}
    for name in FIELDS:
        read = []
        for table, columns in found:
            if name in columns.fields:
                read.append(numbers_of(columns.fields[name], mark, table.origin))
            else:
                count = len(columns.stamps)
                read.append((np.full(count, np.nan), np.zeros(count, dtype=np.bool_)))
        values[name] = _joined([numbers for numbers, _ in read])
        if any(mask.any() for _, mask in read):
            wrong[name] = _joined([mask for _, mask in read])
            texts[name] = [columns.fields.get(name, columns.stamps) for _, columns in found]
    return values, wrong, texts


def _extras(found: Sequence[tuple[Table, Columns]], mark: Mark) -> dict[str, npt.NDArray[np.float64]]:
    """Give the other columns that hold numbers, in any of the tables; NaN where one has none."""
    extras = {}
    for name in sorted({name for _, columns in found for name in columns.extras}):
        read = []
        for table, columns in found:
            column = columns.extras.get(name)
            if column is None or not (column.dtype == pl.String or column.dtype.is_numeric()):
                read.append(np.full(len(columns.stamps), np.nan))
            else:
                read.append(numbers_of(column, mark, table.origin)[0])
        numbers = _joined(read)
        if not np.isnan(numbers).all():
            extras[name] = numbers
    return extras


def _joined(parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
