"""Rounding prices to ticks (SEMANTICS 4)."""

import numpy as np

from admf_ray.core.kernels import shared

__all__ = ["tick_above", "tick_below"]

_NEAR = 1e-9


@shared
def _is_on_tick(steps: float) -> bool:
    return bool(abs(steps - np.rint(steps)) <= _NEAR)


@shared
def tick_below(price: float, tick: float) -> float:
    """Round a price down to a whole tick; without ticks, or on one but for rounding, it stays as it is."""
    steps = price / tick if tick > 0.0 else 0.0
    if _is_on_tick(steps):
        return price
    rounded: float = np.floor(steps) * tick
    return rounded


@shared
def tick_above(price: float, tick: float) -> float:
    """Round a price up to a whole tick; see `tick_below`."""
    steps = price / tick if tick > 0.0 else 0.0
    if _is_on_tick(steps):
        return price
    rounded: float = np.ceil(steps) * tick
    return rounded
