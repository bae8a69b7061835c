"""The train surface: for each window the best objective over two parameters, the others at their best."""

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.report.definitions import FIGURES
from admf_ray.report.page import Chart, plain_numbers
from admf_ray.workflow import RunResult

__all__ = ["surface"]

_CELLS = 80_000
"""Values that the page holds; axes are made coarser where there are more."""

_DIGITS = 4


def surface(result: RunResult, windows: list[str]) -> tuple[Chart, dict[str, Any]] | None:
    """Give the chart and what the page's script draws it from; None where nothing was searched.

    Parameters
    ----------
    result : RunResult
    windows : list of str
        Labels, in the order of the windows of the trials.
    """
    values = result.candidates.drop("candidate")
    names = [name for name in values.columns if values[name].n_unique() > 1]
    if not names:
        return None
    columns = values.select(names).to_numpy()
    # Only those that could win: the best of a cell is a set that might have been chosen.
    complete = pl.when(pl.col("status") == "complete").then(pl.col("objective"))
    scores = result.trials.select(complete)["objective"].to_numpy().reshape(len(windows), len(values))
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    pairs: list[tuple[int, int | None]] = list(combinations(range(len(names)), 2)) or [(0, None)]
    label = FIGURES[result.summary["objective"]].label
    most = _CELLS // (len(pairs) * len(windows))
    winners = _winners(result, len(windows))
    drawn = [_pair(columns, names, scores, winners, first, second, most) for first, second in pairs]
    chart = Chart(
        "surface",
        "Train surface",
        f"The best {label} in training over two parameters, the others at their best, for each "
        "window; the star is the set that was chosen. A lone peak is luck more often than a plateau is.",
        [],
        selects=[("window", windows), ("parameters", [" x ".join(pair["names"]) for pair in drawn])],
    )
    return chart, {"objective": label, "pairs": drawn}


def _winners(result: RunResult, windows: int) -> list[int | None]:
    if "windows" in result.tables:
        return list(result.windows["candidate"].to_list())
    best = result.summary.get("best")
    return [best["candidate"] if best else None] * windows


def _pair(
    columns: npt.NDArray[np.float64],
    names: list[str],
    scores: npt.NDArray[np.float64],
    winners: list[int | None],
    first: int,
    second: int | None,
    most: int,
) -> dict[str, Any]:
    """Give the cells of one pair of parameters and the best score in each, for every window."""
    across = np.zeros(len(columns)) if second is None else columns[:, second]
    parts = max(len(np.unique(columns[:, first])), len(np.unique(across)))
    while True:
        x, column = _binned(columns[:, first], parts)
        y, row = _binned(across, parts)
        cells, inverse = np.unique(row * len(x) + column, return_inverse=True)
        if len(cells) <= most or parts <= 2:
            break
        parts = parts * 3 // 4
    order = np.argsort(inverse, kind="stable")
    edges = np.searchsorted(inverse[order], np.arange(len(cells)))
    best = np.maximum.reduceat(scores[:, order], edges, axis=1)
    chosen = [
        None
        if winner is None
        else [
            *plain_numbers([columns[winner, first], across[winner]]),
            *plain_numbers([scores[window, winner]]),
        ]
        for window, winner in enumerate(winners)
    ]
    return {
        "names": [names[first], *([] if second is None else [names[second]])],
        "x": plain_numbers(x),
        "y": plain_numbers(y),
        "column": (cells % len(x)).tolist(),
        "row": (cells // len(x)).tolist(),
        "values": [plain_numbers(one, _DIGITS) for one in best],
        "winners": chosen,
    }


def _binned(values: npt.NDArray[np.float64], parts: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Give the positions of an axis and each value's place on it; neighbours share one where there are too many."""
    levels, place = np.unique(values, return_inverse=True)
    if len(levels) <= parts:
        return levels, place
    width = -(-len(levels) // parts)
    shared = np.arange(len(levels)) // width
    middle = np.array([levels[shared == part].mean() for part in range(shared[-1] + 1)])
    return middle, shared[place]
