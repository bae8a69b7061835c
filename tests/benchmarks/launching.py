"""How long a user waits, in processes of their own."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from tests.benchmarks.harness import row


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


@row("import of the engine, kernels cached", "s", runs=5)
def importing() -> Callable[[], float]:
    """A worker's start, Python itself included."""
    return timed(["-c", "import admf_ray.engine.sweep"])
