"""What is simulated: the rules of an account, as a value that travels to every worker."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.records import RULES, Boundary, FillPolicy

__all__ = ["AccountRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRules:
    """Sizing, execution and money of one account.

    Attributes
    ----------
    cash : float
        Initial cash.
    risk_free : float
        Per year, as a fraction.
    sizing : str
        Name of a `admf_ray.risk.sizing.SizingRule`.
    size : float
        Quantity, cash amount or share of equity, as the sizing says.
    lot : float
        Smallest tradable quantity; 0 for fractional.
    fill : FillPolicy
    boundary : Boundary
    commission_bps : float
        Of the value of a fill, in basis points.
    commission_per_share : float
    commission_minimum : float
        Of the per-share part, per fill.
    commission_fixed : float
        Per fill.
    slippage_bps : float
        Of the price, in basis points.
    half_spread : float
        In price units.
    """

    cash: float = 100_000.0
    risk_free: float = 0.0
    sizing: str = "percent_equity"
    size: float = 1.0
    lot: float = 1.0
    fill: FillPolicy = FillPolicy.NEXT_OPEN
    boundary: Boundary = Boundary.FLATTEN
    commission_bps: float = 0.0
    commission_per_share: float = 0.0
    commission_minimum: float = 0.0
    commission_fixed: float = 0.0
    slippage_bps: float = 0.0
    half_spread: float = 0.0

    def record(self, periods_per_year: float) -> npt.NDArray[Any]:
        """Give the one-element `RULES` array that kernels take.

        Parameters
        ----------
        periods_per_year : float
            Bars per year of the data; spreads the risk-free rate over bars.
        """
        record = np.zeros(1, dtype=RULES)
        derived = {
            "commission_rate": self.commission_bps / 1e4,
            "slippage_rate": self.slippage_bps / 1e4,
            "risk_free": self.risk_free / periods_per_year,
            "periods": periods_per_year,
        }
        for name in RULES.names or ():
            record[name] = derived[name] if name in derived else getattr(self, name)
        return record
