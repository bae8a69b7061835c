"""Price bars: a panel of symbols x time (SEMANTICS 1)."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from admf_ray.core.findings import DataReport
from admf_ray.core.sessions import Sessions
from admf_ray.errors import DataError
from admf_ray.fingerprint import fingerprint_columns

__all__ = ["FIELDS", "NEVER", "Adjustment", "Bars", "Field"]

Field = Literal["open", "high", "low", "close", "volume"]
FIELDS: tuple[Field, ...] = ("open", "high", "low", "close", "volume")
"""The raw fields, in the order of their rows in the hub."""

Adjustment = Literal["none", "splits", "total_return"]

NEVER = 2**62
"""Stands for the last bar of a symbol that is not delisted."""

_DELISTED_SESSIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Bars of one or several symbols, aligned by the moment at which they are known.

    Arrays are C-contiguous and read-only. A bar with any of open, high, low and close missing is a missing bar of its
    symbol: all four become NaN.

    Attributes
    ----------
    symbols : tuple of str
    known_at : int64 array, shape [time]
        Nanoseconds UTC at which the bar is complete, strictly increasing.
    open, high, low, close, volume : float64 array, shape [symbol, time]
        Prices in the quote currency; volume in shares or contracts, NaN where unknown.
    session : int32 array, shape [time]
        Number of the trading session, never falling.
    covers_until : int
        Nanoseconds UTC before which no further bar can appear: when the next bar is due.
    periods_per_year : float
        Bars in a year, declared by the source; annualizes returns.
    adjustment : {"none", "splits", "total_return"}
    calendar : str or None
        Name of the exchange calendar, None for round the clock.
    sessions : Sessions or None
        The sessions that ``session`` numbers; None where they are not known, and then nor are higher timeframes.
    min_history : int
        No symbol has a target before it has had so many bars.
    report : DataReport or None
        What checks found and repaired on the way; no part of the content.

    Raises
    ------
    DataError
        Where shapes disagree, times do not increase, a price is not above 0 or there is no bar.
    """

    symbols: tuple[str, ...]
    known_at: npt.NDArray[np.int64]
    open: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    close: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]
    session: npt.NDArray[np.int32]
    covers_until: int
    periods_per_year: float
    adjustment: Adjustment = "none"
    calendar: str | None = None
    sessions: Sessions | None = None
    min_history: int = 0
    report: DataReport | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check shapes and order, settle missing bars, make every array read-only."""
        known_at = _frozen(self.known_at, np.int64)
        shape = (len(self.symbols), len(known_at))
        if not self.symbols or not len(known_at):
            raise DataError("bars are empty: at least one symbol and one bar are needed")
        if np.any(np.diff(known_at) <= 0):
            at = int(np.argmax(np.diff(known_at) <= 0)) + 1
            raise DataError(f"bar {at} is not after bar {at - 1}: known_at must increase strictly")
        if self.covers_until <= known_at[-1]:
            raise DataError("covers_until must lie after the last bar")
        if not self.periods_per_year > 0:
            raise DataError(f"periods_per_year is {self.periods_per_year}; it must be above 0")
        object.__setattr__(self, "known_at", known_at)
        object.__setattr__(self, "session", _frozen(self.session, np.int32))
        prices: dict[str, npt.NDArray[np.float64]] = {name: np.asarray(getattr(self, name), float) for name in FIELDS}
        if self.session.shape != known_at.shape:
            raise DataError(f"session has shape {self.session.shape}, [time] is {known_at.shape}")
        if np.any(np.diff(self.session) < 0):
            raise DataError("session falls: it must number the sessions in order")
        if self.sessions is not None and not 0 <= self.session[0] <= self.session[-1] < len(self.sessions):
            raise DataError(f"session reaches {self.session[-1]}; there are {len(self.sessions)} sessions")
        for name, values in prices.items():
            if values.shape != shape:
                raise DataError(f"{name} has shape {values.shape}, [symbol, time] is {shape}")
        for name in FIELDS[:4]:
            wrong = ~np.isnan(prices[name]) & ~((prices[name] > 0) & (prices[name] < np.inf))
            if wrong.any():
                s, t = np.argwhere(wrong)[0]
                value = prices[name][s, t]
                raise DataError(f"{name} of {self.symbols[s]} at bar {t} is {value:g}; prices are finite and above 0")
        missing = np.isnan(prices["open"] + prices["high"] + prices["low"] + prices["close"])
        for name, values in prices.items():
            ragged = name != "volume" and np.any(np.isnan(values) != missing)
            object.__setattr__(self, name, _frozen(np.where(missing, np.nan, values) if ragged else values, np.float64))

    def __len__(self) -> int:
        """Give the number of bars in time."""
        return len(self.known_at)

    def head(self, stop: int) -> "Bars":
        """Give the bars before index ``stop``, as views."""
        cut: dict[str, Any] = {name: getattr(self, name)[:, :stop] for name in FIELDS}
        until = int(self.known_at[stop]) if stop < len(self) else self.covers_until
        return replace(self, known_at=self.known_at[:stop], session=self.session[:stop], covers_until=until, **cut)

    def bucket_closes(self, timeframe: str) -> npt.NDArray[np.int64]:
        """Give, for each bar, when its bucket of a higher timeframe is complete; see `Sessions.bucket_closes`.

        Raises
        ------
        DataError
            Where the sessions are not known.
        """
        if self.sessions is None:
            raise DataError(f"timeframe {timeframe}: these bars carry no sessions; allowed: bars of a data source")
        return self.sessions.bucket_closes(timeframe, self.known_at, self.session)

    def history_reached(self) -> npt.NDArray[np.int64]:
        """Give, for each symbol, the first bar at which it has had ``min_history`` bars; the number of bars if never.

        Returns
        -------
        int64 array, shape [symbol]
        """
        if self.min_history <= 0:
            return np.zeros(len(self.symbols), dtype=np.int64)
        had = np.cumsum(~np.isnan(self.close), axis=1)
        return np.array([np.searchsorted(row, self.min_history) for row in had], dtype=np.int64)

    def last_bars(self) -> npt.NDArray[np.int64]:
        """Give, for each symbol that was delisted, its last bar; `NEVER` for the others.

        A symbol counts as delisted where it has had a bar, and none in the newest five sessions of the series.

        Returns
        -------
        int64 array, shape [symbol]
        """
        there = ~np.isnan(self.close)
        last = len(self) - 1 - np.argmax(there[:, ::-1], axis=1)
        newest = np.unique(self.session)[-_DELISTED_SESSIONS:]
        is_gone = there.any(axis=1) & (self.session[last] < newest[0]) & (len(newest) == _DELISTED_SESSIONS)
        return np.where(is_gone, last, NEVER).astype(np.int64)

    def past_fingerprint(self) -> str:
        """Hash what later bars leave as it is: symbols, times, prices, adjustment, bars per year, history asked."""
        return fingerprint_columns(self._past())

    def _past(self) -> dict[str, npt.NDArray[Any]]:
        columns: dict[str, npt.NDArray[Any]] = {"symbols": np.array(self.symbols), "known_at": self.known_at}
        columns |= {name: getattr(self, name) for name in FIELDS}
        columns |= {
            "session": self.session,
            "adjustment": np.array([self.adjustment]),
            "periods_per_year": np.array([float(self.periods_per_year)]),
            "min_history": np.array([self.min_history]),
        }
        return columns

    def fingerprint(self) -> str:
        """Hash the whole content: the past, and the sessions, which reach beyond it (SHA-256)."""
        columns = self._past()
        if self.sessions is not None:
            columns |= {f"sessions.{name}": getattr(self.sessions, name) for name in ("date", "open", "close")}
        return fingerprint_columns(columns)


def _frozen(values: npt.ArrayLike, dtype: Any) -> npt.NDArray[Any]:
    """Give a C-contiguous array that cannot be written through this reference."""
    array = np.ascontiguousarray(values, dtype=dtype).view()
    array.flags.writeable = False
    return array
