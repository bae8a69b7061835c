"""From the tables of a source to `Bars`: rows are placed in time, checked, repaired where that is allowed, aligned."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.findings import DataReport
from admf_ray.core.sessions import timeframe_length
from admf_ray.data.anomalies import check_leaks, warn_gaps, warn_outside, warn_spikes, warn_stale
from admf_ray.data.calendar import DAY, SessionTable, session_table
from admf_ray.data.checker import RULES, Checker
from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.data.rows import Reading, Rows, read_rows
from admf_ray.data.sanity import check_future, check_length, check_missing, check_prices, drop_unread, fill, sort
from admf_ray.errors import DataError

__all__ = ["bars_of"]


def bars_of(tables: Sequence[Table], request: DataRequest, origin: str) -> Bars:
    """Make bars of tables.

    Parameters
    ----------
    tables : sequence of Table
    request : DataRequest
    origin : str
        Of all tables together: file, folder or source.

    Returns
    -------
    Bars
        With the report of what was found and repaired.

    Raises
    ------
    DataError
        Lists every finding that is refused; its ``report`` has all of them.
    """
    reading = read_rows(tables, request, origin)
    checker = Checker(reading, request)
    drop_unread(checker)
    table = _place(checker, reading, request, origin)
    if len(checker.rows):
        _check(checker, reading, request, table)
    sanity = request.sanity
    report = DataReport(
        origin=origin,
        checks={
            **{name: getattr(sanity, name) for name in type(sanity).__dataclass_fields__},
            "min_history_bars": request.min_history,
        },
        reading=reading.notes,
        findings=tuple(sorted(checker.findings, key=lambda finding: list(RULES).index(finding.rule))),
    )
    refused = report.with_outcome("refused")
    if refused or not len(checker.rows):
        what = f"{len(refused)} finding(s) in the bars" if refused else "no bar is left"
        lines = "".join(f"\n  {line}" for line in report.lines("refused" if refused else "repaired"))
        error = DataError(f"{origin}: {what}:{lines}")
        error.report = report
        raise error
    return _aligned(checker.rows, table, reading, request, report)


def _place(checker: Checker, reading: Reading, request: DataRequest, origin: str) -> SessionTable:
    """Give every row its ``known_at``; rows that have none are dropped and reported."""
    if reading.kind == "time" and len(checker.rows):
        _localize(checker, reading, request, origin)
    rows = checker.rows
    if not len(rows):
        return session_table(None, 0, 0)
    table = session_table(request.calendar, int(rows.moments.min()), int(rows.moments.max()))
    if reading.kind == "day" and request.calendar is None:
        checker.place(rows.moments + DAY)
    elif reading.kind == "day":
        closes, is_session = table.closes_of(rows.moments)
        if not is_session.all():
            checker.drop("calendar", ~is_session, f"no session of calendar {table.name} on this date")
        checker.place(closes[is_session])
    elif request.stamp == "open":
        lengths, overlapping = _lengths(rows, request, origin)
        ends = table.ends_of(rows.moments, lengths) if request.calendar else rows.moments + lengths
        if overlapping.any():
            what = "nearer to the bar before than a bar is long; allowed: data.timeframe=5min, or what it is"
            checker.drop("timeframe", overlapping, what)
        checker.place(ends[~overlapping])
    return table


def _localize(checker: Checker, reading: Reading, request: DataRequest, origin: str) -> None:
    """Take times of day in the zone that the request names."""
    zone = request.timezone
    if zone is None:
        if request.sanity.require_utc and request.sanity.mode != "off":
            raise DataError(
                f"{origin}: timezone: times carry no offset; allowed: data.timezone=America/New_York (or UTC, ...), "
                "or data.sanity.require_utc=false, which takes them as UTC"
            )
        zone = "UTC"
        reading.notes["zone"] = "UTC, assumed"
    else:
        reading.notes["zone"] = zone
    if zone == "UTC":
        return
    local = pl.Series(checker.rows.moments).cast(pl.Datetime("ns"))
    moments = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.epoch("ns")
    checker.drop(
        "timezone", moments.is_null().to_numpy(), f"does not exist, or exists twice, in {zone} (daylight saving)"
    )
    checker.place(moments.drop_nulls().to_numpy())


def _lengths(rows: Rows, request: DataRequest, origin: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Give the length of each row's bar, and where bars would overlap.

    The length is declared, or the distance of a symbol's first two bars, which no later bar changes: the last rows of a
    file never move the first ones in time.
    """
    overlapping = np.zeros(len(rows), dtype=np.bool_)
    declared = timeframe_length(request.timeframe, "data.timeframe") if request.timeframe else None
    lengths = np.zeros(len(rows), dtype=np.int64)
    order = np.lexsort((rows.moments, rows.symbol))
    symbol, moments = rows.symbol[order], rows.moments[order]
    for index, name in enumerate(rows.symbols):
        part = slice(int(np.searchsorted(symbol, index)), int(np.searchsorted(symbol, index, side="right")))
        steps = np.diff(moments[part])
        length = declared if declared is not None else next(iter(steps[steps > 0][:1].tolist()), None)
        if length is None:
            if part.stop > part.start:
                raise DataError(
                    f"{origin}: timeframe: {name} has one bar, stamped at its open, and nothing says how "
                    "long it is; allowed: data.timeframe=5min, or what it is"
                )
            continue
        lengths[order[part]] = length
        near = np.flatnonzero((steps > 0) & (steps < length))
        overlapping[order[part][near + 1]] = True
    return lengths, overlapping


def _check(checker: Checker, reading: Reading, request: DataRequest, table: SessionTable) -> None:
    """Run the checks in their order."""
    named = table if request.calendar else None
    sort(checker)
    if named is not None and reading.kind != "day":
        warn_outside(checker, named)
    if not reading.is_made:
        check_future(checker)
    absent = check_missing(checker)
    check_prices(checker)
    warn_gaps(checker, named, reading.kind == "day")
    warn_spikes(checker)
    warn_stale(checker)
    check_length(checker)
    check_leaks(checker)
    fill(checker, absent)


def _aligned(rows: Rows, table: SessionTable, reading: Reading, request: DataRequest, report: DataReport) -> Bars:
    """Put rows, sorted by symbol and time, onto one axis of time."""
    if len(rows.symbols) == 1:
        known_at = rows.moments
        fields = {name: rows.fields[name][np.newaxis] for name in FIELDS}
    elif _share_times(rows):
        count = len(rows) // len(rows.symbols)
        known_at = rows.moments[:count]
        fields = {name: rows.fields[name].reshape(-1, count) for name in FIELDS}
    else:
        known_at = np.unique(rows.moments)
        at = np.searchsorted(known_at, rows.moments)
        fields = {}
        for name in FIELDS:
            fields[name] = np.full((len(rows.symbols), len(known_at)), np.nan)
            fields[name][rows.symbol, at] = rows.fields[name]
    number = table.of(known_at)
    first = int(number[0])
    session = (number - first).astype(np.int32)
    last = int(known_at[-1])
    if reading.kind == "day":
        covers_until = table.next_close(last) if request.calendar else last + _usual_distance(known_at)
    else:
        covers_until = last + _usual_distance(known_at)
    periods = request.periods_per_year
    if periods is None:
        if request.calendar is None:
            error = DataError(
                f"{report.origin}: how many bars a year has is not known; set data.calendar or data.periods_per_year"
            )
            error.report = report
            raise error
        periods = table.sessions_per_year * float(np.median(np.unique(session, return_counts=True)[1]))
    return Bars(
        symbols=rows.symbols,
        known_at=known_at,
        session=session,
        sessions=table.sessions.since(first),
        covers_until=covers_until,
        periods_per_year=periods,
        adjustment=request.adjust,
        calendar=request.calendar,
        min_history=request.min_history,
        report=report,
        **fields,
    )


def _share_times(rows: Rows) -> bool:
    """Say whether all symbols have bars at the same times."""
    count, rest = divmod(len(rows), len(rows.symbols))
    if rest or (rows.symbol[::count] != np.arange(len(rows.symbols))).any():
        return False
    moments = rows.moments.reshape(-1, count)
    return bool((moments[1:] == moments[0]).all())


def _usual_distance(known_at: npt.NDArray[np.int64]) -> int:
    """Give the most common distance between neighbours, the smaller one of equals; a day for a single bar."""
    if len(known_at) < 2:
        return DAY
    values, counts = np.unique(np.diff(known_at), return_counts=True)
    return int(values[np.argmax(counts)])
