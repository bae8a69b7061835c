"""Pareto fronts as reports draw them: by the first two objectives, with some of the trials behind them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.optimize import Choice
from admf_ray.workflow.results import RunResult

__all__ = ["DrawnFront", "drawn_fronts"]

_TRIALS = 20_000
"""Of all windows together that are drawn, at most."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DrawnFront:
    """The Pareto front of one window.

    Attributes
    ----------
    trials : float64 array, shape [trial, 2]
        The first two objectives of trials that could win: all, or of so many that there are too many every n-th.
    points : float64 array, shape [candidate of the front, 2]
        Ascending in the first objective.
    parameters : list of dict of str to float
        Of these candidates, those in play.
    chosen : int or None
        Which of them won.
    """

    trials: Array
    points: Array
    parameters: list[dict[str, float]]
    chosen: int | None


def drawn_fronts(result: RunResult) -> list[DrawnFront]:
    """Give the front of each window, none where there was one objective.

    Parameters
    ----------
    result : RunResult
        With candidates and trials.
    """
    if "front" not in result.tables:
        return []
    objectives = result.summary["front"]["objectives"]
    windows = len(result.summary["front"]["sizes"])
    trials = _sample(result, Choice(result.summary["objective"], 1, tuple(objectives)))
    wanted = result.front["candidate"].unique()
    candidates = result.tables.stored["candidates"].collect(
        lambda rows: rows.filter(pl.col("candidate").is_in(wanted.implode()))
    )
    found = []
    for window in range(windows):
        front = result.front.filter(window=window).sort(*objectives[:2])
        sets = front.select("candidate").join(candidates, on="candidate", maintain_order="left").drop("candidate")
        winner = _winner(result, window)
        numbers = front["candidate"].to_list()
        found.append(
            DrawnFront(
                trials[trials[:, 0] == window, 1:],
                front.select(objectives[:2]).to_numpy(),
                [{name: one for name, one in row.items() if not np.isnan(one)} for row in sets.to_dicts()],
                numbers.index(winner) if winner in numbers else None,
            )
        )
    return found


def _winner(result: RunResult, window: int) -> int | None:
    if "windows" in result.tables:
        # Of a split, which has a row for each group that it tests, all have the same winner.
        rows = result.windows.filter(pl.col("split" if "split" in result.windows.columns else "window") == window)
        won: int | None = rows["candidate"][0]
        return won
    best = result.summary["best"]
    return int(best["candidate"]) if best else None


def _sample(result: RunResult, choice: Choice) -> Array:
    """Give window and first two objectives of trials, shape [trial, 3]."""
    every = -(-result.tables.rows("trials") // _TRIALS)
    first, parts = 0, [np.empty((0, 3))]
    for piece in result.tables.pieces("trials", ["window", "status", *choice.metrics]):
        rows = piece.with_row_index(offset=first).filter(pl.col("index") % every == 0, pl.col("status") == "complete")
        first += len(piece)
        values = choice.values({name: rows[name].to_numpy() for name in choice.metrics})[:, :2]
        parts.append(np.column_stack([rows["window"].to_numpy().astype(np.float64), values]))
    return np.concatenate(parts)
