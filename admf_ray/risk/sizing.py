"""From a target to a desired quantity (SEMANTICS 4)."""

import numpy as np

from admf_ray.core.kernels import shared
from admf_ray.core.records import FINEST_LOTS, Sizing

__all__ = ["desired_quantity", "whole_lots"]

_FIXED_QUANTITY = int(Sizing.FIXED_QUANTITY)
_FIXED_CASH = int(Sizing.FIXED_CASH)


@shared
def whole_lots(quantity: float, lot: float) -> float:
    """Round a quantity toward zero to whole lots; a lot of 0, or below the resolution of a float, leaves it as it is.

    The allowance of 1e-9 lots keeps a quantity that is a whole number of lots but for rounding from losing one.
    """
    if lot == 0.0 or abs(quantity / lot) >= FINEST_LOTS:
        return quantity
    sign = 1.0 if quantity > 0.0 else -1.0
    rounded: float = np.trunc(quantity / lot + sign * 1e-9) * lot
    return rounded


@shared
def desired_quantity(sizing: int, size: float, lot: float, target: float, close: float, equity: float) -> float:
    """Give the position that a target asks for.

    Parameters
    ----------
    sizing : int
        A `Sizing`: ``fixed_quantity`` gives target x size; ``fixed_cash`` target x size / close;
        ``percent_equity`` target x size x equity / close.
    size : float
        Quantity, cash amount, or share of equity.
    lot : float
        Smallest tradable quantity, 0 for fractional.
    target : float
        Exposure wanted, in [-1, +1].
    close, equity : float
        At the bar of the decision.

    Returns
    -------
    float
        Signed quantity in whole lots.
    """
    if sizing == _FIXED_QUANTITY:
        quantity = target * size
    elif sizing == _FIXED_CASH:
        quantity = target * size / close
    else:
        quantity = target * size * equity / close
    return whole_lots(quantity, lot)
