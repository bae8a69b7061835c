"""Trials in files: what is recorded does not change what is found."""

import gc

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.optimize import BEST
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow import RunResult
from tests.series import daily_bars

SPACE = {"fast": {"low": 2, "high": 245}, "slow": {"low": 3, "high": 246}}
SETS = 245 * 244 // 2
WINDOWS = {"train": "300b", "test": "60b", "align": "none"}
RECORDED = ("window", "candidate", "status", "objective", "calmar", "sharpe", "trades")


def walked(record: str, windows=WINDOWS, **options) -> RunResult:
    bars = daily_bars(100.0 * np.exp(np.cumsum(np.random.default_rng(7).normal(0.0, 0.01, 500))))
    search = {"record": record, "objective": "calmar", "min_trades": 2}
    return admf_ray.walk_forward(bars, "sma_cross", SPACE, windows=windows, search=search, **options)


@pytest.fixture(scope="module")
def full() -> RunResult:
    return walked("all")


@pytest.fixture(scope="module")
def short() -> RunResult:
    return walked("objective")


def test_the_objective_alone_chooses_the_same_winners(full: RunResult, short: RunResult) -> None:
    assert len(full.candidates) == SETS
    assert len(full.windows) == 3
    assert short.summary["record"] == "objective"
    apart = ("candidates", "windows", "equity", "fills", "trades")
    assert {name: full.fingerprints()[name] for name in apart} == {name: short.fingerprints()[name] for name in apart}


def test_what_is_recorded_of_all_trials_is_the_same(full: RunResult, short: RunResult) -> None:
    assert full.trials.columns == short.trials.columns
    assert full.trials.schema == short.trials.schema
    assert full.trials.select(RECORDED).equals(short.trials.select(RECORDED))
    assert sum(full.trials.null_count().row(0)) == 0
    assert full.trials["status"].n_unique() > 1


def test_the_best_of_each_window_have_every_metric_and_others_have_none_but_the_recorded(full, short) -> None:
    for (window,), trials in full.trials.group_by("window"):
        could_win = trials.filter(pl.col("status") == "complete")
        best = could_win.sort(["objective", "candidate"], descending=[True, False]).head(BEST).sort("candidate")
        assert len(best) == BEST
        found = short.trials.filter(pl.col("window") == window)
        known = found.filter(pl.col("cagr").is_not_null())
        assert known.equals(best)
        others = found.filter(pl.col("cagr").is_null()).select(set(METRICS) - set(RECORDED))
        assert len(others) == SETS - BEST
        assert set(others.null_count().row(0)) == {len(others)}


@pytest.mark.parametrize("record", ["all", "objective"])
def test_the_size_of_the_chunks_changes_nothing(full: RunResult, short: RunResult, record: str) -> None:
    again = walked(record, cluster={"kind": "serial", "chunk_seconds": 4e-3})
    assert len(again.timings) > 2 * len(full.timings)
    assert again.fingerprints() == (full if record == "all" else short).fingerprints()


def test_chunks_are_gone_when_the_table_is_there_and_the_table_with_the_result(tmp_path) -> None:
    found = walked("objective", run_root=str(tmp_path))
    assert not list(found.directory.rglob("chunks"))
    in_memory = walked("objective")
    folder = in_memory.tables.stored["trials"].path.parent
    assert {path.name for path in folder.iterdir()} == {"candidates.parquet", "trials.parquet"}
    assert in_memory.fingerprints() == found.fingerprints()
    del in_memory
    gc.collect()
    assert not folder.exists()


def test_a_million_trials_and_more_say_that_only_the_objective_of_all_is_recorded(tmp_path) -> None:
    found = walked("all", windows={"train": "60b", "test": "12b", "align": "none"}, run_root=str(tmp_path))
    trials = SETS * len(found.windows)
    assert trials > 1_000_000
    assert found.summary["record"] == "objective"
    warning = f"search.record=objective: {trials:,} trials are more than 1,000,000"
    assert [line for line in found.summary["warnings"] if line.startswith(warning)]
    assert found.trials["cagr"].null_count() >= trials - BEST * len(found.windows)
    assert (found.directory / "report.html").stat().st_size < 6_000_000
