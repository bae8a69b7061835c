"""A reference simulation in plain Python, written from SEMANTICS 1 and 3 to 5 alone.

It shares no arithmetic with the platform. It is slow and literal on purpose: the functions are the steps of
SEMANTICS 3, in their order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from admf_ray.core.bars import Bars
from admf_ray.core.records import (
    AccountKind,
    Boundary,
    DistanceKind,
    FillPolicy,
    Halt,
    Limit,
    OrderKind,
    Reason,
    Reentry,
    TimeInForce,
)
from admf_ray.engine.spec import AccountRules, Distance, Instrument
from tests.parity.reference_metrics import metrics
from tests.parity.reference_orders import (
    Account,
    Fill,
    Holding,
    Order,
    ceil_tick,
    desired,
    fill,
    floor_tick,
    limited,
    place,
    sign,
)

__all__ = ["Account", "Fill", "metrics", "run"]

Rows = Sequence[Sequence[float]]


@dataclass
class Market:
    """What is known of every symbol and bar, as plain lists [symbol][bar]."""

    open: Rows
    high: Rows
    low: Rows
    close: Rows
    volume: Rows
    session: Sequence[int]
    targets: Rows
    volatility: Rows
    atr: Rows

    def traded(self, holding: Holding, t: int) -> bool:
        return not math.isnan(self.close[holding.index][t])


def run(
    bars: Bars,
    targets: Rows,
    rules: AccountRules,
    start: int,
    stop: int,
    volatility: Rows,
    atr: Rows,
    last_bar: Sequence[int],
) -> Account:
    """Simulate one account over ``[start, stop)``."""
    market = Market(
        *(getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume", "session")),
        targets,
        volatility,
        atr,
    )
    holdings = []
    for index, name in enumerate(bars.symbols):
        known = rules.instruments.get(name, Instrument())
        lot = rules.lot if known.lot is None else known.lot
        holdings.append(Holding(index, name, known.multiplier, known.tick, lot, last_bar[index]))
    account = Account(rules, bars.periods_per_year, holdings, rules.cash, rules.cash, rules.cash, rules.cash)
    for t in range(start, stop):
        one_bar(account, market, t, start, stop)
    return account


def one_bar(account: Account, market: Market, t: int, start: int, stop: int) -> None:
    rules = account.rules
    if t > start:
        carry(account)
    if rules.fill == FillPolicy.NEXT_OPEN:
        fill_market_orders(account, market, t, market.open, since=t)
    for holding in account.holdings:
        protect(account, holding, market, t)
    for holding in account.holdings:
        rest(account, holding, market, t)
    mark(account, market, t)
    before = update_halt(account, market, t, start)
    called = margin_called(account)
    delist(account, market, t)
    if t == stop - 1 and rules.boundary == Boundary.FLATTEN:
        flatten(account, t)
    else:
        for holding in account.holdings:
            if t < holding.last_bar and (account.halt != Halt.NONE or called):
                stand_down(account, holding, market, t, before)
            elif t < holding.last_bar and market.traded(holding, t):
                decide(account, holding, market, t)
        if rules.fill == FillPolicy.CLOSE:
            fill_market_orders(account, market, t, market.close, since=t + 1)
    end(account, market, t)


def carry(account: Account) -> None:
    """0. Interest on free cash or on a loan, then the cost of borrowing shares."""
    rules, periods = account.rules, account.periods
    shorts = 0.0
    for holding in account.holdings:
        if holding.position < 0:
            shorts = shorts + -holding.position * holding.price * holding.multiplier
    free, change = account.cash - shorts, 0.0
    if free > 0:
        change = free * (rules.interest / periods)
    elif account.cash < 0:
        change = account.cash * (rules.loan_rate / periods)
    account.cash = account.cash + change
    account.interest = account.interest + change
    for holding in account.holdings:
        if holding.position < 0:
            cost = -holding.position * holding.price * holding.multiplier * (rules.borrow_rate / periods)
            account.cash = account.cash - cost
            holding.trade_cash = holding.trade_cash - cost
            holding.borrowed = holding.borrowed + cost


def fill_market_orders(account: Account, market: Market, t: int, prices: Rows, since: int) -> None:
    """1 and 7. Market orders, those that reduce before those that increase."""
    waiting = [
        holding
        for holding in account.holdings
        if holding.order and holding.order.kind == OrderKind.MARKET and market.traded(holding, t)
    ]
    reduces = {h.index: h.position != 0 and sign(h.pending) != sign(h.position) for h in waiting}
    for holding in sorted(waiting, key=lambda h: not reduces[h.index]):
        fill(account, holding, t, prices[holding.index][t], taker=True, capped=True, since=since)


def leave(account: Account, holding: Holding, t: int, reference: float, reason: Reason, *, taker: bool = True) -> None:
    """Close a position at once, by an order of its own that replaces what waits."""
    place(account, holding, t, -holding.position, reason)
    fill(account, holding, t, reference, taker=taker, capped=False, since=t)


def distance(rule: Distance, base: float, atr: float) -> float:
    match rule.kind:
        case DistanceKind.PERCENT:
            return rule.value * base
        case DistanceKind.PRICE:
            return rule.value
        case DistanceKind.ATR:
            return rule.value * atr
        case DistanceKind.NONE:
            return math.inf


def stop_level(rules: AccountRules, holding: Holding) -> tuple[float, Reason]:
    """Give the protective stop that is hit first, fixed or trailing."""
    fixed = distance(rules.stop_loss, holding.entry, holding.atr)
    trailing = distance(rules.trailing_stop, holding.best, holding.atr)
    if holding.position > 0:
        stop, trail = holding.entry - fixed, holding.best - trailing
        return max(stop, trail), Reason.STOP_LOSS if stop >= trail else Reason.TRAILING_STOP
    stop, trail = holding.entry + fixed, holding.best + trailing
    return min(stop, trail), Reason.STOP_LOSS if stop <= trail else Reason.TRAILING_STOP


def take_level(rules: AccountRules, holding: Holding) -> float:
    side = sign(holding.position)
    if rules.take_profit.kind == DistanceKind.NONE:
        return side * math.inf
    away = distance(rules.take_profit, holding.entry, holding.atr)
    if side > 0:
        return ceil_tick(holding.entry + away, holding.tick)
    return floor_tick(holding.entry - away, holding.tick)


def protect(account: Account, holding: Holding, market: Market, t: int) -> None:
    """2. Protective exits; where the bar reaches both levels, the stop."""
    if not market.traded(holding, t) or holding.position == 0 or holding.since > t:
        return
    open_, high, low = market.open[holding.index][t], market.high[holding.index][t], market.low[holding.index][t]
    stop, reason = stop_level(account.rules, holding)
    take = take_level(account.rules, holding)
    if holding.position > 0:
        stop_at_open, take_at_open, stopped, taken = open_ <= stop, open_ > take, low <= stop, high > take
    else:
        stop_at_open, take_at_open, stopped, taken = open_ >= stop, open_ < take, high >= stop, low < take
    if stop_at_open:
        exit_position(account, holding, t, open_, reason)
    elif take_at_open:
        exit_position(account, holding, t, open_, Reason.TAKE_PROFIT)
    elif stopped:
        exit_position(account, holding, t, stop, reason)
    elif taken:
        exit_position(account, holding, t, take, Reason.TAKE_PROFIT)


def exit_position(account: Account, holding: Holding, t: int, reference: float, reason: Reason) -> None:
    side = sign(holding.position)
    leave(account, holding, t, reference, reason, taker=reason != Reason.TAKE_PROFIT)
    if account.rules.reentry == Reentry.RESET:
        holding.blocked = side


def rest(account: Account, holding: Holding, market: Market, t: int) -> None:
    """3. A resting limit or stop order; its protective stop may be hit on the same bar."""
    rules, order = account.rules, holding.order
    if order is None or order.kind == OrderKind.MARKET or not market.traded(holding, t):
        return
    if order.session == -1:
        order.session = market.session[t]
    elif rules.time_in_force == TimeInForce.DAY and market.session[t] != order.session:
        holding.order = None
        return
    open_, high, low = market.open[holding.index][t], market.high[holding.index][t], market.low[holding.index][t]
    flat, buys = holding.position == 0, order.quantity > 0
    if order.kind == OrderKind.LIMIT:
        reached = low < order.level if buys else high > order.level
        reference = min(open_, order.level) if buys else max(open_, order.level)
    else:
        reached = high >= order.level if buys else low <= order.level
        reference = max(open_, order.level) if buys else min(open_, order.level)
    if reached:
        taker = order.kind == OrderKind.STOP
        fill(account, holding, t, reference, taker=taker, capped=True, since=t + 1)
    if rules.time_in_force == TimeInForce.BAR:
        holding.order = None
    if flat and holding.position != 0:
        stop, reason = stop_level(rules, holding)
        if low <= stop if holding.position > 0 else high >= stop:
            exit_position(account, holding, t, stop, reason)


def mark(account: Account, market: Market, t: int) -> None:
    """4. Newest closes, and what was completed by this bar."""
    for holding in account.holdings:
        if market.traded(holding, t):
            holding.price = market.close[holding.index][t]
            if holding.position != 0 and holding.since <= t:
                holding.held += 1
                if holding.position > 0:
                    holding.best = max(holding.best, market.high[holding.index][t])
                else:
                    holding.best = min(holding.best, market.low[holding.index][t])
    account.worth = account.value()


def update_halt(account: Account, market: Market, t: int, start: int) -> Halt:
    """4. End halts, then begin them; gives the one between."""
    rules, equity = account.rules, account.worth
    if t > start and market.session[t] != market.session[t - 1]:
        account.session_worth = account.equity[-1]
        if account.halt == Halt.DAILY_LOSS:
            account.halt = Halt.NONE
    if account.halt == Halt.DRAWDOWN and 0 < rules.drawdown_pause <= t - account.halted_at:
        account.halt = Halt.NONE
        account.halt_peak = equity
    account.halt_peak = max(account.halt_peak, equity)
    before = account.halt
    if equity <= 0 or before == Halt.RUIN:
        account.halt = Halt.RUIN
    elif before != Halt.DRAWDOWN and rules.max_drawdown > 0 and fallen(equity, account.halt_peak, rules.max_drawdown):
        account.halt = Halt.DRAWDOWN
        account.halted_at = t
    elif before == Halt.NONE and rules.daily_loss > 0 and fallen(equity, account.session_worth, rules.daily_loss):
        account.halt = Halt.DAILY_LOSS
    return before


def margin_called(account: Account) -> bool:
    gross = 0.0
    for holding in account.holdings:
        gross = gross + abs(holding.position) * holding.price * holding.multiplier
    margin = account.rules.account == AccountKind.MARGIN
    return margin and gross > 0 and account.worth < account.rules.margin_requirement * gross


def fallen(equity: float, high: float, loss: float) -> bool:
    return equity <= high * (1.0 - loss)


def delist(account: Account, market: Market, t: int) -> None:
    """4. The last bar of a delisted symbol."""
    for holding in account.holdings:
        if holding.last_bar == t:
            holding.order = None
            if holding.position != 0:
                leave(account, holding, t, market.close[holding.index][t], Reason.DELISTED)


def flatten(account: Account, t: int) -> None:
    """8. The last bar: out at the newest close, even of a symbol without a bar."""
    for holding in account.holdings:
        if holding.position != 0:
            leave(account, holding, t, holding.price, Reason.FLATTEN)


def effective(rules: AccountRules, target: float) -> float:
    return target if rules.allow_short else max(target, 0.0)


def waits_to_leave(holding: Holding, reasons: tuple[Reason, ...]) -> bool:
    return holding.order is not None and holding.pending == -holding.position and holding.order.reason in reasons


def stand_down(account: Account, holding: Holding, market: Market, t: int, before: Halt) -> None:
    """6. On a halted or called bar: no signal, out of the position."""
    rules, halted = account.rules, account.halt != Halt.NONE
    if rules.reentry == Reentry.RESET:
        begins = before == Halt.NONE if halted else True
        if begins and holding.blocked == 0:
            holding.blocked = sign(effective(rules, holding.emitted))
        target = market.targets[holding.index][t]
        if math.isfinite(target):
            side = sign(effective(rules, target))
            if holding.blocked != 0 and side in (0, -holding.blocked):
                holding.blocked = 0
            if holding.blocked == 0 and side != 0:
                holding.blocked = side
    if holding.position == 0:
        holding.order = None
    elif not waits_to_leave(holding, (Reason.HALT, Reason.MARGIN_CALL)):
        place(account, holding, t, -holding.position, Reason.HALT if halted else Reason.MARGIN_CALL)


def decide(account: Account, holding: Holding, market: Market, t: int) -> None:
    """5 and 6. Signal and order."""
    rules, target = account.rules, market.targets[holding.index][t]
    finite = math.isfinite(target)
    fresh = finite and target != holding.emitted
    side = sign(effective(rules, target))
    if holding.blocked != 0 and finite:
        if side in (0, -holding.blocked):
            holding.blocked = 0
        else:
            fresh = False
    overdue = rules.time_stop > 0 and holding.position != 0 and holding.held >= rules.time_stop
    if overdue and not (fresh and side in (0, -sign(holding.position))):
        if not waits_to_leave(holding, (Reason.TIME_STOP,)):
            place(account, holding, t, -holding.position, Reason.TIME_STOP)
        if rules.reentry == Reentry.RESET:
            holding.blocked = sign(holding.position)
        return
    resizes = rules.rebalance and finite and target == holding.emitted and side != 0 and holding.blocked == 0
    if fresh or resizes:
        order_target(account, holding, market, t, fresh=fresh)


def order_target(account: Account, holding: Holding, market: Market, t: int, *, fresh: bool) -> None:
    """6. Size the target, limit it, and order what is missing."""
    rules, target = account.rules, market.targets[holding.index][t]
    exposure, atr = effective(rules, target), market.atr[holding.index][t]
    levels = (rules.stop_loss, rules.take_profit, rules.trailing_stop)
    if exposure != 0 and any(level.kind == DistanceKind.ATR for level in levels) and not atr > 0:
        return
    wanted = desired(account, holding, exposure, market.volatility[holding.index][t])
    if math.isnan(wanted):
        return
    if fresh:
        account.signals += 1
        holding.signal = account.signals
        holding.emitted = target
    quantity, bound = limited(account, holding, wanted)
    if target < 0 and not rules.allow_short:
        bound |= Limit.NO_SHORT
    change = quantity - holding.position
    money = abs(change) * holding.unit
    if quantity != 0 and money < rules.minimum_trade:
        change = 0.0
    if not fresh and (change == 0 or not money > rules.rebalance_threshold * account.worth):
        return
    holding.order = None
    if change != 0:
        order = place(account, holding, t, change, Reason.SIGNAL if fresh else Reason.REBALANCE)
        order.limits, order.atr = bound, atr
        if holding.position == 0 or sign(change) == sign(holding.position):
            order.kind = rules.order
            order.level = order_level(rules, holding, order)


def order_level(rules: AccountRules, holding: Holding, order: Order) -> float:
    if (order.kind == OrderKind.LIMIT) == (order.quantity > 0):
        return floor_tick(holding.price * (1.0 - rules.offset), holding.tick)
    return ceil_tick(holding.price * (1.0 + rules.offset), holding.tick)


def end(account: Account, market: Market, t: int) -> None:
    """Value after the fills of this bar; volume and volatility are known from the next bar on."""
    account.equity.append(account.value())
    account.positions.append([holding.position for holding in account.holdings])
    account.halts.append(account.halt)
    for holding in account.holdings:
        if market.traded(holding, t):
            volume, volatility = market.volume[holding.index][t], market.volatility[holding.index][t]
            holding.volume = volume if math.isfinite(volume) else 0.0
            if volume > 0:
                holding.traded_volume = volume
            if volatility > 0:
                holding.volatility = volatility
