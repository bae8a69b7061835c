"""The cash account: a buy that cannot be paid is cut, cash never falls below 0 (SEMANTICS 4)."""

import math
from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.execution.costs import commission

__all__ = ["affordable"]


@shared
def _cash_after(quantity: float, price: float, cash: float, rules: Any) -> float:
    return cash - quantity * price - commission(quantity, price, rules)


@shared
def affordable(quantity: float, price: float, cash: float, rules: Any) -> float:
    """Cut a buy to what the cash pays for.

    Parameters
    ----------
    quantity : float
        Wanted, positive.
    price : float
        Price of the fill, positive.
    cash : float
        Cash before the fill, at least 0.
    rules : record of `RULES`
        ``lot`` and the commissions are used.

    Returns
    -------
    float
        The largest quantity up to the wanted one, in whole lots (fractional: the largest float), after which the
        computed cash is at least 0. The computed cash never rises with the quantity, so bisection finds what
        lowering one lot (one float) at a time would find.
    """
    if _cash_after(quantity, price, cash, rules) >= 0.0:
        return quantity
    paid = 0.0
    if rules.lot == 0.0:
        unpaid = quantity
        middle = 0.5 * unpaid
        while paid < middle < unpaid:
            if _cash_after(middle, price, cash, rules) >= 0.0:
                paid = middle
            else:
                unpaid = middle
            middle = paid + 0.5 * (unpaid - paid)
        return paid
    lots = 0.0
    too_many = math.ceil(quantity / rules.lot - 1e-9)
    while too_many - lots > 1.0:
        middle = math.floor(0.5 * (lots + too_many))
        if _cash_after(middle * rules.lot, price, cash, rules) >= 0.0:
            lots = middle
        else:
            too_many = middle
    return lots * rules.lot
