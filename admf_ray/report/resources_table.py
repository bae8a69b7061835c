"""What a run took of its hosts: a table for the page, and a line for the terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from admf_ray.report.page import Table

__all__ = ["resources_lines", "resources_table"]

_HEAD = ("phase", "who", "chunks", "idle", "peak MB", "mean MB", "growth MB", "collector", "collections/s")
_MEANINGS = (
    ("idle", "Share of the time in which no chunk was computed: of a host from its first chunk on, of a phase of all."),
    ("MB", "10^6 bytes that a process holds by itself: what hosts share, as the indicators, is not counted."),
    ("peak", "The most while chunks were computed, looked at 20 times a second."),
    ("mean", "Of what was held after each chunk."),
    ("growth", "What was held after the last chunk less after the first; of a phase that of the host which grew most."),
    ("collector", "Share of the time of chunks that garbage collections took."),
    ("pool", "Containers that are used again and again: what their observers keep."),
)


def resources_table(summary: Mapping[str, Any]) -> list[Table]:
    """List what each phase, host and pool took; nothing where no chunk was computed."""
    phases: Mapping[str, Any] = summary.get("resources") or {}
    if not phases:
        return []
    rows = []
    for phase, found in phases.items():
        rows.append(_row(phase, f"{found['workers']} worker(s)", found))
        rows += [_row(phase, name, host) for name, host in found["hosts"].items()]
        rows += [_pool_row(phase, name, pool) for name, pool in found["pools"].items()]
    note = " ".join(f"{phase}: {'; '.join(found['advice'])}." for phase, found in phases.items())
    return [Table("resources", "Hosts and memory", note, _HEAD, rows, meanings=_MEANINGS)]


def resources_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Say in a line for each phase what it took, and what to change."""
    for phase, found in (summary.get("resources") or {}).items():
        yield (
            f"{phase}: {found['workers']} worker(s) {found['idle']:.0%} idle, at most "
            f"{found['memory']['peak']:,.0f} MB each, collector {found['garbage']['share']:.1%}: "
            f"{'; '.join(found['advice'])}"
        )


def _row(phase: str, who: str, used: Mapping[str, Any]) -> list[Any]:
    memory, garbage = used["memory"], used["garbage"]
    return [
        phase,
        who,
        (f"{used['chunks']:,}", used["chunks"]),
        (f"{used['idle']:.0%}", used["idle"]),
        *_megabytes(memory),
        (f"{garbage['share']:.1%}", garbage["share"]),
        (f"{garbage['collections_per_second']:,.1f}", garbage["collections_per_second"]),
    ]


def _pool_row(phase: str, name: str, pool: Mapping[str, Any]) -> list[Any]:
    nothing = ("", None)
    return [
        phase,
        f"pool of {pool['containers']}: {name}",
        nothing,
        nothing,
        *_megabytes(pool["memory"]),
        nothing,
        nothing,
    ]


def _megabytes(memory: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name in ("peak", "mean", "growth"):
        yield f"{memory[name]:,.1f}", memory[name]
