"""``+experiment=selfcheck``: what the platform promises, put to the test on this machine."""

import time
from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from admf_ray.app.selfcheck import (
    CATEGORIES,
    COORDINATOR,
    MOST,
    Cost,
    assemble_target,
    chosen_steps,
    costs,
    target_settings,
)
from admf_ray.app.settings import Settings
from admf_ray.classifiers import CLASSIFIERS
from admf_ray.containers import ComponentKind
from admf_ray.errors import ConfigError, first_line
from admf_ray.indicators import INDICATORS
from admf_ray.logs import log_record
from admf_ray.plugins import active_entries
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import STRATEGIES
from admf_ray.testing.isolation import ISOLATION_CHECKS
from admf_ray.testing.kernels import CHECKS, check_entry, family

__all__ = ["run"]

_ROUNDS = 20


def run(settings: Settings, console: Console) -> int:
    """Check one category, or all; with plugins the kernels that they register. 1 where a promise is broken.

    With ``target`` ten categories of an experiment are checked, with ``from`` and ``to`` the costs of steps.
    """
    if settings.target is not None and (settings.from_step, settings.to) != (None, None):
        raise ConfigError(f"target: {settings.target}, and from or to; allowed: one of them")
    if settings.target is not None:
        broken = _of_target(settings, settings.target, console)
    elif settings.from_step is not None or settings.to is not None:
        broken = _of_steps(settings, console)
    else:
        broken = _of_platform(settings, console)
    for line in broken:
        console.print(f"broken: {line}", highlight=False, markup=False, soft_wrap=True)
    return 1 if broken else 0


def _of_platform(settings: Settings, console: Console) -> list[str]:
    """Check what needs no target; give what is broken, a line each."""
    category = settings.category or ("kernels" if settings.plugins else None)
    if category is not None and category not in _WITHOUT_TARGET:
        raise ConfigError(
            f"category: {category} needs a target; allowed: {', '.join(_WITHOUT_TARGET)}, or target=step1"
        )
    chosen = [name for name in _WITHOUT_TARGET if category in {None, name}]
    return [line for name in chosen for line in _WITHOUT_TARGET[name](settings, console)]


def _kernels(settings: Settings, console: Console) -> list[str]:
    """Check what the plugins register, or everything where there are none; give what is broken, a line each."""
    registered = active_entries() if settings.plugins else [*INDICATORS, *CLASSIFIERS, *STRATEGIES, *SIZINGS]
    entries = [entry for entry in registered if not isinstance(entry, ComponentKind)]
    table = Table("family", "name", *CHECKS, box=SIMPLE_HEAD)
    broken = []
    for entry in entries:
        found = dict(check_entry(entry, _ROUNDS))
        log_record(
            "SELFCHECK",
            {
                "category": "kernels",
                "family": family(entry),
                "name": entry.name,
                **{name: str(error or "holds") for name, error in found.items()},
            },
        )
        marks = ("-" if name not in found else "broken" if found[name] else "holds" for name in CHECKS)
        table.add_row(family(entry), entry.name, *marks)
        broken += [
            f"{family(entry)} {entry.name}: {name} ({CHECKS[name]}): {error}" for name, error in found.items() if error
        ]
    console.print(table)
    console.print(
        f"kernels: {len(entries)} entries, {len(broken)} broken checks; "
        f"random series and parameters {_ROUNDS} times a check",
        highlight=False,
    )
    return broken


def _isolation(settings: Settings, console: Console) -> list[str]:  # noqa: ARG001  (every category takes its settings)
    """Check that containers hear what is theirs alone, and that nothing of them stays; give what is broken."""
    table = Table("isolation", "verdict", "measured", box=SIMPLE_HEAD)
    broken = []
    for name, (check, promise) in ISOLATION_CHECKS.items():
        try:
            verdict, measured = "holds", check()
        except Exception as error:
            verdict, measured = "broken", first_line(error)
            broken.append(f"isolation: {name} ({promise}): {measured}")
        table.add_row(name, verdict, measured)
        log_record("SELFCHECK", {"category": "isolation", "name": name, "verdict": verdict, "measured": measured})
    console.print(table)
    console.print(f"isolation: {len(ISOLATION_CHECKS)} checks, {len(broken)} broken", highlight=False)
    return broken


_WITHOUT_TARGET: dict[str, Callable[[Settings, Console], list[str]]] = {"kernels": _kernels, "isolation": _isolation}


# With a target


def _of_target(settings: Settings, name: str, console: Console) -> list[str]:
    """Check the categories on an experiment, telling of each as it is done; give what is broken, a line each."""
    if settings.category is not None and settings.category not in CATEGORIES:
        raise ConfigError(f"category: {settings.category} has no target; allowed with one: {', '.join(CATEGORIES)}")
    target = assemble_target(name, target_settings(name, settings))
    start, stop = target.span
    books = ", ".join(f"{book}: {one.name}" for book, one in target.books.items())
    console.print(f"target {name}: {books}; {stop - start:,} bars of {', '.join(target.bars.symbols)}", highlight=False)
    chosen = [category for category in CATEGORIES if settings.category in {None, category}]
    table = Table("category", "verdict", "measured", box=SIMPLE_HEAD)
    broken = []
    for number, category in enumerate(chosen, start=1):
        check, promise = CATEGORIES[category]
        began = time.perf_counter()
        try:
            verdict, measured = "holds", check(target)
        except Exception as error:
            verdict, measured = "broken", first_line(error)
            broken.append(f"{category} ({promise}): {measured}")
        seconds = time.perf_counter() - began
        table.add_row(category, verdict, measured)
        console.print(f"{number}/{len(chosen)} {category}: {verdict} ({seconds:.1f} s)", highlight=False)
        log_record("SELFCHECK", {"target": name, "category": category, "verdict": verdict, "measured": measured})
    console.print(table)
    console.print(f"selfcheck of {name}: {len(chosen)} categories, {len(broken)} broken", highlight=False)
    return broken


# Between steps


def _of_steps(settings: Settings, console: Console) -> list[str]:
    """Compare the costs of steps, each with the one before it; give what is broken, a line each."""
    if settings.category is not None:
        raise ConfigError(f"category: {settings.category}, and from or to; allowed: one of them")
    chosen = chosen_steps(settings.from_step, settings.to)
    found = costs([assemble_target(name, target_settings(name, settings, "from")) for name in chosen])
    table = Table("step", "books", "us a bar", "ratio", "verdict", box=SIMPLE_HEAD)
    for one in found:
        verdict = "holds" if one.is_allowed else "broken"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}x"
        table.add_row(one.step, str(one.books), f"{one.microseconds:.1f}", ratio, verdict)
        log_record(
            "SELFCHECK",
            {
                "category": "steps",
                "name": one.step,
                "verdict": verdict,
                "microseconds": one.microseconds,
                "ratio": one.ratio,
            },
        )
    console.print(table)
    broken = [_exceeding(one) for one in found if not one.is_allowed]
    console.print(f"all steps were run by one function, {COORDINATOR}, and nothing but their configuration differed")
    console.print(
        f"steps {chosen[0]} to {chosen[-1]}: {len(found) - 1} ratios, at most {MOST:g}x each allowed, "
        f"{len(broken)} broken",
        highlight=False,
    )
    return broken


def _exceeding(cost: Cost) -> str:
    return f"{cost.step}: {cost.ratio:.2f}x the cost of the step before; allowed: at most {MOST:g}x"
