"""The log of a run, JSON on the terminal, and one line for each cause."""

import json
import logging
from pathlib import Path

import pytest

import admf_ray
from admf_ray.launch import main
from admf_ray.logs import LOGGER, file_log, plain

SMALL = ["strategy.space.fast=[10,20]", "strategy.space.slow=[50,100]", "cluster=serial", "report=none"]


def records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_is_all_that_the_terminal_gets(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=walkforward", *SMALL, "logging=json", "run_name=a"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    said = records(captured.out)
    assert all({"time", "level", "kind", "message"} <= set(record) for record in said)
    kinds = [record["kind"] for record in said]
    assert kinds[0] == "PHASE"
    assert kinds.count("TEST_WINDOW") == 16
    assert "CHUNK" not in kinds
    progress = next(record for record in said if record["kind"] == "PROGRESS")
    assert (progress["done"], progress["of"]) == (4, 4)
    assert progress["sets_per_second"] > 0
    run = said[-1]
    assert run["directory"] == str(elsewhere / "runs/a")
    assert run["summary"]["out_of_sample"] == admf_ray.load_run("runs/a").summary["out_of_sample"]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["+experiment=check_data", "data=synthetic"], "DATA"),
        (["+experiment=fingerprint", "run=runs/a"], "FINGERPRINT"),
        (["+experiment=report", "run=runs/a"], "REPORT"),
        (["+experiment=compare", "runs=[runs/a,runs/a]"], "COMPARISON"),
        (["+experiment=components"], "COMPONENTS"),
    ],
)
def test_commands_that_look_say_what_they_saw_as_json(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], kind: str
) -> None:
    assert main(["+experiment=backtest", "run_name=a", "report=none", "logging=json"]) == 0
    capsys.readouterr()
    assert main([*arguments, "logging=json"]) == 0
    assert kind in {record["kind"] for record in records(capsys.readouterr().out)}


def test_the_log_file_says_each_cause_once_with_a_count(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=walkforward", *SMALL, "search.min_trades=999", "run_name=a"]) == 0
    log = (elsewhere / "runs/a/run.log").read_text()
    assert log.count("few") == log.count("fewer") == 1
    assert "WARNING 64 of 64 trials made fewer trades than search.min_trades and could not win" in log
    assert "WARNING 16 of 16 windows were spent in cash: no candidate could win" in log
    assert "note: 64 of 64 trials made fewer trades" in capsys.readouterr().out
    # A line for each phase, window and cause; none for bars.
    assert len(log.splitlines()) < 50


def test_detail_is_logged_on_request(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert main(["+experiment=walkforward", *SMALL, "run_name=a"]) == 0
    assert " DEBUG   CHUNK " in (elsewhere / "runs/a/run.log").read_text()
    assert "level: DEBUG" in (elsewhere / "runs/a/config.yaml").read_text()


def test_the_log_file_rotates(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FILE_ROTATION", "1000")
    assert main(["+experiment=walkforward", *SMALL, "run_name=a", "logging.kept=2"]) == 0
    logs = sorted(path.name for path in (elsewhere / "runs/a").glob("run.log*"))
    assert logs == ["run.log", "run.log.1", "run.log.2"]
    assert all((elsewhere / "runs/a" / name).stat().st_size <= 1_000 for name in logs)


def test_wrong_environment_is_refused_like_a_wrong_option(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    assert main(["+experiment=backtest"]) == 2
    assert "logging.level: 'LOUD' is not allowed; allowed: 'DEBUG', 'INFO'" in capsys.readouterr().err


def test_handlers_are_gone_after_the_run(tmp_path: Path) -> None:
    before = list(LOGGER.handlers)
    with file_log(tmp_path / "x.log", "INFO", 1_000, 1):
        assert len(LOGGER.handlers) == len(before) + 1
    assert LOGGER.handlers == before
    assert isinstance(before[0], logging.NullHandler)


def test_numbers_that_json_cannot_say_become_null() -> None:
    assert plain({"a": [float("nan"), (float("inf"), 1.5)], 3: "x"}) == {"a": [None, [None, 1.5]], "3": "x"}
