"""The registry of strategies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.core.kernels import STRATEGY, check_kernel
from admf_ray.core.parameters import Parameter, check_inputs, check_names, complete
from admf_ray.core.registry import Registry
from admf_ray.errors import ConfigError
from admf_ray.strategies.python import PythonStage, check_python
from admf_ray.strategies.stage import KernelStage, Stage

__all__ = ["STRATEGIES", "Strategy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One registered strategy: targets from indicators.

    Attributes
    ----------
    name : str
    parameters : tuple of Parameter
        In the order in which the kernel gets them.
    inputs : tuple of str
        One indicator key for each slot of the kernel's ``rows``, with parameters in braces: ``sma(close,{fast})``.
    kernel : compiled function or None
        Of the signature `admf_ray.core.kernels.STRATEGY`; writes targets in [-1, +1], NaN before it knows.
    python : class, callable or None
        In place of a kernel: a class with ``on_bar(view)``, or a function of the view; see
        `admf_ray.strategies.python`.
    constraints : tuple of str
        Expressions that the parameters must obey; see `admf_ray.core.parameters.satisfied`.
    state_size : callable of (parameters) -> int
        Floats that a kernel keeps for each symbol from call to call, those of a symbol together; they start as 0.
    warm_up : callable of (parameters) -> int
        Bars before the first target.
    convergence : callable of (parameters) -> int
        Bars after which the indicators that the target is made of no longer depend on where the series began.
    scope : {"symbol", "panel"}
        Whether each symbol is decided by itself.
    symbols : int or None
        How many symbols the scope "panel" decides together; None for any number.
    source : str
        Where the rule is from.
    """

    name: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    kernel: Any = None
    python: Callable[..., Any] | None = None
    constraints: tuple[str, ...] = ()
    state_size: Callable[[tuple[float, ...]], int] = lambda params: 0
    warm_up: Callable[[tuple[float, ...]], int]
    convergence: Callable[[tuple[float, ...]], int]
    scope: Literal["symbol", "panel"] = "symbol"
    symbols: int | None = None
    source: str

    def __post_init__(self) -> None:
        """Refuse code of another signature, parameters of one name, inputs of others, and a panel that is none."""
        if (self.kernel is None) == (self.python is None):
            given = "both" if self.is_python else "neither"
            raise ConfigError(f"'{self.name}' has {given} of kernel and python; allowed: one of the two")
        check_names(self.parameters, self.name)
        check_inputs(self.inputs, self.parameters, self.name)
        if self.is_python:
            check_python(self.python, self.parameters, self.name)
        else:
            check_kernel(self.kernel, STRATEGY, self.name)
        if self.scope not in {"symbol", "panel"}:
            raise ConfigError(f"'{self.name}': scope is '{self.scope}'; allowed: symbol, panel")
        if self.symbols is not None and (self.scope != "panel" or self.symbols < 1):
            raise ConfigError(f"'{self.name}': symbols={self.symbols}; allowed: from 1 on, of scope panel")
        self.complete({}, f"defaults of '{self.name}'")

    @property
    def is_python(self) -> bool:
        """Whether it is called bar by bar, as it has no kernel."""
        return self.python is not None

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in the kernel's order."""
        return tuple(parameter.name for parameter in self.parameters)

    def complete(self, given: Mapping[str, float], where: str = "strategy.params") -> dict[str, float]:
        """Fill in defaults and check values, names and constraints.

        Raises
        ------
        ConfigError
            Names the parameter or the constraint that does not hold.
        """
        return complete(self.parameters, given, where, self.constraints, self.name)

    def check_symbols(self, symbols: Sequence[str]) -> None:
        """Refuse bars of another number of symbols than the strategy decides together.

        Raises
        ------
        ConfigError
            Says how many there are and how many are needed.
        """
        if self.symbols is not None and len(symbols) != self.symbols:
            raise ConfigError(
                f"strategy.name: {self.name} trades {self.symbols} symbols together and the data has {len(symbols)}; "
                f"allowed: data of {self.symbols}, or that many of it by data.symbols"
            )

    def stage(
        self,
        bars: Bars,
        matrix: npt.NDArray[np.float64],
        rows: npt.NDArray[np.int64],
        params: npt.NDArray[np.float64],
    ) -> Stage:
        """Give the strategy at work, at the beginning of a series.

        Parameters
        ----------
        bars : Bars
        matrix : float64 array, shape [key, time]
            The hub of these bars.
        rows : int64 array, shape [symbol, slot]
        params : float64 array, shape [parameter]
        """
        values = tuple(params.tolist())
        if self.python is not None:
            return PythonStage(
                name=self.name,
                python=self.python,
                parameters=self.parameters,
                inputs=self.inputs,
                scope=self.scope,
                warm_up=self.warm_up(values),
                bars=bars,
                matrix=matrix,
                rows=rows,
                params=params,
            )
        state_size = len(bars.symbols) * self.state_size(values)
        return KernelStage(self.kernel, (matrix, rows, bars.session, params), state_size)

    def begins(self, bars: Bars) -> npt.NDArray[np.int64]:
        """Give the first bar of each symbol that may have a target; symbols that are decided together begin together.

        Returns
        -------
        int64 array, shape [symbol]
        """
        reached = bars.history_reached()
        return np.full_like(reached, reached.max()) if self.scope == "panel" else reached


STRATEGIES: Registry[Strategy] = Registry("strategy")
