"""Candidates that do harm and hosts that die: each costs itself and changes nothing else."""

import contextlib
import io
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil
import pytest
import ray
from rich.console import Console

import admf_ray
from admf_ray.cluster.pool import Shared
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.errors import CapacityError, ChunkError, ConfigError, DataError
from admf_ray.launch import main
from admf_ray.report import ProgressView
from admf_ray.workflow import RunResult
from tests.cluster.poison import LAGS, by_lag, is_poison, written
from tests.series import daily_bars

HERE = "tests.cluster.test_pool"
MEMORY = {"soft": 400.0, "hard": 450.0}
ON_HOSTS = {"kind": "existing", "workers": 2, "max_retries": 1, "chunk_timeout": 6.0, "memory": MEMORY}
CHEAP = ("exception", "contract", "no_room")
HEALTHY = [lag for lag in range(1, 13) if lag not in LAGS.values()]


@pytest.fixture(scope="module", autouse=True)
def joined() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def bars() -> Any:
    return daily_bars(100.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.01, 400))))


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("plugin"))


def walked(bars: Any, plugin: str, lags: list[int], **options: Any) -> RunResult:
    windows = {"train": "200b", "test": "50b", "align": "none"}
    return admf_ray.walk_forward(bars, "poisoned", {"lag": lags}, windows=windows, plugins=[plugin], **options)


@pytest.fixture(scope="module")
def without(bars, plugin) -> RunResult:
    """The run of the candidates that do no harm, in this process."""
    return walked(bars, plugin, HEALTHY)


@pytest.fixture(scope="module")
def screen() -> io.StringIO:
    """What a terminal shows of the run with the poison."""
    return io.StringIO()


@pytest.fixture(scope="module")
def poisoned(bars, plugin, without, screen: io.StringIO, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """All six poisons among the others, on two hosts."""
    root, view = str(tmp_path_factory.mktemp("runs")), ProgressView(Console(file=screen, width=200))
    return walked(bars, plugin, list(range(1, 13)), cluster=ON_HOSTS, run_root=root, observer=view)


def test_all_other_trials_are_those_of_a_run_without_the_poison(poisoned: RunResult, without: RunResult) -> None:
    assert by_lag(poisoned).filter(~is_poison()).equals(by_lag(without))
    for name in ("equity", "fills", "trades"):
        assert poisoned.tables[name].equals(without.tables[name])
    assert poisoned.windows.drop("candidate").equals(without.windows.drop("candidate"))


def test_a_candidate_that_failed_has_no_metrics_in_any_window(poisoned: RunResult) -> None:
    failed = by_lag(poisoned).filter(is_poison())
    assert len(failed) == len(LAGS) * len(poisoned.windows)
    assert set(failed["status"]) == {"failed"}
    assert failed.select(pl.col("objective", "sharpe", "trades", "final_equity").is_nan().all()).row(0) == (True,) * 4


@pytest.mark.parametrize(
    ("poison", "error", "message", "where"),
    [
        ("exception", "ZeroDivisionError", "division by zero", "in poisoned"),
        ("contract", "ContractError", "'poisoned' gives 1.5 for X", "in _target"),
        ("no_room", "MemoryError", "no room", "in no_room"),
        ("memory", "MemoryError", "took more than 450 MB (cluster.memory.hard)", "in ten_gigabytes"),
        ("exit", "ActorDiedError", "its host ended: The actor is dead", "pid: "),
        ("segfault", "ActorDiedError", "its host ended: Segmentation fault", "in string_at"),
        ("loop", "TimeoutError", "took more than 6 s (cluster.chunk_timeout)", "in forever"),
    ],
)
def test_it_is_listed_and_shown_with_its_cause(
    poisoned: RunResult, screen: io.StringIO, poison: str, error: str, message: str, where: str
) -> None:
    assert poisoned.directory is not None
    stored = pl.read_parquet(poisoned.directory / "phases/discovery/failures.parquet")
    assert stored.columns == ["candidate", "window", "error", "message", "traceback", "host", "attempts"]
    assert stored["candidate"].to_list() == [lag - 1 for lag in LAGS.values()]
    (found,) = stored.filter(pl.col("candidate") == LAGS[poison] - 1).to_dicts()
    assert (found["error"], found["window"]) == (error, None)
    assert message in found["message"]
    assert where in found["traceback"]
    assert found["host"].startswith("host-")
    # All 12 fail once, their halves once each, down to what is alone, which has one attempt more if it ends hosts.
    assert 1 + 2 <= found["attempts"] <= 1 + 4 + 1
    shown = f"failed: candidate {found['candidate']} (lag={LAGS[poison]}): {error}: "
    assert [message in line for line in screen.getvalue().splitlines() if line.startswith(shown)] == [True]


def test_hosts_are_counted_by_what_ended_them_and_crashes_are_no_matter_of_memory(poisoned: RunResult) -> None:
    assert poisoned.directory is not None
    told = [json.loads(line) for line in (poisoned.directory / "progress.jsonl").read_text().splitlines()]
    faults = [record["fault"] for record in told if record["kind"] == "HOST_ENDED"]
    found = poisoned.summary["resources"]["discovery"]
    assert found["replaced"] == {kind: faults.count(kind) for kind in ("host_died", "out_of_memory", "timed_out")}
    assert all(found["replaced"].values())
    (memory,) = [line for line in found["advice"] if "cluster.memory.hard" in line]
    assert f"and {faults.count('out_of_memory')} host(s) were replaced for want of memory" in memory
    (crashes,) = [line for line in found["advice"] if "cluster.chunk_timeout" in line]
    died, late = faults.count("host_died"), faults.count("timed_out")
    assert crashes.startswith(f"{died} host(s) crashed and {late} host(s) took longer than cluster.chunk_timeout")


def test_the_page_lists_those_that_failed_with_what_they_said(poisoned: RunResult) -> None:
    assert poisoned.directory is not None
    page = (poisoned.directory / "report.html").read_text()
    (table,) = re.findall(r"<table[^>]*>(?:(?!</table>).)*what it said.*?</table>", page, flags=re.DOTALL)
    assert table.count("<tr") == 1 + len(poisoned.failures)
    for candidate in poisoned.failures["candidate"]:
        assert f"lag={candidate + 1}<" in table


def test_a_winner_that_ends_its_host_in_its_test_costs_that_test_only(bars: Any, plugin: str) -> None:
    def late(harm: int, **options: Any) -> RunResult:
        windows = {"train": "200b", "test": "50b", "align": "none"}
        space = {"lag": [3], "harm": [harm]}
        return admf_ray.walk_forward(bars, "late", space, windows=windows, plugins=[plugin], **options)

    found, without = late(LAGS["segfault"], cluster=ON_HOSTS), late(0)
    last = len(without.windows) - 1
    assert found.failures.select("candidate", "window").rows() == [(0, last)]
    assert found.failures["message"][0].startswith(f"in the test of window {last}: its host ended: Segmentation fault")
    before = pl.col("window") < last
    for name in ("equity", "fills", "trades"):
        assert found.tables[name].filter(before).equals(without.tables[name].filter(before))
    assert found.summary["certified"] == last


def test_it_is_told_while_it_runs_and_counted_at_the_end(poisoned: RunResult) -> None:
    assert poisoned.directory is not None
    told = [json.loads(line) for line in (poisoned.directory / "progress.jsonl").read_text().splitlines()]
    failures = {record["candidate"]: record for record in told if record["kind"] == "FAILURE"}
    assert {record["parameters"]["lag"] for record in failures.values()} == set(LAGS.values())
    assert poisoned.summary["causes"][0] == {
        "cause": "trials failed and could not win: table failures says why",
        "count": len(LAGS) * len(poisoned.windows),
        "of": len(poisoned.trials),
    }
    stored = admf_ray.load_run(poisoned.directory)
    assert stored.failures.equals(poisoned.failures)
    assert "failures" not in stored.fingerprints()


def test_in_this_process_the_same_fail_and_the_same_trials_remain(bars, plugin: str) -> None:
    lags = [*HEALTHY, *(LAGS[poison] for poison in CHEAP)]
    serial, on_hosts = walked(bars, plugin, lags), walked(bars, plugin, lags, cluster=ON_HOSTS)
    assert serial.fingerprints() == on_hosts.fingerprints()
    same = ["candidate", "error", "message"]
    assert serial.failures.select(same).equals(on_hosts.failures.select(same))
    assert len(serial.failures) == len(CHEAP)


def test_failures_are_shown_with_their_parameters(plugin: str, tmp_path: Path, capsys) -> None:
    lags = [LAGS["exception"], LAGS["contract"], *HEALTHY[:3]]
    data = ["data=synthetic", "data.synthetic={bars: 400}", "cluster=serial"]
    options = [
        f"plugins=[{plugin}]",
        "strategy=custom",
        "strategy.name=poisoned",
        f"strategy.space.lag={lags}",
        f"run_root={tmp_path}",
    ]
    assert main(["+experiment=sweep", *data, *options]) == 0
    shown = capsys.readouterr().out
    assert "failed: candidate 0 (lag=1): ZeroDivisionError: division by zero" in shown
    assert "note: 2 of 5 trials failed and could not win: table failures says why" in shown


def test_where_every_candidate_fails_the_run_does(bars, plugin: str) -> None:
    with pytest.raises(ChunkError, match=r"(?s)all 2 candidates failed, the first one so:.*ZeroDivisionError"):
        walked(bars, plugin, [LAGS["exception"], LAGS["contract"]])


def hosts_of(process: psutil.Process) -> list[psutil.Process]:
    """Give the host processes below a process."""
    found = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name().startswith("ray::Host"):
                found.append(child)
    return found


class Killer:
    """An observer that kills a host at random, every few chunks."""

    def __init__(self, kills: int, every: int) -> None:
        self.left, self._every, self._chunks = kills, every, 0
        self._random = np.random.default_rng(5)

    def __call__(self, kind: str, record: Mapping[str, Any]) -> None:
        self._chunks += kind == "CHUNK"
        if kind != "CHUNK" or self._chunks % self._every or not self.left:
            return
        if hosts := hosts_of(psutil.Process()):
            struck = self._random.choice(np.array(hosts, dtype=object))
            # One of an executor before may just end.
            with contextlib.suppress(psutil.NoSuchProcess):
                struck.kill()
                self.left -= 1
            # Nobody is killed twice.
            psutil.wait_procs([struck])


def killed(bars: Any, plugin: str, lags: list[int], kills: int, every: int) -> None:
    killer = Killer(kills, every)
    # After the first chunks of 64 each candidate is one.
    cluster = {"kind": "existing", "workers": 2, "chunk_seconds": 1e-6}
    on_hosts = walked(bars, plugin, lags, cluster=cluster, observer=killer)
    assert killer.left == 0
    assert "failures" not in on_hosts.tables
    assert on_hosts.fingerprints() == walked(bars, plugin, lags).fingerprints()


def test_hosts_that_are_killed_change_nothing(bars, plugin: str) -> None:
    killed(bars.head(250), plugin, list(range(10, 291)), kills=3, every=3)


@pytest.mark.chaos
def test_twenty_hosts_that_are_killed_change_nothing(bars, plugin: str) -> None:
    killed(bars, plugin, list(range(10, 391)), kills=20, every=2)


class Owner:
    """Puts objects of its own."""

    def put(self, value: Any) -> list[Any]:
        return [ray.put(value)]


def add(chunk: int, bundle: Mapping[str, Any]) -> float:
    return float(chunk + bundle["values"].sum())


def leave_once(chunk: int, bundle: Mapping[str, Any]) -> int:
    """End the host unless it has been ended for this chunk before."""
    mark = Path(bundle["marks"]) / str(chunk)
    if not mark.exists():
        mark.touch()
        psutil.Process().kill()
    return chunk


def refuse(chunk: int, bundle: Mapping[str, Any]) -> int:
    raise DataError("prices.csv: row 3")


def sleep(chunk: float, bundle: Mapping[str, Any]) -> float:
    time.sleep(chunk)
    return chunk


def test_a_bundle_that_is_lost_is_put_again() -> None:
    with RayExecutor(workers=2, address="auto") as executor:
        values = np.arange(200_000.0)
        shared = executor.share({"values": values})
        assert isinstance(shared, Shared)
        # Objects are gone with the process that put them.
        owner = ray.remote(num_cpus=0)(Owner).remote()
        (shared.reference,) = ray.get(owner.put.remote({"values": values}))
        ray.kill(owner)
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(owner.put.remote({}))
        done = sorted(executor.each(f"{HERE}:add", range(4), shared), key=lambda one: one.index)
        assert [one.result for one in done] == [values.sum() + chunk for chunk in range(4)]
        assert max(one.attempts for one in done) == 2
        assert {one.host for one in done} <= {"host-0", "host-1"}


def test_chunks_that_cannot_be_split_are_done_again_elsewhere(tmp_path: Path) -> None:
    with RayExecutor(workers=2, address="auto") as executor:
        done = list(executor.each(f"{HERE}:leave_once", range(3), executor.share({"marks": str(tmp_path)})))
        assert sorted((one.chunk, one.result) for one in done) == [(0, 0), (1, 1), (2, 2)]
        # A host died once for each chunk. Whom that is charged to is who seems to have been computed: nobody, where the
        # answer that it was ready was lost with it.
        assert len(list(tmp_path.iterdir())) == 3
        assert 3 <= sum(one.attempts for one in done) <= 6
        assert {one.host for one in done}.isdisjoint({"host-0", "host-1"})


@pytest.mark.chaos
def test_neither_waiting_for_a_host_nor_for_the_driver_counts_as_time_of_a_chunk() -> None:
    with RayExecutor(workers=1, address="auto", chunk_timeout=3.0) as executor:
        attempts = []
        for done in executor.each(f"{HERE}:sleep", [1.8, 1.8, 0.1], executor.share({})):
            attempts.append(done.attempts)
            if len(attempts) == 1:
                time.sleep(3.5)
        assert attempts == [1, 1, 1]


def test_what_was_left_in_flight_disturbs_nobody() -> None:
    with RayExecutor(workers=2, address="auto", chunk_timeout=30) as executor:
        shared = executor.share({})
        with pytest.raises(DataError, match="prices.csv: row 3"):
            executor.map(f"{HERE}:refuse", range(4), shared)
        for _ in executor.each(f"{HERE}:sleep", [0.1, 0.2, 0.3, 0.4], shared):
            break
        assert executor.map(f"{HERE}:sleep", [0.02, 0.01], shared) == [0.02, 0.01]


def test_hosts_that_cannot_begin_end_the_run() -> None:
    with (
        RayExecutor(workers=1, address="auto") as executor,
        pytest.raises(ChunkError, match="No module named 'no'"),
    ):
        executor.map("no:function", [1], executor.share({}))


@pytest.mark.chaos
def test_hosts_that_end_as_they_begin_end_the_run() -> None:
    said = "6 hosts in a row ended as they started: its host ended"
    with RayExecutor(workers=1, address="auto") as executor, pytest.raises(CapacityError, match=said):
        executor.map("tests.cluster.leaving:function", [1], executor.share({}))


def test_the_head_alone_cannot_be_excluded() -> None:
    with pytest.raises(ConfigError, match="cluster.exclude_head: only the head has CPUs"):
        RayExecutor(address="auto", exclude_head=True)


KERNEL = """
import math

from admf_ray.plugins import Parameter, strategy


@strategy(inputs=("close",), parameters=(Parameter("lag", 2, 1, 400),), warm_up=lambda params: int(params[0]))
def stuck(matrix, rows, session, params, state, start, stop, out):
    lag = int(params[0])
    for s in range(rows.shape[0]):
        t = start
        while t < stop:
            out[s, t] = math.nan if t < lag else 1.0 if matrix[rows[s, 0], t] > matrix[rows[s, 0], t - lag] else 0.0
            t += 1 if lag != 7 or t < 150 else 0
"""


@pytest.mark.chaos
def test_a_compiled_kernel_that_never_ends_costs_its_candidate(bars, tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(KERNEL)
    plugins, cluster = [str(tmp_path / "stuck.py")], {**ON_HOSTS, "chunk_timeout": 5.0}
    stuck, sound = [
        admf_ray.sweep(bars, "stuck", {"lag": lags}, plugins=plugins, cluster=cluster)
        for lags in (list(range(1, 13)), [lag for lag in range(1, 13) if lag != 7])
    ]
    assert by_lag(stuck).filter(pl.col("lag") != 7).equals(by_lag(sound))
    assert stuck.failures.select("candidate", "error").rows() == [(6, "TimeoutError")]
    assert "_swept" in stuck.failures["traceback"][0]
