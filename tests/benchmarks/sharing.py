"""What runs on hosts to see how much memory of their own a shared array costs them."""

import time
from typing import Any

import psutil

from admf_ray.cluster.ray_executor import RayExecutor

HERE = "tests.benchmarks.sharing"


def idle(chunk: int, bundle: dict[str, Any]) -> tuple[int, int]:
    """Give process and private bytes."""
    time.sleep(0.5)
    return psutil.Process().pid, private_bytes()


def touch(chunk: int, bundle: dict[str, Any]) -> tuple[int, int]:
    """Read all of the matrix; give process and private bytes."""
    assert all(float(row.sum()) == float(row.sum()) for row in bundle["matrix"])
    time.sleep(0.5)
    return psutil.Process().pid, private_bytes()


def private_bytes() -> int:
    """Give the proportional set size less what is shared: pages that only this process has."""
    return int(psutil.Process().memory_full_info().uss)


def private(executor: RayExecutor, function: str, shared: object) -> dict[int, int]:
    """Call a function on every host; give the most private bytes of each process."""
    found: dict[int, int] = {}
    for pid, size in executor.map(f"{HERE}:{function}", range(4 * executor.workers), shared):
        found[pid] = max(found.get(pid, 0), size)
    return found
