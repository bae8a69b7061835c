"""From the tables of a source to `Bars`: rows are placed in time, checked, repaired where that is allowed, aligned."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.findings import DataReport, Finding
from admf_ray.core.sessions import timeframe_length
from admf_ray.data.anomalies import check_hours, check_leaks, warn_gaps, warn_spikes, warn_stale
from admf_ray.data.calendar import DAY, SessionTable, session_table, usual_distance
from admf_ray.data.checker import RULES, Checker
from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.data.rows import Reading, Rows, read_rows
from admf_ray.data.sanity import check_future, check_length, check_missing, check_prices, drop_unread, fill, sort
from admf_ray.errors import DataError, first_line

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
    try:
        reading = read_rows(tables, request, origin)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as failure:
        raise DataError(f"{origin}: cannot be read: {first_line(failure)}") from None
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
        findings=_in_order(checker.findings, checker.rows.symbols),
    )
    refused = report.with_outcome("refused")
    if refused or not len(checker.rows):
        what = f"{len(refused)} finding(s) in the bars" if refused else "no bar is left"
        lines = "".join(f"\n  {line}" for line in report.lines("refused" if refused else "repaired"))
        error = DataError(f"{origin}: {what}:{lines}")
        error.report = report
        raise error
    return _aligned(checker.rows, table, reading, request, report)


def _in_order(findings: Sequence[Finding], symbols: Sequence[str]) -> tuple[Finding, ...]:
    """Sort findings by rule, symbol and time; what concerns a whole symbol or table comes first."""
    rules, places = list(RULES), {symbol: place for place, symbol in enumerate(symbols)}

    def key(finding: Finding) -> tuple[int, int, int, int]:
        moment = -(2**63) if finding.known_at is None else finding.known_at
        return rules.index(finding.rule), places.get(finding.symbol, -1), moment, finding.row

    return tuple(sorted(findings, key=key))


def _place(checker: Checker, reading: Reading, request: DataRequest, origin: str) -> SessionTable:
    """Give every row its ``known_at``; rows that have none are dropped and reported."""
    if reading.kind == "time" and len(checker.rows):
        _localize(checker, reading, request)
    rows = checker.rows
    if not len(rows):
        return session_table(None, 0, 0)
    table = session_table(request.calendar, int(rows.moments.min()), int(rows.moments.max()))
    if reading.kind == "day":
        _place_days(checker, request, table, origin)
    elif request.stamp == "open":
        _place_opens(checker, reading, request, table, origin)
    return table


def _place_days(checker: Checker, request: DataRequest, table: SessionTable, origin: str) -> None:
    """Place dates at their session's close, or at the end of the UTC day."""
    rows, moments = checker.rows, checker.rows.moments
    declared = DAY if request.timeframe is None else timeframe_length(request.timeframe, "data.timeframe")
    for index, name in enumerate(rows.symbols if request.stamp == "open" or declared != DAY else ()):
        if declared != DAY or usual_distance(np.unique(moments[rows.symbol == index])) > DAY:
            raise DataError(
                f"{origin}: timeframe: {name}: dates of their beginning do not say when bars end that are longer or "
                "shorter than a day; allowed: dates on which they end (data.stamp=close, data.timeframe=null), or times"
            )
    if request.calendar is None:
        checker.place(moments + DAY)
        return
    closes, is_session = table.closes_of(moments)
    checker.drop("calendar", ~is_session, f"no session of calendar {table.name} on this date")
    checker.place(closes[is_session])


def _localize(checker: Checker, reading: Reading, request: DataRequest) -> None:
    """Take times of day in the zone that the request names."""
    reading.notes["zone"] = request.timezone or "UTC, assumed"
    if request.timezone is None and request.sanity.require_utc and request.sanity.mode != "off":
        what = (
            "times carry no offset; allowed: data.timezone=America/New_York (or UTC, ...), "
            "or data.sanity.require_utc=false, which takes them as UTC"
        )
        checker.find_whole("timezone", what)
    zone = request.timezone or "UTC"
    local = pl.Series(checker.rows.moments).cast(pl.Datetime("ns"))
    moments = local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.epoch("ns")
    checker.drop(
        "timezone", moments.is_null().to_numpy(), f"does not exist, or exists twice, in {zone} (daylight saving)"
    )
    checker.place(moments.drop_nulls().to_numpy())


def _place_opens(checker: Checker, reading: Reading, request: DataRequest, table: SessionTable, origin: str) -> None:
    """Place bars stamped at their open at their end.

    Their length is declared, or the distance of the symbol's first two bars, which later ones must confirm.
    """
    rows = checker.rows
    declared = timeframe_length(request.timeframe, "data.timeframe") if request.timeframe else None
    lengths = np.zeros(len(rows), dtype=np.int64)
    overlapping = np.zeros(len(rows), dtype=np.bool_)
    order = np.lexsort((rows.moments, rows.symbol))
    symbol, moments = rows.symbol[order], rows.moments[order]
    for index, name in enumerate(rows.symbols):
        part = slice(int(np.searchsorted(symbol, index)), int(np.searchsorted(symbol, index, side="right")))
        times = np.unique(moments[part])
        if declared is None and len(times) == 1:
            raise DataError(
                f"{origin}: timeframe: {name} has one bar, stamped at its open, and nothing says how "
                "long it is; allowed: data.timeframe=5min, or what it is"
            )
        if not len(times):
            continue
        length = int(times[1] - times[0]) if declared is None else declared
        lengths[order[part]] = length
        reading.notes["length of a bar"] = f"{length / 60e9:g} minutes, " + ("declared" if declared else "as the first")
        if declared is None and length != usual_distance(times):
            what = (
                f"the first two bars are {length / 60e9:g} minutes apart, most are {usual_distance(times) / 60e9:g}; "
                "allowed: data.timeframe=5min, or what it is"
            )
            checker.find_whole("timeframe", what, index)
        if declared is not None and len(times) > 1 and np.diff(times).min() > declared:
            nearest = np.diff(times).min() / 60e9
            what = f"bars are said to be {declared / 60e9:g} minutes long, but no two are nearer than {nearest:g}"
            checker.find_whole("timeframe", f"{what}; allowed: another data.timeframe", index)
        steps = np.append(length, np.diff(moments[part]))
        overlapping[order[part]] = (steps > 0) & (steps < length)
    ends = table.ends_of(rows.moments, lengths) if request.calendar else rows.moments + lengths
    checker.place(ends)
    what = "nearer to the bar before than a bar is long"
    checker.find("timeframe", np.flatnonzero(overlapping), what, warn_only=True)


def _check(checker: Checker, reading: Reading, request: DataRequest, table: SessionTable) -> None:
    """Run the checks in their order."""
    sort(checker)
    if request.calendar and reading.kind != "day":
        check_hours(checker, table)
    if not reading.is_made:
        check_future(checker)
    absent = check_missing(checker)
    check_prices(checker)
    if request.calendar:
        warn_gaps(checker, table, reading.kind == "day")
    warn_spikes(checker)
    warn_stale(checker)
    check_length(checker, absent)
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
    if request.calendar and reading.kind == "day":
        covers_until = table.next_close(last)
    elif request.calendar and table.closes_at(last):
        covers_until = table.next_open(last)
    else:
        covers_until = last + usual_distance(known_at)
    periods = request.periods_per_year
    if periods is None:
        bars_each = np.unique(session, return_counts=True)[1]
        if request.calendar is None or 2 * len(bars_each) < session[-1] + 1:
            error = DataError(
                f"{report.origin}: how many bars a year has is not known"
                + (f" ({len(bars_each)} of {session[-1] + 1} sessions have one)" if request.calendar else "")
                + "; set data.calendar or data.periods_per_year"
            )
            error.report = report
            raise error
        periods = table.sessions_per_year * float(np.median(bars_each))
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
