"""Discovery: the phase that searches, over walk-forward windows or over one span."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray._types import Executor, Observer
from admf_ray.data import Separation, Window
from admf_ray.engine.composition import Composition
from admf_ray.engine.result import Segment
from admf_ray.indicators import Hub
from admf_ray.optimize import (
    Choice,
    Chosen,
    Failed,
    Leaders,
    Search,
    Tested,
    WindowOutcome,
    certify,
    evaluate_window,
    recorded_metrics,
    refill,
    rerun,
    stitch,
    trained,
)
from admf_ray.statistics import per_bar_returns, relative
from admf_ray.workflow.chunk_cache import ChunkCache
from admf_ray.workflow.composed import composition_record
from admf_ray.workflow.extension import Earlier
from admf_ray.workflow.frames import (
    account_frames,
    boundary,
    equity_frame,
    front_frame,
    windows_frame,
)
from admf_ray.workflow.phase import PhaseResult, Variant
from admf_ray.workflow.recovery import failure_record
from admf_ray.workflow.regimes import Judged, fitted_numbers, regime_frames
from admf_ray.workflow.searching import PHASE, Searched, search_windows
from admf_ray.workflow.stored import Tables
from admf_ray.workflow.trials import candidates_table, trials_table

__all__ = [
    "PHASE",
    "audited",
    "evaluated",
    "front_frames",
    "judged_tests",
    "relative_to",
    "run_sweep",
    "run_walk_forward",
    "span_variant",
    "survival",
    "winner_variants",
    "work_record",
]


def run_walk_forward(
    search: Search,
    windows: Sequence[Window],
    choice: Choice,
    record: str,
    executor: Executor,
    observe: Observer,
    folder: Path,
    earlier: Earlier | None = None,
    cache: ChunkCache | None = None,
) -> PhaseResult:
    """Sweep all candidates over every train span, test the winners, chain the tests.

    Parameters
    ----------
    search : Search
    windows : sequence of Window
    choice : Choice
    record : str
        What is recorded of trials: one of `admf_ray.optimize.RECORDS`.
    executor : Executor
    observe : Observer
        Told of the phase, its chunks and its windows.
    folder : Path
        Where the tables are kept that grow with the search.
    earlier : Earlier, optional
        A run whose windows are the first of these: its trials are taken over, and what follows from them is checked.
    cache : ChunkCache, optional
        Of chunks of earlier runs.

    Returns
    -------
    PhaseResult
        Tables candidates, trials, windows, equity, fills, trades, timings, front where there are several objectives,
        and failures where there are any; a variant for each winner.
    """
    separation = Separation.prove(windows, search.bars)
    known = 0 if earlier is None else earlier.windows
    spans = [(window.train_start, window.train_stop) for window in windows[known:]]
    recorded = recorded_metrics(record, choice)
    found = search_windows(search, spans, choice, recorded, executor, observe, folder / "chunks", cache, known)
    search = found.search
    before = [] if earlier is None else earlier.chosen(search, choice)
    hub, chosen = found.hub, [*before, *found.chosen]
    leaders = [*([] if earlier is None else earlier.leaders), *found.leaders]
    outcomes, failures = evaluated(search, hub, windows, chosen, executor, observe)
    stitched = stitch(search, outcomes)
    judged = judged_tests(outcomes)
    tested = [(window, segment) for window, _, segment in judged]
    old = iter(()) if earlier is None else earlier.trial_rows(recorded, choice, len(search.candidates))
    trials = trials_table(folder / "trials.parquet", chain(old, found.trials(known)), choice)
    fronts, sizes = front_frames(leaders, choice)
    frames = {
        "windows": windows_frame(search, choice, outcomes),
        "equity": equity_frame(search.bars, stitched),
        **account_frames(search.bars, tested),
        **regime_frames(search, hub, judged),
        **fronts,
        **found.frames(failures),
    }
    if earlier is not None:
        frames = earlier.kept(frames)
    tables = Tables(frames, {"candidates": candidates_table(folder, search.candidates), "trials": trials})
    summary = {
        "headline": "walk-forward out of sample, chained",
        "windows": len(windows),
        "out_of_sample": stitched.metrics,
        "benchmark": stitched.benchmark_metrics,
        "relative": relative_to(search, stitched.equity, stitched.benchmark),
        **survival(frames["windows"]),
        **sizes,
        "separation": asdict(separation),
        "audited": audited(test for _, test in tested),
        "certified": len(tested),
        "fitted": fitted_numbers(
            search, hub, [(window, winner, windows[window].train) for window, winner, _ in judged]
        ),
        **work_record(found, choice, record, found.simulated + len(tested), chosen),
    }
    if earlier is not None:
        summary["extends"] = {"run": earlier.name, "windows": known}
    if search.is_optimistic:
        pessimistic = search.at_next_open()
        summary["next_open"] = stitch(pessimistic, refill(pessimistic, hub, outcomes)).metrics
    observe("WALK_FORWARD_SUMMARY", summary)
    return PhaseResult(PHASE, tables, summary, winner_variants(search, outcomes), found.forget)


def run_sweep(
    search: Search,
    span: tuple[int, int],
    choice: Choice,
    record: str,
    executor: Executor,
    observe: Observer,
    folder: Path,
    cache: ChunkCache | None = None,
) -> PhaseResult:
    """Simulate all candidates over one span.

    Parameters as in `run_walk_forward`; ``span`` is half-open, in bars.

    Returns
    -------
    PhaseResult
        Tables candidates, trials, timings, front and failures as in `run_walk_forward`; the best candidate (in sample)
        as a variant.
    """
    recorded = recorded_metrics(record, choice)
    found = search_windows(search, [span], choice, recorded, executor, observe, folder / "chunks", cache)
    search = found.search
    chosen = found.chosen[0]
    summary: dict[str, Any] = {
        "headline": "none: the best of a sweep is in sample",
        "span": [boundary(search.bars, span[0]), boundary(search.bars, span[1])],
        "best": None,
        **work_record(found, choice, record, found.simulated, [chosen]),
    }
    variants = []
    if chosen is not None:
        winner = chosen.candidates
        variants.append(span_variant(search, "best", winner, span, span))
        summary["best"] = {
            "candidate": winner[0],
            "parameters": search.parameters(winner),
            "metrics": trained(search, found.hub, span, chosen),
            "selected_by": chosen.score,
        }
        if search.is_optimistic:
            summary["next_open"] = search.at_next_open().segment(found.hub, winner, *span, span).metrics
    trials = trials_table(folder / "trials.parquet", found.trials(0), choice)
    stored = {"candidates": candidates_table(folder, search.candidates), "trials": trials}
    fronts, sizes = front_frames(found.leaders, choice)
    summary |= sizes
    tables = Tables({**fronts, **found.frames()}, stored)
    return PhaseResult(PHASE, tables, summary, variants, found.forget)


def evaluated(
    search: Search,
    hub: Hub,
    windows: Sequence[Window],
    chosen: Sequence[Chosen | None],
    executor: Executor,
    observe: Observer,
) -> tuple[list[WindowOutcome], list[Failed]]:
    """Test what was chosen for each window, and tell of it.

    Each winner is run by both engines, one of them on the hosts, and must come out bit for bit.

    Parameters
    ----------
    search : Search
    hub : Hub
    windows : sequence of Window
    chosen : sequence of (Chosen or None)
        One for each window.
    executor : Executor
    observe : Observer

    Returns
    -------
    outcomes : list of WindowOutcome
    failures : list of Failed
        Winners that fail in their tests.

    Raises
    ------
    ReproductionError
        Names the windows whose winners come out otherwise by the other engine.
    """
    own = {window.index: one for window, one in zip(windows, chosen, strict=True) if one is not None}
    prints, failures = rerun(search, hub, windows, own, executor, observe)
    for failed in failures:
        assert failed.window is not None
        parameters = search.parameters(own[failed.window].candidates)
        observe("FAILURE", failure_record(failed, parameters, has_number=True))
    outcomes = []
    for window in windows:
        observe("NEXT_WINDOW", {"window": window.index, "of": len(windows)})
        outcome = evaluate_window(search, hub, window, own.get(window.index), window.index not in prints)
        outcomes.append(outcome)
        observe("TRAIN_WINDOW", _window_record(search, outcome, outcome.train))
        observe("TEST_WINDOW", _window_record(search, outcome, outcome.test.metrics if outcome.test else None))
    certify(outcomes, prints)
    return outcomes, failures


def judged_tests(outcomes: Iterable[WindowOutcome]) -> list[Judged]:
    """Give the number, the candidates and the test of each window that was not spent in cash."""
    return [
        (outcome.window.index, outcome.chosen.candidates, outcome.test)
        for outcome in outcomes
        if outcome.chosen is not None and outcome.test is not None
    ]


def winner_variants(search: Search, outcomes: Iterable[WindowOutcome]) -> list[Variant]:
    """Give the winner of each window over its test span, where it was tested."""
    return [
        span_variant(
            search,
            f"w{outcome.window.index:02d}",
            outcome.chosen.candidates,
            (outcome.window.test_start, outcome.window.test_stop),
            outcome.window.train,
        )
        for outcome in outcomes
        if outcome.chosen is not None and outcome.test is not None
    ]


def front_frames(leaders: Sequence[Leaders], choice: Choice) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """Give the table of Pareto fronts and what the summary says of them; nothing where there is one objective."""
    if not choice.objectives:
        return {}, {}
    table = front_frame(leaders, choice)
    sizes = np.bincount(table["window"].to_numpy(), minlength=len(leaders)).tolist()
    return {"front": table}, {"front": {"objectives": list(choice.objectives), "sizes": sizes}}


def span_variant(
    search: Search, name: str, tested: Tested, span: tuple[int, int], fit: tuple[int, int] | None = None
) -> Variant:
    """Give what trades with the span of bars that it is to trade as moments, and that on which classifiers are fitted.

    Parameters
    ----------
    search : Search
    name : str
    tested : int or tuple of int
    span, fit : tuple of int
        Half-open, in bars; ``fit`` where the search does not name one itself.
    """
    known_at = search.bars.known_at

    def moments(start: int, stop: int) -> tuple[int | None, int | None]:
        return (
            int(known_at[start - 1]) if start > 0 else None,
            int(known_at[stop - 1]) if stop < len(known_at) else None,
        )

    fitted = (search.fit or fit) if search.composition.is_fitted else None
    alone = search.standalone(tested)
    return Variant(
        name,
        alone.parameters,
        *moments(*span),
        None if fitted is None else moments(*fitted),
        alone.others,
        alone.options,
        alone.member,
    )


def audited(segments: Iterable[Segment]) -> dict[str, int]:
    """Say how many ledgers were replayed, and how many fills; one that did not add up would have raised."""
    fills = [len(segment.fills) for segment in segments]
    return {"ledgers": len(fills), "fills": sum(fills)}


def relative_to(
    search: Search, equity: npt.NDArray[np.float64], benchmark: npt.NDArray[np.float64]
) -> dict[str, float]:
    """Compare an equity path with buy and hold; see `admf_ray.statistics.relative`."""
    cash, periods = search.rules.cash, search.bars.periods_per_year
    own, held = per_bar_returns(equity, cash), per_bar_returns(benchmark, cash)
    return relative(own, held, periods, search.rules.risk_free / periods)


def work_record(
    found: Searched, choice: Choice, record: str, backtests: int, chosen: Sequence[Chosen | None]
) -> dict[str, Any]:
    """Say what was searched, what of it trades, and how much work it was."""
    return {
        "strategy": found.search.composition.name,
        "composition": composition_record(_widest(found.search, chosen)),
        "objective": choice.objective,
        "selection": {"rule": choice.selection, "blocks": choice.blocks, "top": choice.top},
        "record": record,
        "candidates": len(found.search.candidates),
        "sets": found.sets,
        "short_studies": found.short,
        "backtests": backtests,
        "bars_swept": found.bars_swept,
        "reused": asdict(found.reused),
        "tried": {"candidates": len(found.search.candidates), "trials": found.tried},
        "hub": found.hub.counters.record(),
        "resources": found.resources,
    }


def _widest(search: Search, chosen: Iterable[Chosen | None]) -> Composition:
    """Give what is searched, or what trades where most candidates trade together."""
    most = max((len(one.candidates) for one in chosen if one is not None), default=1)
    return search.composition.together(most)


def survival(windows: pl.DataFrame) -> dict[str, float]:
    """Say how much of the winners' Sharpe in training was left in the tests, in the mean of the windows.

    The means are over windows whose winner has a Sharpe in training; a test without one (it never traded) counts as 0.
    """
    chosen = windows.filter(pl.col("train_sharpe").is_finite())
    in_sample = _mean(chosen["train_sharpe"])
    out_of_sample = _mean(chosen["test_sharpe"].fill_nan(0.0))
    return {
        "sharpe_in_sample": in_sample,
        "sharpe_out_of_sample": out_of_sample,
        "sharpe_survived": out_of_sample / in_sample if in_sample > 0 else float("nan"),
    }


def _window_record(search: Search, outcome: WindowOutcome, metrics: dict[str, float] | None) -> dict[str, Any]:
    """Say for the record of progress what won a window, with its metrics in training or in the test."""
    chosen = outcome.chosen
    return {
        "window": outcome.window.index,
        "candidate": None if chosen is None else chosen.candidates[0],
        "parameters": None if chosen is None else search.parameters(chosen.candidates),
        "metrics": metrics,
    }


def _mean(column: pl.Series) -> float:
    return float(column.to_numpy().mean()) if len(column) else float("nan")
