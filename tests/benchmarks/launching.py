"""How long a user waits, in processes of their own."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import psutil

from tests.benchmarks.harness import row

MILLION = [
    "+experiment=walkforward",
    "cluster.workers=2",
    "windows.align=none",
    "strategy.space.fast={low: 2, high: 1415}",
    "strategy.space.slow={low: 3, high: 1416}",
    "search.record=objective",
]
"""1,000,405 sets with fast < slow, 15 windows."""


def timed(arguments: list[str]) -> Callable[[], float]:
    """Time a process; the first, uncounted one leaves the kernels compiled."""

    def once() -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, check=True)
            return time.perf_counter() - began

    once()
    return once


@row("walk-forward of the README, 2 workers, whole process", "s", runs=5, bar=20.0)
def walk_forward() -> Callable[[], float]:
    """4,950 sets, 16 windows, Ray started and stopped."""
    return timed(["-m", "admf_ray.launch", "+experiment=walkforward", "cluster.workers=2"])


@row("walk-forward of the README, serial, whole process", "s", runs=5)
def serial() -> Callable[[], float]:
    """The same without Ray."""
    return timed(["-m", "admf_ray.launch", "+experiment=walkforward", "cluster=serial"])


@row("walk-forward of a million sets, 2 workers, whole process", "s", runs=3, bar=60.0)
def million() -> Callable[[], float]:
    """15 windows, objectives recorded, page and fingerprints written."""
    return timed(["-m", "admf_ray.launch", *MILLION])


@row("walk-forward of a million sets, peak memory of the driver", "GB", runs=1, bar=1.5)
def million_memory() -> Callable[[], float]:
    """Resident size, shared pages included, of the launching process alone: looked at 50 times a second."""

    def once() -> float:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "admf_ray.launch", *MILLION]
            driver = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
            seen, peak = psutil.Process(driver.pid), 0
            while driver.poll() is None:
                with contextlib.suppress(psutil.Error):
                    peak = max(peak, seen.memory_info().rss)
                time.sleep(0.02)
            if driver.returncode:
                raise subprocess.CalledProcessError(driver.returncode, command)
            return peak / 1e9

    return once


@row("import of the engine, kernels cached", "s", runs=5)
def importing() -> Callable[[], float]:
    """A worker's start, Python itself included."""
    return timed(["-c", "import admf_ray.engine.sweep"])
