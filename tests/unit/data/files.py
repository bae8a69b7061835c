"""Files that tests of the data layer write and read."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from admf_ray import Bars, load_bars

HEADER = "date,open,high,low,close,volume\n"
ROWS = "2020-01-02,10,11,9,10.5,100\n2020-01-03,10.5,12,10,11,200\n2020-01-06,11,11.5,10.5,11.25,300\n"


def load(source: Any, path: Path | None = None, **options: Any) -> Bars:
    """Short files: no history asked for."""
    return load_bars(source, path, **{"min_history_bars": 0, **options})


def written(folder: Path, content: str | bytes, name: str = "prices.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def moments(known_at: Any) -> list[str]:
    return [str(np.datetime64(int(moment), "ns"))[:16] for moment in known_at]


def days(count: int, seed: int = 0, symbol: str | None = None) -> pl.DataFrame:
    """Sound daily bars on sessions of New York, with two decimals."""
    rng = np.random.default_rng(seed)
    dates = pl.Series("date", _sessions()[:count])
    close = (100 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))).round(2)
    opened = (close * np.exp(rng.normal(0, 0.003, count))).round(2)
    frame = pl.DataFrame(
        {
            "date": dates,
            "open": opened,
            "high": (np.maximum(opened, close) + 0.1).round(2),
            "low": (np.minimum(opened, close) - 0.1).round(2),
            "close": close,
            "volume": rng.integers(100, 1_000, count),
        }
    )
    return frame if symbol is None else frame.with_columns(symbol=pl.lit(symbol))


def _sessions() -> list[Any]:
    known_at = load_bars("sp500").known_at
    return known_at.astype("datetime64[ns]").astype("datetime64[D]").astype(object).tolist()
