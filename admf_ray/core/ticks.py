"""Rounding prices to ticks (SEMANTICS 4)."""

import numpy as np

from admf_ray.core.kernels import shared

__all__ = ["tick_above", "tick_below"]


@shared
def tick_below(price: float, tick: float) -> float:
    """Round a price down to a whole tick; a tick of 0 leaves it. A price on a tick stays but for rounding."""
    if tick == 0.0:
        return price
    rounded: float = np.floor(price / tick + 1e-9) * tick
    return rounded


@shared
def tick_above(price: float, tick: float) -> float:
    """Round a price up to a whole tick; see `tick_below`."""
    if tick == 0.0:
        return price
    rounded: float = np.ceil(price / tick - 1e-9) * tick
    return rounded
