"""Indicators over bars, computed as the platform does: planned by key, with their parts."""

import math
from typing import Any

import numpy as np

from admf_ray.core.bars import Bars
from admf_ray.indicators import INDICATORS, Key, compute_hub
from admf_ray.testing.runs import random_rows

NAN = math.nan


def bars_of(close: Any, **fields: Any) -> Bars:
    """Bars of one symbol; what is not given equals the close."""
    close = np.asarray(close, dtype=float)
    given = {name: fields.get(name, close) for name in ("open", "high", "low", "volume")}
    count = len(close)
    return Bars(
        symbols=("X",),
        known_at=np.arange(1, count + 1),
        session=np.zeros(count, dtype=np.int32),
        covers_until=count + 1,
        periods_per_year=252.0,
        close=close[np.newaxis],
        **{name: np.asarray(values, dtype=float)[np.newaxis] for name, values in given.items()},
    )


def computed(bars: Bars, text: str) -> np.ndarray:
    """The row of one key, on the first symbol."""
    key = Key.parse(text).bind(bars.symbols[0])
    hub = compute_hub(bars, [key])
    return hub.matrix[hub.rows[key]]


def series(close: Any, text: str) -> np.ndarray:
    """The row of one key on closes alone."""
    return computed(bars_of(close), text)


def walk(scale: float, count: int = 1_000_000, seed: int = 1) -> np.ndarray:
    """A price that has wandered around ``scale``."""
    return scale * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, count)) / 10)


def random_bars(count: int, scale: float = 1.0, seed: int = 1) -> Bars:
    """Bars with ranges and volume around a price that has wandered around ``scale``."""
    rng = np.random.default_rng(seed)
    close = walk(scale, count, seed)
    high, low = close * (1 + 0.01 * rng.random(count)), close * (1 - 0.01 * rng.random(count))
    return bars_of(close, high=high, low=low, volume=rng.integers(1, 1_000, count))


def windows(values: np.ndarray, period: int) -> np.ndarray:
    """Every window of ``period`` values, [window, value]."""
    return np.lib.stride_tricks.sliding_window_view(values, period)


def assert_agrees(found: np.ndarray, oracle: np.ndarray) -> None:
    """Equal to 1e-9 of the value or of the largest one; NaN at the same bars."""
    np.testing.assert_allclose(found, oracle, rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(oracle)))


def assert_comes_back(text: str) -> None:
    """No value while a missing bar is in the window; afterwards those of a series that began after it."""
    rows = random_rows(1, 0.0, 400)
    rows[:4, 100:110] = NAN
    names = ("open", "high", "low", "close", "volume")
    bars, later = (bars_of(**dict(zip(names, part, strict=True))) for part in (rows, rows[:, 110:]))
    key = Key.parse(text)
    entry = INDICATORS[key.name]
    warm_up = entry.warm_up(key.parameters)
    for output in entry.outputs:
        found = computed(bars, f"{text}.{output}")
        assert np.isfinite(found[:100][-1])
        assert np.isnan(found[100 : 110 + warm_up]).all()
        np.testing.assert_allclose(found[110:], computed(later, f"{text}.{output}"), rtol=1e-9)
