"""Exchange calendars: when sessions close, and which session a bar belongs to."""

from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.registry import unknown_name
from admf_ray.errors import DataError

__all__ = ["DAY", "SessionTable", "session_table"]

DAY = 86_400 * 10**9
"""Nanoseconds of a day."""


class SessionTable:
    """Sessions of one exchange around a stretch of time.

    Parameters
    ----------
    name : str
        Of the calendar.
    dates : int64 array, shape [session]
        Nanoseconds of midnight of each session's date.
    closes : int64 array, shape [session]
        Nanoseconds UTC of each session's close.
    """

    def __init__(self, name: str, dates: npt.NDArray[np.int64], closes: npt.NDArray[np.int64]) -> None:
        self.name = name
        self._dates = dates
        self._closes = closes

    def closes_of(self, dates: npt.NDArray[np.int64], origin: str) -> npt.NDArray[np.int64]:
        """Give the close of the session on each date.

        Raises
        ------
        DataError
            Where the exchange was closed on a date; names up to five of them.
        """
        at = np.minimum(np.searchsorted(self._dates, dates), len(self._dates) - 1)
        strangers = dates[self._dates[at] != dates]
        if len(strangers):
            shown = ", ".join(str(date) for date in strangers[:5].astype("datetime64[ns]").astype("datetime64[D]"))
            raise DataError(f"{origin}: {len(strangers)} date(s) are no sessions of calendar {self.name}: {shown}")
        closes: npt.NDArray[np.int64] = self._closes[at]
        return closes

    def numbers(self, known_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Give the number of the session in which each bar became known; the first bar's is 0."""
        at = np.searchsorted(self._closes, known_at)
        return np.asarray(at - at[0], dtype=np.int32)

    def next_close(self, known_at: int) -> int:
        """Give the first close after a moment."""
        return int(self._closes[np.searchsorted(self._closes, known_at, side="right")])

    @property
    def sessions_per_year(self) -> int:
        """Sessions of an average year: 365 round the clock, else 252."""
        return 365 if self.name == "24/7" else 252


def session_table(name: str, first: int, last: int) -> SessionTable:
    """Load the sessions from before ``first`` to after ``last``.

    Parameters
    ----------
    name : str
        As `exchange_calendars` spells it: XNYS, XLON, 24/7, ...
    first, last : int
        Nanoseconds UTC.

    Raises
    ------
    DataError
        Where there is no such calendar or it does not reach so far.
    """
    import exchange_calendars
    import pandas as pd

    names = exchange_calendars.get_calendar_names()
    if name not in names:
        raise DataError(f"data.calendar: {unknown_name('calendar', name, names)}")
    start = pd.Timestamp(first - 14 * DAY).normalize()
    end = pd.Timestamp(last + 14 * DAY).normalize()
    try:
        closes: Any = exchange_calendars.get_calendar(name, start=start, end=end).closes
    except ValueError as error:
        raise DataError(f"data.calendar: {name} does not reach from {start.date()} to {end.date()}: {error}") from None
    return SessionTable(
        name,
        closes.index.to_numpy().astype("datetime64[ns]").astype(np.int64),
        closes.dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype(np.int64),
    )
