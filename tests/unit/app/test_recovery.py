"""Going on with a run in which candidates failed: they stay failed, unless they are forced."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

import admf_ray
from admf_ray._types import Executor
from admf_ray.app.configuration import plain_config
from admf_ray.app.parsing import parse_settings
from admf_ray.app.running import run_search
from admf_ray.launch import main
from admf_ray.workflow import PhaseResult
from admf_ray.workflow.ledger import Effort
from admf_ray.workflow.lock import RunLock
from admf_ray.workflow.recovery import Recovery

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
    if view.bar == 150 and Path({late!r}).exists():
        raise KeyboardInterrupt
    return None if view.bar < lag else view.close[-1] > view.close[-1 - lag]
"""


def begin(root: Path, *search: str, experiment: str = "sweep") -> int:
    """Run a search with a candidate that fails, and with files ``stop`` and ``late`` some that interrupt it."""
    files = {name: str(root / name) for name in ("marks", "stop", "late")}
    (root / "failing.py").write_text(SOURCE.format(**files))
    options = [
        *("data=synthetic", "data.synthetic={bars: 200}", "cluster=serial", "report=none"),
        *(f"plugins=[{root / 'failing.py'}]", "strategy=custom", "strategy.name=failing"),
        *(f"run_root={root}", "run_name=stopped", *search),
    ]
    return main([f"+experiment={experiment}", *options])


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


def test_what_was_forced_is_what_is_gone_on_with(interrupted: Path, capsys) -> None:
    run, command = interrupted / "stopped", ["+experiment=resume", f"run={interrupted / 'stopped'}", "report=none"]
    begun = (run / "config.yaml").read_text()
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "python": "2.7"}))
    with (run / "progress.jsonl").open("a") as progress:
        progress.write(json.dumps({"kind": "FAULT", "chunk": {"window": 0}, "fault": "out_of_memory"}) + "\n")
    (interrupted / "stop").touch()
    assert main([*command, "seed=5", "force=true"]) == 130
    assert main([*command, "strategy.space.lag.high=8", "force=true"]) == 130
    (interrupted / "stop").unlink()
    capsys.readouterr()
    assert main([*command, "seed=6"]) == 1
    refused = "run: 'stopped' was begun with something else: seed is 6, was 5; allowed: the same again"
    assert refused in " ".join(capsys.readouterr().err.split())
    assert main(command) == 0
    forced = ["seed is 5, was 0", f"python is {manifest['python']}, was 2.7", "strategy.space.lag.high is 8.0, was 9.0"]
    assert (run / "forced.txt").read_text().splitlines() == forced
    warnings = [f"forced: {line}" for line in forced]
    assert admf_ray.load_run(run).summary["warnings"][-3:] == warnings
    said = capsys.readouterr().out
    assert all(f"warning: {line}" in said for line in warnings)
    assert (run / "config-1.yaml").read_text() == begun
    texts = [(run / name).read_text() for name in ("config-1.yaml", "config-2.yaml", "config.yaml")]
    configs = [plain_config(text, run) for text in texts]
    assert [(one["seed"], one["strategy"]["space"]["lag"]["high"]) for one in configs] == [(0, 9.0), (5, 9.0), (5, 8.0)]
    # Once for the one attempt in which memory ran out, however often it is gone on with.
    assert json.loads((run / "recovery.json").read_text())["chunk_seconds"] == 0.25
    # The sets that were kept are of the points, which do not depend on the seed.
    study = ["search=tpe", "search.trials=4", "search.batch=1", "strategy.space.lag={low: 1, high: 8}"]
    assert begin(interrupted, *study, "search.points=[{lag: 2}, {lag: 3}, {lag: 4}]", "seed=5", "run_name=fresh") == 0
    fresh = admf_ray.load_run(interrupted / "fresh").fingerprints()
    assert admf_ray.load_run(run).fingerprints() == fresh


def test_whoever_forces_a_run_that_somebody_works_on_leaves_it_as_it_is(interrupted: Path, capsys) -> None:
    owner = RunLock(interrupted / "stopped" / "lock")
    owner.acquire()
    before = {path: path.read_bytes() for path in interrupted.rglob("*") if path.is_file()}
    command = ["+experiment=resume", f"run={interrupted / 'stopped'}", "report=none", "seed=5", "force=true"]
    assert main(command) == 2
    assert f"run: process {os.getpid()} works on" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in interrupted.rglob("*") if path.is_file()} == before
    owner.release()
    assert main(command) == 0
    assert tries(interrupted) == 2


def test_what_is_forced_on_with_other_options_is_computed_anew(tmp_path: Path, capsys) -> None:
    windows = ["windows.train=100b", "windows.test=60b", "windows.align=none", "data.min_history_bars=0"]
    (tmp_path / "late").touch()
    # In the test of the winner: the sweep is done.
    assert begin(tmp_path, "strategy.space.lag=[1,3,4]", *windows, experiment="walkforward") == 130
    (tmp_path / "late").unlink()
    assert list((tmp_path / "stopped" / "phases" / "discovery" / "chunks").glob("*.parquet"))
    other = ["strategy.space.lag=[3,5,9]", "windows.train=80b"]
    run = resume(tmp_path, *other, "force=true")
    assert "recovery: options or data are others: all is computed anew" in capsys.readouterr().out
    (tmp_path / "fresh").mkdir()
    assert begin(tmp_path / "fresh", *windows, *other, experiment="walkforward") == 0
    assert admf_ray.load_run(run).fingerprints() == admf_ray.load_run(tmp_path / "fresh" / "stopped").fingerprints()


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


def test_chunks_are_as_large_as_the_recovery_plans_and_the_configuration_as_it_was() -> None:
    recovery = Recovery({"out_of_memory": 1}, chunk_seconds=0.25, chunk_timeout=7_200.0)
    settings = parse_settings({"experiment": "sweep", "cluster": {"kind": "serial"}, "recovery": recovery})
    seconds = []

    def phase(executor: Executor, observe: object, folder: Path) -> PhaseResult:
        seconds.append(executor.chunk_seconds)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(settings, admf_ray.load_bars("sp500"), [], None, "discovery", phase, Effort("any", 1, 1))
    assert seconds == [0.25]
    assert settings.plain()["cluster"]["chunk_seconds"] == 0.5
