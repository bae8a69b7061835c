"""Indicators of the hub beside TA-Lib and pandas, and what hosts take to share a hub."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from itertools import count

import numpy as np
import pandas as pd
import talib

from admf_ray.indicators import Hub, Key
from tests.benchmarks.harness import row
from tests.series import daily_bars

KEYS = [
    *(("sma", period) for period in range(2, 302)),
    *(("ema", period) for period in range(2, 102)),
    *(("rsi", period) for period in range(2, 102)),
]
TALIB = {"sma": talib.SMA, "ema": talib.EMA, "rsi": talib.RSI}
PANDAS = 20
"""pandas takes long: every so many keys are timed and count for all."""


@cache
def prices(bars: int) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 1e-3, bars)))


def pandas_indicator(name: str, period: int, close: pd.Series) -> pd.Series:
    if name == "sma":
        return close.rolling(period).mean()
    if name == "ema":
        return close.ewm(span=period, adjust=False).mean()
    change = close.diff()
    gains, losses = (
        part.ewm(alpha=1 / period, adjust=False).mean() for part in (change.clip(lower=0), -change.clip(upper=0))
    )
    return 100 * gains / (gains + losses)


@cache
def measured(bars: int, run: int) -> dict[str, float]:
    """Seconds of one run: the hub's own, TA-Lib's, pandas'. All keep what they compute, as whoever needs it must."""
    close = prices(bars)
    keys = [Key.parse(f"{name}(close,{period})").bind("X") for name, period in KEYS]
    hub = Hub(daily_bars(close))
    began = time.perf_counter()
    hub.subscribe(keys)
    own = time.perf_counter() - began
    del hub
    began = time.perf_counter()
    kept = [TALIB[name](close, period) for name, period in KEYS]
    theirs = time.perf_counter() - began
    del kept
    series = pd.Series(close)
    began = time.perf_counter()
    kept = [pandas_indicator(name, period, series) for name, period in KEYS[::PANDAS]]
    del kept
    return {"own": own, "talib": theirs, "pandas": (time.perf_counter() - began) * PANDAS}


def _ratio(bars: int, figure: Callable[[dict[str, float]], float]) -> Callable[[], Callable[[], float]]:
    def prepare() -> Callable[[], float]:
        runs = count()
        measured(bars, -1)
        return lambda: figure(measured(bars, next(runs)))

    return prepare


for _bars, _runs in ((5_031, 9), (500_000, 3)):
    _what = f"300 SMAs, 100 EMAs, 100 RSIs, {_bars:,} bars"
    row(f"hub: {_what}", "x TA-Lib", runs=_runs, bar=1.3, reference="TA-Lib, in sum")(
        _ratio(_bars, lambda one: one["own"] / one["talib"])
    )
    row(f"hub: {_what}, beside pandas", "x pandas", runs=_runs, bar=0.1, reference="pandas rolling and ewm")(
        _ratio(_bars, lambda one: one["own"] / one["pandas"])
    )

DRIVER = """
import os, sys
os.environ["RAY_AUTH_MODE"] = "disabled"
import numpy as np
from admf_ray.cluster.ray_executor import RayExecutor
from tests.benchmarks import sharing

with RayExecutor(workers=4) as executor:
    matrix = np.random.default_rng(1).normal(size=(128, 1_000_000))
    shared = executor.share({"matrix": matrix})
    size = matrix.nbytes
    del matrix
    before = sharing.private(executor, "idle", executor.share({}))
    after = sharing.private(executor, "touch", shared)
    print(max(after[pid] - before[pid] for pid in before) / 1e6, size / 1e9)
"""


@row("private memory of a host that reads a shared hub of 1 GB, the most of four", "MB", runs=1, bar=60.0)
def sharing() -> Callable[[], float]:
    """What only this process has of its proportional set size, before and after it has read all of the hub."""

    def once() -> float:
        done = subprocess.run([sys.executable, "-c", DRIVER], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        grown, size = map(float, done.stdout.split())
        assert size > 1.0
        return grown

    return once
