"""What a process holds, measured with real allocations; and what is told of it."""

import gc
import mmap
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from admf_ray._types import HostLimits, MemoryUse
from admf_ray.cluster import SerialExecutor
from admf_ray.cluster.faults import died, out_of_memory
from admf_ray.cluster.memory import MemoryLog, Watch

HERE = "tests.unit.cluster.test_memory"
MEGABYTE = 10**6


def use(held: float, peak: float, system: float = 0.1) -> MemoryUse:
    return MemoryUse(held, peak, 0.0, (0, 0, 0), (0, 0, 0), 0.0, system)


def taken(megabytes: int) -> mmap.mmap:
    """Take memory that goes back to the system as it is closed, whatever the allocators of the process do."""
    block = mmap.mmap(-1, megabytes * MEGABYTE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for _ in range(megabytes):
        block.write(bytes(MEGABYTE))
    return block


def until(reached: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not reached() and time.monotonic() < ends:
        time.sleep(0.01)


def test_what_is_kept_is_growth_and_what_was_freed_is_peak() -> None:
    with Watch() as watch:
        kept, freed = taken(60), taken(80)
        before = watch.held()
        until(lambda: watch._peak > before - 1.0)
        freed.close()
    found = watch.use()
    assert found.growth == pytest.approx(60.0, abs=10.0)
    assert found.peak - found.held == pytest.approx(80.0, abs=10.0)
    assert found.peak == pytest.approx(before, abs=10.0)
    assert 0.0 < found.system < 1.0
    kept.close()


def test_pages_of_a_file_that_is_mapped_do_not_count(tmp_path) -> None:
    np.ones(60 * MEGABYTE // 8).tofile(tmp_path / "values")
    with Watch() as watch:
        values = np.memmap(tmp_path / "values", mode="r", dtype=np.float64)
        assert values.sum() == 60 * MEGABYTE // 8
    assert watch.use().growth < 20.0


def test_garbage_collections_are_counted_by_generation_with_their_objects_and_time() -> None:
    gc.collect()
    with Watch() as watch:
        for _ in range(100):
            circle: list[Any] = []
            circle.append(circle)
        del circle
        gc.collect()
    found = watch.use()
    assert found.collections[2] >= 1
    assert sum(found.collected) >= 100
    assert found.gc_seconds > 0.0


def test_too_much_is_seen_while_it_is_held() -> None:
    seen: list[float] = []
    watch = Watch(hard=1.0, exceeded=lambda: seen.append(watch.held()))
    assert watch.is_exceeded
    with watch:
        until(lambda: bool(seen))
    assert seen
    roomy = Watch(hard=10**6, exceeded=lambda: seen.append(-1.0))
    assert not roomy.is_exceeded
    with roomy:
        time.sleep(0.12)
    assert -1.0 not in seen


def test_each_limit_is_told_once_of_each_host() -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    log = MemoryLog(HostLimits(soft=500.0, hard=1_000.0, system=0.8))

    def tell(kind: str, record: Any) -> None:
        told.append((kind, dict(record)))

    log.note("host-0", use(900.0, 900.0), None)
    for host, what in (
        ("host-0", use(400.0, 500.0)),
        ("host-0", use(400.0, 612.4)),
        ("host-0", use(400.0, 700.0)),
        ("host-1", use(1_100.0, 1_200.0, system=0.85)),
    ):
        log.note(host, what, tell)
    assert {kind for kind, _ in told} == {"MEMORY"}
    assert [(record["host"], record["limit"], record["value"]) for _, record in told] == [
        ("host-0", "soft", 612.4),
        ("host-1", "hard", 1_100.0),
        ("host-1", "soft", 1_200.0),
        ("host-1", "system", 0.85),
    ]
    assert told[0][1]["message"] == "host-0 took 612 MB, more than 500: smaller chunks (cluster.memory.soft)"
    assert told[3][1]["message"] == "85% of the memory is in use, more than 80% (cluster.memory.system)"


def kept(chunk: int, bundle: dict[str, Any]) -> int:
    bundle["kept"].append(taken(chunk))
    return chunk


def test_in_this_process_the_same_is_measured_and_told_and_nothing_is_ended() -> None:
    told = []
    with SerialExecutor(limits=HostLimits(soft=1.0, hard=2.0)) as executor:
        chunks = [1, 50, 1]
        for done in executor.each(
            f"{HERE}:kept", chunks, executor.share({"kept": []}), tell=lambda *one: told.append(one)
        ):
            assert done.memory is not None
            assert done.memory.growth == pytest.approx(chunks[done.index], abs=10.0)
    assert [(kind, record["host"], record["limit"]) for kind, record in told if record["limit"] != "system"] == [
        ("MEMORY", "driver", "hard"),
        ("MEMORY", "driver", "soft"),
    ]


def test_the_last_words_of_a_host_that_held_too_much_say_so() -> None:
    words = out_of_memory(450.0) + "Current thread:\n  File strategy.py, line 3 in greedy"
    fault = died(RuntimeError("The actor died."), words)
    assert (fault.kind, fault.error) == ("out_of_memory", "MemoryError")
    assert fault.message == "took more than 450 MB (cluster.memory.hard)"
    assert "in greedy" in fault.traceback
