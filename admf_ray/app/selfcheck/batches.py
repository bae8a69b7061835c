"""Scaling and batch processing: the same trials wherever and in whatever pieces candidates are computed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from admf_ray._types import Executor
from admf_ray.app.assemble import assemble_search, open_executor
from admf_ray.app.compose import book_settings
from admf_ray.app.selfcheck.target import Target
from admf_ray.app.settings import ClusterSettings, Settings
from admf_ray.cluster import SerialExecutor
from admf_ray.errors import ReproductionError
from admf_ray.optimize import Candidates, Choice, Leaders, Search, TrialChunk, plan_search
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow.trials import TrialFiles

__all__ = ["check_batch_processing", "check_scaling"]

_FUNCTION = "admf_ray.optimize.trials:sweep_chunk"
_SCALED = 64
_SCALED_CHUNK = 4
_BATCH = 1_000
_SPLITS = (37, 250)
_STORED = 100
_POOLED = 20
_CHOICE = Choice("sharpe", 1)

Piece = tuple[int, int]


def check_scaling(target: Target, hosts: Sequence[int] = (1, 2)) -> str:
    """Compute the same candidates in this process and on Ray hosts: the trials must be the same, bit for bit.

    Parameters
    ----------
    target : Target
    hosts : sequence of int
        How many hosts, one measurement each.
    """
    search = _searched(target, _SCALED)
    bundle = _bundle(target, search)
    pieces = _pieces(_SCALED, _SCALED_CHUNK)
    with SerialExecutor() as serial:
        expected, alone = _timed(serial, pieces, bundle)
    shown, seconds = [f"serial {alone:.3f} s"], dict[int, float]()
    for count in hosts:
        with open_executor(ClusterSettings(kind="local", workers=count)) as executor:
            found, seconds[count] = _timed(executor, pieces, bundle)
        _confirm(found, expected, f"on {count} Ray host{'s' if count > 1 else ''}")
        shown.append(f"{count} host{'s' if count > 1 else ''} {seconds[count]:.3f} s")
    faster = (
        "" if len(seconds) < 2 else f", {max(hosts)} hosts {seconds[min(hosts)] / seconds[max(hosts)]:.1f}x as fast"
    )
    return f"{_SCALED} candidates, one table; {', '.join(shown)}{faster}"


def _timed(executor: Executor, pieces: Sequence[Piece], bundle: dict[str, Any]) -> tuple[pl.DataFrame, float]:
    """Compute the trials, and again with the time that it takes once kernels are loaded."""
    shared = executor.share(bundle)
    executor.map(_FUNCTION, pieces, shared)
    began = time.perf_counter()
    chunks = executor.map(_FUNCTION, pieces, shared)
    return _table(chunks), time.perf_counter() - began


def check_batch_processing(target: Target, between: Callable[[Path], object] | None = None) -> str:
    """Compute a thousand candidates at once, in pieces, in pooled containers, and out of files: the same trials.

    Parameters
    ----------
    target : Target
    between : callable, optional
        Is called with the folder of the files when half of the chunks are in it, before the rest is added by another
        writer.
    """
    search = _searched(target, _BATCH)
    bundle = _bundle(target, replace(search, engine="compiled"))
    with SerialExecutor() as serial:
        (whole,) = serial.map(_FUNCTION, [(0, _BATCH)], bundle)
        expected = _table([whole])
        for size in _SPLITS:
            _confirm(_table(serial.map(_FUNCTION, _pieces(_BATCH, size), bundle)), expected, f"in pieces of {size}")
        chunks = serial.map(_FUNCTION, _pieces(_BATCH, _STORED), bundle)
        sample = [(first, first + 1) for first in range(0, _BATCH, _BATCH // _POOLED)]
        pooled = serial.map(_FUNCTION, sample, _bundle(target, replace(search, engine="event_driven")))
    _confirm(_table(pooled), expected[[first for first, _ in sample]], "in pooled containers")
    with TemporaryDirectory() as folder:
        stored = _stored(Path(folder), chunks, between)
        unsplit = TrialFiles(Path(folder) / "whole", _CHOICE, METRICS)
        unsplit.add(whole, whole.leaders)
        _confirm(stored, _rows(unsplit, whole.leaders), "out of files that two writers wrote")
    searched = "of the target's space" if target.settings.strategy.space else "alike, as nothing is searched"
    return (
        f"{_BATCH:,} candidates {searched}: at once, in pieces of {' and '.join(map(str, _SPLITS))}, "
        f"{_POOLED} of them in pooled containers and {len(chunks)} chunks out of files, one table"
    )


def _stored(folder: Path, chunks: Sequence[TrialChunk], between: Callable[[Path], object] | None) -> pl.DataFrame:
    """Write half of the chunks, the rest by a writer that begins anew, one of them twice; read the table."""
    half = len(chunks) // 2
    leaders, place = [Leaders.nobody()], folder / "chunks"
    earlier = TrialFiles(place, _CHOICE, METRICS)
    for chunk in chunks[:half]:
        leaders = [leaders[0].joined(chunk.leaders[0], _CHOICE)]
        earlier.add(chunk, leaders)
    if between is not None:
        between(place)
    later = TrialFiles(place, _CHOICE, METRICS)
    for chunk in chunks[half:]:
        leaders = [leaders[0].joined(chunk.leaders[0], _CHOICE)]
        later.add(chunk, leaders)
    later.add(chunks[-1], leaders)
    return _rows(later, leaders)


def _rows(files: TrialFiles, leaders: Sequence[Leaders]) -> pl.DataFrame:
    tables = [pl.DataFrame(pl.from_arrow(table)) for table in files.rows(leaders, 0, _BATCH)]
    # Where a chunk is missing there are no rows at all.
    return pl.concat(tables).with_columns(pl.col("status").cast(pl.String)) if tables else pl.DataFrame()


def _searched(target: Target, count: int) -> Search:
    """Give so many candidates of the first book's space, spread over it; of nothing that is searched the only one."""
    book, search = next(iter(target.searches.items()))
    settings = _of_book(target, book)
    if settings.strategy.space:
        grid = assemble_search(settings, target.bars).candidates
        # Places of a grid are in order, so that some of them again and again are a grid too.
        picked = np.arange(count) * len(grid) // count
        candidates = replace(grid, places=grid.places[picked])
    else:
        only = search.candidates
        candidates = Candidates.listed(only.names, np.repeat(only.values, count, axis=0))
    planned = plan_search(target.bars, search.composition, candidates, search.rules)
    fit = search.fit or ((target.span[0], sum(target.span) // 2) if search.composition.is_fitted else None)
    return replace(planned, engine=search.engine, fit=fit)


def _of_book(target: Target, book: str) -> Settings:
    return book_settings(target.settings)[book] if target.settings.books else target.settings


def _bundle(target: Target, search: Search) -> dict[str, Any]:
    return search.bundle(search.hub(), [target.year], _CHOICE, METRICS)


def _pieces(count: int, size: int) -> list[Piece]:
    return [(first, min(first + size, count)) for first in range(0, count, size)]


def _table(chunks: Sequence[TrialChunk]) -> pl.DataFrame:
    """Put the metrics of chunks together, a row a candidate."""
    return pl.DataFrame({name: np.concatenate([chunk.columns[name][0] for chunk in chunks]) for name in METRICS})


def _confirm(found: pl.DataFrame, expected: pl.DataFrame, how: str) -> None:
    if found.equals(expected):
        return
    if len(found) != len(expected):
        raise ReproductionError(f"{how} there are {len(found):,} trials instead of {len(expected):,}")
    wrong = [n for n, pair in enumerate(zip(found.rows(), expected.rows(), strict=True)) if not _equal(*pair)]
    raise ReproductionError(
        f"{how} {len(wrong):,} of {len(expected):,} trials come out otherwise, the first is {wrong[0]}"
    )


def _equal(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(a == b or (a != a and b != b) for a, b in zip(one, other, strict=True))
