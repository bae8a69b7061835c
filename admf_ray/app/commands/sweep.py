"""``+experiment=sweep``: every candidate over one span."""

from rich.console import Console

from admf_ray._types import Observer
from admf_ray.app.assemble import assemble_search, doubts, single_span
from admf_ray.app.running import run_search, show
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.optimize import check_memory
from admf_ray.report import print_sweep
from admf_ray.workflow import RunResult
from admf_ray.workflow.discovery import run_sweep

__all__ = ["compute", "run"]


def compute(settings: Settings, bars: Bars, observer: Observer | None = None) -> RunResult:
    """Run the sweep of these settings on bars."""
    search, span = assemble_search(settings, bars), single_span(settings, bars)
    check_memory(search, 1)
    return run_search(
        settings,
        bars,
        doubts(settings, bars, [("span", *span)]),
        observer,
        lambda executor, observe: run_sweep(search, span, settings.choice, executor, observe),
    )


def run(settings: Settings, console: Console) -> int:
    """Run it from the command line."""
    return show(settings, console, compute, print_sweep)
