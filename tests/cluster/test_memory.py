"""Hosts that run short of memory: chunks shrink, hosts are replaced, and results stay what they are."""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import ray

import admf_ray
from admf_ray._types import HostLimits
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.errors import CapacityError
from admf_ray.optimize.batches import CandidateChunks
from admf_ray.optimize.trials import halved
from tests.series import daily_bars

HERE = "tests.cluster.test_memory"
MEGABYTE = 10**6
KEPT: list[Any] = []
Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module", autouse=True)
def joined() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def listening(told: Told) -> Any:
    return lambda kind, record: told.append((kind, dict(record)))


def of_kind(told: Told, kind: str) -> list[dict[str, Any]]:
    return [record for one, record in told if one == kind]


def ones(megabytes: int) -> Any:
    return np.ones(megabytes * MEGABYTE // 8)


class Growing:
    """Has its process hold 400 MB more when it is sent: after the chunk that gives it, before the next one."""

    def __reduce__(self) -> Any:
        KEPT.append(ones(400))
        return int, (os.getpid(),)


class GrowingError(Exception):
    """Has its process hold 400 MB more when it is told, which is the last thing that a chunk does."""

    def __str__(self) -> str:
        KEPT.append(ones(400))
        return "told"


def grow(chunk: int, bundle: Mapping[str, Any]) -> Any:
    return Growing()


def fail_growing(chunk: tuple[int, int], bundle: Mapping[str, Any]) -> int:
    if chunk[0] == 0:
        raise GrowingError
    return os.getpid()


def take(chunk: tuple[int, int], bundle: Mapping[str, Any]) -> tuple[int, int]:
    """Take 5 MB for each candidate, and 10 GB for some, 10 MB at a time."""
    taken = ones(5 * (chunk[1] - chunk[0]))
    if any(chunk[0] <= greedy < chunk[1] for greedy in bundle["greedy"]):
        # The answer before it is sent by then.
        time.sleep(0.5)
        taken = [ones(10) for _ in range(1_000)]
    # Long enough to be seen.
    time.sleep(bundle["seconds"])
    del taken
    return chunk


def process(chunk: int, bundle: Mapping[str, Any]) -> int:
    return os.getpid()


GROWN = HostLimits(soft=400.0, hard=430.0, system=1.0)


def test_a_host_that_holds_too_much_begins_nothing_and_is_replaced() -> None:
    told: Told = []
    with RayExecutor(workers=1, address="auto", limits=GROWN) as executor:
        done = list(executor.each(f"{HERE}:grow", range(3), executor.share({}), tell=listening(told)))
    assert [(one.chunk, one.host, one.attempts) for one in done] == [
        (0, "host-0", 1),
        (1, "host-1", 1),
        (2, "host-2", 1),
    ]
    assert len({one.result for one in done}) == 3
    assert of_kind(told, "FAULT") == []
    ended = of_kind(told, "HOST_ENDED")
    assert [record["host"] for record in ended] == ["host-0", "host-1"]
    assert all(record["reason"].endswith("MB (cluster.memory.hard)") for record in ended)
    assert {record["fault"] for record in ended} == {"out_of_memory"}
    assert [(record["host"], record["limit"]) for record in of_kind(told, "MEMORY")] == [
        (host, limit) for host in ("host-0", "host-1") for limit in ("hard", "soft")
    ]


def test_a_host_that_holds_too_much_after_a_chunk_is_replaced_and_what_it_had_next_is_not_held_against_it() -> None:
    told: Told = []
    with RayExecutor(workers=1, address="auto", limits=GROWN) as executor:
        chunks = [(0, 1), (1, 2), (2, 3)]
        done = list(executor.each(f"{HERE}:fail_growing", chunks, executor.share({}), halved, listening(told)))
    assert [(one.chunk, one.host, one.attempts) for one in done] == [
        ((0, 1), "host-0", 1),
        ((1, 2), "host-1", 1),
        ((2, 3), "host-1", 1),
    ]
    assert [record["chunk"] for record in of_kind(told, "FAULT")] == [(0, 1)]
    assert [(record["host"], record["fault"]) for record in of_kind(told, "HOST_ENDED")] == [
        ("host-0", "out_of_memory")
    ]


def test_what_allocates_ten_gigabytes_costs_itself_only() -> None:
    told: Told = []
    limits = HostLimits(soft=300.0, hard=350.0, system=1.0)
    with RayExecutor(workers=2, address="auto", max_retries=0, limits=limits) as executor:
        chunks = [(0, 4), (4, 8)]
        shared = executor.share({"greedy": [5], "seconds": 0.0})
        done = list(executor.each(f"{HERE}:take", chunks, shared, halved, listening(told)))
    assert sorted(one.result for one in done if one.failure is None) == [(0, 4), (4, 5), (6, 8)]
    (failed,) = [one for one in done if one.failure is not None]
    assert failed.chunk == (5, 6)
    assert failed.failure is not None
    assert (failed.failure.kind, failed.failure.error) == ("out_of_memory", "MemoryError")
    assert failed.failure.message == "took more than 350 MB (cluster.memory.hard)"
    assert "in take" in failed.failure.traceback
    faults = of_kind(told, "FAULT")
    assert [(record["chunk"], record["verdict"]) for record in faults] == [
        ((4, 8), "split"),
        ((4, 6), "split"),
        ((5, 6), "fail"),
    ]
    assert [record["fault"] for record in of_kind(told, "HOST_ENDED")] == ["out_of_memory"] * 3


def test_a_host_on_another_machine_says_why_it_ended_through_the_cluster(tmp_path: Path) -> None:
    limits = HostLimits(soft=300.0, hard=350.0, system=1.0)
    with RayExecutor(workers=1, address="auto", max_retries=0, limits=limits) as executor:
        hosts = executor._hosts
        # Hosts that are started from here on do not find the directory, as on another machine.
        words, folder = hosts._words, hosts._words.path
        words.path = tmp_path / "elsewhere"
        hosts.end(hosts.lanes[0])
        (failed,) = executor.each(f"{HERE}:take", [(0, 1)], executor.share({"greedy": [0], "seconds": 0.0}), halved)
        words.path = folder
    assert failed.failure is not None
    assert failed.failure.message == "took more than 350 MB (cluster.memory.hard)"


def test_a_soft_limit_makes_the_following_chunks_smaller_and_is_told_once_of_each_host() -> None:
    told: Told = []
    # 64 candidates take 320 MB, 8 of them 40 beside the 60 of the host.
    limits = HostLimits(soft=150.0, hard=2_000.0, system=1.0)
    with RayExecutor(workers=1, address="auto", limits=limits) as executor:
        chunks = CandidateChunks([(0, 400)], 1e3, 1, executor.limits)
        shared = executor.share({"greedy": [], "seconds": 0.15})
        done = []
        for one in executor.each(f"{HERE}:take", chunks, shared, halved, listening(told)):
            chunks.learn(one)
            done.append(one)
    assert [candidate for one in done for candidate in range(*one.chunk)] == list(range(400))
    sizes = [last - first for first, last in (one.chunk for one in done)]
    assert sizes[:2] == [64, 64]
    assert max(sizes[-3:]) < 20
    assert [(record["host"], record["limit"]) for record in of_kind(told, "MEMORY")] == [("host-0", "soft")]
    assert of_kind(told, "HOST_ENDED") == []


def test_a_limit_below_what_a_host_holds_by_itself_ends_the_run() -> None:
    limits = HostLimits(soft=5.0, hard=10.0)
    with (
        RayExecutor(workers=1, address="auto", limits=limits) as executor,
        pytest.raises(CapacityError, match=r"host-0 holds \d+ MB before its first chunk; 10 are allowed"),
    ):
        executor.map(f"{HERE}:process", [1], executor.share({}))


def test_no_more_chunks_are_computed_at_the_same_time_than_may_be() -> None:
    with RayExecutor(workers=2, address="auto", max_concurrent=1) as executor:
        assert executor.workers == 1
        assert len(set(executor.map(f"{HERE}:process", range(8), executor.share({})))) == 1


SHORT = """
from pathlib import Path

from admf_ray.plugins import Parameter, strategy


@strategy(parameters=(Parameter("lag", 2, 1, 400),))
def short_of_memory(view):
    lag = view.params.lag
    mark = Path(__file__).parent / f"{lag}"
    if view.bar == 100 and lag % 3 == 0 and not mark.exists():
        mark.touch()
        raise MemoryError("no room")
    return None if view.bar < lag else view.close[-1] > view.close[-1 - lag]
"""


def test_memory_errors_change_nothing_of_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMF_CACHE_DIR", str(tmp_path / "cache"))
    plugin = tmp_path / "short.py"
    plugin.write_text(SHORT.replace("Path(__file__).parent", f"Path({str(tmp_path)!r})"))
    bars = daily_bars(100.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.01, 250))))
    told: Told = []

    def walked(cluster: dict[str, Any]) -> Any:
        windows = {"train": "150b", "test": "50b", "align": "none"}
        return admf_ray.walk_forward(
            bars,
            "short_of_memory",
            {"lag": list(range(1, 20))},
            windows=windows,
            plugins=[str(plugin)],
            cluster=cluster,
            observer=listening(told),
        )

    short = walked({"kind": "existing", "workers": 2})
    assert {record["fault"] for record in of_kind(told, "FAULT")} == {"out_of_memory"}
    assert len(list(tmp_path.glob("[0-9]*"))) == 6
    assert "failures" not in short.tables
    told.clear()
    calm = walked({"kind": "serial"})
    assert of_kind(told, "FAULT") == []
    assert short.fingerprints() == calm.fingerprints()
    assert short.timings["memory_mb"].is_not_null().all()
    assert short.timings.select((pl.col("peak_mb") >= pl.col("memory_mb")).all()).item()
    assert set(short.summary["resources"]["discovery"]["hosts"]) == {"host-0", "host-1"}
