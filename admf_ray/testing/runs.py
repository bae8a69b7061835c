"""Random series and parameters, and what runs an entry of a registry on them."""

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from admf_ray.classifiers import Classifier
from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.parameters import satisfied
from admf_ray.errors import ContractError
from admf_ray.indicators import Indicator, Key, compute_hub, plan_keys
from admf_ray.strategies import Stage, Strategy

__all__ = [
    "BARS",
    "UNWRITTEN",
    "Array",
    "Entry",
    "Run",
    "bars_for",
    "is_python",
    "kernel_run",
    "obeys",
    "random_parameters",
    "random_rows",
    "small_parameters",
    "usual_sources",
]

BARS = 1_100
"""Beyond two resynchronizations of running sums."""

UNWRITTEN = -12345.678
"""What an output holds before."""

_LONGEST = 600
_TRIES = 1_000
_PYTHON_BARS = 300
_PYTHON_LONGEST = 100
_PANEL = 3
_BEYOND = 300
_SESSION = 7
_GUARDS = 64
_GUARD = 8.25e77
_FITTED_ON = 20_001
_DAY = 86_400 * 10**9

Array = npt.NDArray[np.float64]
Entry = Indicator | Classifier | Strategy


class Run(Protocol):
    """Runs a kernel over rows [field, time], cut into chunks at given bars; gives its output [output, time].

    ``unwritten`` is what the output holds before.
    """

    def __call__(self, rows: Array, cuts: Sequence[int], unwritten: float = ...) -> Array:
        """Give the output."""


def random_rows(seed: int, missing: float, bars: int = BARS) -> Array:
    """Give random open, high, low, close and volume; a share of the bars is missing.

    Returns
    -------
    float64 array, shape [5, bars]
    """
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, bars)))
    first = close * np.exp(rng.normal(0, 0.01, bars))
    extent = [np.maximum(first, close) * 1.01, np.minimum(first, close) * 0.99]
    rows = np.stack([first, *extent, close, rng.integers(1, 1_000, bars)]).astype(np.float64)
    rows[:4, rng.random(bars) < missing] = math.nan
    return rows


def bars_for(entry: Entry, parameters: tuple[float, ...]) -> int:
    """Give the length of a series that outlives the warm-up."""
    return max(_PYTHON_BARS if is_python(entry) else BARS, entry.warm_up(parameters) + _BEYOND)


def is_python(entry: Entry) -> bool:
    """Say whether an entry is a strategy without a kernel."""
    return isinstance(entry, Strategy) and entry.is_python


def random_parameters(rng: np.random.Generator, entry: Entry) -> tuple[float, ...]:
    """Give parameters within bounds and constraints, none longer than the series needs to be.

    Raises
    ------
    ContractError
        Where none are found that obey the constraints.
    """
    longest = _PYTHON_LONGEST if is_python(entry) else _LONGEST
    for _ in range(_TRIES):
        values = []
        for parameter in entry.parameters:
            high = min(parameter.high, max(parameter.low, longest))
            if parameter.kind == "int":
                values.append(float(rng.integers(int(parameter.low), int(high) + 1)))
            else:
                values.append(float(rng.uniform(parameter.low, high)))
        if obeys(entry, values):
            return tuple(values)
    raise ContractError(f"{_TRIES} random parameter sets within bounds break its constraints")


def small_parameters(entry: Entry) -> tuple[float, ...]:
    """Give small parameters, within bounds and constraints, so that most bars have a value; else the defaults."""
    small = tuple(min(one.high, max(one.low, 5.0 + index)) for index, one in enumerate(entry.parameters))
    return small if obeys(entry, small) else tuple(float(one.default) for one in entry.parameters)


def obeys(entry: Entry, values: Sequence[float]) -> bool:
    """Say whether parameters obey an entry's own constraints."""
    columns = {one.name: np.array([value]) for one, value in zip(entry.parameters, values, strict=True)}
    return all(satisfied(constraint, columns)[0] for constraint in getattr(entry, "constraints", ()))


def kernel_run(entry: Entry, parameters: tuple[float, ...]) -> Run:
    """Give the function that runs an entry's kernel; inputs cannot be written, and are compared afterwards.

    What a classifier is fitted on is a series of its own, so that no series that it is run over changes the fit.
    """
    if isinstance(entry, Indicator):
        return _indicator_run(entry, parameters)
    if isinstance(entry, Classifier):
        return _classifier_run(entry, parameters)
    return _strategy_run(entry, parameters)


def _indicator_run(entry: Indicator, parameters: tuple[float, ...]) -> Run:
    sources = tuple(Key(name, symbol="X") for name in usual_sources(entry))
    key = Key(entry.name, sources, parameters)
    step = plan_keys(("X",), [key]).steps[-1]
    size = entry.state_size(parameters)

    def run(rows: Array, cuts: Sequence[int], unwritten: float = UNWRITTEN) -> Array:
        hub = compute_hub(_bars(rows), [key])
        reads = np.array(step.reads, dtype=np.int64)
        matrix = hub.matrix[: step.row]
        return _driven(entry.kernel, matrix, reads, parameters, size, cuts, len(entry.outputs), unwritten)

    return run


def usual_sources(entry: Indicator) -> list[str]:
    """Give raw fields for an indicator's sources: those that it names, and different ones where any will do."""
    spare = iter(name for name in ("open", "high", "low") if name not in entry.inputs)
    return [next(spare, name) if name in entry.inputs[:index] else name for index, name in enumerate(entry.inputs)]


def _classifier_run(entry: Classifier, parameters: tuple[float, ...]) -> Run:
    keys = _bound_inputs(entry, parameters, "X")
    numbers = (*parameters, *_fitted(entry, parameters))
    size, height = entry.state_size(parameters), entry.outputs(parameters)

    def run(rows: Array, cuts: Sequence[int], unwritten: float = UNWRITTEN) -> Array:
        hub = compute_hub(_bars(rows), keys)
        reads = np.array([hub.rows[key] for key in keys], dtype=np.int64)
        return _driven(entry.kernel, hub.matrix, reads, numbers, size, cuts, height, unwritten)

    return run


@lru_cache(maxsize=256)
def _fitted(entry: Classifier, parameters: tuple[float, ...]) -> tuple[float, ...]:
    """Fit a classifier on a random series; give the fitted numbers, none where it is not fitted.

    Raises
    ------
    ContractError
        Where they are more or fewer than is said.
    """
    if entry.fit is None:
        return ()
    module, name = entry.fit.split(":")
    keys = _bound_inputs(entry, parameters, "X")
    hub = compute_hub(_bars(random_rows(_FITTED_ON, 0.0, entry.warm_up(parameters) + _BEYOND)), keys)
    found: Array = getattr(import_module(module), name)(
        np.stack([hub.matrix[hub.rows[key]] for key in keys]), parameters
    )
    if found.shape != (entry.fitted_size(parameters),):
        raise ContractError(
            f"{entry.fit} gives {found.shape} numbers; fitted_size says {entry.fitted_size(parameters)}"
        )
    return tuple(found.tolist())


def _bound_inputs(entry: Classifier | Strategy, parameters: tuple[float, ...], symbol: str) -> list[Key]:
    """Give the keys that an entry reads of a symbol."""
    named = {name: f"{value:.17g}" for name, value in zip(entry.parameter_names, parameters, strict=True)}
    return [Key.parse(text.format(**named)).bind(symbol) for text in entry.inputs]


def _strategy_run(entry: Strategy, parameters: tuple[float, ...]) -> Run:
    count = entry.symbols or (_PANEL if entry.scope == "panel" else 1)
    symbols = _symbols(count)
    keys = [_bound_inputs(entry, parameters, symbol) for symbol in symbols]
    every = list(itertools.chain(*keys))
    plan = plan_keys(symbols, every)
    reads = np.array([[plan.rows[key] for key in own] for own in keys], dtype=np.int64)
    size = count * entry.state_size(parameters)

    def run(rows: Array, cuts: Sequence[int], unwritten: float = UNWRITTEN) -> Array:
        bars = _bars(rows, count)
        hub = compute_hub(bars, every)
        if entry.is_python:
            stage = entry.stage(bars, hub.matrix, reads, np.array(parameters, dtype=float))
            return _asked(stage, bars, cuts, unwritten)
        return _driven(entry.kernel, hub.matrix, reads, parameters, size, cuts, count, unwritten)

    return run


def _symbols(count: int) -> tuple[str, ...]:
    return tuple(f"X{index}" for index in range(count)) if count > 1 else ("X",)


def _bars(rows: Array, symbols: int = 1) -> Bars:
    """Give the bars of one symbol, and of others that go their own way from it, bar by bar.

    What later bars of the first are does not change earlier ones of the others, and all miss the same ones.
    """
    count = rows.shape[1]
    panel = np.repeat(rows[:, np.newaxis], symbols, axis=1)
    for index in range(1, symbols):
        panel[:4, index] *= np.exp(np.cumsum(np.random.default_rng(index).normal(0, 0.02, count)))
    fields: dict[str, Any] = {name: panel[index] for index, name in enumerate(FIELDS)}
    return Bars(
        symbols=_symbols(symbols),
        known_at=(np.arange(count) + 1) * _DAY,
        session=np.arange(count, dtype=np.int32),
        covers_until=(count + 1) * _DAY,
        periods_per_year=252.0,
        **fields,
    )


def _asked(stage: Stage, bars: Bars, cuts: Sequence[int], unwritten: float) -> Array:
    """Ask a strategy in Python for its targets over consecutive pieces; it cannot reach state, inputs or output."""
    out = np.full((len(bars.symbols), len(bars)), unwritten)
    for start, stop in itertools.pairwise([0, *sorted(cuts), len(bars)]):
        stage.advance(start, stop, out)
    return out


def _driven(
    kernel: Any,
    matrix: Array,
    reads: Any,
    numbers: Sequence[float],
    size: int,
    cuts: Sequence[int],
    height: int,
    unwritten: float,
) -> Array:
    """Call a kernel over consecutive pieces, several bars a session, with guards behind state and output."""
    bars = matrix.shape[1]
    session = (np.arange(bars) // _SESSION).astype(np.int32)
    inputs = [np.array(matrix), np.array(reads), session, np.array(numbers, dtype=float)]
    before = [values.copy() for values in inputs]
    for values in inputs:
        values.flags.writeable = False
    state = np.zeros(size + _GUARDS)
    state[size:] = _GUARD
    block = np.full(height * bars + _GUARDS, unwritten)
    block[height * bars :] = _GUARD
    out = block[: height * bars].reshape(height, bars)
    for start, stop in itertools.pairwise([0, *sorted(cuts), bars]):
        kernel(*inputs, state[:size], start, stop, out)
        if (out[:, stop:] != unwritten).any():
            raise ContractError(f"called for bars {start} to {stop} it writes beyond them")
    if (state[size:] != _GUARD).any():
        raise ContractError(f"it writes beyond its state, which is said to be {size} numbers")
    if (block[height * bars :] != _GUARD).any():
        raise ContractError("it writes beyond its output")
    if any(now.tobytes() != then.tobytes() for now, then in zip(inputs, before, strict=True)):
        raise ContractError("an input was changed")
    return out
