"""What is asked of a data source."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from admf_ray.core.bars import Adjustment
from admf_ray.core.registry import unknown_name
from admf_ray.core.sessions import timeframe_length
from admf_ray.errors import ConfigError

__all__ = ["MIN_HISTORY", "PROFILES", "DataRequest", "Sanity"]

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
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (KeyError, ValueError, OSError):
                message = f"data.timezone: '{self.timezone}' is no time zone; allowed: UTC, America/New_York, ..."
                raise ConfigError(message) from None
        if self.periods_per_year is not None and not isinstance(self.periods_per_year, int | float):
            raise ConfigError(f"data.periods_per_year: {self.periods_per_year!r} is no number; allowed: above 0")
        if self.timeframe is not None:
            timeframe_length(self.timeframe, "data.timeframe")
        if self.delimiter is not None and len(self.delimiter.encode()) != 1:
            raise ConfigError(f"data.delimiter: {self.delimiter!r} is not allowed; allowed: one character")
        if self.symbols is not None and (not self.symbols or len(set(self.symbols)) < len(self.symbols)):
            raise ConfigError(f"data.symbols: {list(self.symbols)} is not allowed; allowed: different names")
        if self.symbol is not None and self.symbols is not None:
            raise ConfigError("data.symbol, data.symbols: both are given; allowed: one of them")
        object.__setattr__(self, "sanity", _sanity(self.sanity).resolved())
        if self.min_history_bars is None:
            object.__setattr__(self, "min_history_bars", MIN_HISTORY)

    @property
    def min_history(self) -> int:
        """Bars that a symbol must have had."""
        return MIN_HISTORY if self.min_history_bars is None else self.min_history_bars

    def plain(self) -> dict[str, Any]:
        """Give the request as plain values, for keys."""
        return asdict(replace(self, synthetic=dict(self.synthetic)))


def _sanity(value: Sanity | Mapping[str, Any]) -> Sanity:
    if isinstance(value, Sanity):
        return value
    allowed = [one.name for one in fields(Sanity)]
    for name in value:
        if name not in allowed:
            raise ConfigError(f"data.sanity.{name}: {unknown_name('option', name, allowed)}")
    return Sanity(**value)
