"""The best sets of an earlier run, for a search that begins with them."""

import math
from collections.abc import Mapping

import numpy as np
import polars as pl

from admf_ray.optimize import Space
from admf_ray.workflow.results import RunResult

__all__ = ["best_sets"]


def best_sets(run: RunResult, space: Space, most: int) -> list[Mapping[str, float]]:
    """Give different parameter sets of a run that lie in a space, the winners of its windows first.

    Parameters
    ----------
    run : RunResult
        Of a sweep or a walk-forward, with the parameters of the space.
    space : Space
    most : int
        How many at most.

    Returns
    -------
    list of dict of str to float
        Of what is in play. Winners in the order of their windows, then the sets of the best trials, whatever their
        window; equal objectives in the order of windows and candidates.
    """
    winners = (
        run.windows.drop_nulls("candidate")["candidate"] if "windows" in run.tables else pl.Series([], dtype=pl.Int32)
    )
    candidates = run.tables.stored["candidates"].read().select(space.names)
    inside = space.holds(candidates.to_numpy().astype(np.float64))
    could_win = pl.col("status") == "complete"
    # A set counts once, however many windows it was tried in: the best of each is enough to rank them.
    ranked = run.tables.stored["trials"].collect(
        lambda trials: (
            trials.filter(could_win)
            .group_by("candidate")
            .agg(pl.col("objective").max(), pl.col("window").sort_by("objective", descending=True).first())
            .sort("objective", "window", "candidate", descending=[True, False, False])
            .select("candidate")
        )
    )["candidate"]
    found: dict[tuple[tuple[str, float], ...], None] = {}
    for candidate in (*winners, *ranked):
        if len(found) == most:
            break
        if inside[candidate]:
            named = zip(space.names, candidates.row(candidate), strict=True)
            found[tuple((name, value) for name, value in named if not math.isnan(value))] = None
    return [dict(point) for point in found]
