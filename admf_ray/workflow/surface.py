"""The train surface: for each window the best objective over two parameters, the others at their best."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.workflow.results import RunResult

__all__ = ["Pair", "Surface", "best_cells"]

Array = npt.NDArray[np.float64]

_CELLS = 80_000
"""Values of all pairs and windows together that reports show; axes are made coarser where there are more."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The cells of two parameters that hold candidates.

    Attributes
    ----------
    names : tuple of str
        Of the parameters along x and y; one only where no other was searched.
    x, y : float64 array, shape [column] and [row]
        Values of the parameters; means of neighbours where there were too many.
    column, row : int64 array, shape [cell]
    best : float64 array, shape [window, cell]
        The best objective in training of the candidates that could win, -inf where none could.
    chosen : list of (float, float, float) or None
        For each window x, y and objective of the winner, None for cash.
    """

    names: tuple[str, ...]
    x: Array
    y: Array
    column: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    best: Array
    chosen: list[tuple[float, float, float] | None]


@dataclass(frozen=True, slots=True)
class Surface:
    """All pairs of the parameters that were searched."""

    pairs: tuple[Pair, ...]


def best_cells(result: RunResult) -> Surface | None:
    """Give the surface of a search over spans, None where only one set was tried.

    Parameters
    ----------
    result : RunResult
        With candidates and trials.
    """
    values = result.candidates.drop("candidate")
    names = [name for name in values.columns if values[name].n_unique() > 1]
    if not names:
        return None
    columns = values.select(names).to_numpy()
    # Only those that could win: the best of a cell is a set that might have been chosen.
    complete = pl.when(pl.col("status") == "complete").then(pl.col("objective"))
    scores = result.trials.select(complete)["objective"].to_numpy().reshape(-1, len(values))
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    pairs: list[tuple[int, int | None]] = list(combinations(range(len(names)), 2)) or [(0, None)]
    most = _CELLS // (len(pairs) * len(scores))
    winners = _winners(result, len(scores))
    return Surface(tuple(_pair(columns, names, scores, winners, first, second, most) for first, second in pairs))


def _winners(result: RunResult, windows: int) -> list[int | None]:
    if "windows" in result.tables:
        return list(result.windows["candidate"].to_list())
    best = result.summary.get("best")
    return [best["candidate"] if best else None] * windows


def _pair(
    columns: Array,
    names: list[str],
    scores: Array,
    winners: list[int | None],
    first: int,
    second: int | None,
    most: int,
) -> Pair:
    along, across = columns[:, first], np.zeros(len(columns)) if second is None else columns[:, second]
    parts = max(len(np.unique(along)), len(np.unique(across)))
    while True:
        x, column = _binned(along, parts)
        y, row = _binned(across, parts)
        cells, inverse = np.unique(row * len(x) + column, return_inverse=True)
        if len(cells) <= most or parts <= 2:
            break
        parts = parts * 3 // 4
    order = np.argsort(inverse, kind="stable")
    edges = np.searchsorted(inverse[order], np.arange(len(cells)))
    return Pair(
        names=(names[first],) if second is None else (names[first], names[second]),
        x=x,
        y=y,
        column=cells % len(x),
        row=cells // len(x),
        best=np.maximum.reduceat(scores[:, order], edges, axis=1),
        chosen=[
            None if winner is None else (float(along[winner]), float(across[winner]), float(scores[window, winner]))
            for window, winner in enumerate(winners)
        ],
    )


def _binned(values: Array, parts: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """Give the positions of an axis and each value's place on it; neighbours share one where there are too many."""
    levels, place = np.unique(values, return_inverse=True)
    shared = np.arange(len(levels)) // -(-len(levels) // parts)
    return np.bincount(shared, levels) / np.bincount(shared), shared[place]
