"""The train surface: for each window the best objective over two parameters, the others at their best."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.workflow.results import RunResult

__all__ = ["Pair", "Surface", "best_cells", "searched_windows"]

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
    known = {name: _Axis.of(values[name].to_numpy()) for name in values.columns}
    names = [name for name, axis in known.items() if len(axis.levels) > 1]
    if not names:
        return None
    axes = [known[name] for name in names]
    winners = _winners(result)
    windows = len(winners)
    # Parameters of two strategies of which one trades never meet.
    met = [pair for pair in combinations(range(len(names)), 2) if axes[pair[0]].meets(axes[pair[1]]).any()]
    pairs: list[tuple[int, int | None]] = list(met) or [(0, None)]
    most = _CELLS // (len(pairs) * windows)
    cells = [_Cells.of(axes[first], None if second is None else axes[second], most) for first, second in pairs]
    best: list[list[Array]] = [[] for _ in pairs]
    chosen: list[list[tuple[float, float, float] | None]] = [[] for _ in pairs]
    for winner, scores in zip(winners, _scores(result, len(values), windows), strict=True):
        for index, (first, second) in enumerate(pairs):
            best[index].append(cells[index].best(scores))
            chosen[index].append(
                None
                if winner is None or not axes[first].meets(axes[first if second is None else second])[winner]
                else (
                    axes[first].value(winner),
                    0.0 if second is None else axes[second].value(winner),
                    float(scores[winner]),
                )
            )
    return Surface(
        tuple(
            Pair(
                names=(names[first],) if second is None else (names[first], names[second]),
                x=one.x,
                y=one.y,
                column=one.cells % len(one.x),
                row=one.cells // len(one.x),
                best=np.array(best[index]),
                chosen=chosen[index],
            )
            for index, ((first, second), one) in enumerate(zip(pairs, cells, strict=True))
        )
    )


def searched_windows(result: RunResult) -> pl.DataFrame:
    """Give the windows that trials are of: one of each split where several test the same winner."""
    windows = result.windows
    return windows.unique("split", keep="first", maintain_order=True) if "split" in windows.columns else windows


def _winners(result: RunResult) -> list[int | None]:
    if "windows" in result.tables:
        return list(searched_windows(result)["candidate"].to_list())
    best = result.summary.get("best")
    return [best["candidate"] if best else None]


def _scores(result: RunResult, candidates: int, windows: int) -> Iterator[Array]:
    """Give the objective of every candidate in one window after the other, -inf of those that could not win there."""
    scores, current = np.full(candidates, -np.inf), 0
    # Only those that could win: the best of a cell is a set that might have been chosen.
    complete = pl.when(pl.col("status") == "complete").then(pl.col("objective")).otherwise(-np.inf)
    for piece in result.tables.pieces("trials", ["window", "candidate", "status", "objective"]):
        for (window,), rows in piece.group_by("window", maintain_order=True):
            while current < int(str(window)):
                yield scores
                scores, current = np.full(candidates, -np.inf), current + 1
            scores[rows["candidate"].to_numpy()] = rows.select(complete.alias("score"))["score"].to_numpy()
    for _ in range(current, windows):
        yield scores
        scores = np.full(candidates, -np.inf)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Values of a parameter, and which of them each candidate has, -1 where it is not in play."""

    levels: Array
    place: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: Array) -> "_Axis":
        levels, place = np.unique(values, return_inverse=True)
        plays = ~np.isnan(levels)
        return cls(levels[plays], np.where(plays[place], place, -1))

    def meets(self, other: "_Axis") -> npt.NDArray[np.bool_]:
        """Say of which candidates both are in play."""
        return np.asarray((self.place >= 0) & (other.place >= 0))

    def value(self, candidate: int) -> float:
        return float(self.levels[self.place[candidate]])


@dataclass(frozen=True, slots=True)
class _Cells:
    """Positions along both axes, cells that hold candidates, and the candidates in the order of their cells."""

    x: Array
    y: Array
    cells: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]

    @classmethod
    def of(cls, along: _Axis, across: _Axis | None, most: int) -> "_Cells":
        across = across or _Axis(np.zeros(1), np.zeros(len(along.place), dtype=np.int64))
        parts = max(len(along.levels), len(across.levels))
        candidates = np.flatnonzero(along.meets(across))
        while True:
            x, column = _binned(along, parts)
            y, row = _binned(across, parts)
            numbers = (row * len(x) + column)[candidates]
            cells = np.unique(numbers)
            if len(cells) <= most or parts <= 2:
                break
            parts = parts * 3 // 4
        order = np.argsort(numbers, kind="stable")
        return cls(x, y, cells, candidates[order], np.searchsorted(numbers[order], cells))

    def best(self, scores: Array) -> Array:
        return np.asarray(np.maximum.reduceat(scores[self.order], self.edges))


def _binned(axis: _Axis, parts: int) -> tuple[Array, npt.NDArray[np.int64]]:
    """Give the positions of an axis and each candidate's; neighbours share one where there are too many."""
    shared = np.arange(len(axis.levels)) // -(-len(axis.levels) // parts)
    return np.bincount(shared, axis.levels) / np.bincount(shared), shared[axis.place]
