"""What a fill costs: price after slippage and spread, commission (SEMANTICS 4)."""

from typing import Any

from admf_ray.core.kernels import shared

__all__ = ["commission", "fill_price"]


@shared
def fill_price(quantity: float, reference: float, rules: Any) -> float:
    """Give the price at which an order trades.

    Parameters
    ----------
    quantity : float
        Signed; positive buys.
    reference : float
        Open or close of the bar.
    rules : record of `RULES`
        ``slippage_rate`` and ``half_spread`` are used.

    Returns
    -------
    float
        ``reference x (1 + slippage_rate) + half_spread`` for a buy, mirrored for a sale, which never trades below 0.
    """
    if quantity > 0.0:
        price: float = reference * (1.0 + rules.slippage_rate) + rules.half_spread
    else:
        price = max(reference * (1.0 - rules.slippage_rate) - rules.half_spread, 0.0)
    return price


@shared
def commission(quantity: float, price: float, rules: Any) -> float:
    """Give the commission of one fill: a share of its value, per share with a minimum, and fixed, added up."""
    shares = abs(quantity)
    by_share = max(shares * rules.commission_per_share, rules.commission_minimum)
    total: float = shares * price * rules.commission_rate + by_share + rules.commission_fixed
    return total
