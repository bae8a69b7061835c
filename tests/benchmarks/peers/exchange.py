"""What goes between a peer's process and ours: one file in, one file out."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["frame", "long_states", "serve"]


def serve(package: str, run: Callable[[Any], tuple[float, dict[str, Any]]]) -> None:
    """Read the file that is named first, run, and write the seconds and the results into the one named second."""
    with np.load(sys.argv[1]) as arrays:
        sets = SimpleNamespace(**{name: array if array.ndim else array.item() for name, array in arrays.items()})
    seconds, results = run(sets)
    np.savez(sys.argv[2], seconds=seconds, version=version(package), **results)


def long_states(sets: Any, pairs: Any) -> tuple[Any, Any]:
    """Say at which bars the fast average is above the slow one, and at which it is not; shape [time, set]."""
    gaps = np.ascontiguousarray(sets.averages[pairs[:, 0]].T - sets.averages[pairs[:, 1]].T)
    return gaps > 0.0, gaps <= 0.0


def frame(sets: Any) -> pd.DataFrame:
    """Give the bars as a frame by date."""
    names = ("open", "high", "low", "close", "volume")
    columns = {name: getattr(sets, name) for name in names}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(sets.known_at.astype("datetime64[ns]")))
