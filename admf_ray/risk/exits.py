"""Protective exits: where their levels lie, and what a bar triggers (SEMANTICS 3)."""

import math
from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.core.records import DistanceKind, Reason
from admf_ray.core.ticks import tick_above, tick_below

__all__ = ["NOTHING", "profit_level", "stop_level", "stop_reason", "trail_level", "triggered"]

NOTHING = -1
"""Stands for the reason where nothing was triggered."""

_NONE = int(DistanceKind.NONE)
_PERCENT = int(DistanceKind.PERCENT)
_PRICE = int(DistanceKind.PRICE)
_STOP_LOSS = int(Reason.STOP_LOSS)
_TAKE_PROFIT = int(Reason.TAKE_PROFIT)
_TRAILING_STOP = int(Reason.TRAILING_STOP)


@shared
def _level(kind: int, value: float, base: float, atr: float, side: float) -> float:
    """Give the price at a distance from a base: above it for side +1, below it for side -1, infinite without one."""
    if kind == _NONE:
        return side * math.inf
    distance = value * base if kind == _PERCENT else value if kind == _PRICE else value * atr
    return base + side * distance


@shared
def stop_level(holding: Any, rules: Any) -> float:
    """Give the price of the stop loss: beyond the mean fill price, against the position; infinite without one."""
    side = -1.0 if holding.quantity > 0.0 else 1.0
    return _level(rules.stop_kind, rules.stop, holding.entry, holding.atr, side)


@shared
def trail_level(holding: Any, rules: Any, best: float) -> float:
    """Give the price of the trailing stop behind the best price so far."""
    side = -1.0 if holding.quantity > 0.0 else 1.0
    return _level(rules.trail_kind, rules.trail, best, holding.atr, side)


@shared
def profit_level(holding: Any, rules: Any) -> float:
    """Give the price of the take-profit, on a tick that is no better than asked."""
    if holding.quantity > 0.0:
        return tick_above(_level(rules.profit_kind, rules.profit, holding.entry, holding.atr, 1.0), holding.tick)
    return tick_below(_level(rules.profit_kind, rules.profit, holding.entry, holding.atr, -1.0), holding.tick)


@shared
def _nearest_stop(holding: Any, rules: Any) -> tuple[float, int]:
    """Give the level that a position meets first, and the reason; the stop loss where both are equal."""
    stop = stop_level(holding, rules)
    trail = trail_level(holding, rules, holding.best)
    if holding.quantity > 0.0:
        return (stop, _STOP_LOSS) if stop >= trail else (trail, _TRAILING_STOP)
    return (stop, _STOP_LOSS) if stop <= trail else (trail, _TRAILING_STOP)


@shared
def stop_reason(holding: Any, rules: Any, high: float, low: float) -> tuple[float, int]:
    """Give what stops a position that was opened inside the bar: the level, and the reason or `NOTHING`."""
    level, reason = _nearest_stop(holding, rules)
    is_hit = low <= level if holding.quantity > 0.0 else high >= level
    return (level, reason) if is_hit else (level, NOTHING)


@shared
def triggered(holding: Any, rules: Any, open_: float, high: float, low: float) -> tuple[float, int]:
    """Give what a bar triggers for a position that was there at its open.

    The open comes first; inside the bar the stop comes before the take-profit.

    Parameters
    ----------
    holding : record of `HOLDING`
    rules : record of `RULES`
    open_, high, low : float

    Returns
    -------
    reference : float
        Price to trade at.
    reason : int
        A `Reason`, or `NOTHING`.
    """
    stop, reason = _nearest_stop(holding, rules)
    profit = profit_level(holding, rules)
    if holding.quantity > 0.0:
        if open_ <= stop:
            return open_, reason
        if open_ > profit:
            return open_, _TAKE_PROFIT
        if low <= stop:
            return stop, reason
        if high > profit:
            return profit, _TAKE_PROFIT
    else:
        if open_ >= stop:
            return open_, reason
        if open_ < profit:
            return open_, _TAKE_PROFIT
        if high >= stop:
            return stop, reason
        if low < profit:
            return profit, _TAKE_PROFIT
    return open_, NOTHING
