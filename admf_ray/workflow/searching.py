"""Searching windows: one sweep of the same candidates over all of them, or an adaptive study for each."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from admf_ray._types import ChunkDone, Executor, Fault, Observer
from admf_ray.errors import ChunkError
from admf_ray.files import write_text
from admf_ray.indicators import Hub
from admf_ray.optimize import Candidates, Choice, Leaders, Search, Studied, plan_search, sweep_spans
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow.chunk_cache import ChunkCache, study_keys, sweep_key
from admf_ray.workflow.frames import failures_frame
from admf_ray.workflow.results import read_json
from admf_ray.workflow.trials import StudyFiles, TrialFiles, trial_rows

__all__ = ["PHASE", "Searched", "search_windows"]

PHASE = "discovery"
_REUSED = "reused.json"
_TRADES = METRICS.index("trades")


@dataclass(frozen=True, slots=True)
class Reused:
    """Chunks that were taken from the cache, and the trials in them; a study is a chunk."""

    chunks: int = 0
    trials: int = 0


@dataclass(frozen=True, slots=True)
class Searched:
    """What came out of a search.

    Attributes
    ----------
    search : Search
        With all candidates that were tried.
    hub : Hub
        Of these.
    leaders : list of Leaders
        Of each span.
    simulated : int
        Candidates times spans.
    bars_swept : int
        Bars of those together that were not there from an earlier attempt.
    reused : Reused
        What of it earlier runs had computed.
    frames : dict of str to polars.DataFrame
        Table timings, one row a chunk; and where candidates failed table failures, one row each.
    trials : callable of (int) -> iterator of pyarrow.Table
        Gives the rows of the trials, the windows numbered from there on.
    forget : callable
        Removes what was kept of the trials meanwhile.
    """

    search: Search
    hub: Hub
    leaders: list[Leaders]
    simulated: int
    bars_swept: int
    reused: Reused
    frames: dict[str, pl.DataFrame]
    trials: Callable[[int], Iterator[pa.Table]]
    forget: Callable[[], None]


def search_windows(
    search: Search,
    spans: Sequence[tuple[int, int]],
    choice: Choice,
    recorded: Sequence[str],
    executor: Executor,
    observe: Observer,
    folder: Path | None = None,
    cache: ChunkCache | None = None,
) -> Searched:
    """Try candidates on spans.

    Parameters
    ----------
    search : Search
    spans : sequence of (start, stop)
        Half-open, in bars.
    choice : Choice
    recorded : sequence of str
        Metrics that are recorded of all trials.
    executor : Executor
    observe : Observer
    folder : Path, optional
        Keeps trials chunk by chunk, and has those of an earlier attempt; without it they are not kept.
    cache : ChunkCache, optional
        Of chunks of earlier runs; where nothing is kept it is not used.

    Raises
    ------
    ChunkError
        Where every candidate failed: then it is not they that are wrong.
    """
    announced = {"phase": PHASE, "sets": search.sets, "spans": len(spans), "workers": executor.workers}
    observe("PHASE", announced)
    run = _sweep_windows if search.adaptive is None else _study_windows
    found = run(search, spans, choice, recorded, executor, observe, folder, cache)
    by_host = found.frames["timings"].group_by("host").agg(pl.len(), pl.col("seconds").sum()).sort("host")
    for host, chunks, seconds in by_host.rows():
        observe("HOST", {"host": host, "chunks": chunks, "busy_seconds": seconds})
    return found


def _sweep_windows(
    search: Search,
    spans: Sequence[tuple[int, int]],
    choice: Choice,
    recorded: Sequence[str],
    executor: Executor,
    observe: Observer,
    folder: Path | None,
    cache: ChunkCache | None,
) -> Searched:
    """Sweep all candidates over all spans."""
    hub = search.hub(executor)
    total = len(search.candidates)
    files = None if folder is None else TrialFiles(folder, choice, tuple(recorded))
    reused, key = Reused(), ""
    if files is not None and cache is not None:
        key = sweep_key(search, spans, choice, recorded)
        reused = _reused_chunks(cache, key, files, len(spans))
    rows: list[dict[str, Any]] = []
    failures: list[ChunkDone] = []
    ranges = [(0, total)] if files is None else files.missing(total)
    leaders = [Leaders.nobody() for _ in spans] if files is None else files.leaders(len(spans))
    left = sum(stop - first for first, stop in ranges)
    if left < total:
        observe("KEPT", {"sets": total - left, "of": total, "reused": asdict(reused)})
    for done in sweep_spans(search, hub, spans, choice, recorded, executor, ranges):
        first, last = done.chunk
        if done.failure is not None:
            failures.append(done)
            observe("FAILURE", _failure_record(search, done, done.failure))
        else:
            leaders = [best.joined(own, choice) for best, own in zip(leaders, done.result.leaders, strict=True)]
            if files is not None:
                files.add(done.result, leaders)
        rows.append({"chunk": done.index, "first": first, "last": last, "host": done.host, "seconds": done.seconds})
        observe("CHUNK", {**rows[-1], "sets": last - first, "of": total})
        _tell_containers(observe, done.host, done.result.containers)
    if failures and len(failures) == total:
        first_failed = min(failures, key=lambda done: done.chunk)
        assert first_failed.failure is not None
        raise ChunkError(f"all {total:,} candidates failed, the first one so:\n{first_failed.failure.traceback}")
    if files is not None:
        if cache is not None and len(rows) > len(failures):
            cache.keep(files.folder, {key: files.sound()})
        # Last of all, so that whoever goes on with the run tries them again.
        for done in failures:
            files.add(done.result, leaders)
    return Searched(
        search=search,
        hub=hub,
        leaders=leaders,
        simulated=total * len(spans),
        bars_swept=left * sum(stop - start for start, stop in spans),
        reused=reused,
        frames={"timings": _timings(rows)} | ({"failures": failures_frame(failures)} if failures else {}),
        trials=lambda offset: iter(()) if files is None else files.rows(leaders, offset, total),
        forget=lambda: None if files is None else files.remove(),
    )


def _study_windows(
    search: Search,
    spans: Sequence[tuple[int, int]],
    choice: Choice,
    recorded: Sequence[str],
    executor: Executor,
    observe: Observer,
    folder: Path | None,
    cache: ChunkCache | None,
) -> Searched:
    """Run the study of each span; candidates are numbered in the order of spans, then of proposals."""
    files = None if folder is None else StudyFiles(folder)
    reused, keys = Reused(), list[str]()
    if files is not None and cache is not None:
        keys = study_keys(search, spans, choice)
        reused = _reused_studies(cache, keys, files)
    studies = {} if files is None else files.studies()
    rows: list[dict[str, Any]] = []
    shared = executor.share(search.study_bundle(spans, choice))
    if studies:
        kept = search.sets * len(studies) // len(spans)
        observe("KEPT", {"sets": kept, "of": search.sets, "reused": asdict(reused)})
    waiting = [window for window in range(len(spans)) if window not in studies]
    for done in executor.each("admf_ray.optimize.study:run_study", waiting, shared):
        studied: Studied = done.result
        studies[done.chunk] = studied
        if files is not None:
            files.add(studied)
        timed = {
            "chunk": done.chunk,
            "first": 0,
            "last": len(studied.params),
            "host": done.host,
            "seconds": done.seconds,
        }
        rows.append(timed)
        # Progress counts sets of one window: each study is its share of them.
        share = (search.sets * len(rows)) // len(spans) - (search.sets * (len(rows) - 1)) // len(spans)
        observe("CHUNK", {**timed, "sets": share, "of": search.sets})
        _tell_containers(observe, done.host, studied.containers)
    if files is not None and cache is not None:
        whole = (window for window in waiting if not np.isnan(studies[window].metrics[:, _TRADES]).any())
        cache.keep(files.folder, {keys[window]: [files.name(window)] for window in whole})
    ordered = [studies[window] for window in range(len(spans))]
    firsts = np.cumsum([0, *(len(one.params) for one in ordered)]).tolist()
    tried = Candidates.listed(search.candidates.names, np.concatenate([one.params for one in ordered]))
    planned = plan_search(search.bars, search.composition, tried, search.rules)
    every = replace(planned, engine=search.engine, streams=search.streams, fit=search.fit)
    leaders = [
        Leaders.of(np.arange(first, first + len(one.params)), one.metrics, choice)
        for first, one in zip(firsts, ordered, strict=False)
    ]

    def trials(offset: int) -> Iterator[pa.Table]:
        for window, (first, one) in enumerate(zip(firsts, ordered, strict=False)):
            columns = {name: one.metrics[:, METRICS.index(name)] for name in recorded}
            yield trial_rows(offset + window, first, columns, leaders[window], choice)

    return Searched(
        search=every,
        hub=every.hub(executor),
        leaders=leaders,
        simulated=len(tried),
        bars_swept=sum(len(studies[window].params) * (spans[window][1] - spans[window][0]) for window in waiting),
        reused=reused,
        frames={"timings": _timings(rows)},
        trials=trials,
        forget=lambda: None if files is None else files.remove(),
    )


def _reused_chunks(cache: ChunkCache, key: str, files: TrialFiles, spans: int) -> Reused:
    """Take chunks out of the cache, unless an earlier attempt has left some: theirs would lie across each other."""
    if known := _known_reused(files.folder):
        return known
    if files.done():
        return Reused()
    files.take(cache, key)
    done = files.done()
    return _told_reused(files.folder, Reused(len(done), spans * sum(stop - first for first, stop in done)))


def _reused_studies(cache: ChunkCache, keys: Sequence[str], files: StudyFiles) -> Reused:
    """Take the studies out of the cache that an earlier attempt has not left."""
    if known := _known_reused(files.folder):
        return known
    there = files.studies().keys()
    taken = {window for window, key in enumerate(keys) if window not in there and cache.take(key, files.folder)}
    trials = [len(studied.params) for window, studied in files.studies().items() if window in taken]
    return _told_reused(files.folder, Reused(len(trials), sum(trials)))


def _known_reused(folder: Path) -> Reused | None:
    """Give what an earlier attempt had taken out of the cache."""
    return Reused(**read_json(folder / _REUSED)) if (folder / _REUSED).is_file() else None


def _told_reused(folder: Path, reused: Reused) -> Reused:
    """Write down, for whoever goes on with the run, what was taken out of the cache."""
    if reused.chunks:
        write_text(folder / _REUSED, json.dumps(asdict(reused)))
    return reused


def _tell_containers(observe: Observer, host: str, containers: Sequence[dict[str, Any]]) -> None:
    if containers:
        observe("CONTAINERS", {"host": host, "containers": containers})


def _failure_record(search: Search, done: ChunkDone, fault: Fault) -> dict[str, Any]:
    candidate = done.chunk[0]
    return {
        "candidate": candidate,
        "parameters": search.candidates.parameters(candidate),
        "error": fault.error,
        "message": fault.message,
        "host": done.host,
        "attempts": done.attempts,
    }


_TIMED = {"chunk": pl.Int64, "first": pl.Int64, "last": pl.Int64, "host": pl.String, "seconds": pl.Float64}


def _timings(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_TIMED).sort("chunk", "first").with_columns(phase=pl.lit(PHASE))
