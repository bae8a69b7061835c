"""Books side by side: accounts of their own on the same bars, over the same span."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from admf_ray.engine.event_driven import run_books_in_containers
from admf_ray.engine.result import Segment, run_segment
from admf_ray.errors import ReproductionError
from admf_ray.indicators import Hub
from admf_ray.optimize import Search, buy_and_hold, segment_fingerprint
from admf_ray.workflow.composed import composition_record
from admf_ray.workflow.discovery import audited, relative_to
from admf_ray.workflow.frames import account_frames, boundary, segment_equity_frame
from admf_ray.workflow.phase import PhaseResult
from admf_ray.workflow.regimes import fitted_numbers, regime_frames
from admf_ray.workflow.stored import Tables
from admf_ray.workflow.trials import candidates_table

__all__ = ["PHASE", "run_books"]

PHASE = "books"


def run_books(searches: Mapping[str, Search], hub: Hub, span: tuple[int, int], folder: Path) -> PhaseResult:
    """Simulate the only candidate of each search over one span, on both engines, which must agree.

    Parameters
    ----------
    searches : mapping of str to Search
        By book.
    hub : Hub
        Of all of them; see `admf_ray.optimize.compute_together`.
    span : tuple of int
        Half-open, in bars.
    folder : Path
        Where the candidates are kept.

    Returns
    -------
    PhaseResult
        Tables books (a row each: what trades, its metrics), equity, fills, trades and, with classifiers, regimes and
        switches, each with the column ``book``.

    Raises
    ------
    ReproductionError
        Where the engines do not agree; names the books.
    """
    first = next(iter(searches.values()))
    bars = first.bars
    setups = {name: search.setup(hub, 0) for name, search in searches.items()}
    driven = run_books_in_containers(setups, *span)
    segments = {name: run_segment(setup, *span) for name, setup in setups.items()}
    wrong = [name for name, one in segments.items() if segment_fingerprint(one) != segment_fingerprint(driven[name])]
    if wrong:
        raise ReproductionError(f"books {', '.join(wrong)} come out otherwise by the other engine: believe none of it")
    benchmark = buy_and_hold(first, *span)
    frames: dict[str, list[pl.DataFrame]] = {}
    rows: list[dict[str, Any]] = []
    for name, search in searches.items():
        segment = segments[name]
        search.check(segment, setups[name], f"book '{name}'")
        rows.append(_row(name, search, segment))
        own = {
            "equity": segment_equity_frame(bars, segment, benchmark),
            **account_frames(bars, [(0, segment)]),
            **regime_frames(search, hub, [(0, 0, segment)]),
        }
        for table, frame in own.items():
            frames.setdefault(table, []).append(frame.with_columns(book=pl.lit(name)))
    summary = {
        "headline": "books side by side, nothing searched; none of them was chosen",
        "backtests": len(searches),
        "tried": {"candidates": len(searches), "trials": len(searches)},
        "span": [boundary(bars, span[0]), boundary(bars, span[1])],
        "books": rows,
        "relative": {name: relative_to(first, one.equity, benchmark.equity) for name, one in segments.items()},
        "benchmark": benchmark.metrics,
        "audited": audited(segments.values()),
        "certified": len(segments),
        "fitted": {name: fitted_numbers(search, hub, [(0, 0, span)]) for name, search in searches.items()},
        "hub": hub.counters.record(),
    }
    tables = {name: pl.concat(parts) for name, parts in frames.items()}
    tables["books"] = pl.DataFrame(
        [{"book": row["book"], "strategy": row["strategy"], **row["metrics"]} for row in rows]
    )
    return PhaseResult(PHASE, Tables(tables, {"candidates": candidates_table(folder, first.candidates)}), summary, [])


def _row(name: str, search: Search, segment: Segment) -> dict[str, Any]:
    return {
        "book": name,
        "strategy": search.composition.name,
        "composition": composition_record(search.composition),
        "parameters": search.parameters(0),
        "metrics": segment.metrics,
    }
