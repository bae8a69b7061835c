"""Checks that look at the whole sample: gaps, spikes and stale runs, which only warn, and columns that look ahead."""

from itertools import product

import numpy as np
import numpy.typing as npt

from admf_ray.data.calendar import SessionTable, usual_distance
from admf_ray.data.checker import PRICES, Checker

__all__ = ["check_hours", "check_leaks", "warn_gaps", "warn_spikes", "warn_stale"]

_SPIKE = 20.0  # the S&P 500's own robust z reaches 14.5
_STALE = 10
_LEAST_RETURNS = 30
_NORMAL_MAD = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
_LEAK_HORIZON = 5
_LEAK_SHARE = 0.99
_LEAK_GLANCE = 50
_LEAK_SUSPECT = 0.8
_LEAK_SAMPLE = 1_000


def check_hours(checker: Checker, table: SessionTable) -> None:
    """Rule ``hours``: bars with a time of day lie inside the sessions of the named calendar."""
    at = np.minimum(table.of(checker.rows.moments), len(table.sessions) - 1)
    outside = checker.rows.moments < table.sessions.open[at]
    for part in checker.rows.each_symbol():
        count = int(outside[part].sum())
        if count > (part.stop - part.start) / 2:
            what = f"{count} of {part.stop - part.start} bars lie outside the sessions of {table.name}"
            allowed = "allowed: dates, another data.timezone, data.stamp or data.calendar"
            checker.find_whole("hours", f"{what}; {allowed}", int(checker.rows.symbol[part.start]))
        elif count:
            first = part.start + int(np.argmax(outside[part]))
            checker.find(
                "hours",
                np.array([first]),
                f"{count} bar(s) outside the sessions of {table.name}, this the first",
                warn_only=True,
            )


def warn_gaps(checker: Checker, table: SessionTable, is_daily: bool) -> None:
    """Rule ``gaps``: every session of the named calendar has a bar; inside a session none is left out."""
    moments = checker.rows.moments
    for part in checker.rows.each_symbol():
        if part.stop - part.start < 2:
            continue
        at = table.of(moments[part])
        skipped = np.diff(at) - 1
        for step in np.flatnonzero(skipped > 0):
            what = f"{skipped[step]} session(s) of {table.name} without a bar before"
            checker.find("gaps", np.array([part.start + step + 1]), what, warn_only=True)
        if not is_daily:
            _warn_left_out(checker, table, part, at)


def _warn_left_out(checker: Checker, table: SessionTable, part: slice, at: npt.NDArray[np.int64]) -> None:
    """Warn of bars left out inside sessions: at their beginning, between two bars, at their end."""
    moments = checker.rows.moments[part]
    same = np.diff(at) == 0
    if not same.any():
        return
    usual = usual_distance(moments[np.append(same, False) | np.append(False, same)])
    first, last = np.append(True, ~same), np.append(~same, True)
    before = np.where(first, table.sessions.open[at], np.append(0, moments[:-1]))
    pause = table.pause_between(at, before, moments)
    left_out = np.round((moments - before - pause) / usual).astype(np.int64) - 1
    after = np.round((table.sessions.close[at] - moments) / usual).astype(np.int64)
    # Data may begin and end in the middle of a session.
    left_out[at == at[0]] *= ~first[at == at[0]]
    inside = moments > table.sessions.open[at]
    for row in np.flatnonzero((left_out > 0) & inside):
        checker.find("gaps", np.array([part.start + row]), f"{left_out[row]} bar(s) left out before", warn_only=True)
    for row in np.flatnonzero(last & (after > 0) & inside & (at < at[-1])):
        checker.find("gaps", np.array([part.start + row]), f"{after[row]} bar(s) left out after", warn_only=True)


def warn_spikes(checker: Checker) -> None:
    """Rule ``spikes``: no return is far out (robust z above 20).

    z = |r - median r| / (1.4826 MAD) of log returns: Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993),
    with the deviation scaled to that of a normal distribution.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(checker.rows.fields["close"])
    for part in checker.rows.each_symbol():
        there, log = np.arange(part.start, part.stop), logs[part]
        if np.isnan(log).any():
            there, log = there[np.isfinite(log)], log[np.isfinite(log)]
        returns = np.diff(log)
        if len(returns) < _LEAST_RETURNS:
            continue
        away = np.abs(returns - _median(returns))
        far = np.flatnonzero(away > _SPIKE * _NORMAL_MAD * _median(away))
        if len(far) and _median(away) > 0:
            values = np.zeros(len(checker.rows))
            values[there[far + 1]] = returns[far]
            what = f"log return beyond {_SPIKE:g} robust deviations"
            checker.find("spikes", there[far + 1], what, values=values, warn_only=True)


def warn_stale(checker: Checker) -> None:
    """Rule ``stale``: closes change, and bars have volume."""
    for symbol, part in enumerate(checker.rows.each_symbol()):
        close, volume = checker.rows.fields["close"][part], checker.rows.fields["volume"][part]
        if not len(close):
            continue
        edges = np.flatnonzero(np.concatenate(([True], close[1:] != close[:-1], [True])))
        lengths = np.diff(edges)
        for run in np.flatnonzero(lengths >= _STALE):
            what = f"the close stays the same for {lengths[run]} bars from here"
            checker.find("stale", np.array([part.start + edges[run]]), what, warn_only=True)
        idle = np.flatnonzero(volume == 0)
        if len(idle) > max(_STALE, 0.01 * len(volume)):
            checker.find_whole("stale", f"{len(idle)} of {len(volume)} bars have no volume", symbol, warn_only=True)
        else:
            checker.find("stale", part.start + idle, "volume is 0", warn_only=True)


def check_leaks(checker: Checker) -> None:
    """Rule ``leak``: no column says what a price will be.

    A column leaks if it equals some price up to five bars ahead: nearly everywhere, and in 99% of the bars in which
    that price differs from all of the bar's own.
    """
    fields = checker.rows.fields
    columns: dict[str, npt.NDArray[np.float64]] = {name: fields[name] for name in PRICES[:3]}
    columns |= checker.rows.extras
    parts = [part for part in checker.rows.each_symbol() if part.stop - part.start > _LEAST_RETURNS]
    if not parts:
        return
    # A few bars of each symbol tell most columns apart at once.
    sampled = [np.arange(part.start, part.stop - _LEAK_HORIZON, _step(part, _LEAK_GLANCE)) for part in parts]
    counts = np.array([len(sample) for sample in sampled])
    at, starts = np.concatenate(sampled), np.cumsum(counts) - counts
    for name, values in columns.items():
        now = values[at]
        for price, ahead in product(PRICES, range(1, _LEAK_HORIZON + 1)):
            agreed = np.add.reduceat(now == fields[price][at + ahead], starts, dtype=np.int64)
            for suspect in np.flatnonzero(agreed >= _LEAK_SUSPECT * counts):
                part = parts[suspect]
                own = [fields[other][part] for other in PRICES if other != name]
                if _looks_ahead(values[part], fields[price][part], own, ahead):
                    what = f"column '{name}' equals the {price} of {ahead} bar(s) later: it looks ahead"
                    checker.find_whole("leak", what, int(checker.rows.symbol[part.start]))


def _looks_ahead(
    column: npt.NDArray[np.float64], price: npt.NDArray[np.float64], own: list[npt.NDArray[np.float64]], ahead: int
) -> bool:
    """Say whether a column is a price ``ahead`` bars later wherever that differs from all of the bar's own."""
    # A sample tells most columns apart; only one that agrees in it is looked at whole.
    for step in (_step(slice(0, len(column)), _LEAK_SAMPLE), 1):
        now = np.arange(0, len(column) - ahead, step)
        later = price[now + ahead]
        news = np.all([later != values[now] for values in own], axis=0) & np.isfinite(later)
        agreed = int((column[now][news] == later[news]).sum())
        if agreed < _LEAK_SHARE * news.sum():
            return False
    return bool(news.sum() >= _LEAST_RETURNS)


def _step(part: slice, samples: int) -> int:
    """Give the distance at which a stretch holds about so many samples."""
    length: int = part.stop - part.start
    return max(length // samples, 1)


def _median(values: npt.NDArray[np.float64]) -> float:
    """Give the median, the upper one of two."""
    return float(np.partition(values, len(values) // 2)[len(values) // 2])
