"""Resources of a phase: how busy hosts were, what memory they took, and what to change about it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from admf_ray._types import ChunkDone, HostLimits

__all__ = ["MEASURED", "measured", "phase_resources"]

MEASURED: dict[str, pl.DataType | type[pl.DataType]] = {
    "after": pl.Float64,
    "memory_mb": pl.Float64,
    "peak_mb": pl.Float64,
    "growth_mb": pl.Float64,
    "collections": pl.List(pl.Int64),
    "collected": pl.List(pl.Int64),
    "gc_seconds": pl.Float64,
    "system": pl.Float64,
    "pool": pl.String,
    "containers": pl.Int64,
    "retained_mb": pl.Float64,
}
"""Columns of table timings beside who computed which chunk in what time; see `measured`."""

_IDLE = 0.2
_SHORT = 5.0
"""Seconds of a phase that is over before idle hosts are worth a word."""

_NEAR = 0.9
_GROWN = 0.25
_COLLECTING = 0.1

_LOST = {"host_died": "crashed", "timed_out": "took longer than cluster.chunk_timeout"}
"""How hosts ended, other than for want of memory."""


def measured(done: ChunkDone, containers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the columns of table timings that say what a chunk took.

    Parameters
    ----------
    done : ChunkDone
    containers : sequence of mapping
        That live on the host; see `admf_ray.engine.hosting.live_containers`.

    Returns
    -------
    dict
        ``after`` (s from the begin of the work until it was there), ``memory_mb``, ``peak_mb``, ``growth_mb``,
        ``collections``, ``collected``, ``gc_seconds`` and ``system`` as in `admf_ray._types.MemoryUse`, null where the
        chunk failed; ``pool`` (what its containers run), ``containers`` (how many live) and ``retained_mb`` (what their
        observers keep), null where there are none.
    """
    columns: dict[str, Any] = dict.fromkeys(MEASURED) | {"after": done.after}
    if (use := done.memory) is not None:
        columns |= {"memory_mb": use.held, "peak_mb": use.peak, "growth_mb": use.growth, "system": use.system}
        columns |= {"collections": list(use.collections), "collected": list(use.collected)}
        columns["gc_seconds"] = use.gc_seconds
    if containers:
        columns |= {"pool": containers[-1]["pattern"], "containers": len(containers)}
        columns["retained_mb"] = sum(one["memory"] for one in containers) / 1e6
    return columns


def phase_resources(
    timings: pl.DataFrame, workers: int, limits: HostLimits, ended: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Work out what a phase took of its hosts.

    Parameters
    ----------
    timings : polars.DataFrame
        Of the phase.
    workers : int
        Hosts that compute at the same time.
    limits : HostLimits
    ended : mapping of str to mapping
        The record of each host that was ended meanwhile: its ``fault``, and ``after`` how many seconds from the begin
        of the work; see `admf_ray._types.Executor.each`.

    Returns
    -------
    dict
        ``workers``; ``seconds`` from the begin of the work to its last chunk; ``idle``, the share of that time, over
        all workers, in which no chunk was computed that gave a result; ``memory`` and ``garbage`` of them; the same of
        each of ``hosts``, whose time is that from its first chunk on until it was ended; ``pools`` of containers, by
        what they run; ``replaced``, how many hosts were ended by each kind of fault; ``system``, the largest share of a
        machine's memory that was in use; ``advice``, what to change, a sentence each. Nothing where no chunk was
        computed.
    """
    rows = timings.filter(pl.col("memory_mb").is_not_null()).sort("after")
    if rows.is_empty():
        return {}
    seconds = float(rows["after"][-1])
    hosts = {}
    for (name,), own in rows.group_by("host", maintain_order=True):
        began = max(0.0, own["after"][0] - own["seconds"][0])
        until = ended[str(name)]["after"] if name in ended else seconds
        hosts[str(name)] = {"chunks": len(own), **_used(own, until - began, 1)}
    pools = {
        str(name): {"containers": own["containers"].max(), "memory": _memory(own, "retained_mb", "retained_mb")}
        for (name,), own in rows.filter(pl.col("pool").is_not_null()).group_by("pool", maintain_order=True)
    }
    found = {"workers": workers, "chunks": len(rows), **_used(rows, seconds, workers), "hosts": hosts, "pools": pools}
    # Growth is that of one process: the phase has that of the host which grew most.
    found["memory"]["growth"] = max(host["memory"]["growth"] for host in hosts.values())
    found |= {"replaced": Counter(record["fault"] for record in ended.values()), "system": rows["system"].max()}
    return found | {"advice": list(_advice(found, limits)) or ["nothing to change"]}


def _used(rows: pl.DataFrame, seconds: float, workers: int) -> dict[str, Any]:
    """Give idle share, memory (MB) and garbage collections of some chunks."""
    busy, collecting = float(rows["seconds"].sum()), float(rows["gc_seconds"].sum())
    collections = rows.select(pl.col("collections").list.sum()).sum().item()
    return {
        "seconds": seconds,
        "idle": min(1.0, max(0.0, 1.0 - busy / (seconds * workers))) if seconds > 0.0 else 0.0,
        "memory": _memory(rows, "peak_mb", "memory_mb"),
        "garbage": {
            "share": collecting / busy if busy > 0.0 else 0.0,
            "collections_per_second": collections / busy if busy > 0.0 else 0.0,
            "collected": rows.select(pl.col("collected").list.sum()).sum().item(),
        },
    }


def _memory(rows: pl.DataFrame, peak: str, held: str) -> dict[str, Any]:
    """Give the peak, the mean after chunks, and the growth from the first to the last chunk, in MB."""
    return {"peak": rows[peak].max(), "mean": rows[held].mean(), "growth": rows[held][-1] - rows[held][0]}


def _advice(found: Mapping[str, Any], limits: HostLimits) -> Iterator[str]:
    """Say what to change, if anything."""
    is_spread = "driver" not in found["hosts"]
    if is_spread and found["seconds"] >= _SHORT and found["idle"] > _IDLE:
        yield (
            f"hosts were idle {found['idle']:.0%} of the time (over {_IDLE:.0%}): larger search.batch or "
            "cluster.chunk_seconds, or fewer cluster.workers"
        )
    if is_spread:
        yield from _memory_advice(found, limits)
    if lost := [f"{found['replaced'][kind]} host(s) {how}" for kind, how in _LOST.items() if kind in found["replaced"]]:
        yield f"{' and '.join(lost)}, which counts as idle: candidates that do so by themselves are in table failures"
    if found["memory"]["growth"] > _GROWN * limits.hard:
        yield (
            f"memory of a host grew by {found['memory']['growth']:,.0f} MB from its first to its last chunk: something "
            "is kept from chunk to chunk"
        )
    if found["pools"] and found["garbage"]["share"] > _COLLECTING:
        yield (
            f"garbage collections took {found['garbage']['share']:.0%} of the time of chunks (over {_COLLECTING:.0%}): "
            "strategies that keep fewer objects"
        )
    if found["system"] > limits.system:
        yield (
            f"{found['system']:.0%} of a machine's memory was in use (over cluster.memory.system, "
            f"{limits.system:.0%}): fewer cluster.workers"
        )


def _memory_advice(found: Mapping[str, Any], limits: HostLimits) -> Iterator[str]:
    """Say what to change about the memory of hosts; the driver is not limited."""
    name, most = max(found["hosts"].items(), key=lambda item: item[1]["memory"]["peak"])
    share = most["memory"]["peak"] / limits.hard
    ended = found["replaced"]["out_of_memory"]
    if share >= _NEAR or ended:
        replaced = f", and {ended} host(s) were replaced for want of memory" if ended else ""
        yield (
            f"memory of {name} reached {share:.0%} of cluster.memory.hard ({limits.hard:g} MB){replaced}: smaller "
            f"cluster.chunk_seconds{' (candidates that take it by themselves are in table failures)' if ended else ''}"
        )
    elif most["memory"]["peak"] > limits.soft:
        yield (
            f"memory of {name} reached {most['memory']['peak']:,.0f} MB, over cluster.memory.soft "
            f"({limits.soft:g} MB): chunks were made smaller; more of it where the machine has it"
        )
