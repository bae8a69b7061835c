"""Barriers: what gates a handler, and what it says of the events that it holds back."""

import time
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from datetime import time as time_of_day
from itertools import islice, product
from math import isclose, nan
from operator import attrgetter
from typing import Any, Protocol, runtime_checkable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from admf_ray.core.records import Limit
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, EventError
from admf_ray.events.event import Event, EventId
from admf_ray.events.payloads import Bar, Fill, Order, OrderRejected, OrderRequest, Signal

__all__ = ["AllOf", "AnyOf", "Barrier", "DataAlignment", "Gate", "Held", "Lockstep", "OrderState", "Ordering", "Timing"]

_RECORDED = 100
_NAMED = 10
_SECOND = 10**9
_BEFORE_ALL = -(2**63)


@dataclass(frozen=True, slots=True)
class Held:
    """Why an event is held back.

    Attributes
    ----------
    barrier : str
        Name of the barrier; of several, joined by "and" or "or".
    why : str
    waits : bool
        Whether it may pass later; otherwise it is dropped.
    """

    barrier: str
    why: str
    waits: bool


@runtime_checkable
class Barrier(Protocol):
    """Says which events may pass. It has a state, so every gate needs one of its own."""

    def see(self, event: Event[Any]) -> None:
        """Take in an event that the gate is shown, whether it is gated or only watched; once, before its `reason`."""

    def reason(self, event: Event[Any]) -> Held | None:
        """Say why a gated event is held back, None where it may pass; changes nothing."""

    def passed(self, event: Event[Any]) -> None:
        """Take in that a gated event is let through; comes before its handler is called."""


@runtime_checkable
class Ordering(Protocol):
    """A barrier that brings waiting events into an order of its own."""

    def order(self, event: Event[Any]) -> tuple[Any, ...]:
        """Give what waiting events are sorted by; events that compare equal stay in order of arrival."""


@dataclass(slots=True, eq=False)
class _Waiting:
    event: Event[Any]
    order: tuple[Any, ...]
    held_by: str = ""


class Gate:
    """Hands events on to a handler as a barrier lets them pass.

    Subscribe `on_event` to what is gated and `watch` to what the barrier needs to see besides; not both to one type.
    Whenever something is seen, what waits is tried again, in order of arrival or in that of the barrier (`Ordering`).
    The gate holds its handler, a bus holds the gate weakly: keep it. It is not to be called by several threads at once.

    A handler that raises keeps no other event from passing: the first error is raised when all is done, with a note for
    each further one.

    Parameters
    ----------
    barrier : Barrier
    handler : callable
        Takes the event. It may publish, call `retry`, and tell the barrier something.
    max_waiting : int
        Events that may wait; one more is dropped with an EventError.

    Attributes
    ----------
    passed, dropped : int
        Events. What is neither is `waiting`.
    held : Counter of str
        How often events came to be held back by which barrier, trying again not counted.
    log : deque of (EventId, Held)
        The newest 100 of these.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> from admf_ray.events import Bar, Event, EventBus, EventType
    >>> gate = Gate(DataAlignment(["SPX", "COMP"]), lambda event: print(event.payload.symbol))
    >>> bus = EventBus("doctest-barriers")
    >>> subscription = bus.subscribe(EventType.BAR, gate.on_event)
    >>> bus.publish(Event(Bar("COMP", 0, 1.0, 1.0, 1.0, 1.0, 0.0), "data", "doctest-barriers", timestamp=60))
    >>> gate.log[-1][1].why
    'at 1970-01-01T00:00:00.000000060: no bar yet of SPX'
    >>> bus.publish(Event(Bar("SPX", 0, 1.0, 1.0, 1.0, 1.0, 0.0), "data", "doctest-barriers", timestamp=60))
    SPX
    COMP
    >>> bus.close()
    """

    def __init__(self, barrier: Barrier, handler: Callable[[Event[Any]], object], max_waiting: int = 10_000) -> None:
        self.barrier = _require_barriers((barrier,))[0]
        self.passed = 0
        self.dropped = 0
        self.held: Counter[str] = Counter()
        self.log: deque[tuple[EventId, Held]] = deque(maxlen=_RECORDED)
        self._handler = handler
        self._order = _ordering(self.barrier)
        self._max_waiting = _require_at_least("max_waiting", max_waiting, 1)
        self._waiting: list[_Waiting] = []
        self._is_passing = False

    @property
    def waiting(self) -> tuple[Event[Any], ...]:
        """The events that wait, in the order in which they are tried."""
        return tuple(one.event for one in self._waiting)

    def on_event(self, event: Event[Any]) -> None:
        """Take in a gated event.

        Raises
        ------
        EventError
            Where too many wait already.
        """
        self.barrier.see(event)
        entry = _Waiting(event, self._order(event))
        insort(self._waiting, entry, key=attrgetter("order"))
        try:
            self.retry()
        finally:
            if len(self._waiting) > self._max_waiting and entry in self._waiting:
                said = f"{self._max_waiting} events wait already; allowed: max_waiting={self._max_waiting}"
                self._hold(entry, Held("Gate", said, waits=False))
                raise EventError(f"{event.event_id} {event.type} is dropped at a gate: {said}")

    def watch(self, event: Event[Any]) -> None:
        """Take in an event that is not gated."""
        self.barrier.see(event)
        self.retry()

    def retry(self) -> None:
        """Try what waits once more, such as after a barrier was told something that is no event."""
        # What a handler does in here counts without it: whenever something has passed, all is tried again.
        if self._is_passing:
            return
        failures: list[Exception] = []
        self._is_passing = True
        try:
            while self._waiting and self._sweep(failures):
                pass
        finally:
            self._is_passing = False
        if failures:
            for other in failures[1:]:
                failures[0].add_note(f"and then {type(other).__name__}: {other} {' '.join(other.__notes__)}")
            raise failures[0]

    def _sweep(self, failures: list[Exception]) -> bool:
        """Try everything that waits once, and say whether something passed."""
        before = self.passed
        for entry in tuple(self._waiting):
            event = entry.event
            held = self.barrier.reason(event)
            if held is not None:
                self._hold(entry, held)
                continue
            self._waiting.remove(entry)
            self.barrier.passed(event)
            self.passed += 1
            try:
                self._handler(event)
            except Exception as error:
                error.add_note(f"behind a gate, at {event.event_id} {event.type}")
                failures.append(error)
        return self.passed > before

    def _hold(self, entry: _Waiting, held: Held) -> None:
        if held.barrier != entry.held_by:
            self.held[held.barrier] += 1
        if held.barrier != entry.held_by or not held.waits:
            self.log.append((entry.event.event_id, held))
        entry.held_by = held.barrier
        if not held.waits:
            self._waiting.remove(entry)
            self.dropped += 1


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
        self._symbols = _require_names("symbols", symbols)
        self._timeframes = _require_names("timeframes", timeframes)
        self._due = due or (lambda timeframe, _: timeframe == self._timeframes[0])
        self._patience = _require_at_least("patience", patience, 1)
        self._places = {key: place for place, key in enumerate(product(self._symbols, self._timeframes))}
        self._moments: dict[int, _Moment] = {}
        self._latest = dict.fromkeys(self._symbols, _BEFORE_ALL)
        self._absent: set[str] = set()
        # The newest timestamp of which bars have passed, and which have.
        self._frontier = _BEFORE_ALL
        self._gone: set[tuple[str, str]] = set()
        self.incomplete: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=_RECORDED)

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
            said = f"{_bar_name(key)} of {_when(moment_of)} comes after bars of {_when(self._frontier)} have passed"
            return Held("DataAlignment", said, waits=False)
        if moment_of == self._frontier and key in self._gone:
            return Held("DataAlignment", f"{_bar_name(key)} of {_when(moment_of)} came twice", waits=False)
        moment = self._moments.get(moment_of)
        if moment is None or not moment.missing:
            return None
        # The same for all that wait at a timestamp, and asked for again with every bar that arrives.
        if moment.held is None:
            named = _listed([_bar_name(one) for one in islice(moment.missing, _NAMED)], len(moment.missing))
            moment.held = Held("DataAlignment", f"at {_when(moment_of)}: no bar yet of {named}", waits=True)
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


@dataclass(slots=True)
class _Pending:
    event_id: EventId
    quantity: float
    order: int | None = None
    filled: float = 0.0


class OrderState:
    """Drops requests for an order of a symbol while one is pending.

    Pending is a request that passed, then the order that is seen, which replaces it or an order before. It ends with

    - ORDER_REJECTED of the symbol, or an ORDER whose quantity is 0;
    - a FILL after which its fills sum up to its quantity, one that was cut to the cash (nothing of it waits on), or one
      of an order with a higher number (an exit, which cancels what waits); those of lower numbers do not count;
    - the first FILL where no ORDER was seen: only limits know what became of the quantity that was requested;
    - `end`, for what no event tells, such as a day order that its session's end cancels.

    Symbols are told apart, containers are not: a FILL subscription confines them.

    Examples
    --------
    >>> from admf_ray.events import Event, OrderRequest
    >>> barrier, request = OrderState(), Event(OrderRequest("SPX", 3, 10.0), "portfolio", "a")
    >>> barrier.passed(request)
    >>> barrier.reason(Event(OrderRequest("SPX", 4, 5.0), "portfolio", "a"))
    Held(barrier='OrderState', why='SPX: a#0 is pending, 0 of 10 filled', waits=False)
    """

    def __init__(self) -> None:
        self._pending: dict[str, _Pending] = {}

    def see(self, event: Event[Any]) -> None:
        """Take in what became of an order."""
        payload = event.payload
        if isinstance(payload, OrderRejected):
            self.end(payload.symbol)
        elif isinstance(payload, Order):
            self._pending[payload.symbol] = _Pending(event.event_id, payload.quantity, payload.order)
            self._end_if_filled(payload.symbol)
        elif isinstance(payload, Fill) and payload.symbol in self._pending:
            self._fill(payload)

    def _fill(self, fill: Fill) -> None:
        pending = self._pending[fill.symbol]
        if pending.order is None or fill.order > pending.order:
            self.end(fill.symbol)
        elif fill.order == pending.order:
            pending.filled = pending.quantity if fill.limits & Limit.CASH else pending.filled + fill.quantity
            self._end_if_filled(fill.symbol)

    def _end_if_filled(self, symbol: str) -> None:
        pending = self._pending[symbol]
        filled, quantity = abs(pending.filled), abs(pending.quantity)
        if filled >= quantity or isclose(filled, quantity, rel_tol=1e-9):
            self.end(symbol)

    def reason(self, event: Event[Any]) -> Held | None:
        """Name the order or request that is pending."""
        payload = event.payload
        if not isinstance(payload, OrderRequest) or payload.symbol not in self._pending:
            return None
        pending = self._pending[payload.symbol]
        said = f"{pending.event_id} is pending, {pending.filled:g} of {pending.quantity:g} filled"
        return Held("OrderState", f"{payload.symbol}: {said}", waits=False)

    def passed(self, event: Event[Any]) -> None:
        """Begin to wait for what becomes of a request."""
        if isinstance(event.payload, OrderRequest):
            self._pending[event.payload.symbol] = _Pending(event.event_id, event.payload.quantity)

    def end(self, symbol: str) -> None:
        """Let nothing be pending of a symbol any more."""
        self._pending.pop(symbol, None)


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
    '1970-01-01T00:00:00.000000000 is 19:00:00 in America/New_York; allowed: 09:30-16:00'
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
        self._per_minute = None if per_minute is None else _require_at_least("per_minute", per_minute, 1)
        self._cooldown = None if cooldown is None else _require_at_least("cooldown", cooldown, 1)
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
        return f"{_when(moment)} is {local} in {self._zone}; allowed: {self._hours_text}"

    def _too_many(self, moment: int) -> str | None:
        if self._per_minute is None or len(self._recent) < self._per_minute or moment - self._recent[0] >= 60 * _SECOND:
            return None
        return (
            f"{self._per_minute} have passed in the 60 s before {_when(moment)}; allowed: per_minute={self._per_minute}"
        )

    def _too_soon(self, event: Event[Any]) -> str | None:
        symbol = _symbol(event)
        if self._cooldown is None or symbol not in self._latest:
            return None
        passed = event.timestamp - self._latest[symbol]
        if passed >= self._cooldown:
            return None
        return f"{symbol}: {passed} ns after the last one at {_when(event.timestamp)}; allowed: {self._cooldown} ns"

    def passed(self, event: Event[Any]) -> None:
        """Count an event."""
        self._recent.append(event.timestamp)
        if self._cooldown is not None:
            self._latest[_symbol(event)] = event.timestamp


class Lockstep:
    """Holds the next bar until every strategy has reported for this one, or time is up.

    A strategy reports with a SIGNAL for the bar, or with `done` where its target did not change. All BAR events of one
    index belong to a bar and pass together; higher bars go by their timestamp, as their index is of another series.
    A strategy that trades several symbols has reported with its first signal, unless `symbols` are named. What is
    reported for a bar that is over changes nothing.

    Parameters
    ----------
    strategies : sequence of str
    timeout_seconds : float, optional
        By the clock, since the newest BAR event of the bar passed. The next bar is tried when something is seen, and
        by `Gate.retry`: time alone calls nothing.
    clock : callable
        Gives seconds.
    symbols : sequence of str
        For each of which a strategy has to report.

    Attributes
    ----------
    missing : deque of (int, tuple of str)
        The newest 100 bars that were left without some reports, and whose.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> from admf_ray.events import Bar, Event
    >>> barrier = Lockstep(["cross", "trend"])
    >>> one, two = (Event(Bar("SPX", bar, 1.0, 1.0, 1.0, 1.0, 0.0), "data", "a", timestamp=bar) for bar in (0, 1))
    >>> barrier.passed(one)
    >>> barrier.done("cross", 0, 0.5)
    >>> barrier.reason(two).why, barrier.values(0)
    ('bar 0: no report of trend', {'cross': 0.5, 'trend': nan})
    """

    def __init__(
        self,
        strategies: Sequence[str],
        timeout_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        symbols: Sequence[str] = (),
    ) -> None:
        if timeout_seconds is not None and not timeout_seconds > 0.0:
            raise ConfigError(f"timeout_seconds: {timeout_seconds!r} is not allowed; allowed: more than 0, or None")
        self._strategies = _require_names("strategies", strategies)
        self._symbols = set(_require_names("symbols", symbols)) if symbols else set()
        self._timeout = timeout_seconds
        self._clock = clock
        self._bar: int | None = None
        self._timestamp = 0
        self._since = 0.0
        self._oldest = _BEFORE_ALL
        # Values by bar, strategy and symbol, "" for all symbols: of the bar before, this one, and any after.
        self._reports: dict[int, dict[str, dict[str, float]]] = {}
        self.missing: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=_RECORDED)

    def done(self, strategy: str, bar: int, value: float = nan, symbol: str = "") -> None:
        """Report for a strategy; call `Gate.retry` afterwards, unless a handler of the gate does it.

        Parameters
        ----------
        strategy : str
        bar : int
        value : float
            What `values` gives, such as the target that did not change.
        symbol : str
            Empty for all that are not reported by themselves.

        Raises
        ------
        EventError
            Where there is no such strategy, or reports for too many bars are kept that have not passed.
        """
        if strategy not in self._strategies:
            raise EventError(unknown_name("strategy", strategy, list(self._strategies)))
        if self._bar is not None and bar < self._bar:
            return
        if bar not in self._reports and len(self._reports) >= _RECORDED:
            raise EventError(
                f"strategy '{strategy}' reports for bar {bar}, but the newest that passed is {self._bar}; "
                f"allowed: reports for {_RECORDED} bars"
            )
        reported = self._reports.setdefault(bar, {}).setdefault(strategy, {})
        # The newest comes last.
        reported.pop(symbol, None)
        reported[symbol] = value

    def values(self, bar: int, symbol: str = "") -> dict[str, float]:
        """Give what each strategy reported for a bar, this one or the one before; NaN where it did not.

        Parameters
        ----------
        bar : int
        symbol : str
            Empty for the newest report of each strategy, whatever its symbol.

        Raises
        ------
        EventError
            Where the bar is older.
        """
        if bar < self._oldest:
            raise EventError(f"reports for bar {bar} are not kept any more; allowed: {self._oldest} and later")
        values = {}
        for strategy in self._strategies:
            reported = self._reports.get(bar, {}).get(strategy, {})
            newest = next(reversed(reported.values()), nan)
            values[strategy] = reported.get(symbol, reported.get("", nan)) if symbol else newest
        return values

    def see(self, event: Event[Any]) -> None:
        """Take in a signal as a report."""
        signal = event.payload
        if isinstance(signal, Signal) and signal.strategy in self._strategies:
            self.done(signal.strategy, signal.bar, signal.target, signal.symbol)

    def reason(self, event: Event[Any]) -> Held | None:
        """Name the strategies that have not reported."""
        bar = event.payload
        if self._bar is None or not isinstance(bar, Bar):
            return None
        is_next = event.timestamp > self._timestamp if bar.timeframe else bar.bar > self._bar
        lacking = self._lacking() if is_next else ()
        if not lacking or (self._timeout is not None and self._clock() - self._since >= self._timeout):
            return None
        return Held("Lockstep", f"bar {self._bar}: no report of {_listed(lacking, len(lacking))}", waits=True)

    def passed(self, event: Event[Any]) -> None:
        """Go on to a bar."""
        bar = event.payload
        if not isinstance(bar, Bar) or bar.timeframe or (self._bar is not None and bar.bar < self._bar):
            return
        if bar.bar != self._bar:
            lacking = self._lacking() if self._bar is not None else ()
            if self._bar is not None and lacking:
                self.missing.append((self._bar, lacking))
            self._oldest = bar.bar if self._bar is None else self._bar
            self._bar = bar.bar
            self._reports = {one: reported for one, reported in self._reports.items() if one >= self._oldest}
        self._timestamp = event.timestamp
        self._since = self._clock()

    def _lacking(self) -> tuple[str, ...]:
        """Give the strategies that have not reported for this bar."""
        assert self._bar is not None
        reports = self._reports.get(self._bar, {})
        return tuple(one for one in self._strategies if not self._is_complete(reports.get(one, {})))

    def _is_complete(self, reported: dict[str, float]) -> bool:
        return "" in reported or (self._symbols <= reported.keys() if self._symbols else bool(reported))


class AllOf:
    """Lets pass what every barrier lets pass; what is held waits only if all that hold it let it wait.

    Parameters
    ----------
    *barriers : Barrier

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> from admf_ray.events import Event, OrderRequest
    >>> barrier, request = AllOf(OrderState(), Timing(per_minute=1)), Event(OrderRequest("SPX", 3, 10.0), "p", "a")
    >>> barrier.passed(request)
    >>> barrier.reason(request).barrier
    'OrderState and Timing'
    """

    def __init__(self, *barriers: Barrier) -> None:
        self.barriers = _require_barriers(barriers)
        self._orders = tuple(_ordering(one) for one in barriers)

    def see(self, event: Event[Any]) -> None:
        """Show an event to every barrier."""
        for one in self.barriers:
            one.see(event)

    def reason(self, event: Event[Any]) -> Held | None:
        """Join the reasons of those that hold an event back."""
        reasons = [held for one in self.barriers if (held := one.reason(event)) is not None]
        return _joined(reasons, " and ", all(held.waits for held in reasons)) if reasons else None

    def passed(self, event: Event[Any]) -> None:
        """Tell every barrier."""
        for one in self.barriers:
            one.passed(event)

    def order(self, event: Event[Any]) -> tuple[Any, ...]:
        """Sort as the first barrier does, then the second, and so on."""
        return tuple(order(event) for order in self._orders)


class AnyOf:
    """Lets pass what some barrier lets pass; what is held waits if any of those that hold it lets it wait.

    Every barrier is told of what passed, also those that would have held it: an order that one of them lets pass is
    pending for all of them.

    Parameters
    ----------
    *barriers : Barrier

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> from admf_ray.events import Event, OrderRequest
    >>> barrier, request = AnyOf(OrderState(), Timing(per_minute=2)), Event(OrderRequest("SPX", 3, 10.0), "p", "a")
    >>> barrier.passed(request)
    >>> barrier.reason(request) is None
    True
    """

    def __init__(self, *barriers: Barrier) -> None:
        self.barriers = _require_barriers(barriers)
        self._orders = tuple(_ordering(one) for one in barriers)

    def see(self, event: Event[Any]) -> None:
        """Show an event to every barrier."""
        for one in self.barriers:
            one.see(event)

    def reason(self, event: Event[Any]) -> Held | None:
        """Join the reasons where every barrier has one."""
        reasons: list[Held] = []
        for one in self.barriers:
            held = one.reason(event)
            if held is None:
                return None
            reasons.append(held)
        return _joined(reasons, " or ", any(held.waits for held in reasons))

    def passed(self, event: Event[Any]) -> None:
        """Tell every barrier."""
        for one in self.barriers:
            one.passed(event)

    def order(self, event: Event[Any]) -> tuple[Any, ...]:
        """Sort as the first barrier does, then the second, and so on."""
        return tuple(order(event) for order in self._orders)


def _ordering(barrier: Barrier) -> Callable[[Event[Any]], tuple[Any, ...]]:
    return barrier.order if isinstance(barrier, Ordering) else lambda _: ()


def _joined(reasons: list[Held], word: str, waits: bool) -> Held:
    return Held(word.join(one.barrier for one in reasons), "; ".join(one.why for one in reasons), waits)


def _require_barriers(barriers: tuple[Barrier, ...]) -> tuple[Barrier, ...]:
    wrong = [type(one).__name__ for one in barriers if not isinstance(one, Barrier)]
    if wrong or not barriers:
        raise ConfigError(
            f"barriers: {wrong[0] if wrong else 'none'} is no barrier; allowed: what has see, reason, passed"
        )
    return barriers


def _require_names(argument: str, names: Sequence[str]) -> tuple[str, ...]:
    is_list = not isinstance(names, str) and len(names) > 0 and all(isinstance(name, str) for name in names)
    if not is_list or len(set(names)) < len(names):
        raise ConfigError(f"{argument}: {names!r} is not allowed; allowed: a list of one name or several, each once")
    return tuple(names)


def _require_at_least(argument: str, value: int, least: int) -> int:
    if not isinstance(value, int) or value < least:
        raise ConfigError(f"{argument}: {value!r} is not allowed; allowed: a whole number of at least {least}")
    return value


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


def _bar_name(key: tuple[str, str]) -> str:
    return " ".join(key).strip()


def _listed(names: Sequence[str], number: int) -> str:
    more = f" and {number - _NAMED} more" if number > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _when(moment: int) -> str:
    return str(np.datetime64(moment, "ns"))
