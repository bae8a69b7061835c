"""What the README shows is run: its commands one after the other in one folder, its blocks of Python and YAML."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.launch import main

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()
COMMANDS = re.findall(r"^ {4}python -m admf_ray\.launch (.+)$", README, flags=re.MULTILINE)
BLOCKS = re.findall(r"```(python|yaml)\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader who does everything in order would be, with prices of their own."""
    folder = tmp_path_factory.mktemp("reader")
    bars = admf_ray.load_bars("sp500")
    fields = {name: getattr(bars, name)[0] for name in ("open", "high", "low", "close", "volume")}
    days = np.datetime_as_string(bars.known_at.astype("datetime64[ns]"), unit="D")
    pl.DataFrame({"date": days, **fields}).write_csv(folder / "prices.csv")
    (folder / "mine" / "experiment").mkdir(parents=True)
    for language, text in BLOCKS:
        if language == "yaml":
            (folder / "mine" / "experiment" / "short.yaml").write_text(text)
        elif "def momentum(" in text:
            (folder / "momentum.py").write_text(text)
        elif "class Trail" in text:
            (folder / "trail.py").write_text(text)
    return folder


def test_there_is_something_to_run() -> None:
    assert len(COMMANDS) >= 15
    assert [language for language, _ in BLOCKS] == ["yaml", "python", "python", "python", "python"]


@pytest.mark.parametrize("command", [*COMMANDS, "--config-dir mine +experiment=short"])
def test_every_command_ends_well(folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.chdir(folder)
    # Where a command leaves the executor open, the one that starts at once does; results are the same.
    anywhere = [] if "cluster" in command else ["cluster=serial"]
    assert main([*shlex.split(command), *anywhere]) == 0


def test_the_strategy_of_ones_own_has_about_twenty_lines() -> None:
    (plugin,) = [text for language, text in BLOCKS if language == "python" and "def momentum(" in text]
    assert len(plugin.strip().splitlines()) <= 22


def test_the_python_example_runs(folder: Path) -> None:
    (example,) = [text for language, text in BLOCKS if language == "python" and "import admf_ray\n" in text]
    assert len([line for line in example.splitlines() if line.strip()]) <= 12
    command = [sys.executable, "-c", example]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert "test_sharpe" in done.stdout


def test_the_example_of_events_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = [text for language, text in BLOCKS if language == "python" and "EventBus" in text]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("portfolio_1#1 sma_cross 1.0\n[<portfolio_1#1 Signal(")


def test_make_walkforward_runs_the_command_that_is_shown() -> None:
    # What an outer make was told is not what a reader types.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "VENV"}
    done = subprocess.run(
        ["make", "--dry-run", "walkforward"], cwd=REPOSITORY, capture_output=True, text=True, check=True, env=plain
    )
    shown = re.search(r"^ {4}(\.venv/bin/python -m admf_ray\.launch .+)$", README, flags=re.MULTILINE)[1]
    assert shown in done.stdout.splitlines()
    for target in re.findall(r"^ {4}make (\w+)", README, flags=re.MULTILINE):
        assert (
            subprocess.run(["make", "--dry-run", target], cwd=REPOSITORY, capture_output=True, check=False).returncode
            == 0
        )


def test_the_screen_that_is_shown_is_the_one_that_comes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of it but times, rates, memory, places and the windows that are left out."""
    assert main(["+experiment=walkforward", f"run_root={tmp_path}", "cluster.workers=2"]) == 0
    came = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    shown = re.search(r"left out here\):\n\n```\n(.*?)```", README, flags=re.DOTALL)[1].splitlines()
    measured = re.compile(r"sweep|resources:|run:|report:| \.\.\.$")
    lines = [line.rstrip() for line in shown if line.strip() and not measured.match(line)]
    assert [line for line in came if line in lines] == lines
    (resources,) = (line for line in shown if line.startswith("resources:"))
    kept = resources[: resources.index("(s)")]
    assert [line[: len(kept)] for line in came if line.startswith("resources:")] == [kept]


def test_every_file_of_a_run_is_described(folder: Path) -> None:
    run = folder / "runs" / "two"
    for path in run.rglob("*"):
        if path.is_file():
            relative = path.relative_to(run).as_posix()
            patterns = [
                re.sub(r"phases/[^/]+/", "phases/<phase>/", relative),
                re.sub(r"best/.*", "best/<variant>.yaml", relative),
                path.name,
            ]
            assert any(f"`{pattern}`" in README for pattern in patterns), relative


def test_relative_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target
