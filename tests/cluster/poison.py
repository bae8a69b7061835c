"""A strategy that follows a trend, and for some lags does what no strategy should."""

from pathlib import Path

import polars as pl

from admf_ray.workflow import RunResult

SOURCE = """
import ctypes
import os
import time

import numpy as np

from admf_ray.plugins import Parameter, strategy


def no_room():
    raise MemoryError("no room")


def ten_gigabytes():
    return [np.ones(10**7 // 8) for _ in range(1_000)]


def leave():
    # The answer before it is sent by then.
    time.sleep(0.3)
    os._exit(3)


def fall():
    time.sleep(0.3)
    ctypes.string_at(0)


def forever():
    while True:
        pass


POISON = {
    1: lambda: 1 / 0,
    2: leave,
    4: lambda: 1.5,
    5: fall,
    7: no_room,
    8: forever,
    9: ten_gigabytes,
}


@strategy(parameters=(Parameter("lag", 2, 1, 400),))
def poisoned(view):
    lag = view.params.lag
    if view.bar == 150 and lag in POISON:
        return POISON[lag]()
    return None if view.bar < lag else view.close[-1] > view.close[-1 - lag]


@strategy(parameters=(Parameter("lag", 3, 1, 400), Parameter("harm", 0, 0, 9)))
def late(view):
    lag = view.params.lag
    if view.bar == 390 and view.params.harm:
        return POISON[view.params.harm]()
    return None if view.bar < lag else view.close[-1] > view.close[-1 - lag]
"""
LAGS = {"exception": 1, "exit": 2, "contract": 4, "segfault": 5, "no_room": 7, "loop": 8, "memory": 9}
"""What is wrong with which lag: those that end a host stand behind such that cost none, which keeps tests short."""


def written(folder: Path) -> str:
    """Write the plugin; give its path."""
    path = folder / "poison.py"
    path.write_text(SOURCE)
    return str(path)


def by_lag(run: RunResult) -> pl.DataFrame:
    """Give the trials of a run with their lags in place of their numbers."""
    return run.trials.join(run.candidates, on="candidate").drop("candidate").sort("window", "lag")


def is_poison() -> pl.Expr:
    """Select the lags that do harm."""
    return pl.col("lag").is_in([float(lag) for lag in LAGS.values()])
