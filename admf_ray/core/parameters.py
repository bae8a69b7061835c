"""Parameters of registered parts, and constraints between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Literal

import numpy as np
import numpy.typing as npt

from admf_ray.core.expressions import Expression
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError

__all__ = ["Parameter", "check_constraints", "check_inputs", "check_names", "complete", "satisfied"]

_SPACE = {"low", "high", "step", "log"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that a registered part takes.

    Attributes
    ----------
    name : str
    default : float
    low, high : float
        Inclusive bounds.
    kind : {"int", "float"}
    space : mapping or sequence of float, optional
        What a search goes through where nobody says otherwise, written as in the configuration: ``low`` and ``high``,
        with ``step`` and ``log`` where they are wanted, or a list of values.

    Examples
    --------
    >>> Parameter("period", 20, 2, 500, space={"low": 5, "high": 60, "step": 5}).space["high"]
    60
    """

    name: str
    default: float
    low: float
    high: float
    kind: Literal["int", "float"] = "int"
    space: Mapping[str, float] | Sequence[float] | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that are no numbers or in the wrong order, and a default beyond them."""
        where = f"parameter '{self.name}'"
        if not all(part.isidentifier() for part in str(self.name).split(".")):
            raise ConfigError(f"{where}: no name; allowed: letters, digits and _")
        if self.kind not in {"int", "float"}:
            raise ConfigError(f"{where}: kind is {self.kind!r}; allowed: int, float")
        for bound in (self.low, self.high):
            if isinstance(bound, bool) or not isinstance(bound, int | float | np.number) or not np.isfinite(bound):
                raise ConfigError(f"{where}: bound {bound!r} is no number")
        if self.low > self.high:
            raise ConfigError(f"{where}: low {self.low:g} is above high {self.high:g}")
        self.check(self.default, f"{where}: default")
        if self.space is not None:
            self._check_space(self.space, f"{where}: space")

    def _check_space(self, space: Mapping[str, float] | Sequence[float], where: str) -> None:
        if not isinstance(space, Mapping):
            values = list(space)
        elif {"low", "high"} <= space.keys() <= _SPACE:
            values = [space["low"], space["high"]]
        else:
            values = []
        if not values:
            raise ConfigError(f"{where} {space!r}; allowed: low and high, with step and log, or a list of values")
        for value in values:
            self.check(value, where)

    def admits(self, value: float) -> bool:
        """Say whether a float is of the kind and within the bounds."""
        return self.low <= value <= self.high and (self.kind == "float" or value == int(value))

    def check(self, value: float, where: str) -> float:
        """Give the value as a float, or refuse it.

        Parameters
        ----------
        value : float
        where : str
            Path of the option, for the message.

        Raises
        ------
        ConfigError
            Where the value is no finite number of the kind within the bounds.
        """
        allowed = f"allowed: {self.kind} from {self.low:g} to {self.high:g}"
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
            raise ConfigError(f"{where}: {value!r} is not a number; {allowed}")
        if self.kind == "int" and value != int(value):
            raise ConfigError(f"{where}: {value!r} is not a whole number; {allowed}")
        if not self.low <= value <= self.high:
            raise ConfigError(f"{where}: {value!r} is out of bounds; {allowed}")
        return float(value)


def check_names(parameters: Sequence[Parameter], entry: str) -> None:
    """Refuse two parameters of one name, and a dotted name: those are paths of options.

    Raises
    ------
    ConfigError
        Names the entry and the parameter.
    """
    names = [parameter.name for parameter in parameters]
    for name in names:
        if "." in name:
            raise ConfigError(f"'{entry}': parameter '{name}': no name; allowed: letters, digits and _")
        if names.count(name) > 1:
            raise ConfigError(f"'{entry}' has two parameters that are named '{name}'")


def check_inputs(inputs: Sequence[str], parameters: Sequence[Parameter], entry: str) -> None:
    """Refuse templates of indicator keys that name another parameter than those there are.

    Raises
    ------
    ConfigError
        Names the entry and the parameter.
    """
    names = [parameter.name for parameter in parameters]
    named = {field for text in inputs for _, field, *_ in Formatter().parse(text) if field is not None}
    if strangers := named - set(names):
        raise ConfigError(f"inputs of '{entry}': {unknown_name('parameter', min(strangers), names)}")


def complete(
    parameters: Sequence[Parameter],
    given: Mapping[str, float],
    where: str,
    constraints: Sequence[str] = (),
    entry: str = "",
) -> dict[str, float]:
    """Fill defaults in and check every value, name and constraint.

    Parameters
    ----------
    parameters : sequence of Parameter
    given : mapping of str to float
    where : str
        Path of the option, for messages.
    constraints : sequence of str
        See `satisfied`.
    entry : str
        Name of the part that has the constraints, for messages.

    Raises
    ------
    ConfigError
        Names the parameter or the constraint that does not hold.

    Examples
    --------
    >>> complete([Parameter("period", 20, 1, 500)], {}, "strategy.params")
    {'period': 20.0}
    """
    names = [parameter.name for parameter in parameters]
    for name in given:
        if name not in names:
            raise ConfigError(f"{where}.{name}: {unknown_name('parameter', name, names)}")
    values = {
        parameter.name: parameter.check(given.get(parameter.name, parameter.default), f"{where}.{parameter.name}")
        for parameter in parameters
    }
    check_constraints(values, constraints, where, entry)
    return values


def check_constraints(values: Mapping[str, float], constraints: Sequence[str], where: str, entry: str) -> None:
    """Refuse values that break a constraint; arguments as of `complete`.

    Raises
    ------
    ConfigError
        Names the first constraint that does not hold.
    """
    for constraint in constraints:
        if not satisfied(constraint, {name: np.array([value]) for name, value in values.items()})[0]:
            shown = ", ".join(f"{name}={value:g}" for name, value in values.items() if not np.isnan(value))
            raise ConfigError(f"{where}: {entry} needs {constraint}; given: {shown}")


def satisfied(constraint: str, columns: Mapping[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.bool_]:
    """Say which rows obey a constraint.

    Parameters
    ----------
    constraint : str
        Comparison of parameters and numbers with ``< <= > >= == !=``, ``+ - * /``, ``and or not`` and parentheses.
        Nothing else is evaluated.
    columns : mapping of str to float64 array, shape [row]
        NaN where a parameter is not in play: a constraint says nothing of rows in which one that it names is not.

    Returns
    -------
    bool array, shape [row]

    Raises
    ------
    ConfigError
        Where the text is no such expression or names something unknown.

    Examples
    --------
    >>> import numpy as np
    >>> satisfied("fast < slow", {"fast": np.array([5.0, 9.0]), "slow": np.array([8.0, 8.0])}).tolist()
    [True, False]
    """
    rows = len(next(iter(columns.values())))
    expression = Expression.parse(constraint, "constraint", list(columns), "parameter")
    found = np.broadcast_to(expression.holds_for(columns), (rows,))
    for name in expression.names:
        found = found | np.isnan(columns[name])
    return found
