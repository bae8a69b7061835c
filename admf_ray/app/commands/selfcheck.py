"""``+experiment=selfcheck``: what the platform promises, put to the test on this machine."""

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from admf_ray.app.settings import Settings
from admf_ray.classifiers import CLASSIFIERS
from admf_ray.containers import ComponentKind
from admf_ray.errors import first_line
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
    """Check one category, or all; with plugins the kernels that they register. 1 where a promise is broken."""
    category = settings.category or ("kernels" if settings.plugins else None)
    chosen = [name for name in _CATEGORIES if category in {None, name}]
    broken = [line for name in chosen for line in _CATEGORIES[name](settings, console)]
    for line in broken:
        console.print(f"broken: {line}", highlight=False, markup=False, soft_wrap=True)
    return 1 if broken else 0


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


_CATEGORIES: dict[str, Callable[[Settings, Console], list[str]]] = {"kernels": _kernels, "isolation": _isolation}
