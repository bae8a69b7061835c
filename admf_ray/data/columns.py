"""Columns: which column of a table is what, and numbers out of text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.core.bars import FIELDS, Field
from admf_ray.errors import DataError

__all__ = ["Columns", "Mark", "Table", "canonical_name", "decimal_mark", "find_columns", "numbers_of"]

Mark = Literal[".", ","]

_TIME_NAMES = ("known_at", "timestamp", "datetime")
_INDEX_NAMES = ("", "index", "__index_level_0__", "unnamed: 0")
_ALIASES = {"ticker": "symbol", "vol": "volume", "date/time": "datetime", "date time": "datetime"}
_MISSING = ("", "nan", "na", "n/a", "null", "none", "-")
_COMMA_DECIMAL = r"^[+-]?(\d*|[1-9]\d{0,2}(\.\d{3})+),\d+$"
_COMMA_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$"
_POINT_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d*)?$"
_AMBIGUOUS = r"^[+-]?[1-9]\d{0,2}[.,]\d{3}$"
_POINT_GROUPS = r"^[+-]?[1-9]\d{0,2}(\.\d{3}){2,}$"
_POINT_DECIMAL = r"^[+-]?\d*\.\d+$"
_MARKS: tuple[Mark, ...] = (",", ".")


@dataclass(frozen=True, slots=True)
class Table:
    """One table as its source has it.

    Attributes
    ----------
    origin : str
        File or source, for messages.
    frame : polars.DataFrame
    symbol : str
        What the table's name says; used where no column does.
    reading : mapping
        What was detected while reading, for the report.
    is_made : bool
        Whether its bars were drawn, so that none of them can be incomplete.
    """

    origin: str
    frame: pl.DataFrame
    symbol: str
    reading: Mapping[str, Any] = field(default_factory=dict)
    is_made: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table by what they are.

    Attributes
    ----------
    stamps : polars.Series
        Dates and times as the source wrote them.
    fields : dict of Field to polars.Series
        Open, high, low, close and, if there is one, volume.
    symbol : polars.Series or None
    extras : dict of str to polars.Series
        All others.
    """

    stamps: pl.Series
    fields: dict[Field, pl.Series]
    symbol: pl.Series | None
    extras: dict[str, pl.Series]


def canonical_name(name: str) -> str:
    """Give a column's name as it is looked for: in small letters, without blanks and angle brackets around it.

    Examples
    --------
    >>> canonical_name(" <CLOSE>")
    'close'
    """
    plain = re.sub(r"_duplicated_\d+$", "", name.strip().strip("<>").strip().lower())
    return _ALIASES.get(plain, plain)


def find_columns(table: Table, named: Mapping[str, str], ohl_from_close: bool) -> Columns:
    """Find out which column is what.

    Parameters
    ----------
    table : Table
        A time (``date``, ``time``, both, ``datetime``, ``timestamp``, ``known_at`` or an index of times), ``open``,
        ``high``, ``low``, ``close``, if there are ``volume`` and ``symbol``; in any case of letters.
    named : mapping
        Names of the source's columns by what they are, where the source calls them something else.
    ohl_from_close : bool
        Whether the close stands for open, high and low where none of them is there.

    Raises
    ------
    DataError
        Names what is missing or twice.
    """
    names: dict[str, str] = {}
    renamed = {written: plain for plain, written in named.items()}
    for plain, written in named.items():
        if written not in table.frame.columns:
            found = ", ".join(table.frame.columns)
            raise DataError(f"{table.origin}: data.columns.{plain}: no column '{written}'; found: {found}")
    for name in table.frame.columns:
        plain = renamed.get(name) or canonical_name(name)
        if name not in renamed and plain in named:
            plain = f"{plain} "
        known = plain in FIELDS or plain in _TIME_NAMES or plain in {"date", "time", "symbol"}
        if known and plain in names:
            raise DataError(f"{table.origin}: two columns for {plain}: '{names[plain]}' and '{name}'; allowed: one")
        names.setdefault(plain, name)
    stamps, stamp_names = _stamps(table.frame, names, named, table.origin)
    needed: Sequence[Field] = FIELDS[:4]
    only_close = ohl_from_close and "close" in names and not any(name in names for name in FIELDS[:3])
    if only_close:
        needed = ("close",)
    lacking = [name for name in needed if name not in names]
    if stamps is None or lacking:
        wanted = [*([] if stamps is not None else ["a time (date, time, datetime, timestamp, known_at)"]), *lacking]
        close_only = "; data.ohl_from_close=true accepts a close alone" if lacking == list(FIELDS[:3]) else ""
        raise DataError(
            f"{table.origin}: no column for {', '.join(wanted)}; found: {', '.join(table.frame.columns) or 'none'}; "
            f"needed: date, open, high, low, close (volume and symbol if there are), or data.columns.close=NAME"
            f"{close_only}"
        )
    if table.frame.is_empty():
        raise DataError(f"{table.origin}: there is no bar in it")
    fields = {name: table.frame[names[name]] for name in FIELDS if name in names}
    if only_close:
        fields = {**dict.fromkeys(FIELDS[:4], fields["close"]), **fields}
    used = {*stamp_names, "symbol", *FIELDS, *_INDEX_NAMES}
    return Columns(
        stamps=stamps,
        fields=fields,
        symbol=table.frame[names["symbol"]] if "symbol" in names else None,
        extras={name: table.frame[column] for name, column in names.items() if name not in used},
    )


def _stamps(
    frame: pl.DataFrame, names: Mapping[str, str], named: Mapping[str, str], origin: str
) -> tuple[pl.Series | None, set[str]]:
    """Give the column of stamps, and the names it is made of; separate columns of dates and times become one.

    What the request names comes before what the names of the columns say.
    """
    times = {"date", "time", *_TIME_NAMES} & set(named)
    for name in _TIME_NAMES:
        if name in (times or names):
            return frame[names[name]].alias(name), {name}
    if "date" in names and "time" in names:
        date, time = frame[names["date"]], frame[names["time"]]
        if date.dtype == pl.Date and time.dtype == pl.Time:
            return frame.select(pl.col(date.name).dt.combine(pl.col(time.name))).to_series(), {"date", "time"}
        parts = [column.cast(pl.String).str.strip_chars() for column in (date, time)]
        if parts[1].str.contains(r"^\d+$").all():
            parts[1] = _clock(parts[1], origin)
        # A column of days read as times of midnight.
        parts[0] = parts[0].str.replace(r"[T ]00:00:00(\.0+)?$", "")
        return (parts[0] + " " + parts[1]).alias("date time"), {"date", "time"}
    for name in ("date", "time", *_INDEX_NAMES):
        if name in names:
            return frame[names[name]], {name}
    return None, set()


def _clock(digits: pl.Series, origin: str) -> pl.Series:
    """Give times such as 930 and 93000, half past nine, with all their digits.

    Raises
    ------
    DataError
        Where the rows do not agree on how many digits a time has.
    """
    # Midnight is 0 where leading zeros were lost.
    lengths = set(digits.filter(digits != "0").str.len_chars().drop_nulls().unique())
    for width in (4, 6):
        if lengths <= {width - 1, width}:
            return digits.str.zfill(width)
    raise DataError(
        f"{origin}: times such as '{digits[0]}' have {', '.join(map(str, sorted(lengths)))} digits; "
        "allowed: 3 and 4 (hours and minutes) or 5 and 6 (with seconds), 0, or 09:30"
    )


def decimal_mark(fields: Mapping[Field, pl.Series], delimiter: str | None, origin: str) -> Mark | None:
    """Tell the decimal mark of columns of text.

    Parameters
    ----------
    fields : mapping of Field to polars.Series
        Columns of others than text are left aside.
    delimiter : str or None
        Of the file; a semicolon goes with decimal commas, so that a point beside it needs a proof.
    origin : str
        For messages.

    Returns
    -------
    {".", ","} or None
        None where no value has a mark.

    Raises
    ------
    DataError
        Where a value may have a decimal mark or one of thousands.
    """
    found = _evidence([column for name, column in fields.items() if name != "volume"])
    doubt = found.doubt(delimiter)
    if "volume" in fields:
        # A volume says nothing of prices; they tell what its marks are.
        found = found.joined(_evidence([fields["volume"]]))
        doubt = doubt or found.doubt(delimiter)
    if doubt is not None:
        raise DataError(
            f"{origin}: '{doubt}' may have a decimal mark or a mark of thousands; "
            "allowed: data.decimal=',' or data.decimal='.'"
        )
    if found.comma and not found.point:
        return ","
    return "." if found.point or found.doubted else None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What values say about decimal marks.

    Attributes
    ----------
    comma, point : bool
        Whether a value can only have a decimal comma, or a decimal point.
    doubted : dict of Mark to str
        A value that may have either, by the mark in it.
    """

    comma: bool
    point: bool
    doubted: dict[Mark, str]

    def joined(self, other: "_Evidence") -> "_Evidence":
        return _Evidence(self.comma or other.comma, self.point or other.point, other.doubted | self.doubted)

    def doubt(self, delimiter: str | None) -> str | None:
        """Give a value that stays doubtful.

        Points are decimal marks until something says otherwise; then what was read before would change its meaning.
        """
        if self.point:
            return None
        if self.comma:
            return self.doubted.get(".")
        return self.doubted.get(",") or (self.doubted.get(".") if delimiter == ";" else None)


def _evidence(columns: Sequence[pl.Series]) -> _Evidence:
    is_comma = is_point = False
    doubted: dict[Mark, str] = {}
    for column in columns:
        if column.dtype != pl.String:
            continue
        text = column.str.strip_chars()
        text = text.filter(text.str.contains(r"[.,]").fill_null(False))
        doubtful = text.str.contains(_AMBIGUOUS)
        clear = text.filter(~doubtful)
        is_comma |= bool(clear.str.contains(_COMMA_DECIMAL).any() or clear.str.contains(_POINT_GROUPS).any())
        is_point |= bool(clear.str.contains(_POINT_DECIMAL).any() or clear.str.contains(_COMMA_THOUSANDS).any())
        for mark in _MARKS:
            for value in text.filter(doubtful & text.str.contains(mark, literal=True)).head(1):
                doubted.setdefault(mark, value)
    return _Evidence(is_comma, is_point, doubted)


def numbers_of(column: pl.Series, decimal: Mark, origin: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Read a column as numbers.

    Parameters
    ----------
    column : polars.Series
        Of numbers or text.
    decimal : {".", ","}
    origin : str
        For messages.

    Returns
    -------
    numbers : float64 array, shape [row]
        NaN where a value is missing or is no number.
    wrong : bool array, shape [row]
        Where text is neither a number nor says that it is missing.

    Raises
    ------
    DataError
        Where the column holds something else.
    """
    if isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String)
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        other = "," if decimal == "." else "."
        if decimal == "," or text.str.contains(",", literal=True).any():
            grouped = text.str.contains(_COMMA_THOUSANDS if decimal == "." else _POINT_THOUSANDS)
            # A mark of thousands out of place stays and makes the value no number.
            text = pl.select(
                pl.when(grouped)
                .then(text.str.replace_all(other, "", literal=True))
                .otherwise(text if decimal == "." else text.str.replace_all(".", "?", literal=True))
            ).to_series()
            text = text.str.replace(",", ".", literal=True) if decimal == "," else text
        numbers = text.cast(pl.Float64, strict=False)
        unread = numbers.is_null() & text.is_not_null()
        if unread.any():
            unread &= ~text.str.to_lowercase().is_in(_MISSING)
        wrong = unread.to_numpy()
    elif column.dtype.is_numeric():
        numbers = column.cast(pl.Float64)
        wrong = np.zeros(len(column), dtype=np.bool_)
    elif column.dtype == pl.Null:
        numbers = pl.Series([None] * len(column), dtype=pl.Float64)
        wrong = np.zeros(len(column), dtype=np.bool_)
    else:
        raise DataError(f"{origin}: column {column.name} holds {column.dtype}, not numbers")
    filled = numbers.fill_null(np.nan) if numbers.null_count() else numbers
    return filled.to_numpy(), wrong
