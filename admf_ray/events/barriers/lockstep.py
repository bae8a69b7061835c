"""Lockstep: no strategy is a bar ahead of another."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from math import nan
from typing import Any

from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, EventError
from admf_ray.events.barriers.gate import Held
from admf_ray.events.barriers.wording import BEFORE_ALL, RECORDED, listed, require_names
from admf_ray.events.event import Event
from admf_ray.events.payloads import Bar, Signal

__all__ = ["Lockstep"]


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
        self._strategies = require_names("strategies", strategies)
        self._symbols = set(require_names("symbols", symbols)) if symbols else set()
        self._timeout = timeout_seconds
        self._clock = clock
        self._bar: int | None = None
        self._timestamp = 0
        self._since = 0.0
        self._oldest = BEFORE_ALL
        # Values by bar, strategy and symbol, "" for all symbols: of the bar before, this one, and any after.
        self._reports: dict[int, dict[str, dict[str, float]]] = {}
        self.missing: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=RECORDED)

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
        if bar not in self._reports and len(self._reports) >= RECORDED:
            raise EventError(
                f"strategy '{strategy}' reports for bar {bar}, but the newest that passed is {self._bar}; "
                f"allowed: reports for {RECORDED} bars"
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
        return Held("Lockstep", f"bar {self._bar}: no report of {listed(lacking, len(lacking))}", waits=True)

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
