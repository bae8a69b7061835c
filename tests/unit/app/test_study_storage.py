"""The option search.storage: checked before anything runs, shown without passwords, chosen anew by who goes on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import urlopen
from wsgiref.simple_server import make_server

import optuna
import optuna_dashboard
import polars as pl
import pytest

import admf_ray
from admf_ray.app.parsing import parse_settings
from admf_ray.launch import main
from admf_ray.optimize.place import HIDDEN

SWEEP = ["+experiment=sweep", "search=tpe", "search.trials=4", "cluster=serial", "report=none", "span.stop=2001-01-01"]
URL = "postgresql+psycopg2://ann:secret@127.0.0.1:1/studies"


@contextmanager
def dashboard(journal: Path) -> Iterator[str]:
    """Serve it as the command ``optuna-dashboard`` does; give the address."""
    with make_server("127.0.0.1", 0, optuna_dashboard.wsgi(str(journal))) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def answer(url: str) -> Any:
    with urlopen(url) as response:
        return json.load(response)


def test_the_dashboard_of_optuna_shows_the_studies_of_a_run(tmp_path: Path) -> None:
    walk = ["+experiment=walkforward", *SWEEP[1:-1], "windows.train=8y", "windows.test=5y"]
    # None of these breaks the constraint fast < slow.
    ranges = ["strategy.space.fast={low: 2, high: 50}", "strategy.space.slow={low: 60, high: 250}"]
    assert main([*walk, *ranges, f"run_root={tmp_path}", "run_name=run"]) == 0
    found = admf_ray.load_run(tmp_path / "run")
    tables = found.tables["trials"].join(found.tables["candidates"], on="candidate")
    with dashboard(tmp_path / "run" / "phases" / "discovery" / "optuna.journal") as url:
        studies = answer(f"{url}/api/studies")["study_summaries"]
        details = [answer(f"{url}/api/studies/{one['study_id']}") for one in studies]
    assert [one["study_name"] for one in studies] == ["run-w00", "run-w01"]
    assert len(found.windows) == 2
    for window, detail in enumerate(details):
        expected = tables.filter(pl.col("window") == window).select("candidate", "fast", "slow", "objective").rows()
        shown = []
        for trial in detail["trials"]:
            (candidate,) = [int(one["value"]) for one in trial["user_attrs"] if one["key"] == "candidate"]
            params = {one["name"]: float(one["param_external_value"]) for one in trial["params"]}
            shown.append((candidate, params["fast"], params["slow"], *trial["values"]))
        assert len(shown) == 4
        assert shown == expected
        (best,) = detail["best_trials"]
        assert best["number"] == max(range(4), key=lambda number: expected[number][-1])


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
