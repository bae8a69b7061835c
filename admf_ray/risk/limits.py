"""Limits on positions, at the level of the portfolio, the strategy and the symbol (SEMANTICS 3, step 6)."""

import math
from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.core.records import Level, LimitKind

__all__ = ["limited", "others"]

_SYMBOL = int(Level.SYMBOL)
_MAX_POSITION = int(LimitKind.MAX_POSITION)
_MAX_GROSS_LEVERAGE = int(LimitKind.MAX_GROSS_LEVERAGE)
_MAX_EXPOSURE = int(LimitKind.MAX_EXPOSURE)


@shared
def others(holdings: Any, symbol: int) -> tuple[float, float, int]:
    """Give what all other symbols come to once their orders are filled: gross value, net value, positions."""
    gross = 0.0
    net = 0.0
    count = 0
    for s in range(holdings.shape[0]):
        if s != symbol:
            holding = holdings[s]
            quantity = holding.quantity + holding.pending
            gross += abs(quantity) * holding.price * holding.multiplier
            net += quantity * holding.price * holding.multiplier
            count += quantity != 0.0
    return gross, net, count


@shared
def limited(
    wanted: float, quantity: float, unit: float, equity: float, gross: float, net: float, count: int, limit: Any
) -> float:
    """Cut a wanted position to one limit; what only reduces the position is never cut.

    One account trades one strategy, so that the limits of the portfolio and of the strategy look at the same positions.

    Parameters
    ----------
    wanted, quantity : float
        Position that is asked for, and that is held.
    unit, equity : float
        Value of a unit and equity at the close, in money.
    gross, net, count
        Of the other symbols; see `others`.
    limit : record of `LIMIT`

    Returns
    -------
    float
        The wanted position, nearer to 0 where the limit bound.
    """
    kept = abs(quantity) if wanted * quantity > 0.0 else 0.0
    if abs(wanted) <= kept:
        return wanted
    if limit.level == _SYMBOL:
        gross = 0.0
        net = 0.0
        count = 0
    if limit.kind == _MAX_POSITION:
        cap = limit.value * equity / unit
    elif limit.kind == _MAX_GROSS_LEVERAGE:
        cap = (limit.value * equity - gross) / unit
    elif limit.kind == _MAX_EXPOSURE:
        cap = (limit.value * equity - net) / unit if wanted > 0.0 else (limit.value * equity + net) / unit
    else:
        cap = math.inf if kept > 0.0 or count < limit.value else 0.0
    most: float = max(cap, kept)
    if abs(wanted) <= most:
        return wanted
    return most if wanted > 0.0 else -most
