"""What a phase took of its hosts, by hand calculation, and what is advised."""

from typing import Any

import polars as pl
import pytest

from admf_ray._types import ChunkDone, HostLimits, MemoryUse
from admf_ray.workflow.resources import MEASURED, measured, phase_resources

LIMITS = HostLimits(soft=500.0, hard=1_000.0, system=0.8)


def chunk(host: str, seconds: float, after: float, held: float, **changed: Any) -> dict[str, Any]:
    """Give a row of table timings; the peak is 50 MB above what is held after."""
    given = {"peak": held + 50.0, "growth": 0.0, "collections": (10, 1, 0), "collected": (5, 0, 0)}
    use = MemoryUse(held=held, **{**given, "gc_seconds": 0.01 * seconds, "system": 0.4, **changed})
    done = ChunkDone(0, (0, 1), seconds, host, None, memory=use, after=after)
    return {"host": host, "seconds": seconds, **measured(done, [])}


def taken(
    rows: list[dict[str, Any]], workers: int = 2, ended: dict[str, tuple[str, float]] | None = None
) -> dict[str, Any]:
    frame = pl.DataFrame(rows, schema={"host": pl.String, "seconds": pl.Float64, **MEASURED})
    records = {host: {"host": host, "fault": fault, "after": after} for host, (fault, after) in (ended or {}).items()}
    return phase_resources(frame, workers, LIMITS, records)


POOLED = {"pool": "full_backtest", "containers": 1, "retained_mb": 1.0}
"""Of a host that runs containers."""

BUSY = [
    *(chunk("host-0", 4.0, 5.0, 200.0), chunk("host-1", 4.5, 5.0, 180.0)),
    *(chunk("host-0", 5.0, 10.0, 260.0), chunk("host-1", 4.5, 9.8, 190.0)),
]


def test_shares_means_and_growth_are_those_of_a_hand_calculation() -> None:
    found = taken(BUSY)
    assert (found["workers"], found["chunks"], found["seconds"], found["replaced"]) == (2, 4, 10.0, {})
    # 18 of 2 x 10 s.
    assert found["idle"] == pytest.approx(0.1)
    assert found["memory"] == {"peak": 310.0, "mean": 207.5, "growth": 60.0}
    # 44 collections and 20 objects in 18 s.
    assert found["garbage"] == {
        "share": pytest.approx(0.01),
        "collections_per_second": pytest.approx(44 / 18),
        "collected": 20,
    }
    # From its first chunk on, at 1 s, until the end: 9 of 9 s.
    assert found["hosts"]["host-0"]["idle"] == pytest.approx(0.0)
    assert found["hosts"]["host-0"]["memory"] == {"peak": 310.0, "mean": 230.0, "growth": 60.0}
    # From 0.5 s on: 9 of 9.5 s.
    assert found["hosts"]["host-1"]["idle"] == pytest.approx(1 - 9 / 9.5)
    assert found["advice"] == ["nothing to change"]


def test_the_time_of_a_host_that_was_ended_is_over_then() -> None:
    rows = [chunk("host-0", 4.0, 4.0, 100.0), chunk("host-2", 5.0, 10.0, 100.0)]
    found = taken(rows, workers=1, ended={"host-0": ("out_of_memory", 5.0)})
    assert found["hosts"]["host-0"]["idle"] == pytest.approx(0.2)
    assert found["hosts"]["host-2"]["idle"] == pytest.approx(0.0)
    assert found["replaced"] == {"out_of_memory": 1}
    (said,) = found["advice"]
    assert said == (
        "memory of host-0 reached 15% of cluster.memory.hard (1000 MB), and 1 host(s) were replaced for want of "
        "memory: smaller cluster.chunk_seconds (candidates that take it by themselves are in table failures)"
    )


CRASHED = (
    "2 host(s) crashed and 1 host(s) took longer than cluster.chunk_timeout, which counts as idle: candidates that do "
    "so by themselves are in table failures"
)


def test_hosts_that_crashed_or_took_too_long_say_nothing_of_memory_and_leave_the_advice_about_idle_ones() -> None:
    rows = [chunk("host-0", 4.0, 4.0, 90.0), chunk("host-3", 2.0, 10.0, 80.0)]
    ended = {"host-0": ("host_died", 5.0), "host-1": ("timed_out", 6.0), "host-2": ("host_died", 7.0)}
    found = taken(rows, workers=1, ended=ended)
    assert found["replaced"] == {"host_died": 2, "timed_out": 1}
    idle, crashed = found["advice"]
    assert idle.startswith("hosts were idle 40% of the time (over 20%): larger search.batch")
    assert crashed == CRASHED


def test_hosts_that_ran_short_of_memory_are_told_apart_from_those_that_crashed() -> None:
    short = {f"host-{number}": ("out_of_memory", 3.0) for number in (2, 3)}
    ended = short | {"host-4": ("host_died", 3.0), "host-5": ("host_died", 3.0), "host-6": ("timed_out", 6.0)}
    memory, crashed = taken(BUSY, ended=ended)["advice"]
    assert memory.startswith(
        "memory of host-0 reached 31% of cluster.memory.hard (1000 MB), and 2 host(s) were replaced"
    )
    assert crashed == CRASHED


def test_a_soft_limit_is_told_where_hosts_crashed() -> None:
    found = taken([*BUSY, chunk("host-1", 0.1, 10.0, 490.0)], ended={"host-2": ("host_died", 3.0)})
    soft, crashed, _ = found["advice"]
    assert soft.startswith("memory of host-1 reached 540 MB, over cluster.memory.soft")
    assert crashed.startswith("1 host(s) crashed, which counts as idle")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([chunk("host-0", 6.6, 10.0, 100.0), chunk("host-1", 6.6, 9.0, 100.0)], "hosts were idle 34% of the time"),
        ([*BUSY, chunk("host-1", 0.1, 10.0, 860.0, growth=0.0)], "memory of host-1 reached 91% of cluster.memory.hard"),
        ([*BUSY, chunk("host-1", 0.1, 10.0, 490.0)], "memory of host-1 reached 540 MB, over cluster.memory.soft"),
        ([*BUSY, chunk("host-1", 0.1, 10.0, 440.0)], "memory of a host grew by 260 MB"),
        (
            [*BUSY, chunk("host-1", 0.1, 10.0, 100.0, gc_seconds=2.0) | POOLED],
            "garbage collections took 12% of the time",
        ),
        ([*BUSY, chunk("host-1", 0.1, 10.0, 100.0, system=0.85)], "85% of a machine's memory was in use"),
    ],
)
def test_what_to_change_is_said_in_words(rows: list[dict[str, Any]], said: str) -> None:
    assert any(line.startswith(said) for line in taken(rows)["advice"])


def test_the_driver_alone_is_not_told_that_it_was_idle() -> None:
    assert taken([chunk("driver", 1.0, 10.0, 100.0)], workers=1)["advice"] == ["nothing to change"]


def test_pools_have_what_their_containers_keep() -> None:
    rows = [chunk("host-0", 1.0, after, 100.0) for after in (1.0, 2.0, 3.0)]
    for row, kept in zip(rows, (1.0, 4.0, 3.0), strict=True):
        row |= {"pool": "one strategy", "containers": 1, "retained_mb": kept}
    assert taken(rows, workers=1)["pools"] == {
        "one strategy": {"containers": 1, "memory": {"peak": 4.0, "mean": pytest.approx(8 / 3), "growth": 2.0}}
    }


def test_where_nothing_was_computed_there_is_nothing_to_say() -> None:
    assert taken([]) == {}
    failed = ChunkDone(0, (0, 1), 0.0, "host-0", None)
    assert taken([{"host": "host-0", "seconds": 0.0, **measured(failed, [])}]) == {}
