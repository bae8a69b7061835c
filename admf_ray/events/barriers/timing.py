"""How often, and when, events may pass."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from admf_ray.errors import ConfigError
from admf_ray.events.barriers.gate import Held
from admf_ray.events.barriers.wording import require_at_least
from admf_ray.events.event import Event
from admf_ray.logs import utc

_SECOND = 10**9

__all__ = ["Timing"]


class Timing:
    """Drops events that come too often, outside of trading hours, or too soon; in the time of events alone.

    Parameters
    ----------
    per_minute : int, optional
        Events that may pass within 60 s, the one before exactly 60 s not counted.
    hours : sequence of (str, str), optional
        Times of day such as ``("09:30", "16:00")``, both included: a bar is known at the close. From a later to an
        earlier time is over midnight.
    cooldown : int, optional
        Nanoseconds that must lie between events of a symbol that pass.
    timezone : str
        Of the hours.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> from admf_ray.events import Event, OrderRequest
    >>> barrier = Timing(hours=[("09:30", "16:00")], timezone="America/New_York")
    >>> barrier.reason(Event(OrderRequest("SPX", 3, 10.0), "portfolio", "a", timestamp=0)).why
    '1970-01-01T00:00:00Z is 19:00:00 in America/New_York; allowed: 09:30-16:00'
    """

    def __init__(
        self,
        per_minute: int | None = None,
        hours: Sequence[tuple[str, str]] | None = None,
        cooldown: int | None = None,
        timezone: str = "UTC",
    ) -> None:
        if per_minute is None and not hours and cooldown is None:
            raise ConfigError("per_minute, hours and cooldown: none is given; allowed: one of them or several")
        self._per_minute = None if per_minute is None else require_at_least("per_minute", per_minute, 1)
        self._cooldown = None if cooldown is None else require_at_least("cooldown", cooldown, 1)
        self._hours = [_span_of_day(one) for one in hours or ()]
        self._hours_text = ", ".join(f"{start}-{stop}" for start, stop in hours or ())
        try:
            self._zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            raise ConfigError(
                f"timezone: {timezone!r} is unknown; allowed: names of the IANA database, such as America/New_York"
            ) from None
        self._recent: deque[int] = deque(maxlen=self._per_minute or 0)
        self._latest: dict[str, int] = {}

    def see(self, event: Event[Any]) -> None:
        """Take in nothing: what does not pass does not count."""

    def reason(self, event: Event[Any]) -> Held | None:
        """Name the hours, the rate or the cooldown."""
        said = self._closed(event.timestamp) or self._too_many(event.timestamp) or self._too_soon(event)
        return None if said is None else Held("Timing", said, waits=False)

    def _closed(self, moment: int) -> str | None:
        if not self._hours:
            return None
        seconds, rest = divmod(moment, _SECOND)
        local = datetime.fromtimestamp(seconds, self._zone).time()
        now = _of_day(local) + rest
        for start, stop in self._hours:
            if (start <= now <= stop) if start < stop else (now >= start or now <= stop):
                return None
        return f"{utc(moment)} is {local} in {self._zone}; allowed: {self._hours_text}"

    def _too_many(self, moment: int) -> str | None:
        most = self._per_minute
        if most is None or len(self._recent) < most or moment - self._recent[0] >= 60 * _SECOND:
            return None
        return f"{most} have passed in the 60 s before {utc(moment)}; allowed: per_minute={most}"

    def _too_soon(self, event: Event[Any]) -> str | None:
        symbol = _symbol(event)
        if self._cooldown is None or symbol not in self._latest:
            return None
        passed = event.timestamp - self._latest[symbol]
        if passed >= self._cooldown:
            return None
        return f"{symbol}: {passed} ns after the last one at {utc(event.timestamp)}; allowed: {self._cooldown} ns"

    def passed(self, event: Event[Any]) -> None:
        """Count an event."""
        self._recent.append(event.timestamp)
        if self._cooldown is not None:
            self._latest[_symbol(event)] = event.timestamp


def _span_of_day(span: tuple[str, str]) -> tuple[int, int]:
    """Read a pair of times of day as nanoseconds since midnight."""
    try:
        start, stop = (time_of_day.fromisoformat(one) for one in span)
    except (TypeError, ValueError):
        start = stop = time_of_day()
    if start == stop or start.tzinfo or stop.tzinfo:
        raise ConfigError(f"hours: {span!r} is not allowed; allowed: pairs of times such as ('09:30', '16:00')")
    return _of_day(start), _of_day(stop)


def _of_day(moment: time_of_day) -> int:
    return (moment.hour * 3600 + moment.minute * 60 + moment.second) * _SECOND


def _symbol(event: Event[Any]) -> str:
    return getattr(event.payload, "symbol", "")
