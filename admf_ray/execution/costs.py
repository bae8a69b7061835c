"""What a fill costs: price after slippage, spread, impact and rounding; commission (SEMANTICS 4)."""

import math
from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.core.ticks import tick_above, tick_below

__all__ = ["commission", "maker_price", "taker_price"]


@shared
def maker_price(quantity: float, reference: float, tick: float) -> float:
    """Give the price of an order that waited for its price: the reference, rounded against the order."""
    return tick_above(reference, tick) if quantity > 0.0 else tick_below(reference, tick)


@shared
def _impact(quantity: float, holding: Any, rules: Any) -> float:
    """Give how far an order moves the price, as a fraction: square root of its share of a bar's volume.

    Almgren, Thum, Hauptmann and Li, Direct Estimation of Equity Market Impact, Risk (2005), sec. 4, with exponent 1/2.
    """
    if rules.impact > 0.0 and holding.traded_volume > 0.0:
        moved: float = rules.impact * holding.volatility * math.sqrt(abs(quantity) / holding.traded_volume)
        return moved if moved < 1.0 else 1.0
    return 0.0


@shared
def taker_price(quantity: float, reference: float, holding: Any, rules: Any, general: Any) -> float:
    """Give the price at which an order trades at once.

    Parameters
    ----------
    quantity : float
        Signed; positive buys.
    reference : float
        Open or close of the bar, or the level of a stop.
    holding : record of `HOLDING`
        Its tick, and the volume and volatility known before the bar.
    rules : record of `RULES`
        ``slippage_rate``, ``half_spread`` and ``impact`` are used.
    general : bool or None
        None where there is neither tick nor impact.

    Returns
    -------
    float
        ``reference x (1 + slippage_rate + impact) + half_spread`` for a buy, mirrored for a sale, which never trades
        below 0; rounded to a tick against the order.
    """
    moved = 0.0
    if general is not None:
        moved = _impact(quantity, holding, rules)
    if quantity > 0.0:
        price: float = reference * (1.0 + rules.slippage_rate + moved) + rules.half_spread
        if general is not None:
            price = tick_above(price, holding.tick)
    else:
        price = max(reference * (1.0 - rules.slippage_rate - moved) - rules.half_spread, 0.0)
        if general is not None:
            price = tick_below(price, holding.tick)
    return price


@shared
def commission(quantity: float, paid: float, rules: Any) -> float:
    """Give the commission of one fill: a share of its value, per share with a minimum, and fixed, added up.

    Parameters
    ----------
    quantity : float
        Signed.
    paid : float
        Money a unit: price x multiplier.
    rules : record of `RULES`
    """
    shares = abs(quantity)
    by_share = max(shares * rules.commission_per_share, rules.commission_minimum)
    total: float = shares * paid * rules.commission_rate + by_share + rules.commission_fixed
    return total
