"""The registry of indicators."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from admf_ray.core.kernels import INDICATOR, check_kernel
from admf_ray.core.parameters import Parameter, check_names
from admf_ray.core.registry import Registry

__all__ = ["INDICATORS", "Indicator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One registered indicator.

    Attributes
    ----------
    name : str
    pattern : {"stateless", "rolling", "cumulative", "recursive"}
        How its value depends on the past.
    parameters : tuple of Parameter
        In the order in which the kernel gets them.
    inputs : tuple of str
        What each source is: a raw field where it must be one by its meaning, ``close`` where any series will do.
    fitted : bool
        Whether it is fitted on a span of the data; its keys must then name that span.
    parts : tuple of str
        Keys that the kernel reads instead of its sources, so that they are computed once for all that need them: with
        ``{0}``, ``{1}``, ... for the sources and parameters in braces, like ``ema({0},{fast})``.
    outputs : tuple of str
    kernel : compiled function
        Of the signature `admf_ray.core.kernels.INDICATOR`.
    state_size : callable of (parameters) -> int
        Floats that the kernel keeps from call to call; they start as 0.
    warm_up : callable of (parameters) -> int
        Bars before the first value.
    convergence : callable of (parameters) -> int
        Bars after which the value no longer depends on where the series began (to 1e-9 of its scale).
    source : str
        Where the definition is from.
    """

    name: str
    pattern: Literal["stateless", "rolling", "cumulative", "recursive"]
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    kernel: Any
    state_size: Callable[[tuple[float, ...]], int]
    warm_up: Callable[[tuple[float, ...]], int]
    convergence: Callable[[tuple[float, ...]], int]
    source: str
    fitted: bool = False
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a kernel of another signature, and parameters of one name."""
        check_kernel(self.kernel, INDICATOR, self.name)
        check_names(self.parameters, self.name)


_MODULES = (
    "rolling.averages",
    "recursive.averages",
    "recursive.wilder",
    "rolling.bands",
    "rolling.extremes",
    "rolling.momentum",
    "rolling.volume",
    "rolling.pairs",
    "recursive.adaptive",
    "recursive.stops",
    "stateless",
    "cumulative",
)
"""Kernels take a while to load: a process loads those that it looks for."""

INDICATORS: Registry[Indicator] = Registry("indicator", [f"admf_ray.indicators.{module}" for module in _MODULES])
