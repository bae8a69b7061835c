"""The space that is searched, and the candidates in it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from admf_ray.core.parameters import Parameter, satisfied
from admf_ray.core.registry import unknown_name
from admf_ray.engine.composition import Composition
from admf_ray.errors import CapacityError, ConfigError
from admf_ray.strategies import Strategy

__all__ = ["Candidates", "Dimension", "DrawnRange", "Space", "axis_values", "expand_grid", "plan_space"]

_MOST = 20_000_000
_BLOCK = 1_000_000
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class Candidates:
    """Parameter sets, numbered from 0: places in the product of factors, worked out where they are needed.

    A grid has a factor for each parameter, so that a candidate takes 4 bytes however many parameters there are.

    Attributes
    ----------
    names : tuple of str
        Parameters, in the order in which the strategy's kernel gets them.
    factors : tuple of float64 array, shape [value, parameter of the factor]
        Together they hold the parameters in their order.
    places : int32 array, shape [candidate]
        Row-major: the last factor varies fastest.
    """

    names: tuple[str, ...]
    factors: tuple[npt.NDArray[np.float64], ...]
    places: npt.NDArray[np.int32]

    @classmethod
    def listed(cls, names: Sequence[str], values: npt.NDArray[np.float64]) -> "Candidates":
        """Give candidates that are no grid.

        Parameters
        ----------
        names : sequence of str
        values : float64 array, shape [candidate, parameter]
        """
        return cls(tuple(names), (values,), np.arange(len(values), dtype=np.int32))

    @classmethod
    def single(cls, values: Mapping[str, float]) -> "Candidates":
        """Give one candidate."""
        return cls.listed(tuple(values), np.array([list(values.values())], dtype=np.float64).reshape(1, len(values)))

    def __len__(self) -> int:
        """Give the number of candidates."""
        return len(self.places)

    def digits(self, first: int, last: int) -> list[npt.NDArray[np.int32]]:
        """Give the rows of each factor that candidates ``[first, last)`` take."""
        left, found = self.places[first:last], []
        for factor in reversed(self.factors):
            left, digit = np.divmod(left, np.int32(len(factor)))
            found.append(digit)
        return found[::-1]

    def block(self, first: int, last: int) -> npt.NDArray[np.float64]:
        """Give the parameters of candidates ``[first, last)``, shape [candidate, parameter]."""
        found, column = np.empty((last - first, len(self.names))), 0
        for factor, digit in zip(self.factors, self.digits(first, last), strict=True):
            found[:, column : column + factor.shape[1]] = factor[digit]
            column += factor.shape[1]
        return found

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Go through ranges that can be worked out at a time, and together cover all."""
        for first in range(0, len(self), _BLOCK):
            yield first, min(first + _BLOCK, len(self))

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """All parameters at once, shape [candidate, parameter]."""
        return self.block(0, len(self))

    def obeying(self, constraint: str) -> "Candidates":
        """Give those that obey a constraint, in their order; see `admf_ray.core.parameters.satisfied`."""
        kept = []
        for first, last in self.blocks():
            columns = dict(zip(self.names, self.block(first, last).T, strict=True))
            kept.append(self.places[first:last][satisfied(constraint, columns)])
        return replace(self, places=np.concatenate(kept))

    def parameters(self, candidate: int) -> dict[str, float]:
        """Give the parameters of one candidate; whole numbers as int."""
        row = self.block(candidate, candidate + 1)[0].tolist()
        return {name: int(value) if value == int(value) else value for name, value in zip(self.names, row, strict=True)}


def axis_values(low: float, high: float, step: float, where: str) -> list[float]:
    """Give ``low``, ``low + step``, ... up to and including ``high``.

    Raises
    ------
    ConfigError
        Where the step is not above 0 or high lies below low.

    Examples
    --------
    >>> axis_values(2, 8, 3, "strategy.space.fast")
    [2.0, 5.0, 8.0]
    """
    if not step > 0 or high < low:
        raise ConfigError(f"{where}: low={low:g}, high={high:g}, step={step:g}; allowed: low <= high and step > 0")
    count = int((high - low) / step + 1e-9) + 1
    if count > _MOST:
        raise CapacityError(f"{where}: {count} values; allowed: at most {_MOST}")
    return [float(low + step * k) for k in range(count)]


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

    def coordinates(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give where values lie, so that neighbours are not more than 1 apart.

        Of listed values it is the place among them, with a step the number of steps from the low end, else the place in
        the range, of which a tenth is 1: of its logarithm with ``log``, and a whole number at least.
        """
        if not isinstance(self.span, DrawnRange):
            return np.asarray(np.interp(values, self.span, np.arange(len(self.span))))
        low, high, step = self.span.low, self.span.high, self.span.step
        if high <= low:
            return np.zeros(len(values))
        if step is not None:
            return (values - low) / step
        if self.span.log:
            # A point of the user's may lie outside of the range.
            return np.asarray(np.log(np.maximum(values, low) / low) / np.log(high / low) * _TENTHS)
        width = (high - low) / _TENTHS
        return (values - low) / (max(1.0, width) if self.parameter.kind == "int" else width)

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
        is_searched = parameter.name in ranges
        where = f"strategy.{'space' if is_searched else 'params'}.{parameter.name}"
        span = ranges[parameter.name] if is_searched else [params.get(parameter.name, parameter.default)]
        if isinstance(span, DrawnRange):
            span.check(parameter, where)
            dimensions.append(Dimension(parameter, span))
        elif not len(span):
            raise ConfigError(f"{where}: no values; allowed: at least one")
        else:
            values = np.unique([parameter.check(value, where) for value in span])
            dimensions.append(Dimension(parameter, values))
    return Space(strategy, tuple(dimensions), tuple(constraints))


def expand_grid(
    strategy: Strategy | Composition,
    params: Mapping[str, float],
    space: Mapping[str, Sequence[float]],
    constraints: Sequence[str] = (),
) -> Candidates:
    """Give every combination of the space's values that obeys all constraints.

    Parameters
    ----------
    strategy : Strategy or Composition
        Its own constraints apply as well.
    params : mapping of str to float
        Values of the parameters that are not searched; defaults fill the rest.
    space : mapping of str to sequence of float
        Values of each searched parameter. The last parameter of the strategy varies fastest.
    constraints : sequence of str
        See `admf_ray.core.parameters.satisfied`.

    Raises
    ------
    ConfigError
        Where a name or value is not the strategy's, or nothing is left.
    CapacityError
        Where there are more combinations than can be held.
    """
    planned = plan_space(strategy, params, space, constraints)
    names, axes = planned.names, [np.asarray(one.span) for one in planned.dimensions]
    sizes = " x ".join(f"{name} {len(axis)}" for name, axis in zip(names, axes, strict=True))
    total = int(np.prod([float(len(axis)) for axis in axes]))
    if total > _MOST:
        raise CapacityError(f"strategy.space: {sizes} = {total} combinations; allowed: at most {_MOST}")
    factors = tuple(axis[:, np.newaxis] for axis in axes) or (np.empty((1, 0)),)
    found = Candidates(names, factors, np.arange(total, dtype=np.int32))
    for constraint in (*strategy.constraints, *constraints):
        if names:
            found = found.obeying(constraint)
        if not len(found):
            raise ConfigError(f"strategy.space: none of {sizes} = {total} combinations obeys '{constraint}'")
    return found
