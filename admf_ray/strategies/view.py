"""What a strategy in Python sees at one bar: series that end there, and nothing that leads beyond."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from admf_ray.core.parameters import Parameter
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, LookaheadError

__all__ = ["Inputs", "Now", "PanelView", "Params", "Past", "View"]


class Now:
    """The bar that a strategy is at; all series that it sees end there.

    Parameters
    ----------
    known_at : int64 array, shape [time]
        Nanoseconds UTC.

    Attributes
    ----------
    bar : int
        Index in the series.
    """

    __slots__ = ("_times", "bar")

    def __init__(self, known_at: npt.NDArray[np.int64]) -> None:
        self.bar = 0
        self._times = known_at.data

    @property
    def time(self) -> int:
        """Nanoseconds UTC at which the bar is complete."""
        return int(self._times[self.bar])

    def __str__(self) -> str:
        return f"bar {self.bar} ({str(np.datetime64(self.time, 'ns'))[:16].replace('T', ' ')})"


class Past:
    """One series up to the bar that a strategy is at, as a sequence of floats that grows from bar to bar.

    Indices and slices are those of Python, the newest value is ``past[-1]``; what is not known cannot be named. A slice
    is a new array, of fewer values where the series begins later; `numpy.asarray` copies everything that is known.

    Parameters
    ----------
    name : str
        For messages.
    row : float64 array, shape [time]
        The whole series.
    now : Now

    Examples
    --------
    >>> now = Now(np.array([0, 60, 120]) * 10**9)
    >>> close = Past("close", np.array([10.0, 11.0, 12.0]), now)
    >>> now.bar = 1
    >>> close[-1], close[0], close[-2:], len(close)
    (11.0, 10.0, array([10., 11.]), 2)
    >>> close[2]
    Traceback (most recent call last):
    admf_ray.errors.LookaheadError: close: bar 2 is not known at bar 1 (1970-01-01 00:01); allowed: -2 to 1
    """

    __slots__ = ("_name", "_now", "_row", "_values")

    def __init__(self, name: str, row: npt.NDArray[np.float64], now: Now) -> None:
        self._name = name
        self._row = row
        # Gives floats of Python several times faster than the array does.
        self._values: Any = row.data
        self._now = now

    def __len__(self) -> int:
        """Give the number of bars that are known."""
        return self._now.bar + 1

    @overload
    def __getitem__(self, at: int) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> npt.NDArray[np.float64]: ...
    def __getitem__(self, at: int | slice) -> float | npt.NDArray[np.float64]:
        """Give one value, or a copy of several.

        Raises
        ------
        LookaheadError
            Where an index, or a bound of a slice, is beyond the bar that the strategy is at.
        ConfigError
            Where an index is before the first bar.
        """
        known = self._now.bar + 1
        if isinstance(at, slice):
            return self._part(at, known)
        index = operator.index(at)
        if -known <= index < known:
            value: float = self._values[index if index >= 0 else index + known]
            return value
        allowed = f"allowed: {-known} to {known - 1}"
        if index < 0:
            raise ConfigError(f"{self._name}: index {index} is before the first bar at {self._now}; {allowed}")
        raise LookaheadError(f"{self._name}: bar {index} is not known at {self._now}; {allowed}")

    def _part(self, part: slice, known: int) -> npt.NDArray[np.float64]:
        for bound in (part.start, part.stop):
            if bound is not None and operator.index(bound) > known:
                raise LookaheadError(
                    f"{self._name}: a slice that names bar {bound} is not known at {self._now}; allowed: up to {known}"
                )
        return self._row[:known][part].copy()

    def __iter__(self) -> Iterator[float]:
        """Go through the values that are known, from the first on."""
        return iter(self._row[: self._now.bar + 1].tolist())

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Give a copy of the values that are known."""
        if copy is False:
            raise ConfigError(f"{self._name}: what is known of a series is given as a copy; allowed: copy None or True")
        return np.array(self._row[: self._now.bar + 1], dtype=dtype)

    def __repr__(self) -> str:
        return f"<{self._name} up to {self._now}>"


class Inputs:
    """The series that a strategy declares, by their text or by position.

    Parameters
    ----------
    texts : sequence of str
        As declared, with parameters in braces.
    series : sequence of Past
    """

    __slots__ = ("_named", "_series")

    def __init__(self, texts: Sequence[str], series: Sequence[Past]) -> None:
        self._series = tuple(series)
        self._named = dict(zip(texts, series, strict=True))

    def __getitem__(self, which: str | int) -> Past:
        """Give one series, or a `ConfigError` that lists those there are."""
        if isinstance(which, str):
            if which in self._named:
                return self._named[which]
            raise ConfigError(unknown_name("input", which, list(self._named)))
        if -len(self._series) <= which < len(self._series):
            return self._series[which]
        raise ConfigError(f"there is no input {which}; allowed: positions below {len(self._series)}")

    def __iter__(self) -> Iterator[str]:
        """Go through the texts."""
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._series)


class Params:
    """The parameters of a strategy by name, as attributes or in brackets; those of kind int are whole numbers.

    Parameters
    ----------
    parameters : sequence of Parameter
    values : float64 array, shape [parameter]

    Examples
    --------
    >>> given = Params([Parameter("lag", 120, 1, 500), Parameter("exit", 0.5, 0, 1, "float")], np.array([20.0, 1.0]))
    >>> given.lag, given["exit"], dict(given)
    (20, 1.0, {'lag': 20, 'exit': 1.0})
    """

    __slots__ = ("_values",)

    def __init__(self, parameters: Sequence[Parameter], values: npt.NDArray[np.float64]) -> None:
        self._values: dict[str, int | float] = {
            one.name: int(value) if one.kind == "int" else value
            for one, value in zip(parameters, values.tolist(), strict=True)
        }

    def __getitem__(self, name: str) -> int | float:
        """Give one parameter, or a `ConfigError` that lists those there are."""
        if name not in self._values:
            raise ConfigError(unknown_name("parameter", name, list(self._values)))
        return self._values[name]

    def __getattr__(self, name: str) -> int | float:
        """Give one parameter; of another name an `AttributeError`, by which Python knows that there is none."""
        if name == "_values" or name not in self._values:
            raise AttributeError(name if name == "_values" else unknown_name("parameter", name, list(self._values)))
        return self._values[name]

    def keys(self) -> list[str]:
        """Give the names, in the order in which they are declared."""
        return list(self._values)

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class View:
    """What is known of one symbol at a bar.

    One view serves all bars: it and its series move on. What a strategy keeps for later are values, not series.

    Parameters
    ----------
    symbol : str
    raw : sequence of Past
        Open, high, low, close, volume.
    inputs : Inputs
    params : Params
    now : Now
    """

    __slots__ = ("_inputs", "_now", "_params", "_raw", "_symbol")

    def __init__(self, symbol: str, raw: Sequence[Past], inputs: Inputs, params: Params, now: Now) -> None:
        self._symbol = symbol
        self._raw = tuple(raw)
        self._inputs = inputs
        self._params = params
        self._now = now

    @property
    def symbol(self) -> str:
        """Its name."""
        return self._symbol

    @property
    def bar(self) -> int:
        """Index of the bar in the series, from 0 on."""
        return self._now.bar

    @property
    def time(self) -> int:
        """Nanoseconds UTC at which the bar is complete."""
        return self._now.time

    @property
    def open(self) -> Past:
        """Opening prices; NaN at bars that are missing, as in all prices."""
        return self._raw[0]

    @property
    def high(self) -> Past:
        """Highest prices."""
        return self._raw[1]

    @property
    def low(self) -> Past:
        """Lowest prices."""
        return self._raw[2]

    @property
    def close(self) -> Past:
        """Closing prices."""
        return self._raw[3]

    @property
    def volume(self) -> Past:
        """Shares or contracts; NaN where unknown."""
        return self._raw[4]

    @property
    def inputs(self) -> Inputs:
        """The series that the strategy declares."""
        return self._inputs

    @property
    def params(self) -> Params:
        """Its parameters."""
        return self._params


class PanelView:
    """What is known of all symbols at a bar: ``view[symbol]`` is the `View` of one.

    Parameters
    ----------
    views : sequence of View
        In panel order.
    params : Params
    now : Now
    """

    __slots__ = ("_now", "_params", "_symbols", "_views")

    def __init__(self, views: Sequence[View], params: Params, now: Now) -> None:
        self._views = {view.symbol: view for view in views}
        self._symbols = tuple(self._views)
        self._params = params
        self._now = now

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names, in panel order."""
        return self._symbols

    @property
    def bar(self) -> int:
        """Index of the bar in the series, from 0 on."""
        return self._now.bar

    @property
    def time(self) -> int:
        """Nanoseconds UTC at which the bar is complete."""
        return self._now.time

    @property
    def params(self) -> Params:
        """Parameters of the strategy."""
        return self._params

    def __getitem__(self, symbol: str) -> View:
        """Give what is known of one symbol, or a `ConfigError` that lists those there are."""
        if symbol not in self._views:
            raise ConfigError(unknown_name("symbol", symbol, list(self._symbols)))
        return self._views[symbol]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._symbols)

    def __len__(self) -> int:
        return len(self._symbols)
