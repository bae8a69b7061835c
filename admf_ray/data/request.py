"""What is asked of a data source."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

import polars as pl

from admf_ray.core.bars import Adjustment
from admf_ray.core.registry import unknown_name
from admf_ray.core.sessions import timeframe_length
from admf_ray.errors import ConfigError

__all__ = ["MIN_HISTORY", "PROFILES", "DataRequest", "Sanity"]

_COLUMNS = ["date", "time", "datetime", "timestamp", "known_at", "symbol", "open", "high", "low", "close", "volume"]
MIN_HISTORY = 120
"""Bars that a symbol must have had before it can have a target, where the request says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanity:
    """How strictly bars are checked, and which repairs are allowed.

    Attributes
    ----------
    mode : {"enforce", "warn", "off"}
        ``enforce`` refuses what the profile does not allow to be repaired. ``warn`` reports it and goes on: rows that
        cannot be placed in time are dropped, bars with impossible prices become missing. ``off`` checks nothing beyond
        what bars are by definition, and repairs nothing.
    profile : {"strict", "relaxed"}
        Gives the values of what follows where they are None.
    max_na_fraction : float or None
        Share of a symbol's bars that may be missing: 0.01 strict, 0.05 relaxed.
    allow_sort : bool or None
        Whether rows out of order are sorted: relaxed.
    allow_drop_duplicates : bool or None
        Whether a row that says the same again is dropped: relaxed.
    allow_clip_prices : bool or None
        Whether an open or close outside low to high is clipped to it: relaxed.
    forward_fill_bars : int or None
        How many missing bars in a row take the last close (with no volume): 0 strict, 3 relaxed.
    hold_on_nan : bool or None
        Whether bars that stay missing are accepted: positions are held and marked at the last close. Both.
    require_utc : bool or None
        Whether times of day without an offset need ``data.timezone``: strict; otherwise they are taken as UTC.
    """

    mode: Literal["enforce", "warn", "off"] = "enforce"
    profile: Literal["strict", "relaxed"] = "strict"
    max_na_fraction: float | None = None
    allow_sort: bool | None = None
    allow_drop_duplicates: bool | None = None
    allow_clip_prices: bool | None = None
    forward_fill_bars: int | None = None
    hold_on_nan: bool | None = None
    require_utc: bool | None = None

    def resolved(self) -> Self:
        """Give the same with every None replaced by the profile's value.

        Raises
        ------
        ConfigError
            Where mode or profile is none.
        """
        for name, value, allowed in (
            ("mode", self.mode, ["enforce", "warn", "off"]),
            ("profile", self.profile, list(PROFILES)),
        ):
            if value not in allowed:
                raise ConfigError(f"data.sanity.{name}: {unknown_name(name, str(value), allowed)}")
        _check_number("data.sanity.max_na_fraction", self.max_na_fraction, most=1.0)
        _check_number("data.sanity.forward_fill_bars", self.forward_fill_bars, whole=True)
        for name in ("allow_sort", "allow_drop_duplicates", "allow_clip_prices", "hold_on_nan", "require_utc"):
            _check_bool(f"data.sanity.{name}", getattr(self, name))
        profile = PROFILES[self.profile]
        return replace(self, **{name: value for name, value in profile.items() if getattr(self, name) is None})


PROFILES: dict[str, dict[str, Any]] = {
    "strict": {
        "max_na_fraction": 0.01,
        "allow_sort": False,
        "allow_drop_duplicates": False,
        "allow_clip_prices": False,
        "forward_fill_bars": 0,
        "hold_on_nan": True,
        "require_utc": True,
    },
    "relaxed": {
        "max_na_fraction": 0.05,
        "allow_sort": True,
        "allow_drop_duplicates": True,
        "allow_clip_prices": True,
        "forward_fill_bars": 3,
        "hold_on_nan": True,
        "require_utc": False,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """One request for bars; equal requests on equal content give equal bars.

    Attributes
    ----------
    source : str
        Name of a source: ``sp500``, ``nasdaq``, ``csv``, ``parquet``, ``synthetic``, ``yfinance``.
    path : str or None
        File or folder, for the sources that read one.
    symbol : str or None
        Name of the instrument; of several in the data, the one that is taken. None takes the source's own, the
        column's, or the file's stem.
    symbols : tuple of str or None
        Which instruments are taken of several, in this order; None takes all, sorted.
    calendar : str or None
        Exchange calendar; gives date-only stamps their moment. None takes the end of the UTC day.
    timezone : str or None
        Of times of day that carry none; None is UTC where `Sanity.require_utc` allows it.
    stamp : {"open", "close"}
        Whether a stamp with a time of day is the bar's beginning or its end.
    timeframe : str or None
        Length of a bar that is stamped at its open; None takes the distance of a symbol's first two bars.
    adjust : {"none", "splits", "total_return"}
        What the prices were adjusted for; declared, not computed.
    periods_per_year : float or None
        Bars per year; None derives it from the calendar.
    ohl_from_close : bool
        Whether data with nothing but a close is accepted: open, high and low are then the close.
    min_history_bars : int or None
        No symbol has a target before it has had so many bars; None is 120.
    columns : mapping of str to str
        What the source calls its columns, where that is something else: ``{"close": "PX_LAST"}``.
    delimiter, decimal : str or None
        Of a CSV file; None detects them.
    date_format : str or None
        Of dates and times in text, as in `strptime`; None recognizes year-month-day in its usual forms.
    start, stop : str or None
        Dates between which a source that downloads asks for bars.
    sanity : Sanity
        May be given as a mapping.
    synthetic : mapping
        Options of the ``synthetic`` source; see `admf_ray.data.sources.synthetic.Synthetic`.
    """

    source: str
    path: str | None = None
    symbol: str | None = None
    symbols: tuple[str, ...] | None = None
    calendar: str | None = None
    timezone: str | None = None
    stamp: Literal["open", "close"] = "close"
    timeframe: str | None = None
    adjust: Adjustment = "none"
    periods_per_year: float | None = None
    ohl_from_close: bool = False
    min_history_bars: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    start: str | None = None
    stop: str | None = None
    sanity: Sanity = field(default_factory=Sanity)
    synthetic: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what is not checked where it is used, and complete what has defaults.

        Raises
        ------
        ConfigError
            Names the option and what is allowed.
        """
        for name, value, allowed in (
            ("stamp", self.stamp, ["open", "close"]),
            ("adjust", self.adjust, ["none", "splits", "total_return"]),
            ("decimal", self.decimal, [None, ".", ","]),
        ):
            if value not in allowed:
                raise ConfigError(f"data.{name}: {unknown_name(name, str(value), [str(one) for one in allowed])}")
        self._check_types()
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
                pl.Series([0]).cast(pl.Datetime("ns")).dt.replace_time_zone(self.timezone)
            except (KeyError, ValueError, OSError, pl.exceptions.PolarsError):
                message = f"data.timezone: '{self.timezone}' is no time zone; allowed: UTC, America/New_York, ..."
                raise ConfigError(message) from None
        if self.timeframe is not None:
            timeframe_length(self.timeframe, "data.timeframe")
        if self.delimiter is not None and len(self.delimiter.encode()) != 1:
            raise ConfigError(f"data.delimiter: {self.delimiter!r} is not allowed; allowed: one character")
        if self.symbols is not None and (not self.symbols or len(set(self.symbols)) < len(self.symbols)):
            raise ConfigError(f"data.symbols: {list(self.symbols)} is not allowed; allowed: different names")
        if self.symbol is not None and self.symbols is not None:
            raise ConfigError("data.symbol, data.symbols: both are given; allowed: one of them")
        object.__setattr__(self, "sanity", _sanity(self.sanity).resolved())

    def _check_types(self) -> None:
        """Refuse what is not of its kind."""
        for name in ("columns", "synthetic"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise ConfigError(f"data.{name}: {value!r} is not allowed; allowed: a mapping of names")
        for name in (
            "path",
            "symbol",
            "calendar",
            "timezone",
            "timeframe",
            "delimiter",
            "date_format",
            "start",
            "stop",
        ):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise ConfigError(f"data.{name}: {value!r} is not allowed; allowed: text")
        if isinstance(self.symbols, list):
            object.__setattr__(self, "symbols", tuple(self.symbols))
        if self.symbols is not None and not (
            isinstance(self.symbols, tuple) and all(isinstance(name, str) for name in self.symbols)
        ):
            raise ConfigError(f"data.symbols: {self.symbols!r} is not allowed; allowed: a list of names")
        _check_bool("data.ohl_from_close", self.ohl_from_close)
        _check_number("data.min_history_bars", self.min_history_bars, whole=True)
        _check_number("data.periods_per_year", self.periods_per_year, above=0.0)
        for name, written in self.columns.items():
            if name not in _COLUMNS:
                raise ConfigError(f"data.columns.{name}: {unknown_name('column', name, _COLUMNS)}")
            if not isinstance(written, str):
                raise ConfigError(f"data.columns.{name}: {written!r} is not allowed; allowed: the name of a column")

    @property
    def min_history(self) -> int:
        """Bars that a symbol must have had."""
        return MIN_HISTORY if self.min_history_bars is None else self.min_history_bars

    def plain(self) -> dict[str, Any]:
        """Give the request as plain values, for keys."""
        return asdict(replace(self, synthetic=dict(self.synthetic), columns=dict(self.columns)))


def _check_bool(name: str, value: object) -> None:
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{name}: {value!r} is not allowed; allowed: true, false")


def _check_number(
    name: str, value: object, *, whole: bool = False, above: float | None = None, most: float = math.inf
) -> None:
    """Refuse what is no number, below 0, not above a bound, or beyond the most that is allowed."""
    if value is None:
        return
    kinds = int if whole else int | float
    good = isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not (0 <= value <= most) or (above is not None and not value > above):  # type: ignore[operator]
        what = "a whole number" if whole else "a number"
        least = f"above {above:g}" if above is not None else "at least 0"
        upper = f", at most {most:g}" if most < math.inf else ""
        raise ConfigError(f"{name}: {value!r} is not allowed; allowed: {what}, {least}{upper}")


def _sanity(value: Sanity | Mapping[str, Any]) -> Sanity:
    if isinstance(value, Sanity):
        return value
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"data.sanity: {value!r} is not allowed; allowed: a mapping of options")
    allowed = [one.name for one in fields(Sanity)]
    for name in value:
        if name not in allowed:
            raise ConfigError(f"data.sanity.{name}: {unknown_name('option', name, allowed)}")
    return Sanity(**value)
