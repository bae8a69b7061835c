"""The compiled simulation: targets in, account out, in the order of things that SEMANTICS 3 lays down.

One function serves every configuration. Arguments that are None are compiled away: a sweep of market orders carries
neither exits nor limits nor a ledger. `Variant` names what is left.
"""

import math
from enum import IntEnum
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
    Boundary,
    FillPolicy,
    Halt,
    OrderKind,
    Reason,
    TimeInForce,
)
from admf_ray.core.signs import opposes, sign
from admf_ray.engine.decide import decide
from admf_ray.engine.fills import exit_position, fill, leave, make_order
from admf_ray.engine.stretch import flat_stretch, guarded_stretch, held_stretch, is_new
from admf_ray.execution.orders import has_expired, touched
from admf_ray.portfolio.account import accrue, borrowing_cost, mark
from admf_ray.portfolio.metrics import add_to_groups, load_sums, observe, store_sums
from admf_ray.risk.exits import NOTHING, stop_reason, triggered
from admf_ray.risk.halts import begin_block, exposure_of, follow_target, is_called, update_halt

__all__ = [
    "EXITS",
    "FULL",
    "PLAIN",
    "RECORDED",
    "STEPWISE",
    "Part",
    "Variant",
    "simulate",
    "simulation",
    "withhold",
]

# Kernels take plain integers: numba freezes these at compile time.
_AT_CLOSE = int(FillPolicy.CLOSE)
_FLATTEN = int(Boundary.FLATTEN)
_MARKET = int(OrderKind.MARKET)
_LIMIT_ORDER = int(OrderKind.LIMIT)
_ONE_BAR = int(TimeInForce.BAR)
_TRADING = int(Halt.NONE)
_BY_BOUNDARY = int(Reason.FLATTEN)
_BY_HALT = int(Reason.HALT)
_BY_CALL = int(Reason.MARGIN_CALL)
_BY_DELISTING = int(Reason.DELISTED)
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(5)
_RAW_ROWS = 5


class Part(IntEnum):
    """Parts of one bar, in order and in bits; what components of the event-driven engine do one by one (SEMANTICS 3).

    Attributes
    ----------
    OPEN
        Steps 1 to 3: costs of time, fills at the open, protective exits, resting orders.
    MARK
        Steps 4 and 8: equity at the close, halts, delistings, the end of the segment.
    DECIDE
        Steps 5 and 6: targets into orders.
    CLOSE
        Step 7: fills at the close.
    END
        Equity after all of it; path and sums.
    """

    OPEN = 1
    MARK = 2
    DECIDE = 4
    CLOSE = 8
    END = 16


_OPENING, _MARKING, _DECIDING, _CLOSING, _ENDING = (int(part) for part in Part)


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
    stepwise : bool
        Parts of a bar by themselves.
    """

    exits: bool
    general: bool
    recorded: bool
    stepwise: bool = False

    @property
    def flags(self) -> tuple[bool | None, bool | None]:
        """What kernels are given for ``exits`` and ``general``: None for what is compiled away."""
        return self.exits or None, self.general or None

    @property
    def flag_types(self) -> tuple[Any, Any]:
        """The numba types of `flags`."""
        exits, general = (types.none if flag is None else types.boolean for flag in self.flags)
        return exits, general


PLAIN = Variant(exits=False, general=False, recorded=False)
EXITS = Variant(exits=True, general=False, recorded=False)
FULL = Variant(exits=True, general=True, recorded=False)
RECORDED = Variant(exits=True, general=True, recorded=True)
STEPWISE = Variant(exits=True, general=True, recorded=True, stepwise=True)


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
def _does(part: Any, which: int) -> bool:
    """Say whether a part of a bar is done: of a whole bar every one."""
    if part is None:
        return True
    return bool(part & which)


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


def _simulate(
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
    part: Any,
) -> None:
    """Process bars ``[start, stop)`` of a segment that ends before ``segment_stop``.

    Calling it bar by bar, in any chunks, or once over the segment gives the same bits; so do all variants that can do
    what the rules ask for.

    Parameters
    ----------
    sizing : kernel of the signature `SIZING`, or None where nothing is decided
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
    part : int or None
        Of `Part`: what is done of the only bar ``start``, DECIDE with its MARK; None: all of every bar.
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
                if quantity == 0.0 and (general is None or rules.interest == 0.0):
                    t, sums = flat_stretch(matrix, targets, holding, sums, t, quiet_stop, risk_free)
                    if general is not None and session[t - 1] != session[first - 1]:
                        account.session_equity = sums.equity
                elif exits is None and general is None:
                    t, sums = held_stretch(matrix, targets, holding, account.cash, sums, t, quiet_stop, risk_free)
                else:
                    t, sums = guarded_stretch(
                        matrix, session, targets, account, holding, rules, sums, t, quiet_stop, exits, general
                    )
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
        if _does(part, _OPENING):
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
                            increases = not opposes(holding.quantity, holding.pending)
                            if reference == reference and increases == is_second and holding.tried != t:
                                holding.tried = t
                                fill(account, holding, rules, reference, True, t, t, s, general, ledger)
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
                                exit_position(account, holding, rules, reference, reason, t, s, general, ledger)
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
                            fill(account, holding, rules, reference, is_taker, t + 1, t, s, general, ledger)
                        if rules.time_in_force == _ONE_BAR:
                            holding.pending = 0.0
                        if exits is not None and was_flat and holding.quantity != 0.0:
                            reference, reason = stop_reason(holding, rules, high, low)
                            if reason != NOTHING:
                                exit_position(account, holding, rules, reference, reason, t, s, general, ledger)
        # 4. Mark; halts.
        equity = 0.0
        is_called_now = False
        begins = False
        trades = False
        if _does(part, _MARKING):
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
                            leave(account, holding, rules, holding.price, _BY_DELISTING, t, s, general, ledger)
                trades = account.halt == _TRADING and not is_called_now
            else:
                trades = equity > 0.0
            if is_last:
                # 8. The end of the segment.
                for s in range(symbols):
                    if holdings[s].quantity != 0.0:
                        leave(account, holdings[s], rules, holdings[s].price, _BY_BOUNDARY, t, s, general, ledger)
        if sizing is not None:
            decides = not is_last and _does(part, _DECIDING)
            if decides and trades:
                # 5, 6. Decide. A missing bar is not tradable: its target is taken up on the next bar that is there.
                for s in range(symbols):
                    holding = holdings[s]
                    target = targets[s, t]
                    is_looked_at = is_new(target, holding.target)
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
                        decide(
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
            elif decides:
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
                    elif not (holding.pending == -holding.quantity and holding.reason in (_BY_HALT, _BY_CALL)):
                        make_order(account, holding, -holding.quantity, reason, t)
        # 7. Fills at the close.
        if at_close and not is_last and _does(part, _CLOSING):
            for is_second in range(2):
                for s in range(symbols):
                    holding = holdings[s]
                    if holding.pending != 0.0:
                        reference = matrix[_RAW_ROWS * s + _CLOSE, t]
                        increases = not opposes(holding.quantity, holding.pending)
                        if reference == reference and increases == is_second and holding.tried != t:
                            holding.tried = t
                            fill(account, holding, rules, reference, True, t + 1, t, s, general, ledger)
        if _does(part, _ENDING):
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


simulate = shared(_simulate)
"""What a sweep calls, compiled into it."""

_RECORDS = (types.float64[:, ::1], records(FILL), read_only(types.int64, 2), types.float64[:, :, ::1])
_ARGUMENTS = (
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
def simulation(variant: Variant, is_sized: bool = True) -> Any:
    """Give the simulation of segments, compiled for one variant and cached on disk; unsized, nothing is decided."""
    sizing = types.FunctionType(SIZING) if is_sized else types.none
    recorded = _RECORDS if variant.recorded else (types.none,) * len(_RECORDS)
    part = types.int64 if variant.stepwise else types.none
    return compiled(types.void(sizing, *_ARGUMENTS, *variant.flag_types, *recorded, part))(_simulate)
