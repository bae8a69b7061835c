"""How long loading takes beside polars reading the same file, and how much memory; each run in a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import polars as pl

from tests.benchmarks.harness import row

SHAPES = {"10,000,000 bars of one symbol": (1, 10_000_000), "1,000 symbols x 10 years daily": (1_000, 2_520)}
MEASURE = """
import json, sys, time
import polars as pl
import admf_ray
admf_ray.load_bars
path = sys.argv[1]
options = {"periods_per_year": 252, "min_history_bars": 0}

def timed(read):
    began = time.perf_counter()
    read()
    return time.perf_counter() - began

polars = min(timed(lambda: pl.read_csv(path, try_parse_dates=True)) for _ in range(2))
first = timed(lambda: admf_ray.load_bars("csv", path, **options))
again = min(timed(lambda: admf_ray.load_bars("csv", path, **options)) for _ in range(2))
print(json.dumps({"polars": polars, "first": first, "again": again}))
"""
PEAK = """
import json, resource, sys
import admf_ray
admf_ray.load_bars("csv", sys.argv[1], periods_per_year=252, min_history_bars=0)
print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}))
"""


@cache
def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@cache
def file(shape: str) -> Path:
    """Minutes of one symbol, or days of many, as CSV with four decimals."""
    symbols, bars = SHAPES[shape]
    rng = np.random.default_rng(1)
    begin = pl.datetime(2000, 1, 1)
    unit = "m" if symbols == 1 else "d"
    stamps = pl.select(pl.datetime_range(begin, begin.dt.offset_by(f"{bars - 1}{unit}"), f"1{unit}")).to_series()
    stamps = stamps.dt.replace_time_zone("UTC") if symbols == 1 else stamps.dt.date()
    frames = []
    for index in range(symbols):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-2 if symbols > 1 else 1e-4, bars)))
        opened = np.append(close[0], close[:-1])
        prices = {
            "open": opened,
            "high": np.maximum(opened, close) * 1.001,
            "low": np.minimum(opened, close) * 0.999,
            "close": close,
        }
        columns = {name: values.round(4) for name, values in prices.items()}
        columns["volume"] = rng.integers(1, 1_000, bars)
        frame = pl.DataFrame({"date": stamps, **columns})
        frames.append(frame if symbols == 1 else frame.with_columns(symbol=pl.lit(f"S{index:04d}")))
    path = Path(folder().name) / f"{symbols}.csv"
    pl.concat(frames).write_csv(path)
    return path


@cache
def measured(shape: str, run: int, code: str) -> dict[str, float]:
    """Measure once in a process with an empty catalog; rows of the same run share it."""
    with tempfile.TemporaryDirectory() as catalog:
        command = [sys.executable, "-W", "ignore", "-c", code, str(file(shape))]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "ADMF_CACHE_DIR": catalog}
        )
    return json.loads(done.stdout)


def _figure(shape: str, code: str, figure: Callable[[dict[str, float]], float]) -> Callable[[], Callable[[], float]]:
    def prepare() -> Callable[[], float]:
        runs = count()
        return lambda: figure(measured(shape, next(runs), code))

    return prepare


for _shape, (_symbols, _bars) in SHAPES.items():
    for _name, _key in (("first load, prepared", "first"), ("load from the catalog", "again")):
        row(f"{_name}: {_shape}", "x polars", runs=3, bar=2.0, reference="polars.read_csv of the same file")(
            _figure(_shape, MEASURE, lambda one, key=_key: one[key] / one["polars"])
        )  # type: ignore[misc]
        row(f"{_name}: {_shape}, speed", "million rows/s", runs=3)(
            _figure(_shape, MEASURE, lambda one, key=_key, rows=_symbols * _bars: rows / one[key] / 1e6)  # type: ignore[misc]
        )
    row(f"memory of the first load: {_shape}", "GB", runs=3, bar=3.0 if _symbols == 1 else 1.5)(
        _figure(_shape, PEAK, lambda one: one["peak"])
    )
