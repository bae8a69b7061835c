"""From a table of bars, as some source has it, to `Bars`."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.data.calendar import DAY, session_table
from admf_ray.data.request import DataRequest
from admf_ray.data.sanity import check_bars
from admf_ray.errors import DataError

__all__ = ["bars_from_frame"]

_TIME_NAMES = ("known_at", "timestamp", "datetime", "date", "time")
_MISSING = ("", "nan", "na", "n/a", "null", "none")
_YEARS = (1678, 2261)  # that nanoseconds since 1970 can say
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_TIMED = r"^\d{4}-\d{2}-\d{2}[T ]"
_OFFSET = r"(?i)(z|[+-]\d{2}:?\d{2})$"


def bars_from_frame(frame: pl.DataFrame, request: DataRequest, origin: str) -> Bars:
    """Make bars of a table.

    Parameters
    ----------
    frame : polars.DataFrame
        A time column (``date``, ``time``, ``datetime``, ``timestamp`` or ``known_at``), ``open``, ``high``, ``low``,
        ``close`` and, if there is one, ``volume``; in any case of letters, others are left aside.
    request : DataRequest
    origin : str
        File or source, for messages.

    Raises
    ------
    DataError
        Names the column, bar and rule.
    """
    names = {name.strip().lower(): name for name in frame.columns}
    time_name = next((name for name in _TIME_NAMES if name in names), None)
    lacking = [name for name in FIELDS[:4] if name not in names]
    if time_name is None or lacking:
        wanted = [*([] if time_name else [f"a time ({', '.join(_TIME_NAMES)})"]), *lacking]
        raise DataError(
            f"{origin}: no column for {', '.join(wanted)}; found: {', '.join(frame.columns)}; "
            "needed: date, open, high, low, close (volume if there is one)"
        )
    if frame.is_empty():
        raise DataError(f"{origin}: there is no bar in it")
    stamps = frame[names[time_name]]
    columns: dict[str, npt.NDArray[np.float64]] = {
        name: _numbers(frame[names[name]], name, stamps, origin) for name in FIELDS if name in names
    }
    columns.setdefault("volume", np.full(len(frame), np.nan))
    moments, date_only = _moments(stamps, request, origin)
    sessions = session_table(request.calendar, int(moments.min()), int(moments.max())) if request.calendar else None
    spacing = _usual_spacing(moments)
    if not date_only:
        known_at = moments + (spacing if request.stamp == "open" else 0)
    elif sessions:
        known_at = sessions.closes_of(moments, origin)
    else:
        known_at = moments + DAY
    check_bars(origin, [str(stamp) for stamp in stamps], known_at, columns)
    if np.isnan(columns["open"] + columns["high"] + columns["low"] + columns["close"]).all():
        raise DataError(f"{origin}: every bar is missing a price")
    if sessions:
        session = sessions.numbers(known_at)
        covers_until = sessions.next_close(int(known_at[-1])) if date_only else int(known_at[-1]) + spacing
    else:
        days = (known_at - 1) // DAY
        session = (days - days[0]).astype(np.int32)
        covers_until = int(known_at[-1]) + spacing
    periods = request.periods_per_year
    if periods is None:
        if sessions is None:
            raise DataError(
                f"{origin}: how many bars a year has is not known; set data.calendar or data.periods_per_year"
            )
        periods = sessions.sessions_per_year * float(np.median(np.unique(session, return_counts=True)[1]))
    return Bars(
        symbols=(request.symbol or Path(origin).name.partition(".")[0],),
        known_at=known_at,
        session=session,
        covers_until=covers_until,
        periods_per_year=periods,
        adjustment=request.adjust,
        calendar=request.calendar,
        **{name: columns[name][np.newaxis] for name in FIELDS},
    )


def _numbers(column: pl.Series, name: str, stamps: pl.Series, origin: str) -> npt.NDArray[np.float64]:
    """Read a column as floats, NaN where it says that a value is missing."""
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False)
        wrong = numbers.is_null() & text.is_not_null() & ~text.str.to_lowercase().is_in(_MISSING)
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise DataError(f"{origin}: bar {stamps[row]} (row {row + 1}): {name} is no number: '{column[row]}'")
    elif column.dtype.is_numeric():
        numbers = column.cast(pl.Float64)
    else:
        raise DataError(f"{origin}: column {name} holds {column.dtype}, not numbers")
    return numbers.fill_null(np.nan).to_numpy().astype(np.float64)


def _moments(stamps: pl.Series, request: DataRequest, origin: str) -> tuple[npt.NDArray[np.int64], bool]:
    """Give stamps as nanoseconds UTC, and whether they are dates without a time of day.

    Times that all lie at midnight, in the zone that they carry, are dates: what frames make of a column of days.
    """
    parsed = _parsed(stamps, origin)
    unread = parsed.is_null() | ~parsed.dt.year().is_between(_YEARS[0], _YEARS[1])
    if unread.any():
        row = int(unread.arg_max() or 0)
        raise DataError(
            f"{origin}: row {row + 1}: '{stamps[row]}' is no date or time between {_YEARS[0]} and {_YEARS[1]}; "
            "allowed: 2018-12-31, 2018-12-31 16:00:00, 2018-12-31T16:00:00+00:00"
        )
    if parsed.dtype == pl.Date:
        return parsed.cast(pl.Datetime("ns")).dt.epoch("ns").to_numpy().astype(np.int64), True
    zone = getattr(parsed.dtype, "time_zone", None)
    local = parsed.dt.replace_time_zone(None).cast(pl.Datetime("ns"))
    if zone != "UTC" and (local.dt.truncate("1d") == local).all():
        return local.dt.epoch("ns").to_numpy().astype(np.int64), True
    if zone is None:
        parsed = local.dt.replace_time_zone(request.timezone, ambiguous="null", non_existent="null")
        if parsed.is_null().any():
            row = int(parsed.is_null().arg_max() or 0)
            raise DataError(
                f"{origin}: row {row + 1}: '{stamps[row]}' does not exist, or exists twice, in {request.timezone} "
                "(daylight saving); allowed: times with an offset, or another data.timezone"
            )
    return parsed.cast(pl.Datetime("ns", "UTC")).dt.epoch("ns").to_numpy().astype(np.int64), False


def _parsed(stamps: pl.Series, origin: str) -> pl.Series:
    """Give stamps as a temporal column, null where one cannot be read."""
    if stamps.dtype == pl.Date or isinstance(stamps.dtype, pl.Datetime):
        return stamps
    if stamps.dtype != pl.String:
        raise DataError(f"{origin}: column {stamps.name} holds {stamps.dtype}, not dates or times")
    text = stamps.str.strip_chars()
    days, timed = text.str.contains(_DAY), text.str.contains(_TIMED)
    aware = timed & text.str.contains(_OFFSET)
    for what, some, others in (("are days", days, timed), ("carry an offset", aware, timed & ~aware)):
        if some.any() and others.any():
            row = int(others.arg_max() or 0)
            raise DataError(f"{origin}: some times {what} and some do not, such as row {row + 1}: '{stamps[row]}'")
    if days.any():
        return text.str.to_date("%Y-%m-%d", strict=False)
    try:
        return text.str.to_datetime(strict=False, time_unit="us", time_zone="UTC" if aware.any() else None)
    except pl.exceptions.PolarsError:
        return pl.Series(stamps.name, [None] * len(stamps), dtype=pl.Datetime("us"))


def _usual_spacing(moments: npt.NDArray[np.int64]) -> int:
    """Give the most common distance between neighbours, the smaller one of equals; a day for a single bar."""
    steps = np.diff(moments)
    steps = steps[steps > 0]
    if not len(steps):
        return DAY
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])
