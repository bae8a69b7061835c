"""What rolling indicators share: when running sums are made anew, and divisions that have a bound."""

import math

from admf_ray.core.kernels import shared

__all__ = ["RESYNCHRONIZE", "SHRUNK", "ratio", "typical_price", "within"]

RESYNCHRONIZE = 512
"""Bars after which a running sum is summed anew, which bounds its drift to that of 512 additions."""

SHRUNK = 0.01
"""A running sum of terms that are never negative is summed anew where it falls below this share of its highest value:
what it once was has left rounding errors of that size in it."""


@shared
def ratio(above: float, below: float) -> float:
    """Divide; NaN where the result would not be a finite number.

    Examples
    --------
    >>> ratio(3.0, 2.0), ratio(3.0, 0.0)
    (1.5, nan)
    """
    quotient = above / below if below != 0.0 else math.nan
    return quotient if math.isfinite(quotient) else math.nan


@shared
def within(value: float, low: float, high: float) -> float:
    """Give the value, or the bound that rounding has carried it beyond; NaN stays NaN.

    Examples
    --------
    >>> within(1.0000000000000002, 0.0, 1.0), within(math.nan, 0.0, 1.0)
    (1.0, nan)
    """
    if value < low:
        return low
    return high if value > high else value


@shared
def typical_price(high: float, low: float, close: float) -> float:
    """Give the typical price, in the order of additions of TA-Lib."""
    return (high + low + close) / 3.0
