"""Running what a command asks for: with a run directory where one is wanted, and on the console."""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from admf_ray._types import Executor, Observer
from admf_ray.app.assemble import load_data, open_executor
from admf_ray.app.compose import composed_containers, compositions
from admf_ray.app.configuration import settings_yaml, variant_yaml
from admf_ray.app.holdout import opened_span
from admf_ray.app.settings import ClusterSettings, Settings
from admf_ray.app.signals import stopped_by_signals
from admf_ray.core.bars import Bars
from admf_ray.errors import first_line
from admf_ray.files import OwnedFolder
from admf_ray.logs import LOGGER, file_log, log_record
from admf_ray.report import ProgressView, print_data, print_findings, print_holdout, run_page
from admf_ray.workflow import PhaseResult, RunDirectory, RunResult
from admf_ray.workflow.causes import cause_line, causes
from admf_ray.workflow.chunk_cache import ChunkCache
from admf_ray.workflow.ledger import Effort, Ledger, tried_alone
from admf_ray.workflow.manifest import data_report
from admf_ray.workflow.performance import performance
from admf_ray.workflow.trials import StudyFiles

__all__ = ["chunk_cache", "open_run", "run_phase", "run_search", "show"]


def run_phase(
    settings: Settings,
    bars: Bars,
    warnings: Sequence[str],
    observer: Observer | None,
    name: str,
    phase: Callable[[Observer, Path], PhaseResult],
    effort: Effort,
) -> RunResult:
    """Run a phase and keep what it found; enter it in the ledger of its root, and a holdout that it opens.

    Parameters
    ----------
    settings : Settings
        Without a ``run_root`` tables that grow with the search are kept in a temporary directory, for as long as the
        result is.
    bars : Bars
    warnings : sequence of str
        What `admf_ray.app.doubts.doubts` found.
    observer : callable or None
        Told of the progress.
    name : str
        Of the phase.
    phase : callable
        Takes the observer to tell and the directory for its tables; everything that can be refused has been checked
        before.
    effort : Effort
        What it sets out to try.

    Raises
    ------
    ConfigError
        Where another run has opened what this one is to open.
    """
    if settings.run_root is None:
        return _run_without_directory(settings, bars, warnings, observer, name, phase, effort)
    run, recovery = _run_directory(settings), settings.recovery
    if settings.holdout.open:
        _ledger(run).refuse_opened(bars, opened_span(settings, bars))
    with open_run(settings, run):
        run.begin(bars, recovery)
        _describe_containers(settings, run)
        ledger = _ledger(run)
        ledger.begin(settings.experiment, bars, effort)
        if settings.holdout.open:
            warnings = [*warnings, *_opened(settings, bars, ledger, effort)]
        observe = run.observing(_telling(observer))
        if recovery is not None:
            run.write_json("recovery.json", recovery.record())
            observe("RECOVERY", recovery.record())
            if recovery.forced:
                StudyFiles(run.phase_folder(name) / "chunks").drop_failed()
        found = phase(observe, run.phase_folder(name))
        ledger.end(found.summary["tried"])
        found.summary["tried"] = ledger.tried(bars, found.summary["tried"], effort.warm)
        _complete(settings, found, bars, [*warnings, *(f"forced: {change}" for change in run.forced)])
        for variant in found.variants:
            run.write_text(f"best/{variant.name}.yaml", variant_yaml(settings, variant, run.path))
        for book in found.summary.get("books", ()):
            run.write_json(f"containers/{book['book']}/metrics.json", book["metrics"])
        result = run.finish(bars, found)
        if settings.report.page:
            run.write_text("report.html", run_page(performance(result)))
        found.forget()
        # Last of all: a run that has a summary is finished.
        run.write_json("summary.json", result.summary)
        log_record("RUN", {"directory": str(run.path), "summary": result.summary})
        return result


def _opened(settings: Settings, bars: Bars, ledger: Ledger, effort: Effort) -> list[str]:
    """Enter that the holdout is opened; warn where it is none for runs that were before."""
    span = opened_span(settings, bars)
    ledger.open_holdout(bars, span, effort)
    if not (seen := ledger.witnesses(bars, int(bars.known_at[span[0]]))):
        return []
    return [f"holdout.open: {len(seen)} runs had seen bars of the holdout before, the newest of them '{seen[-1]}'"]


def _run_without_directory(
    settings: Settings,
    bars: Bars,
    warnings: Sequence[str],
    observer: Observer | None,
    name: str,
    phase: Callable[[Observer, Path], PhaseResult],
    effort: Effort,
) -> RunResult:
    folder = OwnedFolder("admf_ray-run-")
    try:
        found = phase(_telling(observer), folder.path / "phases" / name)
        found.summary["tried"] = tried_alone(found.summary["tried"], effort.warm)
        _complete(settings, found, bars, warnings)
        found.forget()
    except BaseException:
        folder.remove()
        raise
    weakref.finalize(found.tables, folder.remove)
    return RunResult(found.summary, found.tables)


def _describe_containers(settings: Settings, run: RunDirectory) -> None:
    """Write what the containers of a run hold, where containers run it."""
    books = compositions(settings)
    is_driven = settings.engine.kind == "event_driven" or any(one.is_python for one in books.values())
    if is_driven or settings.books:
        with composed_containers(books) as container:
            run.write_json("containers.json", container.snapshot())


def _run_directory(settings: Settings) -> RunDirectory:
    assert settings.run_root is not None
    config = settings.plain(), settings_yaml(settings)
    return RunDirectory(settings.run_root, settings.run_name, *config, resumed=settings.resumed)


def _ledger(run: RunDirectory) -> Ledger:
    return Ledger(run.path.parent, run.path.name, run.begun)


def chunk_cache(settings: Settings) -> ChunkCache | None:
    """Give the cache that runs of a root share; none where it is not wanted, and for a run that was forced to go on."""
    root = settings.run_root if settings.resumed is None else settings.resumed.parent
    is_forced = settings.recovery is not None and bool(settings.recovery.changes)
    is_forced |= settings.resumed is not None and (settings.resumed / "forced.txt").exists()
    if root is None or settings.search.cache == 0 or is_forced:
        return None
    return ChunkCache(root / "cache" / "chunks", settings.search.cache * 1_000_000)


@contextmanager
def open_run(settings: Settings, run: RunDirectory | None = None) -> Iterator[RunDirectory]:
    """Make the run directory of these settings, with its log file."""
    run = run or _run_directory(settings)
    log = settings.logging
    with run, file_log(run.path / "run.log", log.level, log.rotation, log.kept):
        try:
            # What is kept of a run that was interrupted is not that of one that failed.
            with stopped_by_signals():
                yield run
        except BaseException as error:
            LOGGER.error("%s: %s", type(error).__name__, first_line(error))
            if isinstance(error, KeyboardInterrupt | OSError):
                error.add_note(f"go on with: python -m admf_ray.launch +experiment=resume run={run.path}")
            raise


def _telling(observer: Observer | None) -> Observer:
    """Give an observer that logs, and tells another one."""

    def observe(kind: str, record: Mapping[str, Any]) -> None:
        log_record(kind, record)
        if observer:
            observer(kind, record)

    return observe


def _complete(settings: Settings, found: PhaseResult, bars: Bars, warnings: Sequence[str]) -> None:
    """Put beside a phase's summary what is to be known of its data and of what did not go as asked; log it."""
    counted = causes(found.tables)
    multipliers = {name: known.multiplier for name, known in settings.instruments.items()}
    found.summary.update({"account": {**dict(settings.portfolio), "multipliers": multipliers}, "data": _data(bars)})
    found.summary["holdout"] = None if settings.holdout.start is None else dict(settings.holdout)
    if settings.books:
        found.summary["options"] = settings.plain()["books"]
    said = list(warnings)
    if found.summary.get("benchmark", {}).get("trades") == 0.0:
        said.append("buy and hold bought nothing: a lot of some symbol costs more than its share of portfolio.cash")
    if short := found.summary.get("short_studies"):
        said.append(
            f"studies that ended with fewer sets than search.trials={settings.search.trials}: {short}, as what was "
            "proposed broke constraints or had been tried"
        )
    found.summary.update({"warnings": said, "causes": counted})
    for line in (*said, *found.summary["data"]["repairs"], *map(cause_line, counted)):
        LOGGER.warning("%s", line)


def run_search(
    settings: Settings,
    bars: Bars,
    warnings: Sequence[str],
    observer: Observer | None,
    name: str,
    phase: Callable[[Executor, Observer, Path], PhaseResult],
    effort: Effort,
) -> RunResult:
    """Run a phase that needs an executor; the executor is there before a run directory is made."""
    with open_executor(_cluster(settings)) as executor:
        return run_phase(settings, bars, warnings, observer, name, partial(phase, executor), effort)


def _cluster(settings: Settings) -> ClusterSettings:
    """Give where chunks are computed; how large they are and how long they may take is up to a recovery."""
    if settings.recovery is None:
        return settings.cluster
    planned = {name: getattr(settings.recovery, name) for name in ("chunk_seconds", "chunk_timeout")}
    return settings.cluster.model_copy(update=planned)


def _data(bars: Bars) -> dict[str, Any]:
    """Say in the summary what was found in the data and what was repaired."""
    report = data_report(bars)
    return {"origin": report.origin, "findings": report.counts(), "repairs": report.lines("repaired")}


def show(
    settings: Settings,
    console: Console,
    compute: Callable[[Settings, Bars, Observer | None], RunResult],
    print_result: Callable[[Console, RunResult], None],
) -> int:
    """Compute on the bars that the settings name, with progress, and print the result; give the exit code."""
    bars = load_data(settings)
    print_data(console, bars)
    print_holdout(console, dict(settings.holdout))
    print_findings(console, data_report(bars))
    with ProgressView(console) as progress:
        result = compute(settings, bars, progress)
    print_result(console, result)
    return 0
