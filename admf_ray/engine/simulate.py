"""The compiled simulation: targets in, account out, in the order of things that SEMANTICS 3 lays down.

One function serves every configuration. Arguments that are None are compiled away: a sweep of market orders carries
neither exits nor limits nor a ledger. `Variant` names what is left.
"""

import math
from functools import cache
from typing import Any, NamedTuple

from numba import types

from admf_ray.core.kernels import READ_F8_2D, READ_I4_1D, SIZING, compiled, read_only, records, shared
from admf_ray.core.records import (
    ACCOUNT,
    FILL,
    HOLDING,
    LIMIT,
    RULES,
    AccountKind,
    Boundary,
    FillPolicy,
    Halt,
    Limit,
    OrderKind,
    Reason,
    Reentry,
    TimeInForce,
)
from admf_ray.execution.cash import affordable
from admf_ray.execution.costs import commission, maker_price, taker_price
from admf_ray.execution.orders import has_expired, resting_level, touched
from admf_ray.portfolio.account import accrue, apply_fill, borrowing_cost, mark
from admf_ray.portfolio.metrics import add_to_groups, load_sums, observe, observe_flat, store_sums
from admf_ray.risk.exits import NOTHING, profit_level, stop_level, stop_reason, trail_level, triggered
from admf_ray.risk.halts import begin_block, exposure_of, follow_target, halt_guard, is_called, sign, update_halt
from admf_ray.risk.limits import limited, others
from admf_ray.risk.sizing import whole_lots

__all__ = ["EXITS", "FULL", "PLAIN", "RECORDED", "Variant", "simulate", "simulation", "withhold"]

# Kernels take plain integers: numba freezes these at compile time.
_AT_CLOSE = int(FillPolicy.CLOSE)
_FLATTEN = int(Boundary.FLATTEN)
_CASH_ACCOUNT = int(AccountKind.CASH)
_MARKET = int(OrderKind.MARKET)
_LIMIT_ORDER = int(OrderKind.LIMIT)
_ONE_BAR = int(TimeInForce.BAR)
_RESET = int(Reentry.RESET)
_TRADING = int(Halt.NONE)
_BY_SIGNAL = int(Reason.SIGNAL)
_BY_BOUNDARY = int(Reason.FLATTEN)
_BY_REBALANCE = int(Reason.REBALANCE)
_BY_PROFIT = int(Reason.TAKE_PROFIT)
_BY_TIME = int(Reason.TIME_STOP)
_BY_HALT = int(Reason.HALT)
_BY_CALL = int(Reason.MARGIN_CALL)
_BY_DELISTING = int(Reason.DELISTED)
_CASH = int(Limit.CASH)
_NO_SHORT = int(Limit.NO_SHORT)
_PARTICIPATION = int(Limit.PARTICIPATION)
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(5)
_RAW_ROWS = 5
_CAREFUL = 1.0 + 1e-9


class Variant(NamedTuple):
    """What a compiled simulation can do.

    Attributes
    ----------
    exits : bool
        Protective exits.
    general : bool
        Everything else beyond market orders of a cash account: limits, halts, sizing by volatility, rebalancing, limit
        and stop orders, partial fills, impact, margin, interest, instruments, delistings.
    recorded : bool
        Path, ledger and sums of groups of bars.
    """

    exits: bool
    general: bool
    recorded: bool


PLAIN = Variant(exits=False, general=False, recorded=False)
EXITS = Variant(exits=True, general=False, recorded=False)
FULL = Variant(exits=True, general=True, recorded=False)
RECORDED = Variant(exits=True, general=True, recorded=True)


@shared
def withhold(targets: Any, begins: Any) -> None:
    """Take away the targets of bars at which a symbol has not had the history that the data asks for.

    Parameters
    ----------
    targets : float64 array, shape [symbol, time]
    begins : int64 array, shape [symbol]
        First bars that may have a target.
    """
    for s in range(targets.shape[0]):
        for t in range(min(begins[s], targets.shape[1])):
            targets[s, t] = math.nan


@shared
def _at(matrix: Any, row: int, bar: int) -> float:
    """Give a value of the hub, 0 where there is no such row."""
    value: float = matrix[row, bar] if row >= 0 else 0.0
    return value


@shared
def _remember(holding: Any, volume: float, volatility: float) -> None:
    """Keep what caps and impact of the next bars may know of this one."""
    holding.volume = volume if volume - volume == 0.0 else 0.0
    if holding.volume > 0.0:
        holding.traded_volume = volume
    if volatility > 0.0:
        holding.volatility = volatility


@shared
def _is_new(target: float, emitted: float) -> bool:
    """Say whether a target is finite and not the one last emitted."""
    return target - target == 0.0 and target != emitted


@shared
def _trade(
    account: Any,
    holding: Any,
    rules: Any,
    quantity: float,
    limits: int,
    price: float,
    since: int,
    bar: int,
    symbol: int,
    ledger: Any,
) -> bool:
    """Book a fill: cut it to the cash, charge it, write it down; say whether it was cut."""
    paid = price * holding.multiplier
    is_cut = False
    if rules.account == _CASH_ACCOUNT and quantity > 0.0:
        most = affordable(quantity, paid, account.cash, holding.lot, rules)
        if most < quantity:
            quantity = most
            limits |= _CASH
            is_cut = True
    if quantity == 0.0:
        return is_cut
    fee = commission(quantity, paid, rules)
    if rules.account == _CASH_ACCOUNT and quantity < 0.0:
        # A sale that brings less than its minimum commission takes what cash there is: never more.
        fee = min(fee, account.cash - quantity * paid)
    apply_fill(account, holding, quantity, price, paid, fee, since)
    if ledger is not None:
        row = ledger[min(account.fills, ledger.shape[0]) - 1]
        row.bar = bar
        row.symbol = symbol
        row.quantity = quantity
        row.price = price
        row.commission = fee
        row.borrowed = holding.borrowed
        row.position = holding.quantity
        row.cash = account.cash
        row.decided = holding.decided
        row.order = holding.order
        row.signal = holding.signal
        row.reason = holding.reason
        row.limits = limits
    holding.borrowed = 0.0
    return is_cut


@shared
def _fill(
    account: Any,
    holding: Any,
    rules: Any,
    reference: float,
    is_taker: bool,
    since: int,
    bar: int,
    symbol: int,
    general: Any,
    ledger: Any,
) -> None:
    """Trade as much of the waiting order as a bar's volume lets through; the rest waits on."""
    quantity = holding.pending
    limits = holding.limits
    if general is not None and rules.participation > 0.0:
        room = whole_lots(rules.participation * holding.volume, holding.lot)
        if abs(quantity) > room:
            if room == 0.0:
                return
            quantity = room if quantity > 0.0 else -room
            limits |= _PARTICIPATION
    if is_taker:
        price = taker_price(quantity, reference, holding, rules, general)
    else:
        price = maker_price(quantity, reference, holding.tick)
    is_cut = _trade(account, holding, rules, quantity, limits, price, since, bar, symbol, ledger)
    holding.pending = 0.0 if is_cut else holding.pending - quantity


@shared
def _order(account: Any, holding: Any, quantity: float, reason: int, bar: int) -> None:
    """Make a market order, which replaces a waiting one."""
    account.orders += 1
    holding.order = account.orders
    holding.pending = quantity
    holding.reason = reason
    holding.decided = bar
    holding.limits = 0
    holding.kind = _MARKET


@shared
def _leave(
    account: Any, holding: Any, rules: Any, reference: float, reason: int, bar: int, symbol: int, general: Any, ledger: Any
) -> None:
    """Close a position at once and in full, with the costs of its kind; a waiting order is cancelled."""
    quantity = -holding.quantity
    _order(account, holding, quantity, reason, bar)
    if reason == _BY_PROFIT:
        price = maker_price(quantity, reference, holding.tick)
    else:
        price = taker_price(quantity, reference, holding, rules, general)
    _trade(account, holding, rules, quantity, 0, price, bar, bar, symbol, ledger)
    holding.pending = 0.0


@shared
def _exit(
    account: Any, holding: Any, rules: Any, reference: float, reason: int, bar: int, symbol: int, general: Any, ledger: Any
) -> None:
    """Leave a position by a protective exit; its side is blocked until the target has been reset."""
    side = sign(holding.quantity)
    _leave(account, holding, rules, reference, reason, bar, symbol, general, ledger)
    if rules.reentry == _RESET:
        holding.blocked = side


@shared
def _decide(
    account: Any,
    holding: Any,
    rules: Any,
    sizing: Any,
    target: float,
    close: float,
    equity: float,
    volatility: float,
    atr: float,
    bar: int,
    symbol: int,
    holdings: Any,
    limits: Any,
    exits: Any,
    general: Any,
) -> None:
    """Turn a target into a signal and an order, which replaces a waiting one; or a due time stop, or a rebalancing.

    Where the sizing gives no number there is no signal, and the next bar tries again.
    """
    is_known = target - target == 0.0
    is_new = is_known and target != holding.target
    exposure = exposure_of(target, rules)
    quantity = holding.quantity
    if holding.blocked != 0.0 and is_known:
        if exposure == 0.0 or sign(exposure) == -holding.blocked:
            holding.blocked = 0.0
        else:
            is_new = False
    if exits is not None and rules.time_stop > 0 and quantity != 0.0 and holding.held >= rules.time_stop:
        if not (is_new and (exposure == 0.0 or sign(exposure) == -sign(quantity))):
            if not (holding.pending == -quantity and holding.reason == _BY_TIME):
                _order(account, holding, -quantity, _BY_TIME, bar)
            if rules.reentry == _RESET:
                holding.blocked = sign(quantity)
            return
    if not is_new:
        if general is None or rules.rebalance == 0:
            return
        if not is_known or target != holding.target or exposure == 0.0 or holding.blocked != 0.0:
            return
    size = rules.size
    if exposure != 0.0:
        if general is not None and rules.scaled != 0:
            yearly = volatility * rules.root_periods
            if not yearly > 0.0:
                return
            size = min(rules.cap, rules.size / yearly)
        if exits is not None and rules.needs_atr != 0 and not atr > 0.0:
            return
    unit = close * holding.multiplier
    wanted = sizing(exposure, size, unit, equity)
    if math.isnan(wanted):
        return
    if is_new:
        account.signals += 1
        holding.signal = account.signals
        holding.target = target
    flags = _NO_SHORT if target < exposure else 0
    desired = whole_lots(wanted, holding.lot)
    if general is not None and limits.shape[0] > 0:
        gross, net, count = others(holdings, symbol)
        bound = 0
        for k in range(limits.shape[0]):
            limit = limits[k]
            if limit.symbol == -1 or limit.symbol == symbol:
                allowed = limited(desired, quantity, unit, equity, gross, net, count, limit)
                if allowed != desired:
                    desired = allowed
                    bound |= limit.flag
        if bound != 0:
            desired = whole_lots(desired, holding.lot)
            flags |= bound
    change = desired - quantity
    if general is not None:
        value = abs(change) * unit
        if desired != 0.0 and value < rules.minimum_trade:
            change = 0.0
        if not is_new and (change == 0.0 or not value > rules.rebalance_threshold * equity):
            return
    holding.pending = change
    if change != 0.0:
        _order(account, holding, change, _BY_SIGNAL if is_new else _BY_REBALANCE, bar)
        holding.limits = flags
        holding.order_atr = atr
        if general is not None:
            holding.session = -1
            if rules.order != _MARKET and (quantity == 0.0 or sign(change) == sign(quantity)):
                holding.kind = rules.order
                holding.level = resting_level(change, close, holding.tick, rules)


@shared
def simulate(
    sizing: Any,
    matrix: Any,
    session: Any,
    targets: Any,
    limits: Any,
    rules_record: Any,
    start: int,
    stop: int,
    segment_stop: int,
    account_record: Any,
    holdings: Any,
    exits: Any,
    general: Any,
    path: Any,
    ledger: Any,
    labels: Any,
    groups: Any,
) -> None:
    """Process bars ``[start, stop)`` of a segment that ends before ``segment_stop``.

    Calling it bar by bar, in any chunks, or once over the segment gives the same bits; so do all variants that can do
    what the rules ask for.

    Parameters
    ----------
    sizing : kernel of the signature `SIZING`
    matrix : float64 array, shape [key, time]
        The hub; five raw rows a symbol first.
    session : int32 array, shape [time]
    targets : float64 array, shape [symbol, time]
    limits : `LIMIT` array, shape [limit]
    rules_record : `RULES` array, shape [1]
    start, stop, segment_stop : int
    account_record : `ACCOUNT` array, shape [1]
        State; made by `admf_ray.portfolio.account.open_account`.
    holdings : `HOLDING` array, shape [symbol]
        State.
    exits, general : bool or None
        Not None where the rules ask for it; see `Variant`.
    path : float64 array, shape [1 + symbol, bar of the segment], or None
        Receives the equity and each position at every close.
    ledger : `FILL` array, shape [at least 1], or None
        Receives the fills; where they do not fit, the last row holds the last fill.
    labels : int64 array, shape [kind, time], or None
        Groups of bars; see `admf_ray.portfolio.metrics.add_to_groups`.
    groups : float64 array, shape [kind, group, 4], or None
        Receives their sums.
    """
    rules = rules_record[0]
    account = account_record[0]
    symbols = holdings.shape[0]
    at_close = rules.fill == _AT_CLOSE
    flatten = rules.boundary == _FLATTEN
    risk_free = rules.risk_free
    sums = load_sums(account)
    # How many orders wait; only then are they looked for.
    waiting = 0
    for s in range(symbols):
        waiting += holdings[s].pending != 0.0
    settled = False
    t = start
    while t < stop:
        if path is None and labels is None and symbols == 1 and waiting == 0:
            # A stretch on which nothing but prices can change is run through without looking at anything else.
            holding = holdings[0]
            quantity = holding.quantity
            quiet_stop = min(stop, segment_stop - 1) if flatten else stop
            is_quiet = True
            exposure = exposure_of(holding.target, rules)
            if general is not None:
                if t <= holding.last_bar:
                    quiet_stop = min(quiet_stop, holding.last_bar)
                is_quiet = settled and account.halt == _TRADING
                is_quiet &= rules.rebalance == 0 or exposure == 0.0
            else:
                is_quiet = sums.equity > 0.0
            if exits is not None or general is not None:
                is_quiet &= holding.blocked == 0.0 or sign(exposure) == holding.blocked
                is_quiet &= quantity == 0.0 or holding.since <= t
            if is_quiet:
                first = t
                emitted = holding.target
                if quantity == 0.0 and (general is None or rules.interest == 0.0):
                    while t < quiet_stop and not _is_new(targets[0, t], emitted):
                        t += 1
                    sums = observe_flat(sums, t - first, risk_free)
                    u = t - 1
                    while u >= first and matrix[_CLOSE, u] != matrix[_CLOSE, u]:
                        u -= 1
                    if u >= first:
                        holding.price = matrix[_CLOSE, u]
                    if general is not None and session[t - 1] != session[first - 1]:
                        account.session_equity = sums.equity
                elif exits is None and general is None:
                    cash = account.cash
                    price = holding.price
                    while t < quiet_stop and not _is_new(targets[0, t], emitted):
                        close = matrix[_CLOSE, t]
                        price = close if close == close else price
                        sums = observe(sums, cash + quantity * price, True, risk_free)
                        t += 1
                    holding.price = price
                else:
                    cash = account.cash
                    price = holding.price
                    multiplier = holding.multiplier
                    best = holding.best
                    held = holding.held
                    time_stop = math.inf
                    stop_at = -math.inf
                    trail_at = -math.inf
                    profit_at = math.inf
                    is_long = quantity > 0.0
                    trails = False
                    protects = exits is not None and quantity != 0.0
                    if protects:
                        stop_at = stop_level(holding, rules)
                        trail_at = trail_level(holding, rules, best)
                        profit_at = profit_level(holding, rules)
                        trails = rules.trail_kind != 0
                        if rules.time_stop > 0:
                            time_stop = rules.time_stop
                    carries = False
                    counts_sessions = False
                    drawdown_guard = 0.0
                    loss_guard = 0.0
                    margin_guard = 0.0
                    halt_peak = account.halt_peak
                    session_equity = account.session_equity
                    if general is not None:
                        carries = rules.interest != 0.0 or rules.loan_rate != 0.0 or rules.borrow_rate != 0.0
                        counts_sessions = rules.daily_loss > 0.0
                        drawdown_guard = halt_guard(rules.max_drawdown)
                        loss_guard = halt_guard(rules.daily_loss)
                        if rules.account != _CASH_ACCOUNT:
                            margin_guard = rules.margin_requirement * abs(quantity) * multiplier * _CAREFUL
                    while t < quiet_stop and not _is_new(targets[0, t], emitted):
                        close = matrix[_CLOSE, t]
                        is_there = close == close
                        if protects and is_there:
                            high = matrix[_HIGH, t]
                            low = matrix[_LOW, t]
                            if is_long:
                                if low <= stop_at or low <= trail_at or high > profit_at:
                                    break
                            elif high >= stop_at or high >= trail_at or low < profit_at:
                                break
                            if held + 1 >= time_stop:
                                break
                        now = close if is_there else price
                        if general is not None:
                            after = cash
                            change = 0.0
                            cost = 0.0
                            if carries:
                                shorts = -quantity * price * multiplier if quantity < 0.0 else 0.0
                                change = accrue(cash, shorts, rules)
                                cost = borrowing_cost(quantity, price, multiplier, rules)
                                after = cash + change - cost
                            equity = after + quantity * now * multiplier
                            if counts_sessions and session[t] != session[t - 1]:
                                session_equity = sums.equity
                            # What may be a halt or a margin call is looked at exactly, one bar at a time.
                            halt_peak = max(halt_peak, equity)
                            if equity <= halt_peak * drawdown_guard or equity <= session_equity * loss_guard:
                                break
                            if equity <= now * margin_guard:
                                break
                            if carries:
                                cash = after
                                account.interest += change
                                holding.trade_cash -= cost
                                holding.borrowed += cost
                        else:
                            equity = cash + quantity * now
                        price = now
                        if protects and is_there:
                            held += 1
                            if trails:
                                moved = max(best, high) if is_long else min(best, low)
                                if moved != best:
                                    best = moved
                                    trail_at = trail_level(holding, rules, best)
                        sums = observe(sums, equity, quantity != 0.0, risk_free)
                        t += 1
                    account.cash = cash
                    holding.price = price
                    if quantity != 0.0:
                        holding.best = best
                        holding.held = held
                    if general is not None:
                        account.halt_peak = halt_peak
                        account.session_equity = session_equity
                if general is not None:
                    account.equity = sums.equity
                    if rules.participation > 0.0 or rules.impact > 0.0:
                        for u in range(first, t):
                            if matrix[_CLOSE, u] == matrix[_CLOSE, u]:
                                _remember(holding, matrix[_VOLUME, u], _at(matrix, holding.volatility_row, u))
                if t == stop:
                    break
        is_last = flatten and t == segment_stop - 1
        fills_before = account.fills
        if general is not None and sums.bars > 0:
            shorts = 0.0
            for s in range(symbols):
                if holdings[s].quantity < 0.0:
                    shorts += -holdings[s].quantity * holdings[s].price * holdings[s].multiplier
            change = accrue(account.cash, shorts, rules)
            account.cash += change
            account.interest += change
            for s in range(symbols):
                holding = holdings[s]
                cost = borrowing_cost(holding.quantity, holding.price, holding.multiplier, rules)
                account.cash -= cost
                holding.trade_cash -= cost
                holding.borrowed += cost
        # 1. Fills at the open: orders that reduce first.
        if waiting > 0 and not at_close:
            for is_second in range(2):
                for s in range(symbols):
                    holding = holdings[s]
                    if holding.pending != 0.0 and (general is None or holding.kind == _MARKET):
                        reference = matrix[_RAW_ROWS * s + _OPEN, t]
                        is_second_kind = not holding.quantity * holding.pending < 0.0
                        if reference == reference and is_second_kind == is_second and holding.tried != t:
                            holding.tried = t
                            _fill(account, holding, rules, reference, True, t, t, s, general, ledger)
        # 2. Protective exits.
        if exits is not None:
            for s in range(symbols):
                holding = holdings[s]
                if holding.quantity != 0.0 and holding.since <= t:
                    open_ = matrix[_RAW_ROWS * s + _OPEN, t]
                    if open_ == open_:
                        high = matrix[_RAW_ROWS * s + _HIGH, t]
                        low = matrix[_RAW_ROWS * s + _LOW, t]
                        reference, reason = triggered(holding, rules, open_, high, low)
                        if reason != NOTHING:
                            _exit(account, holding, rules, reference, reason, t, s, general, ledger)
        # 3. Limit and stop orders that rest.
        if general is not None and waiting > 0 and rules.order != _MARKET:
            for s in range(symbols):
                holding = holdings[s]
                open_ = matrix[_RAW_ROWS * s + _OPEN, t]
                if holding.pending != 0.0 and holding.kind != _MARKET and open_ == open_:
                    if has_expired(holding, session[t], rules):
                        holding.pending = 0.0
                        continue
                    high = matrix[_RAW_ROWS * s + _HIGH, t]
                    low = matrix[_RAW_ROWS * s + _LOW, t]
                    reference = touched(holding, open_, high, low)
                    was_flat = holding.quantity == 0.0
                    if reference == reference:
                        is_taker = holding.kind != _LIMIT_ORDER
                        _fill(account, holding, rules, reference, is_taker, t + 1, t, s, general, ledger)
                    if rules.time_in_force == _ONE_BAR:
                        holding.pending = 0.0
                    if exits is not None and was_flat and holding.quantity != 0.0:
                        reference, reason = stop_reason(holding, rules, high, low)
                        if reason != NOTHING:
                            _exit(account, holding, rules, reference, reason, t, s, general, ledger)
        # 4. Mark; halts.
        equity = account.cash
        for s in range(symbols):
            holding = holdings[s]
            close = matrix[_RAW_ROWS * s + _CLOSE, t]
            equity += mark(holding, close)
            if exits is not None and close == close and holding.quantity != 0.0 and holding.since <= t:
                holding.held += 1
                if holding.quantity > 0.0:
                    holding.best = max(holding.best, matrix[_RAW_ROWS * s + _HIGH, t])
                else:
                    holding.best = min(holding.best, matrix[_RAW_ROWS * s + _LOW, t])
        is_called_now = False
        begins = False
        if general is not None:
            gross = 0.0
            for s in range(symbols):
                gross += abs(holdings[s].quantity) * holdings[s].price * holdings[s].multiplier
            begins = update_halt(account, rules, equity, t, sums.bars > 0 and session[t] != session[t - 1])
            is_called_now = account.halt == _TRADING and is_called(equity, gross, rules)
            begins |= is_called_now
            for s in range(symbols):
                holding = holdings[s]
                if t == holding.last_bar:
                    holding.pending = 0.0
                    if holding.quantity != 0.0:
                        _leave(account, holding, rules, holding.price, _BY_DELISTING, t, s, general, ledger)
            trades = account.halt == _TRADING and not is_called_now
        else:
            trades = equity > 0.0
        if is_last:
            # 8. The end of the segment.
            for s in range(symbols):
                if holdings[s].quantity != 0.0:
                    _leave(account, holdings[s], rules, holdings[s].price, _BY_BOUNDARY, t, s, general, ledger)
        elif trades:
            # 5, 6. Decide. A missing bar is not tradable: its target is taken up on the next bar that is there.
            for s in range(symbols):
                holding = holdings[s]
                target = targets[s, t]
                is_looked_at = _is_new(target, holding.target)
                if exits is not None:
                    is_looked_at |= holding.blocked != 0.0
                    is_looked_at |= rules.time_stop > 0 and holding.held >= rules.time_stop
                if general is not None:
                    is_looked_at |= holding.blocked != 0.0 or rules.rebalance != 0
                    is_looked_at &= t < holding.last_bar
                close = matrix[_RAW_ROWS * s + _CLOSE, t]
                if is_looked_at and close == close:
                    volatility = _at(matrix, holding.volatility_row, t)
                    atr = _at(matrix, holding.atr_row, t)
                    _decide(
                        account,
                        holding,
                        rules,
                        sizing,
                        target,
                        close,
                        equity,
                        volatility,
                        atr,
                        t,
                        s,
                        holdings,
                        limits,
                        exits,
                        general,
                    )
        else:
            # A halt or a margin call: everything is sold, and nothing else is decided.
            reason = _BY_CALL if is_called_now else _BY_HALT
            for s in range(symbols):
                holding = holdings[s]
                if general is not None and t >= holding.last_bar:
                    continue
                if begins:
                    begin_block(holding, rules)
                follow_target(holding, rules, targets[s, t])
                if holding.quantity == 0.0:
                    holding.pending = 0.0
                elif not (
                    holding.pending == -holding.quantity and (holding.reason == _BY_HALT or holding.reason == _BY_CALL)
                ):
                    _order(account, holding, -holding.quantity, reason, t)
        # 7. Fills at the close.
        if at_close and not is_last:
            for is_second in range(2):
                for s in range(symbols):
                    holding = holdings[s]
                    if holding.pending != 0.0:
                        reference = matrix[_RAW_ROWS * s + _CLOSE, t]
                        is_second_kind = not holding.quantity * holding.pending < 0.0
                        if reference == reference and is_second_kind == is_second and holding.tried != t:
                            holding.tried = t
                            _fill(account, holding, rules, reference, True, t + 1, t, s, general, ledger)
        equity = account.cash
        exposed = False
        waiting = 0
        for s in range(symbols):
            holding = holdings[s]
            equity += holding.quantity * holding.price * holding.multiplier
            exposed |= holding.quantity != 0.0
            waiting += holding.pending != 0.0
            if general is not None and matrix[_RAW_ROWS * s + _CLOSE, t] == matrix[_RAW_ROWS * s + _CLOSE, t]:
                _remember(holding, matrix[_RAW_ROWS * s + _VOLUME, t], _at(matrix, holding.volatility_row, t))
        if labels is not None:
            add_to_groups(groups, labels, t, equity, sums.equity, risk_free)
        sums = observe(sums, equity, exposed, risk_free)
        account.equity = equity
        settled = account.fills == fills_before
        if path is not None:
            column = t - (segment_stop - path.shape[1])
            path[0, column] = equity
            for s in range(symbols):
                path[1 + s, column] = holdings[s].quantity
        t += 1
    store_sums(account, sums)


_FLAG = types.boolean
_PATH = (types.float64[:, ::1], records(FILL), read_only(types.int64, 2), types.float64[:, :, ::1])
ARGUMENTS = (
    types.FunctionType(SIZING),
    READ_F8_2D,
    READ_I4_1D,
    READ_F8_2D,
    records(LIMIT, readonly=True),
    records(RULES, readonly=True),
    types.int64,
    types.int64,
    types.int64,
    records(ACCOUNT),
    records(HOLDING),
)


@cache
def simulation(variant: Variant) -> Any:
    """Give `simulate`, compiled for one variant and cached on disk."""
    flags = [_FLAG if is_there else types.none for is_there in variant[:2]]
    recorded = _PATH if variant.recorded else (types.none,) * len(_PATH)
    return compiled(types.void(*ARGUMENTS, *flags, *recorded))(simulate.py_func)
