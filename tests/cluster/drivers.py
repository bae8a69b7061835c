"""Drivers in processes of their own, killed at chosen points, and what is left of them."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import admf_ray

STAGES = ("start", "plan", "search", "tests", "writing")
"""Of a driver's life: before its phase; before the first chunk; while chunks come back; windows tested; the rest."""

NAME = "stopped"


@dataclass(frozen=True)
class Result:
    """What must be the same whatever happened: fingerprints of the tables, and texts of ``best/*.yaml``."""

    tables: dict[str, str]
    best: dict[str, str]


def result(root: Path) -> Result:
    """Read the run; nothing that was being written may be left in it."""
    run = root / NAME
    assert list(run.rglob(".*")) == []
    tables = admf_ray.load_run(run).fingerprints()
    assert set(tables) == {"candidates", "trials", "windows", "equity", "fills", "trades"}
    return Result(tables, {path.name: path.read_text().replace(str(root), "") for path in run.glob("best/*.yaml")})


@dataclass(frozen=True)
class Case:
    """A walk-forward and where it is computed.

    Attributes
    ----------
    search, place : sequence of str
        Options.
    """

    search: Sequence[str]
    place: Sequence[str]

    def command(self, root: Path) -> list[str]:
        """Give the command that begins the run, or goes on with it where it was begun."""
        run = root / NAME
        options = ["+experiment=walkforward", *self.search, f"run_root={root}", f"run_name={NAME}"]
        if (run / "manifest.json").exists():
            options = ["+experiment=resume", f"run={run}"]
        return [sys.executable, "-m", "admf_ray.launch", *options, *self.place]

    @contextmanager
    def running(self, root: Path) -> Iterator["Driver"]:
        """Start a driver; end it where it has not ended."""
        records = _records(root)
        with subprocess.Popen(
            self.command(root), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Driver(process, root, len(records))
            finally:
                process.kill()

    def finish(self, root: Path) -> Result:
        """Run to the end."""
        with self.running(root) as driver:
            _, said = driver.process.communicate()
            assert driver.process.returncode == 0, said
        return result(root)


@dataclass
class Driver:
    """A driver that runs.

    Attributes
    ----------
    process : subprocess.Popen
    root : Path
    seen : int
        Records of progress that were there before.
    """

    process: "subprocess.Popen[Any]"
    root: Path
    seen: int
    began: float = field(default_factory=time.time)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def wait_for(self, reached: Callable[[list[str]], bool]) -> None:
        """Wait until the kinds of its records satisfy a condition, or it has ended."""
        while self.is_running() and not reached(self.kinds()):
            time.sleep(0.002)

    def records(self) -> list[dict[str, Any]]:
        """Give its own records of progress."""
        return _records(self.root)[self.seen :]

    def kinds(self) -> list[str]:
        return [record["kind"] for record in self.records()]

    def kill(self) -> list[psutil.Process] | None:
        """Kill it; give the processes that it leaves, None where it had ended by itself."""
        left = []
        with contextlib.suppress(psutil.NoSuchProcess):
            left = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        return left if self.process.wait() == -9 else None


def _records(root: Path) -> list[dict[str, Any]]:
    """Give the records of progress that are whole."""
    path = root / NAME / "progress.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


@dataclass(frozen=True)
class Course:
    """How a driver goes that nobody disturbs: seconds of its stages, and how many records they have."""

    seconds: dict[str, float]
    chunks: int
    windows: int

    @classmethod
    def of(cls, case: Case, root: Path) -> tuple["Course", Result]:
        """Run to the end and take the time."""
        began = time.time()
        found = case.finish(root)
        ended, records = time.time(), _records(root)

        def first(kind: str) -> float:
            record = next(record for record in records if record["kind"] == kind)
            return datetime.fromisoformat(record["at"]).timestamp()

        edges = [began, first("PHASE"), first("CHUNK"), first("NEXT_WINDOW"), first("WALK_FORWARD_SUMMARY"), ended]
        kinds = [record["kind"] for record in records]
        seconds = dict(zip(STAGES, np.diff(edges).tolist(), strict=True))
        return cls(seconds, kinds.count("CHUNK"), kinds.count("NEXT_WINDOW")), found

    def kill(self, driver: Driver, stage: str, random: np.random.Generator) -> list[psutil.Process] | None:
        """Kill a driver at a random point of a stage; see `Driver.kill`."""
        match stage:
            case "plan":
                driver.wait_for(lambda kinds: "PHASE" in kinds)
            case "search":
                # Those that an earlier driver has computed do not come again: then at the end of the stage.
                chunks = int(random.integers(1, self.chunks, endpoint=True))
                driver.wait_for(lambda kinds: kinds.count("CHUNK") >= chunks or "NEXT_WINDOW" in kinds)
            case "tests":
                windows = int(random.integers(1, self.windows, endpoint=True))
                driver.wait_for(lambda kinds: kinds.count("NEXT_WINDOW") >= windows)
            case "writing":
                driver.wait_for(lambda kinds: "WALK_FORWARD_SUMMARY" in kinds)
        inside = {"search": self.seconds["search"] / self.chunks, "tests": self.seconds["tests"] / self.windows}
        time.sleep(float(random.random()) * inside.get(stage, self.seconds[stage]))
        return driver.kill()


def _outliving(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Give those that have not ended after three minutes: an agent that Ray was just starting looks about it rarely."""
    ends = time.monotonic() + 180
    while (alive := [process for process in processes if _is_alive(process)]) and time.monotonic() < ends:
        time.sleep(0.1)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    """Say whether a process has not ended; whoever inherits it may take long to bury it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def survive(
    case: Case, course: Course, root: Path, stages: Sequence[str], random: np.random.Generator
) -> tuple[Result, list[str]]:
    """Kill the driver of a run once in each of some stages, let the run go on after each, and to its end.

    Returns
    -------
    result : Result
    hit : list of str
        Stages in which a living driver was killed.
    """
    hit, left = list[str](), list[psutil.Process]()
    for stage in stages:
        if (root / NAME / "summary.json").exists():
            break
        with case.running(root) as driver:
            processes = course.kill(driver, stage, random)
        if processes is not None:
            hit.append(stage)
            left += processes
    is_finished = (root / NAME / "summary.json").exists()
    found = result(root) if is_finished else case.finish(root)
    assert (alive := _outliving(left)) == [], alive
    return found, hit
