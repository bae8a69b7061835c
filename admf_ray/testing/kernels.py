"""The contract of kernels, as checks that take one registered entry and raise where it is broken.

Any partition of the history gives the same bits; later bars change nothing before them; inputs stay as they are; every
bar is written; nothing is known before the warm-up; missing bars give NaN, or the label -1; targets stay within full
exposure, labels among those that have a name.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from admf_ray.classifiers import CLASSIFIERS, Classifier
from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.parameters import satisfied
from admf_ray.errors import ContractError, first_line
from admf_ray.indicators import INDICATORS, Indicator, Key, compute_hub, plan_keys
from admf_ray.risk.sizing import SIZINGS, SizingRule
from admf_ray.strategies import STRATEGIES, Strategy

__all__ = [
    "BARS",
    "CHECKS",
    "bars_for",
    "check_bounds",
    "check_chunks",
    "check_entry",
    "check_labels",
    "check_missing",
    "check_prefix",
    "check_sizing",
    "check_warm_up",
    "check_written",
    "family",
    "kernel_run",
    "obeys",
    "random_parameters",
    "random_rows",
    "small_parameters",
    "usual_sources",
]

BARS = 1_100
"""Beyond two resynchronizations of running sums."""

CHECKS = {
    "chunks": "any partition of the history into chunks gives the same bits",
    "prefix": "outputs up to a bar do not change when later bars do: no look-ahead",
    "written": "every bar is written, with a number or NaN, and again the same",
    "warm_up": "nothing is known before the warm-up, something at its end",
    "missing": "missing bars give no value where there are no others, and spoil none for ever",
    "bounds": "targets lie in [-1, +1]; labels have a name; quantities have the sign of the target, none for target 0",
}
"""What each check means."""

_UNWRITTEN = -12345.678
_LONGEST = 600
_TRIES = 1_000
_GAP = slice(100, 110)
_BEYOND = 300
_SESSION = 7
_GUARDS = 64
_GUARD = 8.25e77
_FITTED_ON = 20_001
_FAMILIES = {
    Indicator: INDICATORS.family,
    Classifier: CLASSIFIERS.family,
    Strategy: STRATEGIES.family,
    SizingRule: SIZINGS.family,
}
_DAY = 86_400 * 10**9

Array = npt.NDArray[np.float64]
Stage = Indicator | Classifier | Strategy


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


def bars_for(entry: Stage, parameters: tuple[float, ...]) -> int:
    """Give the length of a series that outlives the warm-up."""
    return max(BARS, entry.warm_up(parameters) + _BEYOND)


def random_parameters(rng: np.random.Generator, entry: Stage) -> tuple[float, ...]:
    """Give parameters within bounds and constraints, none longer than the series needs to be.

    Raises
    ------
    ContractError
        Where none are found that obey the constraints.
    """
    for _ in range(_TRIES):
        values = []
        for parameter in entry.parameters:
            high = min(parameter.high, max(parameter.low, _LONGEST))
            if parameter.kind == "int":
                values.append(float(rng.integers(int(parameter.low), int(high) + 1)))
            else:
                values.append(float(rng.uniform(parameter.low, high)))
        if obeys(entry, values):
            return tuple(values)
    raise ContractError(f"{_TRIES} random parameter sets within bounds break its constraints")


def small_parameters(entry: Stage) -> tuple[float, ...]:
    """Give small parameters, within bounds and constraints, so that most bars have a value; else the defaults."""
    small = tuple(min(one.high, max(one.low, 5.0 + index)) for index, one in enumerate(entry.parameters))
    return small if obeys(entry, small) else tuple(float(one.default) for one in entry.parameters)


def obeys(entry: Stage, values: Sequence[float]) -> bool:
    """Say whether parameters obey an entry's own constraints."""
    columns = {one.name: np.array([value]) for one, value in zip(entry.parameters, values, strict=True)}
    return all(satisfied(constraint, columns)[0] for constraint in getattr(entry, "constraints", ()))


def kernel_run(entry: Stage, parameters: tuple[float, ...]) -> Run:
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

    def run(rows: Array, cuts: Sequence[int], unwritten: float = _UNWRITTEN) -> Array:
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

    def run(rows: Array, cuts: Sequence[int], unwritten: float = _UNWRITTEN) -> Array:
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
    count = entry.symbols or 1
    symbols = _symbols(count)
    keys = [_bound_inputs(entry, parameters, symbol) for symbol in symbols]
    every = list(itertools.chain(*keys))
    plan = plan_keys(symbols, every)
    reads = np.array([[plan.rows[key] for key in own] for own in keys], dtype=np.int64)
    size = count * entry.state_size(parameters)

    def run(rows: Array, cuts: Sequence[int], unwritten: float = _UNWRITTEN) -> Array:
        hub = compute_hub(_bars(rows, count), every)
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


def check_chunks(run: Run, rows: Array, cuts: Sequence[int]) -> None:
    """Refuse a kernel whose output depends on where the history was cut."""
    whole, cut = run(rows, []), run(rows, cuts)
    if whole.tobytes() != cut.tobytes():
        raise ContractError(f"cut at bars {sorted(cuts)} bar {_first(whole, cut)} is another")


def _first(one: Array, other: Array) -> int:
    """Give the first bar at which two outputs differ, NaN being equal to NaN."""
    return int(np.argmax(((one != other) & ~(np.isnan(one) & np.isnan(other))).any(axis=0)))


def check_prefix(run: Run, rows: Array, other: Array, at: int) -> None:
    """Refuse a kernel whose output before bar ``at`` changes when the bars from there on do, or are not there yet."""
    changed = rows.copy()
    changed[:, at:] = other[:, at:]
    before, after = (np.ascontiguousarray(run(one, [])[:, :at]) for one in (rows, changed))
    if before.tobytes() != after.tobytes():
        raise ContractError(f"bar {_first(before, after)} changes when bars from {at} on do: it looks ahead")
    ended = run(np.ascontiguousarray(rows[:, :at]), [])
    if before.tobytes() != ended.tobytes():
        raise ContractError(f"bar {_first(before, ended)} changes when the series ends at {at}: it looks ahead")


def check_written(run: Run, rows: Array) -> None:
    """Refuse a kernel that leaves a bar out, gives an infinite value, or another output the second time.

    The second time the output begins with other numbers: a kernel must not read what it has not written.
    """
    out = run(rows, [])
    if (out == _UNWRITTEN).any():
        raise ContractError(f"bar {int(np.argmax((out == _UNWRITTEN).any(axis=0)))} is not written")
    if np.isinf(out).any():
        raise ContractError(f"bar {int(np.argmax(np.isinf(out).any(axis=0)))} is infinite")
    again = run(rows, [], unwritten=-_UNWRITTEN)
    if out.tobytes() != again.tobytes():
        raise ContractError(f"run again, bar {_first(out, again)} is another")


def check_warm_up(entry: Stage, run: Run, parameters: tuple[float, ...]) -> None:
    """Refuse a kernel that knows something before its warm-up is over, or nothing when it is."""
    bars, warm_up = bars_for(entry, parameters), entry.warm_up(parameters)
    out = _values(entry, run(random_rows(1, 0.0, bars), []))
    if not np.isnan(out[:, :warm_up]).all():
        early = int(np.argmax(~np.isnan(out).all(axis=0)))
        raise ContractError(f"bar {early} has a value; the warm-up is said to be {warm_up} bars")
    if not np.isfinite(out[:, warm_up]).any():
        raise ContractError(f"bar {warm_up} has no value; the warm-up is said to be {warm_up} bars")


def check_missing(entry: Stage, run: Run, parameters: tuple[float, ...]) -> None:
    """Refuse a kernel that makes a value out of missing bars, or that one missing bar spoils for ever."""
    bars = bars_for(entry, parameters)
    rows = random_rows(1, 0.0, bars)
    rows[:4] = math.nan
    out = _values(entry, run(rows, []))
    if not np.isnan(out).all():
        raise ContractError(
            f"bar {int(np.argmax(~np.isnan(out).all(axis=0)))} has a value, though all bars are missing"
        )
    rows = random_rows(1, 0.0, bars)
    rows[:4, _GAP] = math.nan
    back = _GAP.stop + entry.warm_up(parameters) + 1
    if not np.isfinite(_values(entry, run(rows, []))[:, back:]).any():
        raise ContractError(f"there is no value from bar {back} on, though no bar from {_GAP.stop} on is missing")


def _values(entry: Stage, out: Array) -> Array:
    """Give an output with NaN for what is unknown, as which a label says -1."""
    return np.where(out == -1.0, math.nan, out) if isinstance(entry, Classifier) else out


def check_bounds(run: Run, rows: Array) -> None:
    """Refuse targets beyond full exposure."""
    targets = run(rows, [])
    known = targets[np.isfinite(targets)]
    if (np.abs(known) > 1).any():
        raise ContractError(f"a target is {known[np.abs(known) > 1][0]:g}; allowed: -1 to +1")


def check_labels(run: Run, rows: Array, count: int) -> None:
    """Refuse labels that are not -1 or one of those ``count`` that have a name, and probabilities beyond [0, 1]."""
    out = run(rows, [])
    wrong = out[0][~np.isin(out[0], np.arange(-1, count))]
    if len(wrong):
        raise ContractError(f"a label is {wrong[0]:g}; allowed: whole numbers from -1 to {count - 1}")
    beyond = out[1:][(out[1:] < 0.0) | (out[1:] > 1.0)]
    if len(beyond):
        raise ContractError(f"a probability is {float(beyond[0])!r}; allowed: 0 to 1, or NaN")


def check_sizing(entry: SizingRule, target: float, size: float, close: float, equity: float) -> None:
    """Refuse a quantity that has not the sign of its target, is infinite, or is not the same again."""
    given = f"target {target:g}, size {size:g}, close {close:g}, equity {equity:g}"
    quantity = entry.kernel(target, size, close, equity)
    if math.isinf(quantity):
        raise ContractError(f"the quantity is infinite for {given}")
    if not math.isnan(quantity) and np.sign(quantity) not in {0.0, np.sign(target)}:
        raise ContractError(f"the quantity is {quantity:g} for {given}")
    again = entry.kernel(target, size, close, equity)
    if quantity != again and not (math.isnan(quantity) and math.isnan(again)):
        raise ContractError(f"the quantity is {quantity:g}, then {again:g}, for {given}")


def check_entry(entry: Any, rounds: int, seed: int = 0) -> Iterator[tuple[str, ContractError | None]]:
    """Put one registered entry through all checks that apply to it.

    Parameters
    ----------
    entry : Indicator, Classifier, Strategy or SizingRule
    rounds : int
        Random parameters and series for each check that takes any.
    seed : int

    Yields
    ------
    (str, ContractError or None)
        Name of the check, by `CHECKS`, and the first thing that breaks it.
    """
    rng = np.random.default_rng(seed)
    checks = _sizing_checks(entry) if isinstance(entry, SizingRule) else _stage_checks(entry)
    for name, (times, check) in checks.items():
        broken = None
        for _ in range(min(times, rounds)):
            try:
                check(rng)
            except ContractError as error:
                broken = error
                break
            except Exception as error:
                broken = ContractError(f"{type(error).__name__}: {first_line(error)}")
                break
        yield name, broken


Check = Callable[[np.random.Generator], None]
_ALWAYS = 10**6


def _sizing_checks(entry: SizingRule) -> dict[str, tuple[int, Check]]:
    """Give the checks of a sizing, and how often each is worth repeating."""

    def bounds(rng: np.random.Generator) -> None:
        target = float(rng.choice([-1.0, 0.0, 1.0, rng.uniform(-1, 1)]))
        size, close, equity = (float(value) for value in np.exp(rng.uniform(-7, 14, 3)))
        check_sizing(entry, target, size, close, equity)

    return {"bounds": (_ALWAYS, bounds)}


def _stage_checks(entry: Stage) -> dict[str, tuple[int, Check]]:
    """Give the checks of an indicator, classifier or strategy, and how often each is worth repeating."""

    def drawn(rng: np.random.Generator) -> tuple[Run, Array, tuple[float, ...]]:
        parameters = random_parameters(rng, entry)
        rows = random_rows(int(rng.integers(10_000)), float(rng.choice([0.0, 0.1])), bars_for(entry, parameters))
        return kernel_run(entry, parameters), rows, parameters

    def chunks(rng: np.random.Generator) -> None:
        run, rows, _ = drawn(rng)
        cuts = [
            *rng.integers(0, rows.shape[1], 4).tolist(),
            *rng.choice([511, 512, 513, 1_023, 1_024, 1_025], 2).tolist(),
        ]
        check_chunks(run, rows, cuts)

    def prefix(rng: np.random.Generator) -> None:
        run, rows, _ = drawn(rng)
        bars = rows.shape[1]
        other = random_rows(int(rng.integers(10_000, 20_000)), 0.1, bars)
        check_prefix(run, rows, other, int(rng.integers(1, bars)))

    def written(rng: np.random.Generator) -> None:
        run, rows, _ = drawn(rng)
        check_written(run, rows)

    def warm_up(rng: np.random.Generator) -> None:
        run, _, parameters = drawn(rng)
        check_warm_up(entry, run, parameters)

    def bounds(rng: np.random.Generator) -> None:
        run, rows, parameters = drawn(rng)
        if isinstance(entry, Classifier):
            check_labels(run, rows, len(entry.labels(parameters)))
        else:
            check_bounds(run, rows)

    def missing(_: np.random.Generator) -> None:
        parameters = small_parameters(entry)
        check_missing(entry, kernel_run(entry, parameters), parameters)

    checks: dict[str, tuple[int, Check]] = {
        "chunks": (_ALWAYS, chunks),
        "prefix": (_ALWAYS, prefix),
        "written": (_ALWAYS, written),
        "warm_up": (_ALWAYS, warm_up),
        "missing": (1, missing),
    }
    if not isinstance(entry, Indicator):
        checks["bounds"] = (_ALWAYS, bounds)
    return checks


def family(entry: Any) -> str:
    """Give what an entry is: indicator, classifier, strategy or sizing."""
    return _FAMILIES[type(entry)]
