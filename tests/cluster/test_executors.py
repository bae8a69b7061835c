"""Serial and Ray executors: the same results, in order, whoever computed them."""

import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from admf_ray._types import ChunkDone, Executor
from admf_ray.cluster import SerialExecutor, ray_executor
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.cluster.shared import MappedArray, fitted, opened
from admf_ray.errors import ChunkError, ConfigError, DataError
from admf_ray.files import OwnedFolder

HERE = "tests.cluster.test_executors"


def scaled_sum(chunk: tuple[int, int], bundle: dict[str, Any]) -> float:
    """Work of a length that differs from chunk to chunk, so that chunks finish out of order."""
    time.sleep(0.02 * (chunk[0] % 3))
    return float(bundle["values"][chunk[0] : chunk[1]].sum() * bundle["scale"])


def describe(chunk: int, bundle: dict[str, Any]) -> tuple[int, bool, str, dict[str, str]]:
    values = bundle["values"]
    names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_DISABLE_INTEL_SVML")
    return os.getpid(), values.flags.writeable, values.dtype.str, {name: os.environ.get(name, "") for name in names}


def fail_on_two(chunk: int, bundle: dict[str, Any]) -> int:
    if chunk == 2:
        raise ZeroDivisionError("two is too much")
    return chunk


def bad_data(chunk: int, bundle: dict[str, Any]) -> int:
    raise DataError("prices.csv: row 3")


@pytest.fixture(scope="module")
def hosts() -> Iterator[RayExecutor]:
    with RayExecutor(workers=2) as executor:
        yield executor


@pytest.fixture(params=["serial", "ray"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return SerialExecutor() if request.param == "serial" else request.getfixturevalue("hosts")


def test_results_come_in_the_order_of_the_chunks(executor: Executor) -> None:
    values = np.arange(40.0)
    shared = executor.share({"values": values, "scale": 2.0})
    chunks = [(first, first + 4) for first in range(0, 40, 4)]
    results = executor.map(f"{HERE}:scaled_sum", iter(chunks), shared)
    assert results == [2.0 * values[first:last].sum() for first, last in chunks]


def test_each_chunk_is_given_with_its_result_as_it_finishes(executor: Executor) -> None:
    values = np.arange(40.0)
    shared = executor.share({"values": values, "scale": 2.0})
    chunks = [(first, first + 4) for first in range(0, 40, 4)]
    done = list(executor.each(f"{HERE}:scaled_sum", iter(chunks), shared))
    assert sorted(record.index for record in done) == list(range(10))
    for record in done:
        assert chunks[record.index] == record.chunk
        assert record.seconds >= 0
        assert record.result == 2.0 * values[record.chunk[0] : record.chunk[1]].sum()


def test_chunks_are_taken_lazily_so_that_their_size_can_follow_the_time(executor: Executor) -> None:
    done: list[ChunkDone] = []

    def chunks() -> Iterator[tuple[int, int]]:
        for first in range(12):
            # Never more in flight than two for each worker.
            assert first - len(done) < 2 * executor.workers
            yield first, first + 1

    shared = executor.share({"values": np.ones(12), "scale": 1.0})
    for one in executor.each(f"{HERE}:scaled_sum", chunks(), shared):
        done.append(one)  # noqa: PERF402  (the generator looks at it while it grows)
    assert [one.result for one in done] == [1.0] * 12


def test_no_chunks_give_no_results(executor: Executor) -> None:
    assert executor.map(f"{HERE}:scaled_sum", [], executor.share({})) == []


def test_errors_of_the_platform_arrive_as_they_were_raised(executor: Executor) -> None:
    with pytest.raises(DataError, match="prices.csv: row 3"):
        executor.map(f"{HERE}:bad_data", [1], executor.share({}))


def test_hosts_work_in_processes_of_their_own_on_read_only_data_with_one_thread(hosts: RayExecutor) -> None:
    shared = hosts.share({"values": np.arange(10.0)})
    found = hosts.map(f"{HERE}:describe", range(8), shared)
    assert len({pid for pid, *_ in found}) == 2
    assert os.getpid() not in {pid for pid, *_ in found}
    for _, writeable, dtype, environment in found:
        assert not writeable
        assert dtype == "<f8"
        assert set(environment.values()) == {"1"}


def test_a_function_that_raises_is_a_chunk_error_with_its_traceback(executor: Executor) -> None:
    with pytest.raises(ChunkError, match=r"(?s)chunk 2 failed on (host-\d|driver):.*fail_on_two.*two is too much"):
        executor.map(f"{HERE}:fail_on_two", range(4), executor.share({}))
    assert executor.map(f"{HERE}:fail_on_two", [0, 1], executor.share({})) == [0, 1]


def test_shared_data_beyond_the_object_store_is_mapped_from_files(tmp_path) -> None:
    values = np.random.default_rng(1).normal(size=(300, 1_000))
    bundle = fitted({"values": values, "small": np.arange(3), "scale": 2.0}, 1_000, lambda: tmp_path)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [values.nbytes]
    assert isinstance(bundle["values"], MappedArray)
    assert isinstance(bundle["small"], np.ndarray)
    mapped = opened(bundle)
    np.testing.assert_array_equal(mapped["values"], values)
    assert not mapped["values"].flags.writeable
    with pytest.raises(ChunkError, match="its file is not on this machine"):
        opened({"values": MappedArray(tmp_path / "gone", "<f8", (3,))})


def test_hosts_read_what_does_not_fit_the_store_and_close_removes_it(hosts, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ADMF_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ray_executor, "_SHARE_OF_STORE", 1e-9)
    values = np.arange(100_000.0)
    shared = hosts.share({"values": values, "scale": 2.0})
    (folder,) = tmp_path.glob("shared/*")
    assert len(list(folder.iterdir())) == 1
    # Another driver does not take it for one that was left behind.
    OwnedFolder("bundle-", tmp_path / "shared").remove()
    assert folder.is_dir()
    assert hosts.map(f"{HERE}:scaled_sum", [(0, 100_000)], shared) == [2.0 * values.sum()]
    ((_, writeable, *_),) = hosts.map(f"{HERE}:describe", [0], shared)
    assert not writeable
    hosts.release_files()
    assert list(tmp_path.glob("shared/*")) == []


def test_a_second_ray_in_one_process_is_refused_and_the_first_goes_on(hosts: RayExecutor) -> None:
    with pytest.raises(ConfigError, match="cluster.kind: Ray runs in this process already; allowed: existing"):
        RayExecutor(workers=1)
    assert hosts.map(f"{HERE}:fail_on_two", [0, 1], hosts.share({})) == [0, 1]


def test_more_hosts_than_cpus_are_refused(hosts: RayExecutor) -> None:
    with pytest.raises(ConfigError, match="cluster.workers: 9 hosts need as many CPUs, the cluster has 2"):
        RayExecutor(workers=9, address="auto")
    assert hosts.workers == 2
