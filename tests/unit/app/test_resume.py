"""Going on with a run: whatever stopped it, the result is that of a run that nothing stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.launch import main
from admf_ray.workflow.lock import RunLock

STUDIES = [
    "+experiment=walkforward",
    "search=tpe",
    "search.trials=60",
    "windows.train=2y",
    "cluster=serial",
    "report=none",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Fingerprints of the run that nothing stops."""
    root = tmp_path_factory.mktemp("whole")
    assert main([*STUDIES, f"run_root={root}"]) == 0
    return admf_ray.load_run(root / "latest").fingerprints()


@contextmanager
def running(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the run in a process of its own, and give it once two of its studies are done."""
    command = [sys.executable, "-m", "admf_ray.launch", *STUDIES, f"run_root={root}", "run_name=stopped"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        while len(list(root.glob("stopped/phases/discovery/chunks/study-*.npz"))) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def resume(root: Path, *options: str) -> int:
    return main(["+experiment=resume", f"run={root / 'stopped'}", "cluster=serial", "report=none", *options])


def test_a_driver_that_was_killed_is_gone_on_with(
    tmp_path: Path, whole: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as process:
        assert resume(tmp_path) == 2
        assert f"run: process {process.pid} works on" in capsys.readouterr().err
        process.kill()
        process.wait()
    # Chunks that were being removed.
    (tmp_path / "stopped" / "phases" / "discovery" / ".chunks.partial" / "best").mkdir(parents=True)
    # A line that was being written, and a file that was not renamed yet.
    with (tmp_path / "stopped" / "progress.jsonl").open("a") as progress:
        progress.write('{"kind": "CHU')
    (tmp_path / "stopped" / "phases" / "discovery" / "chunks" / ".study-00009.npz.partial").write_bytes(b"torn")
    assert resume(tmp_path, "seed=7") == 1
    assert "seed is 7, was 0" in capsys.readouterr().err
    assert resume(tmp_path) == 0
    assert " sets were there" in capsys.readouterr().out
    assert admf_ray.load_run(tmp_path / "stopped").fingerprints() == whole
    assert list((tmp_path / "stopped").rglob(".*")) == []
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "stopped" / "progress.jsonl").read_text().splitlines()]
    assert kinds.count("PHASE") == 2
    assert "KEPT" in kinds
    # It has looked from its first beginning on, and is one run.
    ledger = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["run"]) for line in ledger] == [("BEGUN", "stopped"), ("ENDED", "stopped")]
    assert admf_ray.load_run(tmp_path / "stopped").summary["tried"]["runs"] == 1
    assert resume(tmp_path) == 2
    assert "is finished" in capsys.readouterr().err


def test_a_signal_stops_and_says_how_to_go_on(tmp_path: Path, whole: dict[str, str]) -> None:
    with running(tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said.decode()
    run = tmp_path / "stopped"
    assert said.decode().splitlines()[-1] == f"go on with: python -m admf_ray.launch +experiment=resume run={run}"
    assert json.loads((run / "status.json").read_text())["state"] == "interrupted"
    assert resume(tmp_path) == 0
    assert admf_ray.load_run(run).fingerprints() == whole
    assert json.loads((run / "status.json").read_text())["state"] == "completed"


def test_an_interrupt_that_something_else_hides_is_one(sp500: admf_ray.Bars, tmp_path: Path) -> None:
    def cleans_up_twice(kind: str, record: object) -> None:
        if kind == "CHUNK":
            try:
                raise KeyboardInterrupt
            finally:
                raise FileNotFoundError("it is gone")

    space, run = {"fast": [5, 10], "slow": [50]}, tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt) as stopped:
        admf_ray.sweep(sp500, "sma_cross", space, run_root=tmp_path, run_name="stopped", observer=cleans_up_twice)
    assert stopped.value.__notes__ == [f"go on with: python -m admf_ray.launch +experiment=resume run={run}"]
    assert json.loads((run / "status.json").read_text())["state"] == "interrupted"


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A sweep as it is when its driver ends before the summary is written."""
    options = ["strategy.space.fast=[5,10,20]", "strategy.space.slow=[50,100]", "cluster=serial", "report=none"]
    assert main(["+experiment=sweep", *options, f"run_root={tmp_path}", "run_name=stopped"]) == 0
    (tmp_path / "stopped" / "summary.json").unlink()
    return tmp_path


def test_what_a_run_was_made_from_must_not_have_changed(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stopped / "stopped" / "manifest.json"
    manifest = json.loads(path.read_text())
    for part, value in (("code", {"sha256": "other"}), ("data", {**manifest["data"], "fingerprint": "other"})):
        path.write_text(json.dumps({**manifest, part: value}))
        assert resume(stopped) == 1
        assert f"{part} has changed" in capsys.readouterr().err
    path.write_text(json.dumps({**manifest, "packages": {**manifest["packages"], "numpy": "0.1"}}))
    assert resume(stopped) == 1
    assert "packages is " in capsys.readouterr().err
    assert resume(stopped, "force=true") == 0
    forced = (stopped / "stopped" / "forced.txt").read_text()
    assert forced.startswith("packages is ")
    said = f"forced: {forced.strip()}"
    assert admf_ray.load_run(stopped / "stopped").summary["warnings"][-1] == said
    # Chunks of another make are none that other runs may have, nor does it take theirs.
    progress = [json.loads(line) for line in (stopped / "stopped" / "progress.jsonl").read_text().splitlines()]
    again = progress[[line["kind"] for line in progress].index("RECOVERY") :]
    assert again[0]["actions"] == [said]
    assert "KEPT" not in [line["kind"] for line in again]


@pytest.mark.parametrize("symbols", [[], ["A", "B"]], ids=["one", "two"])
def test_a_file_without_a_symbol_of_its_own_is_still_the_same(tmp_path: Path, symbols: list[str]) -> None:
    days = np.datetime_as_string(np.arange(np.datetime64("2001-01-01"), np.datetime64("2001-12-01")), unit="D")
    closes = pl.Series(100 + 10 * np.sin(np.arange(len(days)) / 20))
    frame = pl.DataFrame({"date": days} | dict.fromkeys(("open", "high", "low", "close"), closes))
    if symbols:
        frame = pl.concat([frame.with_columns(pl.lit(symbol).alias("symbol")) for symbol in symbols])
    frame.write_csv(tmp_path / "mine.csv")
    data = ["data=csv", f"data.path={tmp_path / 'mine.csv'}", "data.periods_per_year=365"]
    space = ["strategy.space.fast=[5,10]", "strategy.space.slow=[50]", "cluster=serial", "report=none"]
    assert main(["+experiment=sweep", *data, *space, f"run_root={tmp_path}", "run_name=stopped"]) == 0
    before = admf_ray.load_run(tmp_path / "stopped").fingerprints()
    (tmp_path / "stopped" / "summary.json").unlink()
    assert resume(tmp_path) == 0
    assert admf_ray.load_run(tmp_path / "stopped").fingerprints() == before


def test_only_a_run_that_was_begun_is_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=resume"]) == 2
    assert "run: which run?" in capsys.readouterr().err
    assert main(["+experiment=resume", f"run={tmp_path}"]) == 2
    assert "holds no run that was begun" in capsys.readouterr().err


def test_a_lock_is_free_when_its_owner_is_dead(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from admf_ray.workflow.lock import RunLock\n"
        "RunLock(pathlib.Path(sys.argv[1])).acquire()\n"
        "os._exit(9)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    assert subprocess.run(command, check=False).returncode == 9
    lock = RunLock(tmp_path / "lock")
    lock.acquire()
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()
    lock.release()


def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(tmp_path: Path) -> None:
    """No file may grow beyond 20 KB, as on a disk without room: the chunks do not fit."""
    sweep = ["+experiment=sweep", "cluster=serial", "report=none", "search.cache=0", f"run_root={tmp_path}"]
    assert main([*sweep, "run_name=whole"]) == 0
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
    code = f"{limit}from admf_ray.launch import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, *sweep, "run_name=stopped"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    error, how = done.stderr.splitlines()[-2:]
    assert "File too large" in error
    assert how == f"go on with: python -m admf_ray.launch +experiment=resume run={tmp_path / 'stopped'}"
    assert resume(tmp_path) == 0
    assert (
        admf_ray.load_run(tmp_path / "stopped").fingerprints() == admf_ray.load_run(tmp_path / "whole").fingerprints()
    )
