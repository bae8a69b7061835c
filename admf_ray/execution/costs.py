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
        ``slippage_bps`` and ``half_spread`` are used.

    Returns
    -------
    float
        ``reference x (1 + slippage) + half_spread`` for a buy, mirrored for a sale, which never trades below 0.
    """
    slippage = rules.slippage_bps / 1e4
    if quantity > 0.0:
        return reference * (1.0 + slippage) + rules.half_spread
    return max(reference * (1.0 - slippage) - rules.half_spread, 0.0)


@shared
def commission(quantity: float, price: float, rules: Any) -> float:
    """Give the commission of one fill: basis points of its value, per share with a minimum, and fixed, added up."""
    shares = abs(quantity)
    by_share = max(shares * rules.commission_per_share, rules.commission_minimum)
    return shares * price * (rules.commission_bps / 1e4) + by_share + rules.commission_fixed
