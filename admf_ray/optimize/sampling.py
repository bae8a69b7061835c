"""Candidate sets that need no feedback: all of a grid, random ones, and quasi-random ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from admf_ray.core.parameters import Parameter, satisfied
from admf_ray.core.registry import unknown_name
from admf_ray.engine.composition import Composition
from admf_ray.errors import ConfigError
from admf_ray.optimize.space import Candidates
from admf_ray.seeding import generator
from admf_ray.strategies import Strategy

__all__ = ["ADAPTIVE", "Adaptive", "Dimension", "DrawnRange", "Space", "Studied", "draw_candidates", "plan_space"]

ADAPTIVE = ("tpe", "nsga2")
"""Samplers that learn from what they are told; see `admf_ray.optimize.study`, which is loaded where it runs."""


_ROUNDS = 200
_SOBOL_BITS = 30


@dataclass(frozen=True, slots=True)
class DrawnRange:
    """From low to high: low, low + step, ..., or without a step every number, of whole numbers every one.

    Attributes
    ----------
    low, high : float
    step : float or None
    log : bool
        Whether equal ratios are equally likely.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def check(self, parameter: Parameter, where: str) -> None:
        """Refuse ends that the parameter does not allow, and steps that lead nowhere."""
        for end in (self.low, self.high):
            parameter.check(end, where)
        if self.high < self.low or (self.step is not None and not self.step > 0.0) or (self.log and not self.low > 0.0):
            step = "none" if self.step is None else f"{self.step:g}"
            raise ConfigError(
                f"{where}: low={self.low:g}, high={self.high:g}, step={step}; allowed: low <= high, step > 0, and with "
                "log low > 0"
            )


@dataclass(frozen=True, slots=True)
class Dimension:
    """What one parameter may be: one of some values, or a number of a range.

    Attributes
    ----------
    parameter : Parameter
    span : DrawnRange or float64 array, shape [value]
    """

    parameter: Parameter
    span: DrawnRange | npt.NDArray[np.float64]

    @property
    def fixed(self) -> float | None:
        """The only value, if there is one."""
        return None if isinstance(self.span, DrawnRange) or len(self.span) != 1 else float(self.span[0])

    def at(self, places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give the values at places from 0 up to below 1, each value or equal part of the range as likely as others."""
        if not isinstance(self.span, DrawnRange):
            return self.span[(places * len(self.span)).astype(np.int64)]
        low, high = self.span.low, self.span.high
        step = 1.0 if self.span.step is None and self.parameter.kind == "int" else self.span.step
        # Each step is an interval of its own, so that the ends are as likely as the rest.
        last = 0 if step is None else math.floor((high - low) / step + 1e-9)
        top = high if step is None else low + (last + 1) * step
        found = low * (top / low) ** places if self.span.log else low + places * (top - low)
        return found if step is None else low + step * np.floor((found - low) / step).clip(0, last)


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched: a dimension for each parameter of a strategy, some of them with one value only.

    Attributes
    ----------
    strategy : Strategy or Composition
    dimensions : tuple of Dimension
        In the order of the strategy's parameters.
    constraints : tuple of str
        Beside the strategy's own.
    """

    strategy: Strategy | Composition
    dimensions: tuple[Dimension, ...]
    constraints: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(dimension.parameter.name for dimension in self.dimensions)

    def obeying(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which parameter sets obey every constraint, shape [candidate]."""
        columns = dict(zip(self.names, values.T, strict=True))
        holds = np.ones(len(values), dtype=np.bool_)
        for constraint in (*self.strategy.constraints, *self.constraints):
            holds &= satisfied(constraint, columns)
        return holds

    def points(self, given: Sequence[Mapping[str, float]]) -> npt.NDArray[np.float64]:
        """Give the parameter sets that a user suggests, shape [point, parameter].

        Parameters which a point does not name have the value that is fixed, or the default.

        Raises
        ------
        ConfigError
            Names the point and what is wrong with it.
        """
        rows = []
        for number, point in enumerate(given):
            where = f"search.points[{number}]"
            for name in point:
                if name not in self.names:
                    raise ConfigError(f"{where}.{name}: {unknown_name('parameter', name, list(self.names))}")
            fixed = {one.parameter.name: one.fixed for one in self.dimensions if one.fixed is not None}
            values = self.strategy.complete({**fixed, **point}, where)
            rows.append([values[name] for name in self.names])
        found = np.array(rows, dtype=np.float64).reshape(len(rows), len(self.names))
        for number, holds in enumerate(self.obeying(found)):
            if not holds:
                raise ConfigError(f"search.points[{number}]: it breaks a constraint: {', '.join(self.constraints)}")
        return found


@dataclass(frozen=True, slots=True)
class Adaptive:
    """How a study proposes.

    Attributes
    ----------
    sampler : str
        One of `ADAPTIVE`.
    trials : int
        Different parameter sets that are evaluated, at most.
    batch : int
        How many are proposed together before any of them is told.
    seed : int
        Of the run.
    ranges : mapping of str to DrawnRange or sequence of float
        Of the parameters that are searched, and of the others their only value.
    constraints : sequence of str
        Beside the strategy's own.
    points : sequence of mapping
        Sets that come first.
    """

    sampler: str
    trials: int
    batch: int
    seed: int
    ranges: Mapping[str, DrawnRange | Sequence[float]]
    constraints: Sequence[str] = ()
    points: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True, slots=True)
class Studied:
    """What a study evaluated, in the order in which it was proposed.

    Attributes
    ----------
    window : int
    params : float64 array, shape [trial, parameter]
    metrics : float64 array, shape [trial, len(METRICS)]
    containers : list of dict
        That live on the host; see `admf_ray.engine.hosting.live_containers`.
    """

    window: int
    params: npt.NDArray[np.float64]
    metrics: npt.NDArray[np.float64]
    containers: list[dict[str, Any]]


def plan_space(
    strategy: Strategy | Composition,
    params: Mapping[str, float],
    ranges: Mapping[str, DrawnRange | Sequence[float]],
    constraints: Sequence[str] = (),
) -> Space:
    """Give the space of what is searched; what is not has the value of ``params`` or its default.

    Raises
    ------
    ConfigError
        Where a name or a value is not the strategy's.
    """
    names = strategy.parameter_names
    for where, given in (("strategy.params", params), ("strategy.space", ranges)):
        for name in given:
            if name not in names:
                raise ConfigError(f"{where}.{name}: {unknown_name(f'parameter of {strategy.name}', name, list(names))}")
    dimensions = []
    for parameter in strategy.parameters:
        where = f"strategy.space.{parameter.name}"
        span = ranges.get(parameter.name, [params.get(parameter.name, parameter.default)])
        if isinstance(span, DrawnRange):
            span.check(parameter, where)
            dimensions.append(Dimension(parameter, span))
        elif not len(span):
            raise ConfigError(f"{where}: no values; allowed: at least one")
        else:
            values = np.unique([parameter.check(value, where) for value in span])
            dimensions.append(Dimension(parameter, values))
    return Space(strategy, tuple(dimensions), tuple(constraints))


def draw_candidates(
    space: Space, sampler: str, trials: int, seed: int, points: Sequence[Mapping[str, float]] = ()
) -> Candidates:
    """Draw parameter sets that obey the constraints, no set twice.

    Parameters
    ----------
    space : Space
    sampler : {"random", "qmc"}
        Independent draws, or a scrambled Sobol sequence, which fills the space more evenly (Owen, Randomly permuted
        (t,m,s)-nets and (t,s)-sequences, 1995).
    trials : int
        How many; fewer where the space seems to have no more.
    seed : int
        Of the run.
    points : sequence of mapping
        Sets that come first, whatever is drawn.

    Raises
    ------
    ConfigError
        Where no set is found that obeys the constraints.

    Examples
    --------
    >>> from admf_ray.core.parameters import Parameter
    >>> from admf_ray.strategies import STRATEGIES
    >>> entry = STRATEGIES["sma_cross"]
    >>> ranges = {name: DrawnRange(2, 200) for name in entry.parameter_names}
    >>> drawn = draw_candidates(plan_space(entry, {}, ranges), "random", 3, seed=1)
    >>> bool((drawn.values[:, 0] < drawn.values[:, 1]).all()), len(drawn)
    (True, 3)
    """
    rng = generator(seed, "candidates", sampler)
    count = len(space.dimensions)
    sobol = qmc.Sobol(count, bits=_SOBOL_BITS, rng=rng) if sampler == "qmc" else None
    found = dict.fromkeys(map(tuple, space.points(points).tolist()))
    for _ in range(_ROUNDS):
        size = max(64, 2 * trials)
        places = rng.random((size, count)) if sobol is None else sobol.random(1 << (size - 1).bit_length())
        values = np.stack([one.at(places[:, d]) for d, one in enumerate(space.dimensions)], axis=1)
        found.update(dict.fromkeys(map(tuple, values[space.obeying(values)].tolist())))
        if len(found) >= trials:
            break
    if not found:
        raise ConfigError(f"strategy.space: nothing that was drawn obeys {', '.join(space.strategy.constraints)}")
    return Candidates.listed(space.names, np.array(list(found)[: max(trials, len(points))]))
