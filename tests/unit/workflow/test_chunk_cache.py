"""Chunks of earlier runs are used where everything that they follow from is the same, and nowhere else."""

import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import admf_ray
from admf_ray.cluster import SerialExecutor
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import (
    Adaptive,
    Candidates,
    Choice,
    DrawnRange,
    Leaders,
    Search,
    TrialChunk,
    expand_grid,
    plan_search,
)
from admf_ray.optimize.trials import failed_trials
from admf_ray.plugins import activate, find_plugins
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow import RunResult, chunk_cache
from admf_ray.workflow.chunk_cache import ChunkCache, study_keys, sweep_key
from admf_ray.workflow.searching import Searched, search_windows
from admf_ray.workflow.trials import TrialFiles
from tests.series import daily_bars

CROSS = STRATEGIES["sma_cross"]
CHOICE = Choice("sharpe", 1)
SPANS = [(0, 300), (100, 400)]
CLOSE = 100.0 * np.exp(np.cumsum(np.random.default_rng(7).normal(0.0, 0.01, 500)))
AXES = {"fast": list(range(2, 12)), "slow": list(range(30, 50))}
TPE = Adaptive("tpe", 8, 1, 0, {"fast": DrawnRange(2, 30), "slow": DrawnRange(30, 60)})


def planned(close: Any = CLOSE, axes: dict[str, list[int]] = AXES, **rules: Any) -> Search:
    candidates: Candidates = expand_grid(CROSS, {}, axes)
    return plan_search(daily_bars(close), CROSS, candidates, AccountRules(**rules))


@pytest.fixture(scope="module")
def search() -> Search:
    return planned()


def searched(search: Search, folder: Path, cache: ChunkCache | None) -> tuple[Searched, int]:
    """Search, and give how many sets were computed."""
    computed = [0]

    def observe(kind: str, record: Any) -> None:
        computed[0] += record["sets"] if kind == "CHUNK" else 0

    with SerialExecutor(0.001) as executor:
        found = search_windows(search, SPANS, CHOICE, METRICS, executor, observe, folder, cache)
    return found, computed[0]


def the_same(found: Searched, expected: Searched) -> bool:
    return pa.concat_tables(found.trials(0)).equals(pa.concat_tables(expected.trials(0)))


def test_an_identical_search_computes_nothing_and_finds_the_same(search: Search, tmp_path: Path) -> None:
    cache = ChunkCache(tmp_path / "cache", 10**9)
    first, computed = searched(search, tmp_path / "first", cache)
    assert (computed, first.reused.chunks) == (200, 0)
    chunks = len(list((tmp_path / "first").glob("*.parquet")))
    again, computed = searched(search, tmp_path / "again", cache)
    assert computed == 0
    assert (again.reused.chunks, again.reused.trials) == (chunks, 200 * 2)
    assert the_same(again, first)
    for one, other in zip(again.leaders, first.leaders, strict=True):
        np.testing.assert_array_equal(one.metrics, other.metrics)
    # Whoever goes on with it knows what was reused; without a cache nothing is.
    assert searched(search, tmp_path / "again", cache)[0].reused == again.reused
    assert searched(search, tmp_path / "alone", None)[1] == 200
    assert searched(replace(search, engine="event_driven", isolated=False), tmp_path / "driven", cache)[1] == 0


def test_studies_are_reused_window_by_window(search: Search, tmp_path: Path) -> None:
    cache, adaptive = ChunkCache(tmp_path / "cache", 10**9), replace(search, adaptive=TPE)
    first, _ = searched(adaptive, tmp_path / "first", cache)
    (tmp_path / "cache" / study_keys(adaptive, SPANS, CHOICE)[1] / "study-00001.npz").write_bytes(b"damaged")
    again, computed = searched(adaptive, tmp_path / "again", cache)
    # Progress counts the sets of one window, of which each of the two studies is half.
    assert (again.reused.chunks, again.reused.trials, computed) == (1, 8, 4)
    assert the_same(again, first)


def test_what_a_run_was_stopped_with_stays_its_own(search: Search, tmp_path: Path) -> None:
    """Chunks that were cut elsewhere would lie across those that are there."""
    cache = ChunkCache(tmp_path / "cache", 10**9)
    first, _ = searched(search, tmp_path / "first", cache)
    searched(search, tmp_path / "stopped", None)
    for path in sorted((tmp_path / "stopped").glob("*.parquet"))[1:]:
        path.unlink()
    on, computed = searched(search, tmp_path / "stopped", cache)
    assert (computed, on.reused.chunks) == (200 - 64, 0)
    assert the_same(on, first)


@pytest.mark.parametrize("part", ["", "best"])
def test_a_damaged_file_is_dropped_and_computed_again(
    search: Search, tmp_path: Path, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ChunkCache(tmp_path / "cache", 10**9)
    first, _ = searched(search, tmp_path / "first", cache)
    entry = tmp_path / "cache" / sweep_key(search, SPANS, CHOICE, METRICS)
    damaged = sorted((entry / part).glob("*.parquet"))[0]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.unlink()
    damaged.write_bytes(content)
    again, computed = searched(search, tmp_path / "again", cache)
    assert f"cached chunk '{damaged}' is damaged and dropped" in caplog.text
    assert computed == 64
    assert the_same(again, first)
    caplog.clear()
    assert searched(search, tmp_path / "healed", cache)[1] == 0
    assert not caplog.text


def test_a_cache_that_cannot_be_read_or_written_costs_nothing_but_itself(
    search: Search, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ChunkCache(tmp_path / "cache", 10**9)
    first, _ = searched(search, tmp_path / "first", cache)
    (tmp_path / "cache" / sweep_key(search, SPANS, CHOICE, METRICS) / "digests.json").write_text("{")
    again, computed = searched(search, tmp_path / "again", cache)
    assert computed == 200
    assert "are not used" in caplog.text
    assert the_same(again, first)
    (tmp_path / "file").write_text("")
    assert searched(search, tmp_path / "no", ChunkCache(tmp_path / "file" / "cache", 10**9))[1] == 200
    assert "chunks are not cached" in caplog.text


def test_the_oldest_by_use_goes_first_and_what_is_left_half_made(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "chunk").write_bytes(bytes(1_000))
    cache = ChunkCache(tmp_path / "cache", 3_300)
    names = [Path("chunk")]
    for age, key in enumerate("abc"):
        cache.keep(tmp_path / "run", {key: names})
        os.utime(tmp_path / "cache" / key, ns=(age, age))
    (tmp_path / "cache" / ".partial-left").mkdir()
    (tmp_path / "again").mkdir()
    assert cache.take("a", tmp_path / "again") == names
    cache.keep(tmp_path / "run", {"d": names})
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"a", "c", "d", "lock"}
    ChunkCache(tmp_path / "cache", 999).keep(tmp_path / "run", {"e": names})
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"lock"}


def cache_of(root: Path) -> ChunkCache:
    return ChunkCache(root / "cache", 25_000)


def used(root: Path, name: str) -> None:
    """Keep and take three keys again and again, in a cache that holds two of them."""
    cache, own = cache_of(root), root / name
    for number in range(40):
        key = "abc"[number % 3]
        run = own / str(number)
        run.mkdir(parents=True)
        taken = cache.take(key, run)
        if not taken:
            (run / "chunk").write_bytes(key.encode() * 10_000)
            cache.keep(run, {key: [Path("chunk")]})
        assert (run / "chunk").read_bytes() == key.encode() * 10_000


def test_processes_that_share_it_never_see_half_of_anything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spawning = multiprocessing.get_context("spawn")
    processes = [spawning.Process(target=used, args=(tmp_path, name)) for name in "xyz"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    left = {path.name for path in (tmp_path / "cache").iterdir()}
    assert len(left & {"a", "b", "c"}) == 2
    assert left - {"a", "b", "c"} == {"lock"}
    for key in left & {"a", "b", "c"}:
        assert cache_of(tmp_path).take(key, tmp_path / "end" / key) == [Path("chunk")]
    assert not caplog.text


CHANGES: dict[str, Callable[[], Search]] = {
    "a bar": lambda: planned([*CLOSE[:400], CLOSE[400] * 1.00001, *CLOSE[401:]]),
    "another bar": lambda: planned([*CLOSE, 100.0]),
    "a rule": lambda: planned(slippage_bps=3.0),
    "a candidate": lambda: planned(axes={**AXES, "slow": [*range(30, 49), 61]}),
    "what is fitted on": lambda: replace(planned(), fit=(0, 100)),
    "the strategy": lambda: plan_search(
        daily_bars(CLOSE), STRATEGIES["ema_cross"], expand_grid(STRATEGIES["ema_cross"], {}, AXES), AccountRules()
    ),
    "proposing": lambda: replace(planned(), adaptive=TPE),
    "the seed": lambda: replace(planned(), adaptive=replace(TPE, seed=1)),
    "trials": lambda: replace(planned(), adaptive=replace(TPE, trials=9)),
    "points": lambda: replace(planned(), adaptive=replace(TPE, points=[{"fast": 5}])),
    "a range": lambda: replace(planned(), adaptive=replace(TPE, ranges={**TPE.ranges, "fast": DrawnRange(2, 31)})),
}


def keys(search: Search, spans=SPANS, choice=CHOICE, recorded=METRICS) -> list[str]:
    return [sweep_key(search, spans, choice, recorded), *study_keys(search, spans, choice)]


def test_whatever_changes_a_result_changes_the_key(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys(search) == keys(planned())
    found = [keys(search)[0], *(keys(change())[0] for change in CHANGES.values())]
    found += [
        keys(search, spans=[(0, 300), (100, 401)])[0],
        keys(search, choice=Choice("calmar", 1))[0],
        keys(search, choice=Choice("sharpe", 2))[0],
        keys(search, recorded=METRICS[:3])[0],
    ]
    made_by = chunk_cache.made_by()
    for part, value in (("code", {"sha256": "other"}), ("packages", {"numpy": "0"}), ("machine", {"libc": "other"})):
        with monkeypatch.context() as patched:
            patched.setattr(chunk_cache, "made_by", lambda part=part, value=value: {**made_by, part: value})
            found.append(keys(search)[0])
    assert len(set(found)) == len(found) == 1 + len(CHANGES) + 4 + 3


def test_a_study_has_a_key_for_each_window_and_none_of_its_candidates(search: Search) -> None:
    adaptive = replace(search, adaptive=TPE)
    studies = study_keys(adaptive, [SPANS[0], SPANS[0]], CHOICE)
    assert len(set(studies)) == 2
    assert studies[:1] == study_keys(
        replace(planned(axes={"fast": [2], "slow": [30]}), adaptive=TPE), SPANS[:1], CHOICE
    )


PLUGIN = """
from admf_ray.plugins import Parameter, strategy


@strategy(parameters=(Parameter("lag", 60, 1, 400),))
def lagging(view):
    return view.bar >= view.params.lag and view.close[-1] > {factor} * view.close[-1 - view.params.lag]
"""


def test_another_source_of_a_plugin_is_another_key(tmp_path: Path) -> None:
    found = []
    for factor in (1.0, 1.01):
        (tmp_path / "lagging.py").write_text(PLUGIN.format(factor=factor))
        activate(find_plugins([str(tmp_path / "lagging.py")]))
        entry = STRATEGIES["lagging"]
        candidates = expand_grid(entry, {}, {"lag": [10, 20]})
        found.append(
            sweep_key(plan_search(daily_bars(CLOSE), entry, candidates, AccountRules()), SPANS, CHOICE, METRICS)
        )
    assert found[0] != found[1]


def test_a_candidate_that_failed_is_dropped_and_no_other(tmp_path: Path) -> None:
    files = TrialFiles(tmp_path, CHOICE, ("sharpe", "trades"))
    nobody = [Leaders.nobody()] * 2
    for trades, first in ((5.0, 0), (0.0, 3), (0.0, 5)):
        count = 2 if first == 3 else 1
        columns = {"sharpe": np.full((2, count), np.nan), "trades": np.full((2, count), trades)}
        files.add(TrialChunk(first, columns, nobody), nobody)
    files.add(failed_trials(7, 2, files.recorded), nobody)
    assert files.done() == [(0, 1), (3, 5), (5, 6), (7, 8)]
    files.drop_failed()
    assert files.done() == [(0, 1), (3, 5), (5, 6)]
    names = [f"{first:08d}.parquet" for first in (0, 3, 5)]
    assert files.sound() == [Path(part, name) for name in names for part in ("best", "")]


FAILING = """
from admf_ray.plugins import Parameter, strategy


@strategy(parameters=(Parameter("lag", 60, 1, 400),))
def failing(view):
    if view.params.lag == 20:
        raise ValueError("unlucky")
    return view.bar >= view.params.lag and view.close[-1] > view.close[-1 - view.params.lag]
"""


def test_an_attempt_that_ended_behind_the_search_leaves_failures_to_the_next_and_its_chunks_to_all(
    tmp_path: Path,
) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    activate(find_plugins([str(tmp_path / "failing.py")]))
    entry = STRATEGIES["failing"]
    bars, cache = daily_bars(CLOSE), ChunkCache(tmp_path / "cache", 10**9)
    search = plan_search(bars, entry, expand_grid(entry, {}, {"lag": [10, 20, 30]}), AccountRules())
    search = replace(search, engine="event_driven")
    first, computed = searched(search, tmp_path / "run", None)
    assert computed == 3
    # Whoever is told of the failure records it; whoever is not, as with force, tries the candidate again.
    (fault,) = first.frames()["failures"]["message"].to_list()
    forced, computed = searched(search, tmp_path / "run", cache)
    assert (computed, forced.frames()["failures"]["message"].to_list()) == (1, [fault])
    statuses = [pa.concat_tables(one.trials(0))["status"].to_pylist() for one in (first, forced)]
    assert statuses == [["complete", "failed", "complete"] * 2] * 2
    again, computed = searched(search, tmp_path / "other", cache)
    assert (computed, again.reused.trials) == (1, 2 * 2)


def test_runs_reuse_all_but_failures_and_come_out_the_same(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    bars = daily_bars(CLOSE)
    windows = {"train": "200b", "test": "50b", "align": "none"}
    options = {"windows": windows, "plugins": (str(tmp_path / "failing.py"),), "report": {"page": False}}

    def walked(**more: Any) -> RunResult:
        return admf_ray.walk_forward(bars, "failing", {"lag": [10, 20, 30]}, **options, **more)

    first, again = (walked(run_root=tmp_path / "runs") for _ in range(2))
    without = walked(run_root=tmp_path / "runs", search={"cache": 0})
    assert first.fingerprints() == again.fingerprints() == without.fingerprints()
    spans = len(first.windows)
    assert [one.summary["reused"]["trials"] for one in (first, again, without)] == [0, 2 * spans, 0]
    assert again.summary["bars_swept"] == 200 * spans
    assert [len(one.failures) for one in (first, again)] == [1, 1]
    # All three have looked, whoever computed.
    assert [one.summary["tried"]["trials"] for one in (first, again, without)] == [3 * spans, 6 * spans, 9 * spans]
    kept = json.loads((tmp_path / "runs" / "ledger.jsonl").read_text().splitlines()[-1])
    assert (kept["kind"], kept["trials"]) == ("ENDED", 3 * spans)
