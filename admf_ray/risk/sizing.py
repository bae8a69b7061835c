"""From a target to a desired quantity (SEMANTICS 3, step 6)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from admf_ray.core.kernels import SIZING, check_kernel, compiled, shared
from admf_ray.core.records import FINEST_LOTS
from admf_ray.core.registry import Registry

__all__ = ["SIZINGS", "SizingRule", "whole_lots"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingRule:
    """One registered sizing: the quantity that a target asks for, before lots and limits.

    Attributes
    ----------
    name : str
    kernel : compiled function
        Of the signature `admf_ray.core.kernels.SIZING`: target in [-1, +1], ``risk.size``, value of a unit (close x
        multiplier) and equity at the bar of the decision; gives a signed quantity, NaN where it cannot say (then there
        is no signal).
    source : str
        Where the rule is from.
    by_volatility : bool
        Whether ``risk.size`` is a yearly volatility; the kernel then gets ``min(cap, size / volatility)`` for it.
    """

    name: str
    kernel: Any
    source: str
    by_volatility: bool = False

    def __post_init__(self) -> None:
        """Refuse a kernel of another signature."""
        check_kernel(self.kernel, SIZING, self.name)


SIZINGS: Registry[SizingRule] = Registry("sizing")


@compiled(SIZING)
def _fixed_quantity(target: float, size: float, unit: float, equity: float) -> float:
    return target * size


@compiled(SIZING)
def _fixed_cash(target: float, size: float, unit: float, equity: float) -> float:
    return target * size / unit


@compiled(SIZING)
def _percent_equity(target: float, size: float, unit: float, equity: float) -> float:
    return target * size * equity / unit


SIZINGS.add(SizingRule(name="fixed_quantity", kernel=_fixed_quantity, source="target x size"))
SIZINGS.add(SizingRule(name="fixed_cash", kernel=_fixed_cash, source="target x size / unit"))
SIZINGS.add(SizingRule(name="percent_equity", kernel=_percent_equity, source="target x size x equity / unit"))
SIZINGS.add(
    SizingRule(
        name="volatility_target",
        kernel=_percent_equity,
        source="target x min(cap, size / volatility) x equity / unit; Moreira and Muir, Journal of Finance 72 (2017)",
        by_volatility=True,
    )
)
