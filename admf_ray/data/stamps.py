"""Stamps: from what a source writes as date and time to moments."""

import re
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.data.calendar import DAY
from admf_ray.data.columns import canonical_name
from admf_ray.errors import DataError, first_line

__all__ = ["NO_STAMP", "Kind", "Stamps", "read_stamps"]

Kind = Literal["day", "time", "moment"]
"""A date; a time of day without an offset; a moment: a time with an offset, or an epoch."""

_YEARS = (1678, 2261)  # that nanoseconds since 1970 can say
_PER_UNIT = {"ms": 10**6, "us": 10**3, "ns": 1}
_DAYS = (-106_650, 106_651)  # since 1970 of the first day of the first year, and after the last day of the last one
NO_STAMP = (
    f"no date or time between {_YEARS[0]} and {_YEARS[1]}; allowed: 2018-12-31, 2018-12-31 16:00:00, "
    "2018-12-31T16:00:00+00:00, epoch seconds to nanoseconds, or data.date_format"
)
_LEAST_COUNT = 1678_01_01  # smaller numbers count rows
_LEAST_EPOCH = 10**8  # 1973
_EPOCHS = (  # from, to, nanoseconds, unit
    (_LEAST_EPOCH, 10**11, 10**9, "s"),
    (10**11, 10**14, 10**6, "ms"),
    (10**14, 10**17, 10**3, "us"),
    (10**17, 2**63, 1, "ns"),
)
_COMPACT_DAYS = (1678_01_01, 2261_12_31)
_COMPACT_MINUTES = (1678_01_01_00_00, 2261_12_31_23_59)
_FORM = re.compile(
    r"(?:\d{4}(?P<date>[-/.])\d{1,2}(?P=date)\d{1,2}|\d{8})"
    r"(?:(?P<between>[T ])(?P<clock>\d{1,2}:\d{2}(?::\d{2})?|\d{6}|\d{4})(?P<fraction>\.\d{1,9})?"
    r"(?P<offset> ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?)?"
)
_DASHED = r"\d{4}-\d{1,2}-\d{1,2}(?!.*UTC)"
_OFFSET = r" ?(Z|[+-]\d{2}:?\d{2})$"
_TURNED = r"^(\d{1,2})([/.-])(\d{1,2})[/.-]\d{4}"
_ALL_FORMATS: tuple[tuple[str, Kind], ...] = (
    ("%Y-%m-%d", "day"),
    ("%Y-%m-%dT%H:%M:%S%.f", "time"),
    ("%Y-%m-%d %H:%M:%S%.f", "time"),
    ("%Y-%m-%d %H:%M", "time"),
    ("%Y-%m-%dT%H:%M", "time"),
    ("%Y-%m-%dT%H:%M:%S%.f%#z", "moment"),
    ("%Y-%m-%d %H:%M:%S%.f%#z", "moment"),
    ("%Y-%m-%d %H:%M:%S%.f %#z", "moment"),
    ("%Y-%m-%d %H:%M%#z", "moment"),
    ("%Y-%m-%dT%H:%M%#z", "moment"),
)


@dataclass(frozen=True, slots=True)
class Stamps:
    """Moments of one table.

    Attributes
    ----------
    moments : int64 array, shape [row]
        Nanoseconds since 1970: of midnight of a day, of the local time, or UTC; 0 where it could not be read.
    unread : bool array, shape [row]
    kind : {"day", "time", "moment"}
    form : str
        How they were read, for the report.
    """

    moments: npt.NDArray[np.int64]
    unread: npt.NDArray[np.bool_]
    kind: Kind
    form: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """Times of a column before it is decided what they are.

    Attributes
    ----------
    times : polars.Series
        Dates, or times without a zone: UTC for moments.
    kind : {"day", "time", "moment"}
    form : str
        How they were read.
    local : polars.Series or None
        The times in the zone that they carry, where that is another.
    """

    times: pl.Series
    kind: Kind
    form: str
    local: pl.Series | None = None


def read_stamps(stamps: pl.Series, date_format: str | None, origin: str) -> Stamps:
    """Read a column of dates or times, of text, numbers or temporal type.

    Times that begin with two midnights, in the zone that they carry, are days: what frames and vendors make of a column
    of days. The first two moments tell, so that later rows never change what earlier ones mean; a column ``known_at``
    always holds moments.

    Parameters
    ----------
    stamps : polars.Series
    date_format : str or None
        As in `strptime`.
    origin : str
        For messages.

    Raises
    ------
    DataError
        Where rows are of different kinds, or it cannot be told what they mean.
    """
    if isinstance(stamps.dtype, pl.Categorical | pl.Enum):
        stamps = stamps.cast(pl.String)
    elif stamps.dtype.is_float() and bool((stamps.is_null() | (stamps == stamps.floor())).all()):
        stamps = stamps.cast(pl.Int64, strict=False)
    if stamps.dtype == pl.String:
        parsed = _parsed_text(stamps.str.strip_chars(), date_format, origin)
    elif stamps.dtype.is_integer() and date_format is not None:
        parsed = _parsed_text(stamps.cast(pl.String), date_format, origin)
    elif stamps.dtype.is_integer():
        parsed = _parsed_numbers(stamps.cast(pl.Int64, strict=False), origin)
    elif stamps.dtype == pl.Date:
        parsed = Parsed(stamps, "day", "dates")
    elif isinstance(stamps.dtype, pl.Datetime):
        zone, local = stamps.dtype.time_zone, stamps.dt.replace_time_zone(None)
        utc = local if zone is None else stamps.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        parsed = Parsed(utc, "moment" if zone else "time", f"times in {zone}" if zone else "times", local)
    else:
        raise DataError(f"{origin}: column {stamps.name} holds {stamps.dtype}, not dates or times")
    moments, unread = _nanoseconds(parsed.times)
    if parsed.kind == "day" or unread.all() or canonical_name(stamps.name) == "known_at":
        return Stamps(moments, unread, parsed.kind, parsed.form)
    local_moments = moments if parsed.local is None else _nanoseconds(parsed.local)[0]
    if not _begins_with_midnights(local_moments[~unread], stamps, origin):
        return Stamps(moments, unread, parsed.kind, parsed.form)
    is_day = unread | (local_moments % DAY == 0)
    if not is_day.all():
        row = int(np.argmin(is_day))
        raise DataError(
            f"{origin}: some times are days (midnights) and some are not, such as row {row + 1}: '{stamps[row]}'; "
            "allowed: one kind, or a column known_at"
        )
    return Stamps(local_moments, unread, "day", f"{parsed.form}, all midnight")


def _nanoseconds(times: pl.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Give nanoseconds since 1970, 0 where there is no time that they can say, and where that is."""
    per_unit = DAY if times.dtype == pl.Date else _PER_UNIT[getattr(times.dtype, "time_unit", "ns")]
    units = times.to_physical().cast(pl.Int64)
    unread = ~units.is_between(_DAYS[0] * DAY // per_unit, _DAYS[1] * DAY // per_unit - 1).fill_null(False).to_numpy()
    return np.where(unread, 0, units.fill_null(0).to_numpy()) * per_unit, unread


def _begins_with_midnights(local: npt.NDArray[np.int64], stamps: pl.Series, origin: str) -> bool:
    """Say whether the first two different times are midnights."""
    first = local.min()
    if first % DAY:
        return False
    later = local[local > first]
    if not len(later):
        raise DataError(
            f"{origin}: a single midnight, '{stamps[0]}', may be a day or a moment; allowed: dates without a time"
        )
    return bool(later.min() % DAY == 0)


def _parsed_numbers(numbers: pl.Series, origin: str) -> Parsed:
    """Read whole numbers: days such as 20181231, else epochs; the first one tells which, and in which unit."""
    first = next((value for value in numbers if value is not None and value >= _LEAST_COUNT), _LEAST_EPOCH)
    if _COMPACT_DAYS[0] <= first <= _COMPACT_DAYS[1]:
        return Parsed(numbers.cast(pl.String).str.to_date("%Y%m%d", strict=False), "day", "days as 20181231")
    if _COMPACT_MINUTES[0] <= first <= _COMPACT_MINUTES[1]:
        raise DataError(
            f"{origin}: {first} may be a date with hours and minutes or epoch milliseconds; "
            "allowed: data.date_format=%Y%m%d%H%M, or times in another form"
        )
    least, limit, scale, unit = next(epoch for epoch in _EPOCHS if first < epoch[1])
    readable = numbers.is_between(least, min(limit, 2**63 // scale) - 1)
    nanoseconds = pl.select(pl.when(readable).then(numbers)).to_series() * scale
    return Parsed(nanoseconds.cast(pl.Datetime("ns")), "moment", f"epoch {unit}")


def _parsed_text(text: pl.Series, date_format: str | None, origin: str) -> Parsed:
    """Read text in the form of its first row, and what does not fit it in all other forms."""
    if date_format is not None:
        return _parsed_as(text, date_format, origin)
    example = _example(text)
    if re.fullmatch(r"\d{8,19}(\.0+)?", example):
        return _parsed_numbers(text.str.replace(r"\.0+$", "").cast(pl.Int64, strict=False), origin)
    if re.match(_TURNED, example):
        text = _turned(text, origin)
    if not re.match(_DASHED, _example(text)):
        text = _dashed(text)
    match = _FORM.fullmatch(_example(text))
    if match is None:
        times, kinds = _parsed_all_ways(text)
        return Parsed(times, "day" if times.is_null().all() else _one_kind(text, kinds, origin), "text")
    if match["offset"] is None:
        return _parsed_in_form(text, match, origin)
    return _parsed_with_offset(text, match, origin)


def _parsed_with_offset(text: pl.Series, match: re.Match[str], origin: str) -> Parsed:
    """Read times with an offset, and the local times without it."""
    offset = match["offset"]
    if not text.str.ends_with(offset).all():
        times_without, _ = _parsed_all_ways(text.str.replace(_OFFSET, ""))
        return replace(_parsed_in_form(text, match, origin), local=times_without)
    # Times without an offset are read several times faster; one that all rows share is taken off and put on again.
    naive = text.str.strip_suffix(offset)
    example = _FORM.fullmatch(_example(naive))
    assert example is not None
    local = _parsed_in_form(naive, example, origin)
    shift = _offset_nanoseconds(offset) // (1 if local.times.dtype == pl.Datetime("ns") else 1_000)
    utc = (local.times.to_physical() - shift).cast(local.times.dtype)
    return Parsed(utc, "moment", f"{local.form}{offset}", local.times)


def _parsed_in_form(text: pl.Series, match: re.Match[str], origin: str) -> Parsed:
    """Read text in the form of an example; rows that do not fit are read in any other form of the same kind."""
    form, kind = _format_of(match)
    if kind == "day":
        parsed = text.str.to_date(form, strict=False)
    elif len(match["fraction"] or "") > len(".000000"):
        parsed = text.str.to_datetime(form, strict=False, time_unit="ns").dt.replace_time_zone(None)
        # Years that nanoseconds cannot say come out as others.
        years = text.str.slice(0, 4).cast(pl.Int32, strict=False)
        parsed = pl.select(pl.when(years.is_between(*_YEARS)).then(parsed)).to_series()
    else:
        parsed = text.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone(None)
    if not parsed.null_count():
        return Parsed(parsed, kind, f"text as {form}")
    rest = parsed.is_null()
    others, kinds = _parsed_all_ways(text.filter(rest))
    if any(other not in {None, kind} for other in kinds):
        every = np.full(len(text), kind, dtype=object)
        every[rest.to_numpy()] = kinds
        _one_kind(text, every.tolist(), origin)
    return Parsed(_in_nanoseconds(parsed).scatter(rest.arg_true(), others), kind, f"text as {form}")


def _example(text: pl.Series) -> str:
    """Give the first row that says something."""
    return next((value for value in text.head(1_000) if value), "")


def _in_nanoseconds(times: pl.Series) -> pl.Series:
    """Give times in nanoseconds, none where nanoseconds cannot say them."""
    if times.dtype == pl.Datetime("ns"):
        return times
    times = times.cast(pl.Datetime("us"))
    sayable = times.dt.year().is_between(*_YEARS)
    return pl.select(pl.when(sayable).then(times)).to_series().dt.cast_time_unit("ns")


def _offset_nanoseconds(offset: str) -> int:
    """Give what an offset such as Z or -05:00 comes to."""
    digits = offset.strip().replace(":", "")
    if digits == "Z":
        return 0
    minutes = int(digits[1:3]) * 60 + int(digits[3:5])
    return (-1 if digits[0] == "-" else 1) * minutes * 60 * 10**9


def _format_of(match: re.Match[str]) -> tuple[str, Kind]:
    """Give the strptime format of a stamp with dashes, and its kind."""
    compact = not match["date"]
    form = "%Y%m%d" if compact else "%Y-%m-%d"
    if match["between"] is None:
        return form, "day"
    fraction = len(match["fraction"] or ".") - 1
    clock = match["clock"]
    parts = clock.count(":") or len(clock) // 2 - 1
    form += match["between"] + (":" if ":" in clock else "").join(("%H", "%M", "%S")[: parts + 1])
    form += {0: "", 3: ".%3f", 6: ".%6f", 9: ".%9f"}.get(fraction, "%.f")
    if match["offset"] is None:
        return form, "time"
    return form + (" " if match["offset"].startswith(" ") else "") + "%#z", "moment"


def _dashed(text: pl.Series) -> pl.Series:
    """Write dates with dashes and UTC as Z."""
    dashed = text.str.replace(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})", "${1}-${2}-${3}")
    return dashed.str.replace(r"^(\d{4})(\d{2})(\d{2})([T ]|$)", "${1}-${2}-${3}${4}").str.replace(r" ?UTC$", "Z")


def _parsed_all_ways(text: pl.Series) -> tuple[pl.Series, list[Kind | None]]:
    """Read each row in the first form that fits; give nanoseconds without a zone, and the kinds."""
    parsed = pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("us"))
    kinds = np.full(len(text), None, dtype=object)
    for form, kind in _ALL_FORMATS:
        rest = parsed.is_null()
        if not rest.any():
            break
        some = text.filter(rest)
        read = some.str.to_date(form, strict=False) if kind == "day" else some.str.to_datetime(form, strict=False)
        read = read.cast(pl.Datetime("us")) if kind == "day" else read.dt.replace_time_zone(None)
        parsed = parsed.scatter(rest.arg_true(), read)
        kinds[rest.to_numpy() & parsed.is_not_null().to_numpy()] = kind
    return _in_nanoseconds(parsed), kinds.tolist()


def _one_kind(text: pl.Series, kinds: list[Kind | None], origin: str) -> Kind:
    """Give the kind that all rows have; a mixture of naive and aware times, or of days and times, is refused."""
    row, first = next((row, kind) for row, kind in enumerate(kinds) if kind is not None)
    for other, kind in enumerate(kinds):
        if kind not in {None, first}:
            aware = "moment" in {kind, first} and "day" not in {kind, first}
            what = "carry an offset" if aware else "are days"
            raise DataError(
                f"{origin}: some times {what} and some do not, such as row {row + 1}: '{text[row]}' and row "
                f"{other + 1}: '{text[other]}'; allowed: one kind"
            )
    return first


def _turned(text: pl.Series, origin: str) -> pl.Series:
    """Turn 31.12.2018 and 12/31/2018 into year-month-day; the rows must tell which of the two is the day."""
    parts = pl.DataFrame({"text": text}).select(
        first=pl.col("text").str.extract(_TURNED, 1).cast(pl.Int32),
        mark=pl.col("text").str.extract(_TURNED, 2),
        second=pl.col("text").str.extract(_TURNED, 3).cast(pl.Int32),
    )
    first, second = (int(parts[name].fill_null(0).to_numpy().max()) for name in ("first", "second"))
    is_day_first = first > 12 or (parts["mark"] == ".").any()
    if is_day_first == (second > 12):
        raise DataError(
            f"{origin}: day and month cannot be told apart in dates such as '{text[0]}'; "
            "allowed: data.date_format=%d/%m/%Y or data.date_format=%m/%d/%Y"
        )
    order = "${3}-${2}-${1}" if is_day_first else "${3}-${1}-${2}"
    return text.str.replace(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", order)


def _parsed_as(text: pl.Series, date_format: str, origin: str) -> Parsed:
    if "%Z" in date_format:
        raise DataError(f"{origin}: data.date_format: %Z names no offset; allowed: %z, or data.timezone")
    form = date_format.replace("%z", "%#z")
    kind: Kind = "day"
    if re.search(r"%[:#]*z|%s|%\+", form):
        kind = "moment"
    elif re.search(r"%-?[HIkMSTRrXclp]", form):
        kind = "time"
    try:
        if kind == "day":
            parsed = text.str.to_date(form, strict=False)
        else:
            parsed = text.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone(None)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{origin}: data.date_format: '{date_format}': {first_line(error)}") from None
    return Parsed(parsed, kind, f"text as {date_format}")
