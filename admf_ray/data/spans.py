"""Lengths of time, in bars or in calendar units, and positions on the axis of a series."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.data.calendar import DAY
from admf_ray.errors import ConfigError

__all__ = ["Pieces", "Position", "Span", "Stretch", "TimeAxis", "bars_in", "parse_date", "pieces_of"]

_UNITS = {"b": "bars", "d": "days", "w": "weeks", "mo": "months", "q": "quarters", "y": "years"}
_MONTHS = {"mo": 1, "q": 3, "y": 12}
_DAYS = {"d": 1, "w": 7}
_LAST_DAY = np.datetime64("2262-04-10", "D")
_YEARS = range(1678, 2262)  # that nanoseconds since 1970 can say

Position = int | np.datetime64
"""A bar index, or a moment: bars known at it or before lie before it."""

Pieces = tuple[tuple[int, int], ...]
"""Half-open spans of bars in order, none of which touches the next."""

Stretch = tuple[int, int] | Pieces
"""What is trained on: a half-open span of bars, or several pieces."""


def pieces_of(stretch: Stretch) -> Pieces:
    """Give the pieces of what is trained on: a span is one.

    Examples
    --------
    >>> pieces_of((0, 5)), pieces_of(((0, 5), (7, 9)))
    (((0, 5),), ((0, 5), (7, 9)))
    """
    return stretch if isinstance(stretch[0], tuple) else (stretch,)


def bars_in(stretch: Stretch) -> int:
    """Count the bars of what is trained on."""
    return sum(stop - start for start, stop in pieces_of(stretch))


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time.

    Attributes
    ----------
    count : int
    unit : {"b", "d", "w", "mo", "q", "y"}
        Bars, days, weeks, months, quarters, years.

    Examples
    --------
    >>> Span.parse("3mo", "windows.test")
    Span(count=3, unit='mo')
    >>> str(Span.parse("63b", "windows.test"))
    '63b'
    """

    count: int
    unit: str

    def __str__(self) -> str:
        """Give the text form."""
        return f"{self.count}{self.unit}"

    @classmethod
    def parse(cls, text: str, where: str) -> "Span":
        """Read the text form.

        Raises
        ------
        ConfigError
            Names the option and what is allowed.
        """
        match = re.fullmatch(r"\s*(\d{1,9})\s*(b|d|w|mo|q|y)\s*", str(text))
        if not match:
            units = ", ".join(f"{unit} ({name})" for unit, name in _UNITS.items())
            raise ConfigError(
                f"{where}: '{text}' is no span; allowed: a whole number and a unit: {units}; e.g. 4y, 63b"
            )
        return cls(int(match[1]), match[2])

    def times(self, factor: int) -> "Span":
        """Give the span that many times over."""
        return Span(self.count * factor, self.unit)


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Bar indices and moments of one series, and walking along them.

    Attributes
    ----------
    known_at : int64 array, shape [time]
    covers_until : int
        Nanoseconds UTC when the next bar is due.
    """

    known_at: npt.NDArray[np.int64]
    covers_until: int

    @classmethod
    def of(cls, bars: Bars) -> "TimeAxis":
        """Give the axis of bars."""
        return cls(bars.known_at, bars.covers_until)

    def anchor(self, align: str) -> np.datetime64:
        """Give where the first window may begin.

        Parameters
        ----------
        align : {"none", "month", "quarter", "year"}
            ``none``: midnight (UTC) of the first bar's day. Otherwise the beginning of the first whole period: the
            first bar's own one if no longer gap than the longest one inside the data separates the two.
        """
        first = np.datetime64(int(self.known_at[0]) - 1, "ns")
        if align == "none":
            return _whole(first, "D")
        months = {"month": 1, "quarter": 3, "year": 12}[align]
        number = int(first.astype("datetime64[M]").astype(np.int64)) // months * months
        begin = _whole(np.datetime64(number, "M"), "M")
        longest = int(np.diff(self.known_at).max()) if len(self.known_at) > 1 else DAY
        if int((first - begin).astype(np.int64)) > longest:
            begin = _whole(np.datetime64(number + months, "M"), "M")
        return begin

    def index(self, position: Position) -> int:
        """Give the first bar at or after a position; the number of bars where it lies beyond them."""
        if isinstance(position, np.datetime64):
            moment = position.astype("datetime64[ns]").astype(np.int64)
            return int(np.searchsorted(self.known_at, moment, side="right"))
        return position

    def is_covered(self, position: Position) -> bool:
        """Say whether the series holds every bar before a position."""
        if isinstance(position, np.datetime64):
            return int(position.astype("datetime64[ns]").astype(np.int64)) < self.covers_until
        return position <= len(self.known_at)

    def shift(self, position: Position, span: Span) -> Position:
        """Walk from a position by a span; months keep the day of the month where there is one."""
        if span.count == 0:
            return position
        if span.unit == "b":
            return self.index(position) + span.count
        moment = position if isinstance(position, np.datetime64) else self._moment(position)
        day = moment.astype("datetime64[D]")
        if span.unit in _DAYS:
            later = day + np.timedelta64(span.count * _DAYS[span.unit], "D")
        else:
            month = day.astype("datetime64[M]")
            target = month + np.timedelta64(span.count * _MONTHS[span.unit], "M")
            last = (target + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
            later = min(target.astype("datetime64[D]") + (day - month.astype("datetime64[D]")), last)
        # Nanoseconds end in the year 2262; nothing is lost by taking what lies beyond as the end.
        return _whole(min(later, _LAST_DAY), "D") + (moment - _whole(moment, "D"))

    def _moment(self, index: int) -> np.datetime64:
        if index <= 0:
            return self.anchor("none")
        if index > len(self.known_at):
            return np.datetime64(self.covers_until, "ns")
        return np.datetime64(int(self.known_at[index - 1]), "ns")


def _whole(moment: np.datetime64, unit: Literal["D", "M"]) -> np.datetime64:
    """Give the beginning of the moment's day or month, in nanoseconds."""
    return np.datetime64(moment.astype(f"datetime64[{unit}]"), "ns")


def parse_date(text: object, where: str) -> np.datetime64:
    """Read a date or time of an option, in UTC where it carries no offset.

    Raises
    ------
    ConfigError
        Names the option and what is allowed.
    """
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ConfigError(f"{where}: '{text}' is no date; allowed: 2011-01-01 or 2011-01-01T21:00:00") from None
    if moment.year not in _YEARS:
        raise ConfigError(f"{where}: '{text}' is out of range; allowed: years {_YEARS[0]} to {_YEARS[-1]}")
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    beyond_micros = re.search(r"\.\d{6}(\d{1,3})", str(text))
    nanoseconds = int(beyond_micros[1].ljust(3, "0")) if beyond_micros else 0
    return np.datetime64(moment, "ns") + np.timedelta64(nanoseconds, "ns")
