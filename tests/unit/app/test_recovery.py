"""Going on with a run in which candidates failed: they stay failed, unless they are forced."""

import json
from pathlib import Path

import polars as pl
import pytest

import admf_ray
from admf_ray.launch import main

SOURCE = """
from pathlib import Path

from admf_ray.plugins import Parameter, strategy


@strategy(parameters=(Parameter("lag", 2, 1, 400),))
def failing(view):
    lag = view.params.lag
    if view.bar == 50 and lag == 2:
        with Path({marks!r}).open("a") as file:
            file.write("tried\\n")
        return 1 / 0
    if view.bar == 50 and lag == 4 and Path({stop!r}).exists():
        raise KeyboardInterrupt
    return None if view.bar < lag else view.close[-1] > view.close[-1 - lag]
"""


def begin(root: Path, *search: str) -> int:
    """Run a search with a candidate that fails, and one at which it is interrupted while there is a file ``stop``."""
    (root / "failing.py").write_text(SOURCE.format(marks=str(root / "marks"), stop=str(root / "stop")))
    options = [
        *("data=synthetic", "data.synthetic={bars: 200}", "cluster=serial", "report=none"),
        *(f"plugins=[{root / 'failing.py'}]", "strategy=custom", "strategy.name=failing"),
        *(f"run_root={root}", "run_name=stopped", *search),
    ]
    return main(["+experiment=sweep", *options])


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A sweep of a grid, as it is when its driver ends before the summary is written."""
    assert begin(tmp_path, "strategy.space.lag=[1,2,3,4]") == 0
    (tmp_path / "stopped" / "summary.json").unlink()
    return tmp_path


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """A study that was interrupted at its third set, the first of which failed."""
    (tmp_path / "stop").touch()
    study = ["search=tpe", "search.trials=4", "search.batch=1", "strategy.space.lag={low: 1, high: 9}"]
    assert begin(tmp_path, *study, "search.points=[{lag: 2}, {lag: 3}, {lag: 4}]") == 130
    (tmp_path / "stop").unlink()
    return tmp_path


def tries(root: Path) -> int:
    return len((root / "marks").read_text().splitlines())


def resume(root: Path, *options: str) -> Path:
    assert main(["+experiment=resume", f"run={root / 'stopped'}", "cluster=serial", "report=none", *options]) == 0
    return root / "stopped"


def test_what_failed_is_recorded_again_with_its_cause_and_not_run(stopped: Path, capsys) -> None:
    path = stopped / "stopped" / "phases" / "discovery"
    failures, trials = pl.read_parquet(path / "failures.parquet"), pl.read_parquet(path / "trials.parquet")
    (path / "failures.parquet").unlink()
    before = tries(stopped)
    run = resume(stopped)
    assert tries(stopped) == before > 0
    assert pl.read_parquet(path / "failures.parquet").equals(failures)
    assert failures["error"].to_list() == ["ZeroDivisionError"]
    assert pl.read_parquet(path / "trials.parquet").equals(trials)
    shown = "ZeroDivisionError: 1 candidates stay failed, force=true tries them again: 1"
    assert f"recovery: {shown}" in capsys.readouterr().out
    assert json.loads((run / "recovery.json").read_text()) == {
        "faults": {"user_error": 3},
        "actions": [shown],
        "chunk_seconds": 0.5,
        "chunk_timeout": 3600.0,
        "quarantined": [1],
        "forced": False,
    }
    assert shown in (run / "run.log").read_text()
    assert admf_ray.load_run(run).summary["causes"][0]["count"] == 1


def test_force_tries_it_again(stopped: Path) -> None:
    before = tries(stopped)
    run = resume(stopped, "force=true")
    assert tries(stopped) > before
    assert json.loads((run / "recovery.json").read_text())["quarantined"] == []


def test_sets_of_studies_stay_failed(interrupted: Path, capsys) -> None:
    before = tries(interrupted)
    run = resume(interrupted)
    assert tries(interrupted) == before == 1
    assert "recovery: 1 sets of studies stay failed, force=true tries them again" in capsys.readouterr().out
    assert pl.read_parquet(run / "phases/discovery/trials.parquet")["status"].to_list().count("failed") == 1


def test_force_tries_sets_of_studies_again(interrupted: Path, capsys) -> None:
    run = resume(interrupted, "force=true")
    assert tries(interrupted) == 2
    assert "recovery: force=true: 1 candidates that failed before are tried again" in capsys.readouterr().out
    assert pl.read_parquet(run / "phases/discovery/failures.parquet")["error"].to_list() == ["ZeroDivisionError"]


def test_chunks_take_less_time_where_memory_ran_out_and_more_where_time_did(stopped: Path, capsys) -> None:
    with (stopped / "stopped" / "progress.jsonl").open("a") as progress:
        for kind in ("out_of_memory", "timed_out"):
            progress.write(json.dumps({"kind": "FAULT", "chunk": [2, 4], "fault": kind}) + "\n")
    run = resume(stopped, "cluster.chunk_seconds=2", "cluster.chunk_timeout=100")
    shown = capsys.readouterr().out
    assert "recovery: memory ran out: cluster.chunk_seconds is 1 in place of 2" in shown
    assert "recovery: time ran out: cluster.chunk_timeout is 200 s in place of 100 s" in shown
    found = json.loads((run / "recovery.json").read_text())
    assert (found["chunk_seconds"], found["chunk_timeout"]) == (1.0, 200.0)
