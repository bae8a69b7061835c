"""A single backtest: one candidate over one span."""

from pathlib import Path
from typing import Any

from admf_ray.optimize import Search, buy_and_hold
from admf_ray.workflow.composed import composition_record
from admf_ray.workflow.discovery import audited, relative_to, span_variant
from admf_ray.workflow.frames import account_frames, boundary, segment_equity_frame
from admf_ray.workflow.phase import PhaseResult
from admf_ray.workflow.regimes import fitted_numbers, regime_frames
from admf_ray.workflow.stored import Tables
from admf_ray.workflow.trials import candidates_table

__all__ = ["PHASE", "run_backtest"]

PHASE = "backtest"


def run_backtest(search: Search, span: tuple[int, int], folder: Path) -> PhaseResult:
    """Simulate the only candidate of a search over one half-open span of bars.

    Parameters
    ----------
    search : Search
    span : tuple of int
    folder : Path
        Where the candidate is kept.

    Returns
    -------
    PhaseResult
        Tables candidates, equity, fills, trades; the candidate as a variant.
    """
    hub = search.hub()
    segment = search.segment(hub, 0, *span)
    benchmark = buy_and_hold(search, *span)
    summary: dict[str, Any] = {
        "headline": "one backtest, nothing searched",
        "strategy": search.composition.name,
        "composition": composition_record(search.composition),
        "parameters": search.parameters(0),
        "backtests": 1,
        "tried": {"candidates": 1, "trials": 1},
        "span": [boundary(search.bars, span[0]), boundary(search.bars, span[1])],
        "metrics": segment.metrics,
        "benchmark": benchmark.metrics,
        "relative": relative_to(search, segment.equity, benchmark.equity),
        "audited": audited([segment]),
        "fitted": fitted_numbers(search, hub, [(0, 0, span)]),
        "hub": hub.counters.record(),
    }
    if search.is_optimistic:
        summary["next_open"] = search.at_next_open().segment(hub, 0, *span).metrics
    frames = {
        "equity": segment_equity_frame(search.bars, segment, benchmark),
        **account_frames(search.bars, [(0, segment)]),
        **regime_frames(search, hub, [(0, 0, segment)]),
    }
    tables = Tables(frames, {"candidates": candidates_table(folder, search.candidates)})
    return PhaseResult(PHASE, tables, summary, [span_variant(search, "backtest", 0, span)])
