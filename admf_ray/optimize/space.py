"""The space that is searched, and the candidates in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from admf_ray.core.parameters import satisfied
from admf_ray.core.registry import unknown_name
from admf_ray.errors import CapacityError, ConfigError
from admf_ray.strategies import Strategy

__all__ = ["Candidates", "axis_values", "expand_grid"]

_MOST = 20_000_000


@dataclass(frozen=True, slots=True)
class Candidates:
    """Parameter sets, numbered by their row.

    Attributes
    ----------
    names : tuple of str
        Parameters, in the order in which the strategy's kernel gets them.
    values : float64 array, shape [candidate, parameter]
    """

    names: tuple[str, ...]
    values: npt.NDArray[np.float64]

    @classmethod
    def single(cls, values: Mapping[str, float]) -> "Candidates":
        """Give one candidate."""
        return cls(tuple(values), np.array([list(values.values())], dtype=np.float64).reshape(1, len(values)))

    def __len__(self) -> int:
        """Give the number of candidates."""
        return len(self.values)

    def parameters(self, candidate: int) -> dict[str, float]:
        """Give the parameters of one candidate; whole numbers as int."""
        row = self.values[candidate].tolist()
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


def expand_grid(
    strategy: Strategy,
    params: Mapping[str, float],
    space: Mapping[str, Sequence[float]],
    constraints: Sequence[str] = (),
) -> Candidates:
    """Give every combination of the space's values that obeys all constraints.

    Parameters
    ----------
    strategy : Strategy
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
    names = strategy.parameter_names
    for where, given in (("strategy.params", params), ("strategy.space", space)):
        for name in given:
            if name not in names:
                raise ConfigError(f"{where}.{name}: {unknown_name(f'parameter of {strategy.name}', name, list(names))}")
    axes = []
    for parameter in strategy.parameters:
        if parameter.name in space:
            where = f"strategy.space.{parameter.name}"
            if not len(space[parameter.name]):
                raise ConfigError(f"{where}: no values; allowed: at least one")
            values = [parameter.check(value, where) for value in space[parameter.name]]
        else:
            where = f"strategy.params.{parameter.name}"
            values = [parameter.check(params.get(parameter.name, parameter.default), where)]
        axes.append(np.unique(values))
    sizes = " x ".join(f"{name} {len(axis)}" for name, axis in zip(names, axes, strict=True))
    total = int(np.prod([float(len(axis)) for axis in axes]))
    if total > _MOST:
        raise CapacityError(f"strategy.space: {sizes} = {total} combinations; allowed: at most {_MOST}")
    grid = np.meshgrid(*axes, indexing="ij")
    values_ = np.stack([column.reshape(-1) for column in grid], axis=1) if axes else np.empty((1, 0))
    columns = {name: values_[:, index] for index, name in enumerate(names)}
    for constraint in (*strategy.constraints, *constraints):
        if columns:
            values_ = values_[satisfied(constraint, columns)]
            columns = {name: values_[:, index] for index, name in enumerate(names)}
        if not len(values_):
            raise ConfigError(f"strategy.space: none of {sizes} = {total} combinations obeys '{constraint}'")
    return Candidates(names, np.ascontiguousarray(values_))
