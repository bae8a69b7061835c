"""The components of an account: risk, execution, portfolio.

They share one account in the records that the compiled engine uses, and have its kernel do their parts of a bar, one by
one (`admf_ray.engine.simulate.Part`). What each decided goes to the others as events.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from admf_ray.core.records import FILL, AccountKind, FillPolicy, OrderKind, Reason
from admf_ray.engine.account_state import AccountState
from admf_ray.engine.setup import Setup
from admf_ray.engine.simulate import Part
from admf_ray.events import (
    Bar,
    Ensemble,
    Event,
    EventBus,
    EventType,
    Fill,
    Order,
    Portfolio,
    PositionClose,
    PositionOpen,
    Regime,
    Signal,
    by_container,
    by_strategy,
)

__all__ = ["Execution", "PortfolioBook", "Risk"]

# Plain numbers: looking up the members of an enum takes a good part of a bar.
_OPEN, _DECIDE, _CLOSE, _END = int(Part.OPEN), int(Part.DECIDE), int(Part.CLOSE), int(Part.END)
_MARKET = int(OrderKind.MARKET)
_BY_SIGNAL = int(Reason.SIGNAL)


class Risk:
    """Turns the newest targets into orders, within limits; or, in a halt, sells everything.

    Parameters
    ----------
    account : AccountState
    strategies : sequence of str
        Who decides.
    is_combined : bool
        Whether an ensemble makes one target of theirs; otherwise the signals of the only one are taken.
    regime : str or None
        Classifier whose labels are put on orders.
    """

    def __init__(
        self, account: AccountState, strategies: Sequence[str], is_combined: bool = False, regime: str | None = None
    ) -> None:
        self._state = account
        self._strategies = tuple(strategies)
        self._is_combined = is_combined
        self._classifier = regime

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:  # noqa: ARG002  (all components take the same)
        """Take up a candidate."""
        self._symbols = setup.bars.symbols
        self._numbers = {symbol: s for s, symbol in enumerate(self._symbols)}
        self._targets = np.full(len(self._symbols), np.nan)
        self._signals: dict[int, Event[Any]] = {}
        self._shares: dict[int, tuple[float, ...]] = {}
        self._regime = -1
        rules = self._state.record[0]
        # What may ask for an order though no target is new.
        self._always_looks = bool(
            rules["rebalance"]
            or rules["time_stop"]
            or rules["max_drawdown"]
            or rules["daily_loss"]
            or rules["account"] != AccountKind.CASH
        )
        self._looks = True
        self._fills = 0

    def reset(self) -> None:
        """Let the candidate go."""
        self._signals, self._shares = {}, {}

    def initialize(self, bus: EventBus) -> None:
        """Listen to the strategy or the ensemble, and to regimes."""
        self._bus = bus
        if self._is_combined:
            bus.subscribe(EventType.ENSEMBLE, self.on_ensemble)
        else:
            bus.subscribe(EventType.SIGNAL, self.on_signal, by_strategy(*self._strategies))
        if self._classifier is not None:
            bus.subscribe(EventType.REGIME, self.on_regime)

    def on_signal(self, event: Event[Signal]) -> None:
        """Take in a target."""
        self._take(event, (1.0,))

    def on_ensemble(self, event: Event[Ensemble]) -> None:
        """Take in a combined target."""
        self._take(event, event.payload.strengths)

    def on_regime(self, event: Event[Regime]) -> None:
        """Take in a regime, if it is the account's."""
        if event.payload.classifier == self._classifier:
            self._regime = event.payload.regime

    def _take(self, event: Event[Any], shares: tuple[float, ...]) -> None:
        s = self._numbers[event.payload.symbol]
        self._targets[s] = event.payload.target
        self._signals[s], self._shares[s] = event, shares
        self._looks = True

    def end_bar(self, bar: int, closing: Event[Bar]) -> None:
        """Decide at the close."""
        state = self._state
        if not self._looks and state.fill_count == self._fills:
            return
        state.targets[:, bar] = self._targets
        before = state.order_count
        state.do_part(_DECIDE, bar)
        if state.order_count > before:
            self._publish(bar, before, closing)
        self._fills = state.fill_count
        self._looks = self._always_looks or self._has_more_to_decide()

    def _has_more_to_decide(self) -> bool:
        """Say whether a target was not taken up, or may not be yet."""
        holdings = self._state.holdings
        is_open = np.isfinite(self._targets) & (self._targets != holdings["target"])
        # With cash left and nothing sold short equity is above 0: ruin is looked for otherwise.
        may_be_ruined = not self._state.cash > 0.0 or (holdings["quantity"] < 0.0).any()
        return bool(is_open.any() or holdings["blocked"].any() or may_be_ruined)

    def _publish(self, bar: int, before: int, closing: Event[Bar]) -> None:
        bus = self._bus
        for s, holding in enumerate(self._state.holdings):
            number, quantity = int(holding["order"]), float(holding["pending"])
            if number <= before or quantity == 0.0:
                continue
            signal = self._signals.get(s)
            cause: Event[Any] = signal if signal is not None and holding["reason"] == _BY_SIGNAL else closing
            payload = Order(
                self._symbols[s],
                bar,
                number,
                int(holding["signal"]),
                quantity,
                int(holding["kind"]),
                math.nan if holding["kind"] == _MARKET else float(holding["level"]),
                int(holding["reason"]),
                int(holding["limits"]),
                self._regime,
                self._strategies,
                self._shares.get(s, ()),
            )
            life = None if signal is None else signal.correlation_id
            bus.publish(Event(payload, "risk", bus.container_id, closing.timestamp, life, cause))


class Execution:
    """Fills orders at the prices of bars: at the open, at protective and resting levels, and at the close."""

    def __init__(self, account: AccountState) -> None:
        self._state = account

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:  # noqa: ARG002  (all components take the same)
        """Take up a candidate."""
        self._symbols = setup.bars.symbols
        self._last_symbol = self._symbols[-1]
        self._fills_at_close = setup.rules.fill == FillPolicy.CLOSE
        self._orders: dict[str, Event[Order]] = {}
        self._published = 0

    def reset(self) -> None:
        """Let the candidate go."""
        self._orders = {}

    def initialize(self, bus: EventBus) -> None:
        """Listen to bars and orders."""
        self._bus = bus
        bus.subscribe(EventType.BAR, self.on_bar)
        bus.subscribe(EventType.ORDER, self.on_order)

    def on_order(self, event: Event[Order]) -> None:
        """Remember which event an order is."""
        self._orders[event.payload.symbol] = event

    def on_bar(self, event: Event[Bar]) -> None:
        """Do what a bar does to orders and positions before its close, once all of its symbols are there."""
        if event.payload.symbol == self._last_symbol and self._state.opens_with_something:
            self._state.do_part(_OPEN, event.payload.bar)
            if self._state.fill_count > self._published:
                self._publish(event)

    def end_bar(self, bar: int, closing: Event[Bar]) -> None:
        """Fill at the close, and tell of what the end of the bar closed."""
        state = self._state
        if (self._fills_at_close and state.is_waiting) or state.closes_positions(bar):
            state.do_part(_CLOSE, bar)
        if state.fill_count > self._published:
            self._publish(closing)

    def _publish(self, event: Event[Bar]) -> None:
        """Tell of the fills that there are since the last time."""
        state, bus = self._state, self._bus
        for row in state.fills[self._published :].tolist():
            fill = dict(zip(FILL.names or (), row, strict=True))
            symbol = self._symbols[fill.pop("symbol")]
            order = self._orders.get(symbol)
            is_known = order is not None and order.payload.order == fill["order"]
            life = None if order is None else order.correlation_id
            payload = Fill(container_id=bus.container_id, symbol=symbol, **fill)
            cause: Event[Any] = order if is_known and order is not None else event
            bus.publish(Event(payload, "execution", bus.container_id, event.timestamp, life, cause))
        self._published = len(state.fills)


class PortfolioBook:
    """Marks the account at the close, tells of positions that open and close, and of equity when the bar is over."""

    def __init__(self, account: AccountState) -> None:
        self._state = account

    def begin(self, setup: Setup, span: tuple[int, int]) -> None:
        """Take up a candidate."""
        symbols = setup.bars.symbols
        self._start = span[0]
        self._last_symbol = symbols[-1]
        self._multipliers = dict(zip(symbols, setup.flat["multiplier"].tolist(), strict=True))
        self._trade_cash = dict.fromkeys(symbols, 0.0)
        self._held = dict.fromkeys(symbols, 0.0)
        self._lives: dict[str, str | None] = {}

    def reset(self) -> None:
        """Let the candidate go."""
        self._trade_cash, self._held, self._lives = {}, {}, {}

    def initialize(self, bus: EventBus) -> None:
        """Listen to bars and to the fills of the container."""
        self._bus = bus
        bus.subscribe(EventType.BAR, self.on_bar)
        bus.subscribe(EventType.FILL, self.on_fill, by_container(bus.container_id))

    def on_bar(self, event: Event[Bar]) -> None:
        """Mark at the close, once all symbols are there."""
        if event.payload.symbol == self._last_symbol:
            self._state.postpone_mark()

    def on_fill(self, event: Event[Fill]) -> None:
        """Say what a fill opens or closes, in the life that it opened in; one through zero does both."""
        fill, bus = event.payload, self._bus
        before = self._held[fill.symbol]
        self._held[fill.symbol] = fill.position
        closes = before != 0.0 and not before * fill.position > 0.0
        opens = fill.position != 0.0 and not before * fill.position > 0.0
        # Of a fill through zero each trade bears its share of the commission.
        share = abs(before / fill.quantity) if closes else 1.0
        paid = fill.quantity * fill.price * self._multipliers[fill.symbol]
        cash = self._trade_cash[fill.symbol] - share * (paid + fill.commission) - fill.borrowed
        self._trade_cash[fill.symbol] = cash
        if closes:
            closed = PositionClose(fill.symbol, fill.bar, before, fill.price, cash)
            life = self._lives.pop(fill.symbol)
            bus.publish(Event(closed, "portfolio", bus.container_id, correlation_id=life, cause=event))
            self._trade_cash[fill.symbol] = (share - 1.0) * (paid + fill.commission)
        if opens:
            self._lives[fill.symbol] = event.correlation_id
            opened = PositionOpen(fill.symbol, fill.bar, fill.position, fill.price)
            bus.publish(Event(opened, "portfolio", bus.container_id, cause=event))

    def end_bar(self, bar: int, closing: Event[Bar]) -> None:
        """Give the equity of the bar."""
        state, bus = self._state, self._bus
        state.do_part(_END, bar)
        is_heard = bus.hears(EventType.PORTFOLIO)
        if is_heard or state.protects:
            equity, *held = state.path[:, bar - self._start].tolist()
            state.is_exposed = any(held)
            if is_heard:
                payload = Portfolio(bar, equity, state.cash, tuple(held))
                bus.publish(Event(payload, "portfolio", bus.container_id, closing.timestamp))
