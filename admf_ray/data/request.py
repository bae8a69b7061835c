"""What is asked of a data source."""

from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from admf_ray.core.bars import Adjustment
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError

__all__ = ["DataRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """One request for bars; equal requests on equal content give equal bars.

    Attributes
    ----------
    source : str
        Name of a source: ``sp500``, ``nasdaq``, ``csv``, ``parquet``.
    path : str or None
        File, for the sources that read one.
    symbol : str or None
        Name of the instrument; None takes the source's own, or the file's stem.
    calendar : str or None
        Exchange calendar; gives date-only stamps their moment. None takes the end of the UTC day.
    timezone : str
        Of stamps that carry none.
    stamp : {"open", "close"}
        Whether a stamp with a time of day is the bar's beginning or its end.
    adjust : {"none", "splits", "total_return"}
        What the prices were adjusted for; declared, not computed.
    periods_per_year : float or None
        Bars per year; None derives it from the calendar.
    """

    source: str
    path: str | None = None
    symbol: str | None = None
    calendar: str | None = None
    timezone: str = "UTC"
    stamp: Literal["open", "close"] = "close"
    adjust: Adjustment = "none"
    periods_per_year: float | None = None

    def __post_init__(self) -> None:
        """Check what is not checked where it is used.

        Raises
        ------
        ConfigError
            Names the option and what is allowed.
        """
        for name, value, allowed in (
            ("stamp", self.stamp, ["open", "close"]),
            ("adjust", self.adjust, ["none", "splits", "total_return"]),
        ):
            if value not in allowed:
                raise ConfigError(f"data.{name}: {unknown_name(name, str(value), allowed)}")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            message = f"data.timezone: '{self.timezone}' is no time zone; allowed: UTC, America/New_York, ..."
            raise ConfigError(message) from None
        if self.periods_per_year is not None and not isinstance(self.periods_per_year, int | float):
            raise ConfigError(f"data.periods_per_year: {self.periods_per_year!r} is no number; allowed: above 0")
