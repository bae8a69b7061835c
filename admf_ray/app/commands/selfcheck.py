"""``+experiment=selfcheck``: the contracts of registered kernels, put to the test."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from admf_ray.app.settings import Settings
from admf_ray.indicators import INDICATORS
from admf_ray.logs import log_record
from admf_ray.plugins import active_entries
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import STRATEGIES
from admf_ray.testing.kernels import CHECKS, check_entry, family

__all__ = ["run"]

_ROUNDS = 20


def run(settings: Settings, console: Console) -> int:
    """Check what the plugins register, or everything where there are none; 1 where a contract is broken."""
    entries = active_entries() if settings.plugins else [*INDICATORS, *STRATEGIES, *SIZINGS]
    table = Table("family", "name", *CHECKS, box=SIMPLE_HEAD)
    broken = []
    for entry in entries:
        found = dict(check_entry(entry, _ROUNDS))
        log_record(
            "SELFCHECK",
            {
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
    for line in broken:
        console.print(f"broken: {line}", highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{len(entries)} entries, {len(broken)} broken checks; random series and parameters {_ROUNDS} times a check",
        highlight=False,
    )
    return 1 if broken else 0
