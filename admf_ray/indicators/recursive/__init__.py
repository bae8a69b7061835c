"""Recursive indicators: the new value comes from the previous one and this bar.

They keep their state over a missing bar and give NaN there.
"""

from admf_ray.indicators.recursive import adaptive, stops  # noqa: F401  (they register their indicators)
from admf_ray.indicators.recursive.averages import ema, smoothing_convergence
from admf_ray.indicators.recursive.wilder import rsi

__all__ = ["ema", "rsi", "smoothing_convergence"]
