"""What the hub has to compute: the union of keys over all candidates, in order of dependency."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import FIELDS
from admf_ray.core.registry import unknown_name
from admf_ray.errors import AdmfError, ConfigError
from admf_ray.indicators.key import Key
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["Plan", "Planner", "Step", "plan_keys", "template_keys"]


@dataclass(frozen=True, slots=True)
class Step:
    """One computation.

    Attributes
    ----------
    key : Key
        Without its output.
    reads : tuple of int
        Rows of the hub; of the timeframe's hub where there is one.
    row : int
        First row that it writes.
    outputs : int
        How many rows it writes.
    timeframe : str or None
        Where set, the step lays a row of that timeframe's hub back onto the bars.
    """

    key: Key
    reads: tuple[int, ...]
    row: int
    outputs: int
    timeframe: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows of the hub and the steps that fill them.

    Attributes
    ----------
    symbols : tuple of str
        Their raw fields are the first rows, five a symbol.
    steps : tuple of Step
        In order of dependency.
    rows : dict of Key to int
        Row of every key that was asked for or is needed.
    height : int
        Number of rows.
    frames : dict of str to Plan
        By timeframe, what is computed on its bars.
    """

    symbols: tuple[str, ...]
    steps: tuple[Step, ...]
    rows: dict[Key, int]
    height: int
    frames: dict[str, "Plan"] = field(default_factory=dict)

    @property
    def computed(self) -> int:
        """Indicators that are computed, those of timeframes included; what is only laid back is not counted."""
        own = sum(step.timeframe is None for step in self.steps)
        return own + sum(frame.computed for frame in self.frames.values())


def plan_keys(symbols: tuple[str, ...], keys: Sequence[Key]) -> Plan:
    """Plan the computation of keys, sharing every part that several of them need.

    Parameters
    ----------
    symbols : tuple of str
    keys : sequence of Key
        Bound to symbols.

    Raises
    ------
    ConfigError
        Where a key names an unknown symbol, indicator or output, has wrong arguments, needs itself, is fitted and does
        not say on what, or has a timeframe inside a timeframe; names the key.
    """
    planner = Planner(symbols)
    for key in keys:
        planner.place(key)
    return planner.plan()


class Planner:
    """Places keys one after the other; see `plan_keys`.

    Attributes
    ----------
    rows : dict of Key to int
    steps : list of Step
        In the order in which they were planned; those that were forgotten stay in it.
    height : int
        Rows there are, free ones included.
    frames : dict of str to Planner
        By timeframe.
    """

    def __init__(self, symbols: tuple[str, ...], timeframe: str | None = None) -> None:
        self._symbols = symbols
        self._timeframe = timeframe
        self.rows = {
            Key(name, symbol=symbol): len(FIELDS) * s + f
            for s, symbol in enumerate(symbols)
            for f, name in enumerate(FIELDS)
        }
        self.steps: list[Step] = []
        self.height = len(self.rows)
        self.frames: dict[str, Planner] = {}
        self._free: dict[int, list[int]] = {}
        self._within: list[Key] = []

    def plan(self) -> Plan:
        """Give the plan of all keys that were placed."""
        frames = {timeframe: planner.plan() for timeframe, planner in self.frames.items()}
        return Plan(self._symbols, tuple(self.steps), dict(self.rows), self.height, frames)

    def place_all(self, keys: Sequence[Key]) -> list[int]:
        """Give the rows of keys; where one cannot be planned, none is."""
        rows, steps, height = dict(self.rows), len(self.steps), self.height
        frames = {timeframe: (dict(one.rows), len(one.steps), one.height) for timeframe, one in self.frames.items()}
        free = {outputs: list(places) for outputs, places in self._free.items()}
        try:
            return [self.place(key) for key in keys]
        except AdmfError:
            self.rows, self.height, self._free = rows, height, free
            del self.steps[steps:]
            self._within.clear()
            self.frames = {timeframe: self.frames[timeframe] for timeframe in frames}
            for timeframe, (rows, steps, height) in frames.items():
                frame = self.frames[timeframe]
                frame.rows, frame.height = rows, height
                frame._within.clear()
                del frame.steps[steps:]
            raise

    def place(self, key: Key) -> int:
        """Give the row of a key, after planning all that it needs."""
        if key in self.rows:
            return self.rows[key]
        if key in self._within:
            raise ConfigError(f"indicator key '{key}' needs itself: {' > '.join(map(str, [*self._within, key]))}")
        self._within.append(key)
        row = self._laid_back(key) if key.timeframe is not None else self._computed(key)
        self._within.pop()
        self.rows[key] = row
        return row

    def _laid_back(self, key: Key) -> int:
        assert key.timeframe is not None
        if self._timeframe is not None:
            raise ConfigError(f"indicator key '{key}': a timeframe inside timeframe {self._timeframe}; allowed: one")
        frame = self.frames.setdefault(key.timeframe, Planner(self._symbols, key.timeframe))
        row = frame.place(replace(key, timeframe=None))
        return self._add(key, (row,), 1, key.timeframe)

    def _computed(self, key: Key) -> int:
        if key.is_raw:
            raise ConfigError(f"indicator key '{key}': {unknown_name('symbol', str(key.symbol), list(self._symbols))}")
        indicator = INDICATORS[key.name]
        _check(key, indicator)
        output = key.output or indicator.outputs[0]
        if output not in indicator.outputs:
            raise ConfigError(f"indicator key '{key}': {unknown_name('output', output, list(indicator.outputs))}")
        whole = replace(key, output=None)
        if whole not in self.rows:
            reads = tuple(self.place(source) for source in _read_keys(indicator, key))
            self.rows[whole] = self._add(whole, reads, len(indicator.outputs))
        return self.rows[whole] + indicator.outputs.index(output)

    def _add(self, key: Key, reads: tuple[int, ...], outputs: int, timeframe: str | None = None) -> int:
        row = self._free[outputs].pop() if self._free.get(outputs) else self.height
        self.steps.append(Step(key, reads, row, outputs, timeframe))
        self.height = max(self.height, row + outputs)
        return row

    def forget(self, step: Step) -> None:
        """Free the rows of a step for others."""
        taken = range(step.row, step.row + step.outputs)
        self.rows = {key: row for key, row in self.rows.items() if row not in taken}
        self._free.setdefault(step.outputs, []).append(step.row)


def _check(key: Key, indicator: Indicator) -> None:
    if len(key.sources) != len(indicator.inputs) or len(key.parameters) != len(indicator.parameters):
        names = [*indicator.inputs, *(parameter.name for parameter in indicator.parameters)]
        raise ConfigError(f"indicator key '{key}': allowed: {key.name}({', '.join(names)})")
    for parameter, value in zip(indicator.parameters, key.parameters, strict=True):
        if not parameter.admits(value):
            parameter.check(value, f"indicator key '{key}': {parameter.name}")
    if indicator.fitted != (key.fit is not None):
        wrong = "is fitted and does not say on what" if indicator.fitted else "is not fitted, but names a span"
        raise ConfigError(
            f"indicator key '{key}': {key.name} {wrong}; allowed: ~start:stop (ns UTC) of fitted ones only"
        )


def _read_keys(indicator: Indicator, key: Key) -> tuple[Key, ...]:
    """Give the keys that an indicator's kernel reads: its parts, or its sources."""
    if not indicator.parts:
        return key.sources
    names = [parameter.name for parameter in indicator.parameters]
    given = {name: f"{value:.17g}" for name, value in zip(names, key.parameters, strict=True)}
    return tuple(Key.parse(text.format(*map(str, key.sources), **given)) for text in indicator.parts)


def template_keys(
    templates: Sequence[str], names: Sequence[str], values: npt.NDArray[np.float64], symbols: tuple[str, ...]
) -> tuple[list[Key], npt.NDArray[np.int64]]:
    """Give the unique keys that candidates ask for, and which candidate asks for which.

    Parameters
    ----------
    templates : sequence of str
        One for each slot of a strategy: a key with parameters in braces, like ``sma(close,{fast})``.
    names : sequence of str
        Columns of ``values``.
    values : float64 array, shape [candidate, parameter]
    symbols : tuple of str

    Returns
    -------
    keys : list of Key
        Unique, bound to symbols.
    wanted : int64 array, shape [candidate, symbol, slot]
        Indices into ``keys``.

    Examples
    --------
    >>> import numpy as np
    >>> keys, wanted = template_keys(["sma(close,{n})"], ["n"], np.array([[5.0], [9.0], [5.0]]), ("SPX",))
    >>> [str(key) for key in keys], wanted[:, 0, 0].tolist()
    (['sma(close[SPX],5)', 'sma(close[SPX],9)'], [0, 1, 0])
    """
    keys: dict[Key, int] = {}
    wanted = np.empty((len(values), len(symbols), len(templates)), dtype=np.int64)
    for slot, template in enumerate(templates):
        columns = [index for index, name in enumerate(names) if f"{{{name}}}" in template]
        unique, inverse = np.unique(values[:, columns], axis=0, return_inverse=True)
        for s, symbol in enumerate(symbols):
            places = np.empty(len(unique), dtype=np.int64)
            for u, row in enumerate(unique):
                text = template.format(**{names[c]: f"{value:.17g}" for c, value in zip(columns, row, strict=True)})
                places[u] = keys.setdefault(Key.parse(text).bind(symbol), len(keys))
            wanted[:, s, slot] = places[inverse.reshape(-1)]
    return list(keys), wanted
