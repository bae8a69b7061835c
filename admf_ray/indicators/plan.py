"""What the hub has to compute: the union of keys over all candidates, in order of dependency."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import FIELDS
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError
from admf_ray.indicators.key import Key
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["Plan", "Step", "plan_keys", "template_keys"]


@dataclass(frozen=True, slots=True)
class Step:
    """One computation: the key without its output, the rows it reads, and the first row that it writes."""

    key: Key
    reads: tuple[int, ...]
    row: int


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
    """

    symbols: tuple[str, ...]
    steps: tuple[Step, ...]
    rows: dict[Key, int]
    height: int


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
        Where a key names an unknown symbol, indicator or output, or has wrong arguments; names the key.
    """
    rows = {Key(field, symbol=symbol): 5 * s + f for s, symbol in enumerate(symbols) for f, field in enumerate(FIELDS)}
    steps: list[Step] = []
    height = len(rows)
    within: list[Key] = []

    def place(key: Key) -> int:
        nonlocal height
        if key in rows:
            return rows[key]
        if key in within:
            raise ConfigError(f"indicator key '{key}' needs itself: {' > '.join(map(str, [*within, key]))}")
        within.append(key)
        row = compute(key)
        within.pop()
        return row

    def compute(key: Key) -> int:
        nonlocal height
        if key.is_raw:
            raise ConfigError(f"indicator key '{key}': {unknown_name('symbol', str(key.symbol), list(symbols))}")
        indicator = INDICATORS[key.name]
        if len(key.sources) != len(indicator.inputs) or len(key.parameters) != len(indicator.parameters):
            names = [*indicator.inputs, *(parameter.name for parameter in indicator.parameters)]
            raise ConfigError(f"indicator key '{key}': allowed: {key.name}({', '.join(names)})")
        for parameter, value in zip(indicator.parameters, key.parameters, strict=True):
            parameter.check(value, f"indicator key '{key}': {parameter.name}")
        output = key.output or indicator.outputs[0]
        if output not in indicator.outputs:
            raise ConfigError(f"indicator key '{key}': {unknown_name('output', output, list(indicator.outputs))}")
        whole = Key(key.name, key.sources, key.parameters)
        if whole not in rows:
            reads = tuple(place(source) for source in _read_keys(indicator, key))
            steps.append(Step(whole, reads, height))
            rows[whole] = height
            height += len(indicator.outputs)
        rows[key] = rows[whole] + indicator.outputs.index(output)
        return rows[key]

    for key in keys:
        place(key)
    return Plan(symbols, tuple(steps), rows, height)


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
