"""Latency and memory: what the target's containers take of a machine."""

import gc
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from admf_ray.app.selfcheck.target import Target, require
from admf_ray.containers import SERVICES_OF, ContainerPool, ScopedContainer
from admf_ray.engine.components import Risk
from admf_ray.engine.event_driven import Market, container_spec
from admf_ray.events import EventBus, EventType, LatencyStatistics
from admf_ray.testing.isolation import traced_memory

__all__ = ["LATENCY_LIMITS", "MEMORY_LIMITS", "YEAR_SECONDS", "check_latency", "check_memory"]

LATENCY_LIMITS: dict[EventType, int] = {
    EventType.BAR: 1_000_000,
    EventType.SIGNAL: 100_000,
    EventType.ENSEMBLE: 100_000,
    EventType.ORDER: 100_000,
    EventType.FILL: 100_000,
}
"""Nanoseconds that 99 of 100 calls of a handler may take, by the type of event; a decision of risk as an ORDER."""

YEAR_SECONDS = 0.1
"""That a year of a book may take in containers."""

_REPEATED = 5
_FORWARD = "forward to "
_MEGABYTE = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLimits:
    """What may be taken.

    Attributes
    ----------
    growth : float
        Of the process in repeated runs, as a fraction.
    peak : float
        Of the process, in megabytes.
    year : float
        Of a run over one year, in megabytes.
    reuses : float
        Of ten uses of a pooled container, in megabytes.
    residue : float
        That is left of a phase when it is over, in megabytes.
    """

    growth: float = 0.05
    peak: float = 1_000.0
    year: float = 500.0
    reuses: float = 100.0
    residue: float = 50.0


MEMORY_LIMITS = MemoryLimits()
"""What is promised."""


# Latency


def check_latency(target: Target) -> str:
    """Time every handler of the target's containers, and a year of bars; the best of a few repetitions counts."""
    best: dict[tuple[EventType, str], int] = {}
    for _ in range(_REPEATED):
        for key, p99 in _p99(target).items():
            best[key] = min(p99, best.get(key, p99))
    slowest: dict[EventType, tuple[int, str]] = {}
    for (kind, handler), p99 in best.items():
        slowest[kind] = max((p99, handler), slowest.get(kind, (0, "")))
    exceeding = [
        f"{handler} takes {p99 / 1e3:,.1f} us for a {kind} (p99); allowed: {LATENCY_LIMITS[kind] / 1e3:,.0f}"
        for kind, (p99, handler) in slowest.items()
        if kind in LATENCY_LIMITS and p99 >= LATENCY_LIMITS[kind]
    ]
    require(not exceeding, "; ".join(exceeding))
    seconds = min(_seconds(target) for _ in range(_REPEATED)) / len(target.setups)
    require(seconds < YEAR_SECONDS, f"a year of a book takes {seconds:.3f} s; allowed: {YEAR_SECONDS:g}")
    shown = ", ".join(f"{kind} {slowest[kind][0] / 1e3:,.1f}" for kind in LATENCY_LIMITS if kind in slowest)
    return f"slowest handler p99 in us: {shown}; a year of a book {seconds * 1e3:,.1f} ms"


def _p99(target: Target) -> dict[tuple[EventType, str], int]:
    """Run the target bar by bar; give what each handler takes, and risk to decide."""
    statistics, deciding = LatencyStatistics(), LatencyStatistics()

    def attach(bus: EventBus) -> None:
        bus.attach(statistics)

    with target.market(attach) as market:
        market.begin(target.setups, target.span)
        feed = market.container.resolve("feed")
        ends = [(_named(end), end) for book in market.books.values() for end in book.ends]
        for bar in range(*target.span):
            closing = feed.publish(bar)
            for name, end in ends:
                began = time.perf_counter_ns()
                end(bar, closing)
                if name is not None:
                    deciding.on_handled(closing, name, time.perf_counter_ns() - began)
    # What is forwarded is counted where it arrives, handler by handler.
    found = {(one.type, one.handler): one.p99 for one in statistics.latencies() if not one.handler.startswith(_FORWARD)}
    return found | {(EventType.ORDER, one.handler): one.p99 for one in deciding.latencies()}


def _named(end: Any) -> str | None:
    return "Risk.end_bar" if isinstance(end.__self__, Risk) else None


def _seconds(target: Target) -> float:
    began = time.perf_counter()
    target.contained(target.year)
    return time.perf_counter() - began


# Memory


def check_memory(target: Target, limits: MemoryLimits = MEMORY_LIMITS) -> str:
    """Measure what the process takes in repeated runs, and what a year, reuses and finished phases take and leave.

    What the process takes is measured as it is (the resident set); what a part of it takes as memory that Python and
    NumPy allocated meanwhile.
    """
    process = psutil.Process()
    target.contained()
    gc.collect()
    peak = before = process.memory_info().rss
    for _ in range(_REPEATED):
        target.contained()
        peak = max(peak, process.memory_info().rss)
    gc.collect()
    growth = process.memory_info().rss / before - 1.0
    with traced_memory():
        year, _ = _taken(lambda: target.contained(target.year))
        reuses, _ = _taken(lambda: _reuse(target, 10))
        residues = {
            "compiled": _taken(target.compiled)[1],
            "containers": _taken(target.contained)[1],
        }
    peak = max(peak, process.memory_info().rss)
    residue = max(residues.values())
    _allow("growth in repeated runs", growth * 100, limits.growth * 100, "%")
    _allow("the peak of the process", peak / _MEGABYTE, limits.peak, "MB")
    _allow("a run over one year", year, limits.year, "MB")
    _allow("ten uses of a pooled container", reuses, limits.reuses, "MB")
    _allow("the residue of a phase", residue, limits.residue, "MB")
    return (
        f"growth {growth:+.1%}, peak {peak / _MEGABYTE:,.0f} MB, one year {year:,.1f} MB, ten reuses {reuses:,.1f} MB, "
        f"residue {residue:,.1f} MB"
    )


def _allow(what: str, found: float, allowed: float, unit: str) -> None:
    require(found < allowed, f"{what}: {found:,.1f} {unit}; allowed: below {allowed:,.0f}")


def _taken(run: Callable[[], object]) -> tuple[float, float]:
    """Give what a run takes at most and what is left of it, in megabytes; garbage was collected before."""
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    run()
    peak = tracemalloc.get_traced_memory()[1] - before
    gc.collect()
    return peak / _MEGABYTE, (tracemalloc.get_traced_memory()[0] - before) / _MEGABYTE


def _reuse(target: Target, times: int) -> None:
    """Use one pooled container again and again, each time for a year."""
    spec, observe = container_spec(target.books), target.observing()

    def build(container_id: str) -> ScopedContainer:
        return ScopedContainer(spec, container_id, errors="raise", policy=SERVICES_OF, observe=observe)

    with ContainerPool(build, 1, name="selfcheck") as pool:
        for _ in range(times):
            with pool.container() as container:
                market = Market(container)
                market.begin(target.setups, target.year)
                market.run(target.year)
        require(pool.counts.created == 1, f"{pool.counts.created} containers were built for {times} uses of one")
