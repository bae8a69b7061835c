"""The cash account: a buy that cannot be paid is cut, cash never falls below 0 (SEMANTICS 4)."""

from typing import Any

import numpy as np

from admf_ray.core.kernels import shared
from admf_ray.core.records import FINEST_LOTS
from admf_ray.execution.costs import commission

__all__ = ["affordable"]

_LARGEST = 1.7976931348623157e308


@shared
def _cash_after(quantity: float, price: float, cash: float, rules: Any) -> float:
    return cash - quantity * price - commission(quantity, price, rules)


@shared
def _affordable_fraction(unpaid: float, price: float, cash: float, rules: Any) -> float:
    """Bisect down to two neighbouring floats, of which the lower can be paid and the upper cannot."""
    paid = 0.0
    unpaid = min(unpaid, _LARGEST)
    middle = 0.5 * unpaid
    while paid < middle < unpaid:
        if _cash_after(middle, price, cash, rules) >= 0.0:
            paid = middle
        else:
            unpaid = middle
        middle = paid + 0.5 * (unpaid - paid)
    return paid


@shared
def affordable(quantity: float, price: float, cash: float, lot: float, rules: Any) -> float:
    """Cut a buy to what the cash pays for.

    Parameters
    ----------
    quantity : float
        Wanted, positive.
    price : float
        Money that a unit costs, positive.
    cash : float
        Cash before the fill, at least 0.
    lot : float
        Smallest quantity, 0 for fractional.
    rules : record of `RULES`
        The commissions are used.

    Returns
    -------
    float
        The largest quantity up to the wanted one, in whole lots (fractional, or of more than 2^53 lots: the largest
        float), after which the computed cash is at least 0: what lowering it one lot (one float) at a time would
        find, since the computed cash never rises with the quantity.
    """
    if _cash_after(quantity, price, cash, rules) >= 0.0:
        return quantity
    if lot == 0.0:
        return _affordable_fraction(quantity, price, cash, rules)
    # What the cash pays for but for rounding, which the two walks mend.
    value = price * (1.0 + rules.commission_rate)
    spendable = cash - rules.commission_fixed
    bound = min(spendable / (value + rules.commission_per_share), (spendable - rules.commission_minimum) / value)
    lots = max(np.floor(bound / lot), 0.0)
    if lots >= FINEST_LOTS:
        return _affordable_fraction(quantity, price, cash, rules)
    while lots > 0.0 and _cash_after(lots * lot, price, cash, rules) < 0.0:
        lots -= 1.0
    while _cash_after((lots + 1.0) * lot, price, cash, rules) >= 0.0:
        lots += 1.0
    paid: float = lots * lot
    return paid
