"""Exchange calendars: when sessions open and close, and which session a bar belongs to."""

from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.registry import unknown_name
from admf_ray.core.sessions import Sessions
from admf_ray.errors import DataError, first_line

__all__ = ["DAY", "SessionTable", "session_table", "usual_distance"]

DAY = 86_400 * 10**9
"""Nanoseconds of a day."""

_BEYOND = 45  # days after the last bar: a month's last session must be known


class SessionTable:
    """Sessions around a stretch of time: of an exchange, or the days of UTC.

    Parameters
    ----------
    name : str or None
        Of the calendar; None for UTC days.
    sessions : Sessions
    pauses : int64 array, shape [session, 2], optional
        Nanoseconds UTC at which a session is interrupted (lunch) and goes on; 0 where it is not.
    """

    def __init__(self, name: str | None, sessions: Sessions, pauses: npt.NDArray[np.int64] | None = None) -> None:
        self.name = name
        self.sessions = sessions
        self._pauses = np.zeros((len(sessions), 2), dtype=np.int64) if pauses is None else pauses

    def closes_of(self, dates: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Give the close of the session on each date, and whether there is one.

        Parameters
        ----------
        dates : int64 array, shape [row]
            Nanoseconds of midnight.

        Returns
        -------
        closes : int64 array, shape [row]
            Of the next session, where there is none on the date.
        is_session : bool array, shape [row]
        """
        days = dates // DAY
        at = np.minimum(np.searchsorted(self.sessions.date, days), len(self.sessions) - 1)
        return self.sessions.close[at], self.sessions.date[at] == days

    def of(self, known_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Give, for each bar, the index of the first session that closes when it is known or later."""
        return np.searchsorted(self.sessions.close, known_at)

    def ends_of(self, begins: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Give when bars are complete: after their length, or at the close that cuts them short.

        A close cuts short what is no longer than its session, or a day, where trading stops at it.
        """
        at = np.minimum(np.searchsorted(self.sessions.close, begins, side="right"), len(self.sessions) - 2)
        opens, closes = self.sessions.open[at], self.sessions.close[at]
        stops = self.sessions.open[at + 1] > closes
        cut = (opens <= begins) & stops & ((lengths <= closes - opens) | (lengths == DAY))
        ends = begins + lengths
        return np.where(cut, np.minimum(ends, closes), ends)

    def next_close(self, known_at: int) -> int:
        """Give the first close after a moment."""
        return int(self.sessions.close[np.searchsorted(self.sessions.close, known_at, side="right")])

    def next_open(self, known_at: int) -> int:
        """Give the first open after a moment."""
        return int(self.sessions.open[np.searchsorted(self.sessions.open, known_at, side="right")])

    def closes_at(self, known_at: int) -> bool:
        """Say whether a session closes at a moment."""
        return bool(np.isin(known_at, self.sessions.close))

    def pause_between(
        self, session: npt.NDArray[np.int64], begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Give how long the session's interruption lasts that lies between two moments of it, 0 where none does."""
        stops, goes_on = self._pauses[session].T
        return np.where((begins <= stops) & (goes_on <= ends), goes_on - stops, 0)

    @property
    def sessions_per_year(self) -> int:
        """Sessions of an average year: 365 round the clock, else 252."""
        return 365 if self.name in {None, "24/7"} else 252


def session_table(name: str | None, first: int, last: int) -> SessionTable:
    """Load the sessions from before ``first`` to after ``last``.

    Parameters
    ----------
    name : str or None
        As `exchange_calendars` spells it: XNYS, XLON, 24/7, ...; None gives the days of UTC.
    first, last : int
        Nanoseconds UTC.

    Raises
    ------
    DataError
        Where there is no such calendar or it does not reach so far.
    """
    start, stop = first // DAY - 14, last // DAY
    if name is None:
        date = np.arange(start, min(stop + _BEYOND, np.iinfo(np.int64).max // DAY - 1))
        return SessionTable(None, Sessions(date.astype(np.int32), date * DAY, (date + 1) * DAY))
    return SessionTable(name, *_exchange_sessions(name, start, stop))


def usual_distance(moments: npt.NDArray[np.int64]) -> int:
    """Give the most common distance between neighbours, the smaller one of equals; a day for a single bar."""
    if len(moments) < 2:
        return DAY
    values, counts = np.unique(np.diff(moments), return_counts=True)
    return int(values[np.argmax(counts)])


@lru_cache(maxsize=32)
def _exchange_sessions(name: str, start: int, stop: int) -> tuple[Sessions, npt.NDArray[np.int64]]:
    """Load the sessions between two days since 1970 and some weeks after, as far as the calendar reaches."""
    import exchange_calendars

    names = exchange_calendars.get_calendar_names()
    if name not in names:
        raise DataError(f"data.calendar: {unknown_name('calendar', name, names)}")
    end = stop + _BEYOND
    try:
        end = min(end, _bound(name))
        schedule: Any = exchange_calendars.get_calendar(name, start=_day(start), end=_day(end)).schedule
    except (ValueError, exchange_calendars.errors.CalendarError) as error:
        message = f"data.calendar: {name} does not reach from {_day(start)} to {_day(stop)}: {first_line(error)}"
        raise DataError(message) from None
    columns = {}
    for column in ("open", "close", "break_start", "break_end"):
        times = schedule[column].dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
        columns[column] = np.where(times == np.iinfo(np.int64).min, 0, times)
    dates = schedule.index.to_numpy().astype("datetime64[D]").astype(np.int32)
    pauses = np.stack([columns["break_start"], columns["break_end"]], axis=1)
    return Sessions(dates, columns["open"], columns["close"]), pauses


@cache
def _bound(name: str) -> int:
    """Give the last day since 1970 to which a calendar reaches."""
    import exchange_calendars
    import pandas as pd

    reached = type(exchange_calendars.get_calendar(name, start="2020-01-01", end="2020-03-01")).bound_max()
    return int((reached - pd.Timestamp(0)).days) if reached is not None else np.iinfo(np.int32).max


def _day(days: int) -> str:
    return str(np.datetime64(days, "D"))
