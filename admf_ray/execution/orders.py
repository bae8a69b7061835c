"""Orders that wait for their price: where they lie, when they fill (SEMANTICS 3)."""

import math
from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.core.records import OrderKind, TimeInForce
from admf_ray.core.ticks import tick_above, tick_below

__all__ = ["has_expired", "resting_level", "touched"]

_LIMIT = int(OrderKind.LIMIT)
_DAY = int(TimeInForce.DAY)


@shared
def resting_level(change: float, close: float, tick: float, rules: Any) -> float:
    """Give the price of a limit or stop order that is decided at a close; limits lie on the passive side of it."""
    below = tick_below(close * (1.0 - rules.offset), tick)
    above = tick_above(close * (1.0 + rules.offset), tick)
    is_below = (change > 0.0) == (rules.order == _LIMIT)
    return below if is_below else above


@shared
def touched(holding: Any, open_: float, high: float, low: float) -> float:
    """Give the price at which a bar fills a waiting limit or stop order, NaN where it does not.

    A limit has to be traded through, a stop only touched; a bar that opens beyond the level fills at its open.
    """
    level: float = holding.level
    if holding.kind == _LIMIT:
        if holding.pending > 0.0:
            return min(open_, level) if low < level else math.nan
        return max(open_, level) if high > level else math.nan
    if holding.pending > 0.0:
        return max(open_, level) if high >= level else math.nan
    return min(open_, level) if low <= level else math.nan


@shared
def has_expired(holding: Any, session: int, rules: Any) -> bool:
    """Say whether a day order has outlived its session, which is that of the first bar that it sees."""
    if holding.session == -1:
        holding.session = session
    return bool(rules.time_in_force == _DAY and holding.session != session)
