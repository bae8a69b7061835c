"""Trading sessions: where they open and close, and the buckets into which higher timeframes gather bars."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.errors import ConfigError, DataError

__all__ = ["Sessions", "timeframe_length"]

_NANOSECONDS = {"s": 10**9, "min": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}
_LONGEST = 92 * 86_400 * 10**9
_ALLOWED = "a whole number and a unit: 30s, 5min, 1h; or 1d, 1w, 1mo"


def timeframe_length(timeframe: str, where: str) -> int:
    """Give the nominal length of a timeframe below the week in nanoseconds.

    Raises
    ------
    ConfigError
        Names the option ``where`` and what is allowed.

    Examples
    --------
    >>> timeframe_length("5min", "data.timeframe")
    300000000000
    """
    match = re.fullmatch(r"([1-9]\d{0,6})(s|min|h|d)", str(timeframe))
    length = int(match[1]) * _NANOSECONDS[match[2]] if match else 0
    if not 0 < length <= _LONGEST:
        raise ConfigError(f"{where}: '{timeframe}' is no length of a bar; allowed: 30s, 5min, 1h, 1d, ... up to 92d")
    return length


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions in order of time; a bar's session number is an index here. They reach beyond the last bar.

    Attributes
    ----------
    date : int32 array, shape [session]
        Days since 1970 of the session's date, as the exchange labels it.
    open, close : int64 array, shape [session]
        Nanoseconds UTC.

    Raises
    ------
    DataError
        Where shapes disagree or sessions are not in order.
    """

    date: npt.NDArray[np.int32]
    open: npt.NDArray[np.int64]
    close: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check shapes and order, make the arrays read-only."""
        for name, dtype in (("date", np.int32), ("open", np.int64), ("close", np.int64)):
            values: npt.NDArray[Any] = np.ascontiguousarray(getattr(self, name), dtype=dtype).view()
            values.flags.writeable = False
            object.__setattr__(self, name, values)
            if values.ndim != 1 or len(values) != len(self.date) or np.any(np.diff(values) <= 0):
                raise DataError(f"sessions: {name} must have one value a session and increase")
        if np.any(self.open >= self.close):
            raise DataError("sessions: every session must open before it closes")

    def __len__(self) -> int:
        """Give the number of sessions."""
        return len(self.date)

    def since(self, first: int) -> "Sessions":
        """Give the sessions from number ``first`` on."""
        return Sessions(self.date[first:], self.open[first:], self.close[first:])

    def bucket_closes(
        self, timeframe: str, known_at: npt.NDArray[np.int64], session: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.int64]:
        """Give, for each bar, the moment at which its bucket of a higher timeframe is complete.

        Buckets of seconds to hours begin at their session's open, the last one ends with the session; days are
        sessions; weeks (from Monday) and months end with their last session's close. A bucket holds the bars known
        after the bucket before it and up to its close.

        Parameters
        ----------
        timeframe : str
            ``30s``, ``5min``, ``1h``, ``1d``, ``1w``, ``1mo``.
        known_at : int64 array, shape [time]
        session : int32 array, shape [time]

        Returns
        -------
        int64 array, shape [time]
            Nanoseconds UTC, never before ``known_at``.

        Raises
        ------
        ConfigError
            Where the timeframe cannot be read.
        DataError
            Where the end of the last week or month is not known.

        Examples
        --------
        >>> hour = 3600 * 10**9
        >>> sessions = Sessions([0, 1], [9 * hour, 33 * hour], [16 * hour, 40 * hour])
        >>> closes = sessions.bucket_closes("4h", np.array([10, 13, 14, 34]) * hour, np.array([0, 0, 0, 1]))
        >>> (closes // hour).tolist()
        [13, 13, 16, 37]
        """
        match = re.fullmatch(r"([1-9]\d{0,5})(s|min|h)|1(d|w|mo)", str(timeframe))
        if not match:
            raise ConfigError(f"timeframe '{timeframe}' is not allowed; allowed: {_ALLOWED}")
        if match[3]:
            return self.close[self._last_of_period(match[3], int(session[-1]))[session]]
        length = int(match[1]) * _NANOSECONDS[match[2]]
        opens, closes = self.open[session], self.close[session]
        nominal = opens - (opens - known_at) // length * length
        # A bar known after its session's close has a bucket beyond it.
        return np.where(known_at <= closes, np.minimum(nominal, closes), nominal)

    def _last_of_period(self, unit: str, used: int) -> npt.NDArray[np.int64]:
        """Give, for each session, the last one of its day, week or month; that of session ``used`` must be known."""
        if unit == "d":
            return np.arange(len(self))
        days = self.date.astype(np.int64)
        # 1970-01-01 was a Thursday: weeks turn on Mondays.
        period = (days + 3) // 7 if unit == "w" else days.astype("datetime64[D]").astype("datetime64[M]").astype(int)
        if period[used] == period[-1]:
            last = np.datetime64(int(self.date[-1]), "D")
            raise DataError(f"timeframe 1{unit}: sessions are known up to {last} only, so that its end is not")
        return np.searchsorted(period, period, side="right") - 1
