"""Combinatorial purged cross-validation: each split is searched, its winner tested, the tests joined into paths."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl

from admf_ray._types import Executor, Observer
from admf_ray.data import CombinatorialPlan, Fold, FoldSeparation
from admf_ray.optimize import (
    Choice,
    Search,
    Stitched,
    WindowOutcome,
    buy_and_hold,
    longest_memory,
    recorded_metrics,
    refill,
    stitch,
)
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow.chunk_cache import ChunkCache
from admf_ray.workflow.discovery import (
    audited,
    evaluated,
    front_frames,
    judged_tests,
    relative_to,
    survival,
    winner_variants,
    work_record,
)
from admf_ray.workflow.frames import account_frames, boundary, equity_frame, windows_frame
from admf_ray.workflow.phase import PhaseResult
from admf_ray.workflow.regimes import regime_frames
from admf_ray.workflow.searching import PHASE, search_windows
from admf_ray.workflow.stored import Tables
from admf_ray.workflow.trials import candidates_table, trials_table

__all__ = ["run_combinatorial"]


def run_combinatorial(
    search: Search,
    plan: CombinatorialPlan,
    choice: Choice,
    record: str,
    executor: Executor,
    observe: Observer,
    folder: Path,
    cache: ChunkCache | None = None,
) -> PhaseResult:
    """Sweep all candidates over the train pieces of every split, test the winners, join the tests into paths.

    Parameters
    ----------
    search : Search
        None of its classifiers is fitted.
    plan : CombinatorialPlan
    choice, record, executor, observe, folder, cache
        As in `admf_ray.workflow.discovery.run_walk_forward`.

    Returns
    -------
    PhaseResult
        The tables of a walk-forward. A window is a split's test of one group, ``trials`` have the splits as windows,
        ``equity`` has a row a path and bar, and ``paths`` a row a path: its metrics. A variant for each window.
    """
    splits = plan.cut(search.bars)
    folds = plan.folds(search.bars, splits)
    separation = FoldSeparation.prove(plan, folds, search.bars, longest_memory(search).bars)
    recorded = recorded_metrics(record, choice)
    found = search_windows(
        search, [split.train for split in splits], choice, recorded, executor, observe, folder / "chunks", cache
    )
    if found.search is not search:
        # Studies may have tried what was not foreseen.
        separation = FoldSeparation.prove(plan, folds, search.bars, longest_memory(found.search).bars)
    search, hub = found.search, found.hub
    chosen = [found.chosen[fold.split.index] for fold in folds]
    windows = [fold.window for fold in folds]
    outcomes, failed = evaluated(search, hub, windows, chosen, executor, observe)
    # As of trials, the window of a failure is the split.
    failures = [replace(one, window=folds[one.window].split.index) for one in failed if one.window is not None]
    paths = _paths(search, folds, outcomes)
    judged = judged_tests(outcomes)
    tested = [(window, segment) for window, _, segment in judged]
    trials = trials_table(folder / "trials.parquet", found.trials(0), choice)
    fronts, sizes = front_frames(found.leaders, choice)
    frames = {
        "windows": _folds_frame(search, choice, folds, outcomes),
        "equity": pl.concat(
            equity_frame(search.bars, path).with_columns(path=pl.lit(number, dtype=pl.Int16))
            for number, path in enumerate(paths)
        ),
        "paths": _paths_frame(search, paths),
        **account_frames(search.bars, tested),
        **regime_frames(search, hub, judged),
        **fronts,
        **found.frames(failures),
    }
    benchmark = paths[0].benchmark_metrics
    summary = {
        "headline": f"combinatorial purged cross-validation: distribution over {len(paths)} paths",
        "windows": len(folds),
        "splits": len(splits),
        "groups": plan.groups,
        "tests": plan.tests,
        "gap": str(plan.gap),
        "embargo": str(plan.embargo),
        "out_of_sample": _means(frames["paths"].select(METRICS)),
        "benchmark": benchmark,
        "relative": _means(frames["paths"].drop("path", *METRICS)),
        "paths": {name: _spread(frames["paths"][name], benchmark[name]) for name in METRICS},
        **survival(frames["windows"]),
        **sizes,
        "separation": asdict(separation),
        "audited": audited(test for _, test in tested),
        "certified": len(tested),
        "fitted": [],
        **work_record(found, choice, record, found.simulated + len(tested), found.chosen),
    }
    if search.is_optimistic:
        pessimistic = search.at_next_open()
        refilled = _paths(pessimistic, folds, refill(pessimistic, hub, outcomes))
        summary["next_open"] = _means(_paths_frame(pessimistic, refilled).select(METRICS))
    observe("WALK_FORWARD_SUMMARY", summary)
    tables = Tables(frames, {"candidates": candidates_table(folder, search.candidates), "trials": trials})
    return PhaseResult(PHASE, tables, summary, winner_variants(search, outcomes), found.forget)


def _paths(search: Search, folds: Sequence[Fold], outcomes: Sequence[WindowOutcome]) -> list[Stitched]:
    """Chain the tests of each path, beside the one position of buy and hold that all of them share."""
    held = buy_and_hold(search, 0, len(search.bars))
    joined: dict[int, list[tuple[int, WindowOutcome]]] = {}
    for fold, outcome in zip(folds, outcomes, strict=True):
        joined.setdefault(fold.path, []).append((fold.group, outcome))
    by_group = (sorted(joined[path], key=lambda part: part[0]) for path in sorted(joined))
    return [stitch(search, [outcome for _, outcome in parts], held) for parts in by_group]


def _folds_frame(
    search: Search, choice: Choice, folds: Sequence[Fold], outcomes: Sequence[WindowOutcome]
) -> pl.DataFrame:
    """Give the windows with their split, group and path, and the pieces that were trained on (ns UTC, half-open)."""
    bars = search.bars
    frame = windows_frame(search, choice, outcomes)
    pieces = [
        " ".join(f"{boundary(bars, start)}:{boundary(bars, stop)}" for start, stop in fold.split.train)
        for fold in folds
    ]
    return frame.with_columns(
        pl.Series("split", [fold.split.index for fold in folds], dtype=pl.Int16),
        pl.Series("group", [fold.group for fold in folds], dtype=pl.Int16),
        pl.Series("path", [fold.path for fold in folds], dtype=pl.Int16),
        pl.Series("train_pieces", pieces, dtype=pl.String),
    )


def _paths_frame(search: Search, paths: Sequence[Stitched]) -> pl.DataFrame:
    """Give one row a path: its metrics, and how it compares with buy and hold."""
    rows = [
        {"path": number, **path.metrics, **relative_to(search, path.equity, path.benchmark)}
        for number, path in enumerate(paths)
    ]
    return pl.DataFrame(rows, schema_overrides={"path": pl.Int16}, infer_schema_length=None)


def _known(column: pl.Series) -> pl.Series:
    """Give the figures of the paths that have one; a path without a Sharpe ratio never traded, and counts as 0."""
    return column.fill_nan(0.0) if column.name == "sharpe" else column.filter(column.is_finite())


def _means(paths: pl.DataFrame) -> dict[str, float]:
    """Give the mean of each figure over the paths that have it, NaN where none has."""
    known = {column.name: _known(column).to_numpy() for column in paths}
    return {name: float(values.mean()) if len(values) else float("nan") for name, values in known.items()}


def _spread(column: pl.Series, benchmark: float) -> dict[str, float]:
    """Say how a figure is spread over the paths, and in which share of them it is above that of buy and hold."""
    known = _known(column).to_numpy()
    figures = (np.mean(known), np.median(known), np.min(known), np.max(known)) if len(known) else (np.nan,) * 4
    spread: dict[str, float] = dict(zip(("mean", "median", "min", "max"), map(float, figures), strict=True))
    return {**spread, "above_benchmark": float((known > benchmark).sum()) / len(column)}
