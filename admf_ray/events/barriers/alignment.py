"""Alignment: the bars of a moment pass together."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

from admf_ray.core.registry import unknown_name
from admf_ray.errors import EventError
from admf_ray.events.barriers.gate import Held
from admf_ray.events.barriers.wording import BEFORE_ALL, NAMED, RECORDED, listed, require_at_least, require_names
from admf_ray.events.event import Event
from admf_ray.events.payloads import Bar
from admf_ray.logs import utc

__all__ = ["DataAlignment"]


@dataclass(slots=True)
class _Moment:
    """One timestamp: the timeframes that are due, the bars that may still come, and those that cannot any more."""

    due: set[str] = field(default_factory=set)
    missing: dict[tuple[str, str], None] = field(default_factory=dict)
    lacking: dict[tuple[str, str], None] = field(default_factory=dict)
    held: Held | None = None


class DataAlignment:
    """Holds bars until those of all symbols and due timeframes are there; then they pass in panel order.

    Bars belong together by timestamp, the moment at which they are known, never by label. They pass by timestamp, then
    symbol, then timeframe, whatever the order of arrival; only each symbol's own timestamps must not go back. The first
    timeframe is due at every timestamp, a higher one as soon as one bar of it is seen there: a higher bar that comes
    when the others of its timestamp have passed is aligned with its like alone. Give `due` where a source may do so.

    A bar cannot come any more once its symbol is seen at a later timestamp, or is `absent`: the others pass without it,
    and `incomplete` names it. A bar that comes twice, or when later ones have passed, is dropped. All else passes.

    Parameters
    ----------
    symbols, timeframes : sequence of str
        In panel order; "" is the timeframe of the bars of the series.
    due : callable, optional
        Takes a timeframe and a timestamp in nanoseconds UTC and says whether bars are due, such as by a calendar.
    patience : int
        A symbol for which this many later timestamps (of any symbol) have waited counts as absent, and is not waited
        for until it is seen again: a series that ends stops nothing, and memory is bounded.

    Attributes
    ----------
    incomplete : deque of (int, tuple of str)
        The newest 100 timestamps that lacked bars, and which.

    Raises
    ------
    ConfigError
    """

    def __init__(
        self,
        symbols: Sequence[str],
        timeframes: Sequence[str] = ("",),
        due: Callable[[str, int], bool] | None = None,
        patience: int = 100,
    ) -> None:
        self._symbols = require_names("symbols", symbols)
        self._timeframes = require_names("timeframes", timeframes)
        self._due = due or (lambda timeframe, _: timeframe == self._timeframes[0])
        self._patience = require_at_least("patience", patience, 1)
        self._places = {key: place for place, key in enumerate(product(self._symbols, self._timeframes))}
        self._moments: dict[int, _Moment] = {}
        self._latest = dict.fromkeys(self._symbols, BEFORE_ALL)
        self._absent: set[str] = set()
        # The newest timestamp of which bars have passed, and which have.
        self._frontier = BEFORE_ALL
        self._gone: set[tuple[str, str]] = set()
        self.incomplete: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=RECORDED)

    def see(self, event: Event[Any]) -> None:
        """Take in a bar."""
        moment_of, key = event.timestamp, self._key(event)
        if key is None or moment_of < self._frontier:
            return
        symbol, timeframe = key
        self._absent.discard(symbol)
        if moment_of > self._latest[symbol]:
            self._latest[symbol] = moment_of
            self._give_up(symbol, moment_of)
        moment = self._moments.get(moment_of)
        is_new = moment is None
        if moment is None:
            moment = self._moments[moment_of] = _Moment()
            for other in self._timeframes:
                if self._due(other, moment_of):
                    self._expect(moment, moment_of, other)
        self._expect(moment, moment_of, timeframe)
        moment.missing.pop(key, None)
        moment.lacking.pop(key, None)
        self._settle(moment_of, moment)
        if is_new:
            self._forget()

    def reason(self, event: Event[Any]) -> Held | None:
        """Name what a bar waits for, or why it is too late."""
        moment_of, key = event.timestamp, self._key(event)
        if key is None:
            return None
        if moment_of < self._frontier:
            said = f"{_bar_name(key)} of {utc(moment_of)} comes after bars of {utc(self._frontier)} have passed"
            return Held("DataAlignment", said, waits=False)
        if moment_of == self._frontier and key in self._gone:
            return Held("DataAlignment", f"{_bar_name(key)} of {utc(moment_of)} came twice", waits=False)
        moment = self._moments.get(moment_of)
        if moment is None or not moment.missing:
            return None
        # The same for all that wait at a timestamp, and asked for again with every bar that arrives.
        if moment.held is None:
            named = listed([_bar_name(one) for one in islice(moment.missing, NAMED)], len(moment.missing))
            moment.held = Held("DataAlignment", f"at {utc(moment_of)}: no bar yet of {named}", waits=True)
        return moment.held

    def passed(self, event: Event[Any]) -> None:
        """Go on to the timestamp of a bar."""
        key = self._key(event)
        if key is None:
            return
        if event.timestamp > self._frontier:
            self._frontier = event.timestamp
            self._gone = set()
        self._gone.add(key)

    def order(self, event: Event[Any]) -> tuple[Any, ...]:
        """Sort by timestamp, then place in the panel."""
        key = self._key(event)
        return event.timestamp, -1 if key is None else self._places[key]

    def absent(self, symbol: str) -> None:
        """Do not wait for a symbol until it is seen again: its series has ended, or not begun.

        Call `Gate.retry` afterwards.

        Raises
        ------
        EventError
            Where there is no such symbol.
        """
        if symbol not in self._latest:
            raise EventError(unknown_name("symbol", symbol, list(self._symbols)))
        self._absent.add(symbol)
        self._give_up(symbol)

    def _key(self, event: Event[Any]) -> tuple[str, str] | None:
        bar = event.payload
        if not isinstance(bar, Bar):
            return None
        key = (bar.symbol, bar.timeframe)
        return key if key in self._places else None

    def _forget(self) -> None:
        """Forget the timestamps that all symbols have left, and lose patience with the oldest that still waits."""
        left = min(latest for symbol, latest in self._latest.items() if symbol not in self._absent)
        self._moments = {one: moment for one, moment in self._moments.items() if one >= left}
        oldest = min((one for one, moment in self._moments.items() if moment.missing), default=None)
        if oldest is None or sum(one > oldest for one in self._moments) < self._patience:
            return
        for symbol in dict.fromkeys(symbol for symbol, _ in self._moments[oldest].missing):
            self.absent(symbol)

    def _expect(self, moment: _Moment, moment_of: int, timeframe: str) -> None:
        if timeframe in moment.due:
            return
        moment.due.add(timeframe)
        for symbol in self._symbols:
            may_come = self._latest[symbol] <= moment_of and symbol not in self._absent
            (moment.missing if may_come else moment.lacking)[symbol, timeframe] = None

    def _give_up(self, symbol: str, before: int | None = None) -> None:
        for moment_of, moment in self._moments.items():
            if before is not None and moment_of >= before:
                continue
            for key in product((symbol,), moment.due):
                if key in moment.missing:
                    del moment.missing[key]
                    moment.lacking[key] = None
            self._settle(moment_of, moment)

    def _settle(self, moment_of: int, moment: _Moment) -> None:
        """Take in a change: write down what a timestamp lacks once nothing more can come."""
        moment.held = None
        if moment.lacking and not moment.missing:
            lacking = sorted(moment.lacking, key=self._places.__getitem__)
            self.incomplete.append((moment_of, tuple(_bar_name(key) for key in lacking)))
            moment.lacking.clear()


def _bar_name(key: tuple[str, str]) -> str:
    return " ".join(key).strip()
