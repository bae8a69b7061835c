"""Searching windows: one sweep of the same candidates over all of them, or an adaptive study for each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from admf_ray._types import ChunkDone, Executor, Observer
from admf_ray.data.spans import Stretch, bars_in
from admf_ray.errors import ChunkError
from admf_ray.indicators import Hub
from admf_ray.optimize import (
    Candidates,
    Choice,
    Chosen,
    Failed,
    Leaders,
    Search,
    failed_trials,
    plan_search,
    select,
    sweep_spans,
)
from admf_ray.optimize.blocks import WORST_BLOCK, swept_spans
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow.chunk_cache import ChunkCache, sweep_key
from admf_ray.workflow.frames import failures_frame
from admf_ray.workflow.recovery import failure_record, untried
from admf_ray.workflow.resources import MEASURED, measured, phase_resources
from admf_ray.workflow.reusing import Reused, reused_chunks
from admf_ray.workflow.studying import Studying
from admf_ray.workflow.trials import TrialFiles, trial_rows

__all__ = ["PHASE", "Searched", "search_windows"]

PHASE = "discovery"


@dataclass(frozen=True, slots=True)
class Searched:
    """What came out of a search.

    Attributes
    ----------
    search : Search
        With all candidates that were tried.
    hub : Hub
        Of these; of studies that of the winners.
    leaders : list of Leaders
        Of each span.
    chosen : list of (Chosen or None)
        On each span.
    sets : int
        Candidates of a span, at most.
    tried : int
        Trials: candidates times spans.
    simulated : int
        The same, of a sweep also over blocks of spans where those decide.
    bars_swept : int
        Bars of those together that were not there from an earlier attempt.
    reused : Reused
        What of it earlier runs had computed.
    timings : polars.DataFrame
        One row a chunk.
    failures : list of Failed
        Candidates that failed.
    trials : callable of (int) -> iterator of pyarrow.Table
        Gives the rows of the trials, the windows numbered from there on.
    forget : callable
        Removes what was kept of the trials meanwhile.
    short : int
        Studies that ended with fewer candidates than they were to have.
    resources : dict
        See `admf_ray.workflow.resources.phase_resources`.
    """

    search: Search
    hub: Hub
    leaders: list[Leaders]
    chosen: list[Chosen | None]
    sets: int
    tried: int
    simulated: int
    bars_swept: int
    reused: Reused
    timings: pl.DataFrame
    failures: list[Failed]
    trials: Callable[[int], Iterator[pa.Table]]
    forget: Callable[[], None]
    short: int = 0
    resources: dict[str, Any] = field(default_factory=dict)

    def frames(self, also: Sequence[Failed] = ()) -> dict[str, pl.DataFrame]:
        """Give table timings, and table failures where there are any; ``also`` are those of winners in their tests."""
        failures = [*self.failures, *also]
        return {"timings": self.timings} | ({"failures": failures_frame(failures)} if failures else {})


def search_windows(
    search: Search,
    spans: Sequence[Stretch],
    choice: Choice,
    recorded: Sequence[str],
    executor: Executor,
    observe: Observer,
    folder: Path,
    cache: ChunkCache | None = None,
    first_window: int = 0,
) -> Searched:
    """Try candidates on spans.

    Parameters
    ----------
    search : Search
    spans : sequence of (start, stop), or of such pieces
        Half-open, in bars; see `admf_ray.optimize.sweep_spans`.
    choice : Choice
    recorded : sequence of str
        What is recorded of all trials; see `admf_ray.optimize.recorded_metrics`.
    executor : Executor
    observe : Observer
    folder : Path
        Keeps trials chunk by chunk, and has those of an earlier attempt.
    cache : ChunkCache, optional
        Of chunks of earlier runs.
    first_window : int
        Number of the first span among the windows of the run; studies are of all of them.

    Raises
    ------
    ChunkError
        Where every candidate failed: then it is not they that are wrong.
    """
    announced = {"phase": PHASE, "sets": search.sets, "spans": len(spans), "workers": executor.workers}
    observe("PHASE", announced)
    ended: dict[str, Mapping[str, Any]] = {}

    def told(kind: str, record: Mapping[str, Any]) -> None:
        if kind == "HOST_ENDED":
            ended[record["host"]] = record
        observe(kind, record)

    given = search, spans, choice, recorded, executor, told, folder, cache
    found = _sweep_windows(*given, first_window) if search.adaptive is None else _study_windows(*given)
    by_host = found.timings.group_by("host").agg(pl.len(), pl.col("seconds").sum()).sort("host")
    for host, chunks, seconds in by_host.rows():
        observe("HOST", {"host": host, "chunks": chunks, "busy_seconds": seconds})
    used = phase_resources(found.timings, executor.workers, executor.limits, ended)
    return replace(found, resources={PHASE: used} if used else {})


def _sweep_windows(
    search: Search,
    spans: Sequence[Stretch],
    choice: Choice,
    recorded: Sequence[str],
    executor: Executor,
    observe: Observer,
    folder: Path,
    cache: ChunkCache | None,
    first_window: int,
) -> Searched:
    """Sweep all candidates over all spans."""
    hub = search.hub(executor)
    total = len(search.candidates)
    files = TrialFiles(folder, choice, tuple(recorded))
    # Of an earlier attempt that came as far: they are tried again, or known to fail.
    files.drop_failed()
    reused, key = Reused(), ""
    if cache is not None:
        key = sweep_key(search, spans, choice, recorded)
        reused = reused_chunks(cache, key, files, len(spans))
    rows: list[dict[str, Any]] = []
    failures = [
        replace(done, result=failed_trials(candidate, len(spans), recorded))
        for candidate, done in search.failed.items()
    ]
    ranges, leaders = untried(files.missing(total), search.failed), files.leaders(len(spans))
    left = sum(stop - first for first, stop in ranges)
    if left < total:
        observe("KEPT", {"sets": total - left, "of": total, "reused": asdict(reused)})
    partly, partly_failed = list[ChunkDone](), list[Failed]()
    for done in sweep_spans(search, hub, spans, choice, recorded, executor, ranges, observe):
        first, last = done.chunk
        if done.failure is not None:
            failures.append(done)
            observe("FAILURE", failure_record(Failed.of(done, first), search.parameters(first)))
        elif done.result.faults:
            partly.append(done)
            for window, fault in done.result.faults.items():
                failed = Failed(first, first_window + window, fault, done.host, done.attempts)
                partly_failed.append(failed)
                observe("FAILURE", failure_record(failed, search.parameters(first), has_number=True))
        else:
            leaders = [best.joined(own, choice) for best, own in zip(leaders, done.result.leaders, strict=True)]
            files.add(done.result, leaders)
        timed = {"chunk": done.index, "first": first, "last": last, "host": done.host, "seconds": done.seconds}
        rows.append(timed | measured(done, done.result.containers))
        observe("CHUNK", {**timed, "sets": last - first, "of": total})
        _tell_containers(observe, done.host, done.result.containers)
    entirely_failed = [Failed.of(done, done.chunk[0]) for done in failures]
    _check_some(entirely_failed, total)
    if cache is not None and reused.trials < (total - len(failures) - len(partly)) * len(spans):
        cache.keep(files.folder, {key: files.sound()})
    # Once the cache has its chunks: those that failed are none of them.
    for done in (*failures, *partly):
        leaders = [best.joined(own, choice) for best, own in zip(leaders, done.result.leaders, strict=True)]
        files.add(done.result, leaders)
    swept, _ = swept_spans(spans, choice)
    return Searched(
        search=search,
        hub=hub,
        leaders=leaders,
        chosen=[
            select(choice, own, partial(files.columns, window), search.candidates, space=search.space)
            for window, own in enumerate(leaders)
        ],
        sets=total,
        tried=total * len(spans),
        simulated=total * len(swept),
        bars_swept=left * sum(map(bars_in, swept)),
        reused=reused,
        timings=_timings(rows),
        failures=[*_numbered(entirely_failed, first_window, len(spans)), *partly_failed],
        trials=lambda offset: files.rows(leaders, offset, total),
        forget=files.remove,
    )


def _study_windows(
    search: Search,
    spans: Sequence[Stretch],
    choice: Choice,
    recorded: Sequence[str],
    executor: Executor,
    observe: Observer,
    folder: Path,
    cache: ChunkCache | None,
) -> Searched:
    """Run the study of each span; candidates are numbered in the order of spans, then of proposals."""
    studying = Studying(search, spans, choice, executor, observe, folder, cache)
    studying.run()
    ordered = [studying.studies[window] for window in range(len(spans))]
    firsts = np.cumsum([0, *(len(one.params) for one in ordered)]).tolist()
    failures = [
        replace(failed, candidate=first + failed.candidate)
        for first, one in zip(firsts, ordered, strict=False)
        for failed in one.failures
    ]
    _check_some(failures, firsts[-1])
    tried = Candidates.listed(search.candidates.names, np.concatenate([one.params for one in ordered]))
    planned = plan_search(search.bars, search.composition, tried, search.rules)
    every = replace(planned, engine=search.engine, streams=search.streams, fit=search.fit, space=search.space)
    leaders = [
        Leaders.of(np.arange(first, first + len(one.params)), one.metrics, choice)
        for first, one in zip(firsts, ordered, strict=False)
    ]

    def columns(window: int, names: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
        one = ordered[window]
        return {name: one.worst_block if name == WORST_BLOCK else one.metrics[:, METRICS.index(name)] for name in names}

    def trials(offset: int) -> Iterator[pa.Table]:
        for window, (first, one) in enumerate(zip(firsts, ordered, strict=False)):
            known = columns(window, recorded)
            yield trial_rows(offset + window, first, known, leaders[window], choice, one.pruned)

    chosen = [
        select(choice, own, partial(columns, window), tried, firsts[window], search.space)
        for window, own in enumerate(leaders)
    ]
    winners = sorted({candidate for own in chosen if own is not None for candidate in own.candidates})
    return Searched(
        search=every,
        # Studies had hubs of their own; what all of them read together may be more than there is room for.
        hub=every.hub(executor, winners),
        leaders=leaders,
        chosen=chosen,
        sets=max(len(one.params) for one in ordered),
        tried=len(tried),
        simulated=len(tried),
        bars_swept=studying.bars_swept,
        reused=studying.reused,
        timings=_timings(studying.timings),
        failures=failures,
        trials=trials,
        forget=studying.forget,
        short=sum(len(one.params) < search.sets for one in ordered),
    )


def _numbered(failures: Sequence[Failed], first_window: int, windows: int) -> Sequence[Failed]:
    """Give failures in all windows that were searched, where the run has others before these: one for each window."""
    if not first_window:
        return failures
    return [replace(one, window=first_window + window) for one in failures for window in range(windows)]


def _check_some(failures: Sequence[Failed], candidates: int) -> None:
    """Refuse a search in which every candidate failed."""
    if failures and len(failures) == candidates:
        first = min(failures, key=lambda failed: failed.candidate)
        raise ChunkError(f"all {candidates:,} candidates failed, the first one so:\n{first.fault.traceback}")


def _tell_containers(observe: Observer, host: str, containers: Sequence[dict[str, Any]]) -> None:
    if containers:
        observe("CONTAINERS", {"host": host, "containers": containers})


_TIMED = {"chunk": pl.Int64, "first": pl.Int64, "last": pl.Int64, "host": pl.String, "seconds": pl.Float64, **MEASURED}


def _timings(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_TIMED).sort("chunk", "first").with_columns(phase=pl.lit(PHASE))
