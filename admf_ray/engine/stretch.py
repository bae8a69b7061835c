"""Stretches of bars on which nothing but prices can change: no order waits, no target is new, nothing is halted.

They are run through without looking at anything else, and give the same bits as one bar after the other.
"""

import math
from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.core.records import AccountKind, DistanceKind
from admf_ray.portfolio.account import accrue, borrowing_cost
from admf_ray.portfolio.metrics import Sums, observe, observe_flat
from admf_ray.risk.exits import profit_level, stop_level, trail_level
from admf_ray.risk.halts import halted_share

__all__ = ["flat_stretch", "guarded_stretch", "held_stretch", "is_new"]

_HIGH, _LOW, _CLOSE = 1, 2, 3
_CASH_ACCOUNT = int(AccountKind.CASH)
_NO_TRAIL = int(DistanceKind.NONE)
_CAREFUL = 1.0 + 1e-9


@shared
def is_new(target: float, emitted: float) -> bool:
    """Say whether a target is finite and not the one last emitted."""
    return target - target == 0.0 and target != emitted


@shared
def flat_stretch(matrix: Any, targets: Any, holding: Any, sums: Sums, start: int, stop: int, risk_free: float) -> Any:
    """Run through bars without a position, up to the first new target.

    Parameters
    ----------
    matrix : float64 array, shape [key, time]
    targets : float64 array, shape [1, time]
    holding : record of `HOLDING`
        Takes in the newest close.
    sums : Sums
    start, stop : int
    risk_free : float
        Per bar.

    Returns
    -------
    t : int
        First bar that was not run through.
    sums : Sums
    """
    emitted = holding.target
    t = start
    while t < stop and not is_new(targets[0, t], emitted):
        t += 1
    newest = t - 1
    while newest >= start and matrix[_CLOSE, newest] != matrix[_CLOSE, newest]:
        newest -= 1
    if newest >= start:
        holding.price = matrix[_CLOSE, newest]
    return t, observe_flat(sums, t - start, risk_free)


@shared
def held_stretch(
    matrix: Any, targets: Any, holding: Any, cash: float, sums: Sums, start: int, stop: int, risk_free: float
) -> Any:
    """Run through bars with a position that only a new target can change; parameters as in `flat_stretch`."""
    emitted = holding.target
    quantity = holding.quantity
    price = holding.price
    t = start
    while t < stop and not is_new(targets[0, t], emitted):
        close = matrix[_CLOSE, t]
        price = close if close == close else price
        sums = observe(sums, cash + quantity * price, True, risk_free)
        t += 1
    holding.price = price
    return t, sums


@shared
def guarded_stretch(
    matrix: Any,
    session: Any,
    targets: Any,
    account: Any,
    holding: Any,
    rules: Any,
    sums: Sums,
    start: int,
    stop: int,
    exits: Any,
    general: Any,
) -> Any:
    """Run through bars up to the first that triggers an exit, a halt or a margin call; else as `held_stretch`.

    What triggers is decided by the bar that comes after the stretch; a margin call is guarded a little early.
    """
    emitted = holding.target
    quantity = holding.quantity
    cash = account.cash
    price = holding.price
    multiplier = holding.multiplier
    best = holding.best
    held = holding.held
    risk_free = rules.risk_free
    is_long = quantity > 0.0
    protects = exits is not None and quantity != 0.0
    trails = False
    last_held = math.inf
    stop_at = -math.inf
    trail_at = -math.inf
    profit_at = math.inf
    if protects:
        stop_at = stop_level(holding, rules)
        trail_at = trail_level(holding, rules, best)
        profit_at = profit_level(holding, rules)
        trails = rules.trail_kind != _NO_TRAIL
        if rules.time_stop > 0:
            last_held = rules.time_stop - 1
    carries = False
    counts_sessions = False
    drawdown_share = 0.0
    loss_share = 0.0
    margin_guard = 0.0
    halt_peak = account.halt_peak
    session_equity = account.session_equity
    if general is not None:
        carries = rules.interest != 0.0 or rules.loan_rate != 0.0 or rules.borrow_rate != 0.0
        counts_sessions = rules.daily_loss > 0.0
        drawdown_share = halted_share(rules.max_drawdown)
        loss_share = halted_share(rules.daily_loss)
        if rules.account != _CASH_ACCOUNT:
            margin_guard = rules.margin_requirement * abs(quantity) * multiplier * _CAREFUL
    t = start
    while t < stop and not is_new(targets[0, t], emitted):
        close = matrix[_CLOSE, t]
        is_there = close == close
        high = 0.0
        low = 0.0
        if protects and is_there:
            high = matrix[_HIGH, t]
            low = matrix[_LOW, t]
            if is_long:
                if low <= stop_at or low <= trail_at or high > profit_at:
                    break
            elif high >= stop_at or high >= trail_at or low < profit_at:
                break
            if held >= last_held:
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
            halt_peak = max(halt_peak, equity)
            if equity <= halt_peak * drawdown_share or equity <= session_equity * loss_share:
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
    if protects:
        holding.best = best
        holding.held = held
    if general is not None:
        account.halt_peak = halt_peak
        account.session_equity = session_equity
    return t, sums
