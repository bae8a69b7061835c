"""The space that is searched, and the candidates in it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from admf_ray.core.expressions import Expression
from admf_ray.core.parameters import Parameter, complete, satisfied
from admf_ray.core.registry import unknown_name
from admf_ray.engine.account_options import ACCOUNT_OPTIONS, account_option, is_option
from admf_ray.engine.composition import MEMBER, Composition
from admf_ray.errors import CapacityError, ConfigError
from admf_ray.strategies import Strategy

__all__ = ["Candidates", "Dimension", "DrawnRange", "Space", "axis_values", "expand_grid", "plan_space"]

_MOST = 20_000_000
_BLOCK = 1_000_000
_TENTHS = 10
_OFF = 1e-9
"""How far from a step a value may lie, of steps: for rounding."""


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
    products : tuple of tuple of (first, count)
        Where there are several grids one after the other, the rows that each takes of every factor; places count on
        from grid to grid. Empty: one grid of all rows.
    """

    names: tuple[str, ...]
    factors: tuple[npt.NDArray[np.float64], ...]
    places: npt.NDArray[np.int32]
    products: tuple[tuple[tuple[int, int], ...], ...] = ()

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

    @property
    def _grids(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """The rows that each grid takes of every factor."""
        return self.products or (tuple((0, len(factor)) for factor in self.factors),)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """How many rows each grid takes of every factor."""
        return [tuple(count for _, count in rows) for rows in self._grids]

    def digits(self, first: int, last: int) -> list[npt.NDArray[np.int32]]:
        """Give the rows of each factor that candidates ``[first, last)`` take."""
        places, begin = self.places[first:last], 0
        found = [np.empty(len(places), dtype=np.int32) for _ in self.factors]
        for rows in self._grids:
            end = begin + math.prod(count for _, count in rows)
            own = (begin <= places) & (places < end)
            left = places[own] - np.int32(begin)
            for digit, (row, count) in zip(reversed(found), reversed(rows), strict=True):
                left, place = np.divmod(left, np.int32(count))
                digit[own] = np.int32(row) + place
            begin = end
        return found

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
        """Give the parameters of one candidate that are in play; whole numbers as int."""
        row = self.block(candidate, candidate + 1)[0].tolist()
        return {
            name: int(value) if value == int(value) else value
            for name, value in zip(self.names, row, strict=True)
            if not math.isnan(value)
        }


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
    owner : int or None
        The only member with which it is in play, None where it always is; see `Composition.owners`.
    """

    parameter: Parameter
    span: DrawnRange | npt.NDArray[np.float64]
    owner: int | None = None

    @property
    def fixed(self) -> float | None:
        """The only value, if there is one."""
        return None if isinstance(self.span, DrawnRange) or len(self.span) != 1 else float(self.span[0])

    @property
    def _step(self) -> float | None:
        """From one value of a range to the next; None where every number is one, and of listed values."""
        if not isinstance(self.span, DrawnRange):
            return None
        return 1.0 if self.span.step is None and self.parameter.kind == "int" else self.span.step

    def holds(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which values are searched: listed, or on a step of a range; NaN of what may not be in play is, too."""
        rests = np.isnan(values) & (self.owner is not None)
        if not isinstance(self.span, DrawnRange):
            return np.asarray(rests | np.isin(values, self.span))
        found = (self.span.low <= values) & (values <= self.span.high)
        step = self._step
        if step is not None:
            steps = (values - self.span.low) / step
            found &= np.abs(steps - np.round(steps)) <= _OFF * np.maximum(1.0, np.abs(steps))
        return np.asarray(rests | found)

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
        step = self._step
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
        Options of the account first, then in the order of the strategy's parameters.
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

    def in_play(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Give parameter sets, shape [candidate, parameter], with NaN for what is not in play."""
        found = values + 0.0
        for column, one in enumerate(self.dimensions):
            if one.owner is not None:
                found[values[:, self.names.index(MEMBER)] != one.owner, column] = np.nan
        return found

    def obeying(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which parameter sets obey every constraint, shape [candidate]."""
        columns = dict(zip(self.names, values.T, strict=True))
        holds = np.ones(len(values), dtype=np.bool_)
        for constraint in (*self.strategy.constraints, *self.constraints):
            holds &= satisfied(constraint, columns)
        return holds

    def holds(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Say which parameter sets, shape [candidate, parameter], are searched: values of each that obey all."""
        inside = [one.holds(column) for one, column in zip(self.dimensions, values.T, strict=True)]
        return np.asarray(self.obeying(values) & np.all(inside, axis=0))

    def points(self, given: Sequence[Mapping[str, float]]) -> npt.NDArray[np.float64]:
        """Give the parameter sets that a user suggests, shape [point, parameter].

        Parameters which a point does not name have the value that is fixed, or the default; options of the account that
        are searched are named.

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
            values = self._completed(point, where)
            rows.append([values[name] for name in self.names])
        found = np.array(rows, dtype=np.float64).reshape(len(rows), len(self.names))
        for number, holds in enumerate(self.obeying(found)):
            if not holds:
                raise ConfigError(f"search.points[{number}]: it breaks a constraint: {', '.join(self.constraints)}")
        return found

    def _completed(self, point: Mapping[str, float], where: str) -> dict[str, float]:
        """Give all values of a point."""
        given = {one.parameter.name: one.fixed for one in self.dimensions if one.fixed is not None} | dict(point)
        of_account = [one.parameter for one in self.dimensions if is_option(one.parameter.name)]
        for parameter in of_account:
            if parameter.name not in given:
                raise ConfigError(f"{where}: {parameter.name} is searched; allowed: a value for it")
        values = complete(of_account, {one.name: given[one.name] for one in of_account}, where)
        values |= self.strategy.complete({name: one for name, one in given.items() if not is_option(name)}, where)
        for name in point:
            if math.isnan(values[name]):
                raise ConfigError(f"{where}.{name}: it is not in play; allowed: parameters of the member that is")
        return values


def plan_space(
    strategy: Strategy | Composition,
    params: Mapping[str, float],
    ranges: Mapping[str, DrawnRange | Sequence[float]],
    constraints: Sequence[str] = (),
) -> Space:
    """Give the space of what is searched; what is not has the value of ``params`` or its default.

    Parameters
    ----------
    strategy : Strategy or Composition
        Where one of several members trades, all of them are tried, unless `MEMBER` is given.
    params : mapping of str to float
    ranges : mapping of str to DrawnRange or sequence of float
        By the names of parameters and the paths of options of the account.
    constraints : sequence of str

    Raises
    ------
    ConfigError
        Where a name or a value is not the strategy's or the account's.
    """
    names = strategy.parameter_names
    # In one order, however they are written.
    paths = sorted(filter(is_option, ranges), key=lambda path: list(ACCOUNT_OPTIONS).index(account_option(path).path))
    searched = {name: span for name, span in ranges.items() if not is_option(name)}
    for where, given in (("strategy.params", params), ("strategy.space", searched)):
        for name in given:
            if name not in names:
                raise ConfigError(f"{where}.{name}: {unknown_name(f'parameter of {strategy.name}', name, list(names))}")
    composition = Composition.of(strategy)
    if composition.is_one_of and MEMBER not in {*params, *ranges}:
        ranges = {**ranges, MEMBER: [*map(float, range(len(composition.members)))]}
    asked: list[tuple[Parameter, int | None]] = [(account_option(path).parameter, None) for path in paths]
    asked += zip(composition.parameters, composition.owners, strict=True)
    dimensions = []
    for parameter, owner in asked:
        is_searched = parameter.name in ranges
        section = (
            "search.space" if is_option(parameter.name) else "strategy.space" if is_searched else "strategy.params"
        )
        where = f"{section}.{parameter.name}"
        span = ranges[parameter.name] if is_searched else [params.get(parameter.name, parameter.default)]
        if isinstance(span, DrawnRange):
            span.check(parameter, where)
            dimensions.append(Dimension(parameter, span, owner))
        elif not len(span):
            raise ConfigError(f"{where}: no values; allowed: at least one")
        else:
            values = np.unique([parameter.check(value, where) for value in span])
            dimensions.append(Dimension(parameter, values, owner))
    owners = {one.parameter.name: one.owner for one in dimensions}
    for constraint in constraints if composition.is_one_of else ():
        named = Expression.parse(constraint, "constraint", list(owners), "parameter").names
        if len({owners[name] for name in named} - {None}) > 1:
            raise ConfigError(
                f"search.constraints: '{constraint}' names parameters of members that never trade together; "
                "allowed: parameters of one member, of all of them, and of the account"
            )
    return Space(strategy, tuple(dimensions), tuple(constraints))


def expand_grid(
    strategy: Strategy | Composition,
    params: Mapping[str, float],
    space: Mapping[str, Sequence[float]],
    constraints: Sequence[str] = (),
) -> Candidates:
    """Give every combination of the space's values that obeys all constraints.

    Where one of several members trades, its combinations come after those of the members before it.

    Parameters
    ----------
    strategy : Strategy or Composition
        Its own constraints apply as well.
    params : mapping of str to float
        Values of the parameters that are not searched; defaults fill the rest.
    space : mapping of str to sequence of float
        Values of each searched parameter. Options of the account vary slowest, the last parameter of the strategy
        fastest.
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
    factors, grids = _grids(planned, axes)
    sizes = " + ".join(" x ".join(f"{name} {count}" for name, (_, count) in grid.items()) for grid in grids)
    total = sum(math.prod(count for _, count in grid.values()) for grid in grids)
    if total > _MOST:
        raise CapacityError(f"strategy.space: {sizes} = {total} combinations; allowed: at most {_MOST}")
    # Of what is not in play each grid takes the last row, which is NaN.
    products = tuple(
        tuple(grid.get(name, (len(factor) - 1, 1)) for name, factor in zip(names, factors, strict=False))
        for grid in grids
    )
    found = Candidates(names, factors, np.arange(total, dtype=np.int32), products if names else ())
    for constraint in (*strategy.constraints, *constraints):
        if names:
            found = found.obeying(constraint)
        if not len(found):
            raise ConfigError(f"strategy.space: none of {sizes} = {total} combinations obeys '{constraint}'")
    return found


def _grids(
    space: Space, axes: Sequence[npt.NDArray[np.float64]]
) -> tuple[tuple[npt.NDArray[np.float64], ...], list[dict[str, tuple[int, int]]]]:
    """Give the factors of a space, and for each grid of it the rows that it takes of those in play.

    There is a grid for each member that may trade; of what belongs to others there is one more row, which is NaN.
    """
    named = list(zip(space.names, axes, (one.owner for one in space.dimensions), strict=True))
    if not Composition.of(space.strategy).is_one_of:
        factors = tuple(axis[:, np.newaxis] for axis in axes) or (np.empty((1, 0)),)
        return factors, [{name: (0, len(axis)) for name, axis, _ in named}]
    grids = []
    for row, member in enumerate(axes[space.names.index(MEMBER)].tolist()):
        grid = {name: (0, len(axis)) for name, axis, owner in named if owner in (None, int(member))}
        grids.append({**grid, MEMBER: (row, 1)})
    return tuple(np.append(axis, np.nan)[:, np.newaxis] for axis in axes), grids
