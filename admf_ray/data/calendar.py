"""Exchange calendars: when sessions open and close, and which session a bar belongs to."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.registry import unknown_name
from admf_ray.core.sessions import Sessions
from admf_ray.errors import DataError

__all__ = ["DAY", "SessionTable", "session_table"]

DAY = 86_400 * 10**9
"""Nanoseconds of a day."""

_BEYOND = (45, 14)  # days after the last bar: a month's last session must be known, where the calendar reaches so far


class SessionTable:
    """Sessions around a stretch of time: of an exchange, or the days of UTC.

    Parameters
    ----------
    name : str or None
        Of the calendar; None for UTC days.
    sessions : Sessions
    """

    def __init__(self, name: str | None, sessions: Sessions) -> None:
        self.name = name
        self.sessions = sessions

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
        """Give when bars that begin inside a session are complete: after their length, or at the session's close."""
        at = np.minimum(np.searchsorted(self.sessions.close, begins, side="right"), len(self.sessions) - 1)
        inside = self.sessions.open[at] <= begins
        ends = begins + lengths
        return np.where(inside, np.minimum(ends, self.sessions.close[at]), ends)

    def next_close(self, known_at: int) -> int:
        """Give the first close after a moment."""
        return int(self.sessions.close[np.searchsorted(self.sessions.close, known_at, side="right")])

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
        date = np.arange(start, min(stop + _BEYOND[0], np.iinfo(np.int64).max // DAY - 1))
        return SessionTable(None, Sessions(date.astype(np.int32), date * DAY, (date + 1) * DAY))
    for beyond in _BEYOND:
        found = _exchange_sessions(name, start, stop + beyond)
        if isinstance(found, Sessions):
            return SessionTable(name, found)
    raise DataError(f"data.calendar: {name} does not reach from {_date(start)} to {_date(stop)}: {found}")


@lru_cache(maxsize=32)
def _exchange_sessions(name: str, start: int, stop: int) -> Sessions | str:
    """Load sessions between two days since 1970, or say why there are none."""
    import exchange_calendars
    import pandas as pd

    names = exchange_calendars.get_calendar_names()
    if name not in names:
        raise DataError(f"data.calendar: {unknown_name('calendar', name, names)}")
    try:
        calendar = exchange_calendars.get_calendar(
            name, start=pd.Timestamp(_date(start)), end=pd.Timestamp(_date(stop))
        )
        schedule: Any = calendar.schedule
    except (ValueError, exchange_calendars.errors.CalendarError) as error:
        return str(error)
    opens, closes = (
        schedule[column].dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
        for column in ("open", "close")
    )
    return Sessions(schedule.index.to_numpy().astype("datetime64[D]").astype(np.int32), opens, closes)


def _date(days: int) -> str:
    return str(np.datetime64(days, "D"))
