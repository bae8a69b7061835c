"""The contract of kernels, as checks that take one registered entry and raise where it is broken.

Any partition of the history gives the same bits; later bars change nothing before them; inputs stay as they are; every
bar is written; nothing is known before the warm-up; missing bars give NaN, or the label -1; targets stay within full
exposure, labels among those that have a name.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from admf_ray.classifiers import CLASSIFIERS, Classifier
from admf_ray.errors import ContractError, first_line
from admf_ray.indicators import INDICATORS, Indicator
from admf_ray.risk.sizing import SIZINGS, SizingRule
from admf_ray.strategies import STRATEGIES, Strategy
from admf_ray.testing.runs import (
    UNWRITTEN,
    Array,
    Entry,
    Run,
    bars_for,
    is_python,
    kernel_run,
    random_parameters,
    random_rows,
    small_parameters,
)

__all__ = [
    "CHECKS",
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
]

CHECKS = {
    "chunks": "any partition of the history into chunks gives the same bits",
    "prefix": "outputs up to a bar do not change when later bars do: no look-ahead",
    "written": "every bar is written, with a number or NaN, and again the same",
    "warm_up": "nothing is known before the warm-up, something at its end",
    "missing": "missing bars give no value where there are no others, and spoil none for ever",
    "bounds": "targets lie in [-1, +1]; labels have a name; quantities have the sign of the target, none for target 0",
}
"""What each check means."""

_GAP = slice(100, 110)
_FAMILIES = {
    Indicator: INDICATORS.family,
    Classifier: CLASSIFIERS.family,
    Strategy: STRATEGIES.family,
    SizingRule: SIZINGS.family,
}


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
    if (out == UNWRITTEN).any():
        raise ContractError(f"bar {int(np.argmax((out == UNWRITTEN).any(axis=0)))} is not written")
    if np.isinf(out).any():
        raise ContractError(f"bar {int(np.argmax(np.isinf(out).any(axis=0)))} is infinite")
    again = run(rows, [], unwritten=-UNWRITTEN)
    if out.tobytes() != again.tobytes():
        raise ContractError(f"run again, bar {_first(out, again)} is another")


def check_warm_up(entry: Entry, run: Run, parameters: tuple[float, ...]) -> None:
    """Refuse a kernel that knows something before its warm-up is over, or nothing when it is."""
    bars, warm_up = bars_for(entry, parameters), entry.warm_up(parameters)
    out = _values(entry, run(random_rows(1, 0.0, bars), []))
    if not np.isnan(out[:, :warm_up]).all():
        early = int(np.argmax(~np.isnan(out).all(axis=0)))
        raise ContractError(f"bar {early} has a value; the warm-up is said to be {warm_up} bars")
    # In Python a target may be left as it is.
    last = bars - 1 if is_python(entry) else warm_up
    if not np.isfinite(out[:, warm_up : last + 1]).any():
        until = f"to {last} have" if last > warm_up else "has"
        raise ContractError(f"bar {warm_up} {until} no value; the warm-up is said to be {warm_up} bars")


def check_missing(entry: Entry, run: Run, parameters: tuple[float, ...]) -> None:
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


def _values(entry: Entry, out: Array) -> Array:
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
                noted = [first_line(error), *getattr(error, "__notes__", ())]
                broken = ContractError(f"{type(error).__name__}: {'; '.join(noted)}")
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


def _stage_checks(entry: Entry) -> dict[str, tuple[int, Check]]:
    """Give the checks of an indicator, classifier or strategy, and how often each is worth repeating."""

    def drawn(rng: np.random.Generator) -> tuple[Run, Array, tuple[float, ...]]:
        parameters = random_parameters(rng, entry)
        rows = random_rows(int(rng.integers(10_000)), float(rng.choice([0.0, 0.1])), bars_for(entry, parameters))
        return kernel_run(entry, parameters), rows, parameters

    def chunks(rng: np.random.Generator) -> None:
        run, rows, _ = drawn(rng)
        bars = rows.shape[1]
        resynchronized = rng.choice([511, 512, 513, 1_023, 1_024, 1_025], 2)
        cuts = [*rng.integers(0, bars, 4).tolist(), *resynchronized[resynchronized < bars].tolist()]
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
    }
    if not is_python(entry):
        checks["missing"] = (1, missing)
    if not isinstance(entry, Indicator):
        checks["bounds"] = (_ALWAYS, bounds)
    return checks


def family(entry: Any) -> str:
    """Give what an entry is: indicator, classifier, strategy or sizing."""
    return _FAMILIES[type(entry)]
