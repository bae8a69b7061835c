"""The option search.storage: checked before anything runs, shown without passwords, chosen anew by who goes on."""

from pathlib import Path

import optuna
import pytest

import admf_ray
from admf_ray.app.parsing import parse_settings
from admf_ray.launch import main
from admf_ray.optimize.place import HIDDEN

SWEEP = ["+experiment=sweep", "search=tpe", "search.trials=4", "cluster=serial", "report=none", "span.stop=2001-01-01"]
URL = "postgresql+psycopg2://ann:secret@127.0.0.1:1/studies"


def test_an_unreachable_database_is_refused_before_there_is_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SWEEP, f"run_root={tmp_path / 'runs'}", f"search.storage={URL}"]) == 2
    said = capsys.readouterr().err
    assert f"search.storage: '{URL.replace('secret', HIDDEN)}' cannot be opened" in said
    assert "secret" not in said
    assert not (tmp_path / "runs").exists()


def test_passwords_are_not_kept() -> None:
    settings = parse_settings({"experiment": "sweep", "search": {"storage": URL}})
    assert settings.search.storage == URL
    assert "secret" not in str(settings.plain())


def test_a_grid_has_no_study_and_needs_no_storage(tmp_path: Path) -> None:
    grid = ["+experiment=sweep", "strategy.space.fast=[5,10]", "strategy.space.slow=[50]", *SWEEP[3:]]
    assert main([*grid, f"run_root={tmp_path}", f"search.storage={URL}", "run_name=grid"]) == 0
    run = tmp_path / "grid"
    assert "secret" not in (run / "config.yaml").read_text()
    assert not list((run / "phases").rglob("*.journal"))
    (run / "summary.json").unlink()
    resume = ["+experiment=resume", f"run={run}", "report=none", f"search.storage={URL}", "seed=5", "force=true"]
    assert main(resume) == 0
    assert "seed: 5" in (run / "config.yaml").read_text()
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"secret" in path.read_bytes()] == []


def test_what_now_keeps_its_study_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walk = ["+experiment=walkforward", *SWEEP[1:-1], "windows.train=8y", "windows.test=10y"]
    assert main([*walk, f"run_root={tmp_path}", "run_name=run"]) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    # Neither the journal of the run nor a database that was given with a password.
    assert main(["+experiment=today", f"run={tmp_path / 'run'}", "cluster=serial"]) == 0
    assert main(["+experiment=today", f"run={tmp_path / 'run'}", "cluster=serial", f"search.storage={URL}"]) == 0
    assert "out of 4" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_whoever_goes_on_with_a_run_can_name_another_place(tmp_path: Path) -> None:
    assert main([*SWEEP, f"run_root={tmp_path}", "run_name=stopped"]) == 0
    run = tmp_path / "stopped"
    expected = admf_ray.load_run(run).fingerprints()
    assert (run / "phases" / "discovery" / "optuna.journal").is_file()
    # As it is when a driver ends before the summary is written, by somebody who used a database with a password.
    (run / "summary.json").unlink()
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("storage: journal", f"storage: {URL.replace('secret', HIDDEN)}"))
    resume = ["+experiment=resume", f"run={run}", "cluster=serial", "report=none"]
    assert main(resume) == 2
    place = f"sqlite:///{tmp_path / 'studies.db'}"
    assert main([*resume, f"search.storage={place}"]) == 0
    assert admf_ray.load_run(run).fingerprints() == expected
    assert [one.n_trials >= 4 for one in optuna.study.get_all_study_summaries(place)] == [True]
