"""Running what a command asks for: with a run directory where one is wanted, and on the console."""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from admf_ray._types import Executor, Observer
from admf_ray.app.assemble import load_data, open_executor
from admf_ray.app.configuration import settings_yaml, variant_yaml
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.report import ProgressView, print_data, print_findings
from admf_ray.workflow import PhaseResult, RunDirectory, RunResult
from admf_ray.workflow.manifest import data_report

__all__ = ["run_phase", "run_search", "show"]


def run_phase(
    settings: Settings,
    bars: Bars,
    warnings: Sequence[str],
    observer: Observer | None,
    phase: Callable[[Observer], PhaseResult],
) -> RunResult:
    """Run a phase and keep what it found.

    Parameters
    ----------
    settings : Settings
        Without a ``run_root`` nothing is written.
    bars : Bars
    warnings : sequence of str
        What `admf_ray.app.assemble.doubts` found.
    observer : callable or None
        Told of the progress.
    phase : callable
        Takes the observer to tell; everything that can be refused has been checked before.
    """
    beside = {"warnings": list(warnings), "data": _data(bars)}
    if settings.run_root is None:
        found = phase(observer or (lambda kind, record: None))
        found.summary.update(beside)
        return RunResult(found.summary, found.tables)
    run = RunDirectory(settings.run_root, settings.run_name, settings.plain(), settings_yaml(settings))
    with run:
        found = phase(run.observing(observer))
        found.summary.update(beside)
        best = run.path / "best"
        for variant in found.variants:
            run.write_text(f"best/{variant.name}.yaml", variant_yaml(settings, variant, best))
        return run.finish(bars, found)


def run_search(
    settings: Settings,
    bars: Bars,
    warnings: Sequence[str],
    observer: Observer | None,
    phase: Callable[[Executor, Observer], PhaseResult],
) -> RunResult:
    """Run a phase that needs an executor; the executor is there before a run directory is made."""
    with open_executor(settings.cluster) as executor:
        return run_phase(settings, bars, warnings, observer, lambda observe: phase(executor, observe))


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
    print_findings(console, data_report(bars))
    with ProgressView(console) as progress:
        result = compute(settings, bars, progress)
    print_result(console, result)
    return 0
