"""Metrics of an account from its events alone, equal to those of the compiled simulation to the last bit."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from admf_ray.core.kernels import compiled, records, shared
from admf_ray.core.records import ACCOUNT, HOLDING, RULES
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, EventError
from admf_ray.events import Bar, Event, Fill, Portfolio
from admf_ray.portfolio.account import apply_fill, borrowing_cost, mark, open_account
from admf_ray.portfolio.metrics import METRICS, load_sums, measure, observe, store_sums

__all__ = ["VALUES", "MetricsObserver"]

VALUES = (*METRICS, "total_pnl", "equity")
"""Names of what `MetricsObserver.values` gives."""

_STATE = (records(ACCOUNT), records(HOLDING), records(RULES, readonly=True))
_NOT_BEGUN = -1
# Calling a kernel costs far more than a bar does in it: bars that have ended wait for a fill, or to be asked for.
_WAITING = 256


@shared
def _borrow(account: Any, holdings: Any, rules: Any) -> None:
    """Charge open trades for a bar of borrowing, at the closes before it; on the first bar nothing was held."""
    if account.bars > 0:
        for s in range(holdings.shape[0]):
            holding = holdings[s]
            holding.trade_cash -= borrowing_cost(holding.quantity, holding.price, holding.multiplier, rules)


@compiled(types.void(*_STATE, types.boolean, types.int64, types.float64, types.float64, types.float64, types.int64))
def _book(
    accounts: Any,
    holdings: Any,
    rules: Any,
    is_first: bool,
    symbol: int,
    quantity: float,
    price: float,
    commission: float,
    bar: int,
) -> None:
    """Book one fill; the first of its bar begins the bar."""
    account, holding = accounts[0], holdings[symbol]
    if is_first:
        _borrow(account, holdings, rules[0])
    apply_fill(account, holding, quantity, price, price * holding.multiplier, commission, bar)


@compiled(
    types.void(*_STATE, types.boolean, types.int64, types.float64[:, ::1], types.float64[::1], types.boolean[::1])
)
def _end(
    accounts: Any, holdings: Any, rules: Any, is_begun: bool, count: int, closes: Any, equity: Any, exposed: Any
) -> None:
    """Take in bars that have ended, of which fills have begun the first one or not; empty their rows."""
    account = accounts[0]
    for b in range(count):
        if b > 0 or not is_begun:
            _borrow(account, holdings, rules[0])
        for s in range(holdings.shape[0]):
            mark(holdings[s], closes[b, s])
        store_sums(account, observe(load_sums(account), equity[b], exposed[b], rules[0].risk_free))
    # The bar that goes on may have closes already.
    closes[0] = closes[count]
    closes[1 : count + 1] = math.nan


@compiled(types.void(records(ACCOUNT), records(RULES, readonly=True), types.float64[::1]))
def _measure(accounts: Any, rules: Any, out: Any) -> None:
    measure(accounts[0], rules[0], out)


class MetricsObserver:
    """Keeps the metrics of one account over one segment while its events come in.

    It reads three types of events, and of each bar the PORTFOLIO event last: it ends the bar.

    BAR
        Closes of the series, which charges for borrowing go by. Those of higher timeframes and of other symbols do not
        count, those before the account begins change nothing. A symbol without one stays at its last close.
    FILL
        Of the container, in the order in which they were booked, at whichever moment of the bar. Fills at the close
        and those that flatten at a boundary come before PORTFOLIO too, as its equity is that after them.
    PORTFOLIO
        Of the container, one for every bar from the first of the segment on. Equity and exposure are what it says.

    Of its state, trades, commission and the sums of `admf_ray.portfolio.metrics` are kept; what only decisions need
    (orders, halts, interest) is not.

    Parameters
    ----------
    symbols : sequence of str
        Of the account.
    rules : `RULES` array, shape [1]
    template : `HOLDING` array, shape [symbol]
        Flat, with the multipliers; see `admf_ray.engine.spec.AccountRules.holdings`.
    container_id : str
        Whose FILL and PORTFOLIO events count.

    Raises
    ------
    ConfigError
        Where symbols repeat, or the arrays have other types or shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from admf_ray.core.records import HOLDING, RULES
    >>> from admf_ray.events import Event, EventBus, Portfolio
    >>> rules, template = np.zeros(1, RULES), np.zeros(1, HOLDING)
    >>> rules["cash"], rules["periods"] = 100.0, 252.0
    >>> bus, observer = EventBus("doctest"), MetricsObserver(["SPX"], rules, template, "doctest")
    >>> bus.attach(observer)
    >>> bus.publish(Event(Portfolio(0, 125.0, 125.0, (0.0,)), "portfolio", "doctest"))
    >>> observer.values()["total_pnl"], observer.metrics()["exposure"]
    (25.0, 0.0)
    >>> bus.close()
    """

    __slots__ = (
        "_account",
        "_bar",
        "_cash",
        "_closes",
        "_container_id",
        "_ended",
        "_equity",
        "_exposed",
        "_has_filled",
        "_holdings",
        "_newest",
        "_places",
        "_rules",
    )

    def __init__(
        self, symbols: Sequence[str], rules: npt.NDArray[Any], template: npt.NDArray[Any], container_id: str
    ) -> None:
        self._places = {symbol: place for place, symbol in enumerate(symbols)}
        if len(self._places) != len(symbols):
            raise ConfigError(f"symbols of container '{container_id}' repeat: {', '.join(symbols)}")
        # Kernels do not check bounds.
        for name, array, record, dtype, length in (
            ("rules", rules, "RULES", RULES, 1),
            ("template", template, "HOLDING", HOLDING, len(symbols)),
        ):
            if array.dtype != dtype or array.shape != (length,):
                raise ConfigError(
                    f"{name} of container '{container_id}': shape {list(array.shape)} of {array.dtype.type.__name__} "
                    f"is not allowed; allowed: a {record} array of shape [{length}]"
                )
        self._container_id = container_id
        self._rules = rules.copy()
        self._account = np.zeros(1, dtype=ACCOUNT)
        self._holdings = np.zeros(len(symbols), dtype=HOLDING)
        # How many bars have ended and wait, what they closed at, and a row more for the bar that goes on.
        self._ended = 0
        self._closes = np.full((_WAITING + 1, len(symbols)), np.nan)
        self._equity = np.empty(_WAITING)
        self._exposed = np.empty(_WAITING, dtype=np.bool_)
        # Whether the first bar that is not taken in has had a fill, which bar goes on, and the newest of the series.
        self._has_filled = False
        self._bar = _NOT_BEGUN
        self._newest = _NOT_BEGUN
        self._cash = float(rules["cash"][0])
        open_account(self._account[0], self._holdings, template, self._cash)

    def on_event(self, event: Event[Any]) -> None:
        """Take in an event.

        Raises
        ------
        EventError
            Where a bar was left out or its events are not in order, or a fill is of no symbol of the account.
        """
        payload = event.payload
        kind = payload.__class__
        if kind is Bar:
            place = None if payload.timeframe else self._places.get(payload.symbol)
            if place is not None:
                if payload.bar < self._bar:
                    raise self._disorder(event)
                self._newest = max(self._newest, payload.bar)
                self._closes[self._ended, place] = payload.close
        elif kind is Portfolio:
            if event.container_id == self._container_id:
                bar, equity, _, positions = payload
                if bar != self._bar != _NOT_BEGUN or self._newest > bar:
                    raise self._disorder(event)
                self._bar = bar + 1
                ended = self._ended
                self._equity[ended] = equity
                self._exposed[ended] = any(positions)
                self._ended = ended + 1
                if ended + 1 == _WAITING:
                    self._settle()
        elif kind is Fill and payload.container_id == self._container_id:
            self._fill(event)

    def _settle(self) -> None:
        """Take in the bars that wait."""
        if self._ended:
            _end(
                self._account,
                self._holdings,
                self._rules,
                self._has_filled,
                self._ended,
                self._closes,
                self._equity,
                self._exposed,
            )
            self._ended = 0
            self._has_filled = False

    def _fill(self, event: Event[Fill]) -> None:
        fill = event.payload
        place = self._places.get(fill.symbol)
        if place is None:
            unknown = unknown_name("symbol", fill.symbol, list(self._places))
            raise EventError(f"fill of container '{self._container_id}': {unknown}")
        if fill.bar != self._bar != _NOT_BEGUN:
            raise self._disorder(event)
        self._settle()
        _book(
            self._account,
            self._holdings,
            self._rules,
            not self._has_filled,
            place,
            fill.quantity,
            fill.price,
            fill.commission,
            fill.bar,
        )
        self._bar = fill.bar
        self._has_filled = True

    def _disorder(self, event: Event[Any]) -> EventError:
        return EventError(
            f"metrics of container '{self._container_id}': {event.type} of bar {event.payload.bar} is out of order, "
            f"bar {self._bar} goes on and the newest BAR is of {self._newest}; "
            "needed: for every bar its BAR and FILL events, then one PORTFOLIO event"
        )

    def metrics(self) -> dict[str, float]:
        """Give the metrics of the bars that have ended, by the names of `METRICS`.

        See `admf_ray.portfolio.metrics.measure` for what they are; trades are counted with the fill that closes them.
        """
        self._settle()
        measured = np.empty(len(METRICS))
        _measure(self._account, self._rules, measured)
        return dict(zip(METRICS, measured.tolist(), strict=True))

    def values(self) -> dict[str, float]:
        """Give what expressions may use, by the names of `VALUES`.

        Beside the metrics ``equity`` at the newest close, and ``total_pnl``, which is equity less the initial cash;
        both in money.
        """
        found = self.metrics()
        equity = found["final_equity"]
        found["total_pnl"] = equity - self._cash
        found["equity"] = equity
        return found
