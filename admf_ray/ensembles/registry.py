"""The registry of ensembles."""

from dataclasses import dataclass
from typing import Any

from admf_ray.core.kernels import ENSEMBLE, check_kernel
from admf_ray.core.registry import Registry

__all__ = ["ENSEMBLES", "Ensemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """One registered way to combine targets.

    Attributes
    ----------
    name : str
    kernel : compiled function
        Of the signature `admf_ray.core.kernels.ENSEMBLE`; writes the combined target in [-1, +1], and the share that
        each member has in it. A member that is NaN has none; where all are NaN the combined target is NaN.
    source : str
        Where the rule is from.
    """

    name: str
    kernel: Any
    source: str

    def __post_init__(self) -> None:
        """Refuse a kernel of another signature."""
        check_kernel(self.kernel, ENSEMBLE, self.name)


ENSEMBLES: Registry[Ensemble] = Registry("ensemble", ["admf_ray.ensembles.rules"])
