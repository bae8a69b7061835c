"""``+experiment=walkforward``: search on rolling windows, test on what follows."""

from rich.console import Console

from admf_ray._types import Observer
from admf_ray.app.assemble import assemble_search, cut_windows, doubts, window_spans
from admf_ray.app.running import run_search, show
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.optimize import check_memory
from admf_ray.report import print_walk_forward
from admf_ray.workflow import RunResult, load_run
from admf_ray.workflow.discovery import run_walk_forward
from admf_ray.workflow.extension import earlier_run

__all__ = ["compute", "run"]


def compute(settings: Settings, bars: Bars, observer: Observer | None = None) -> RunResult:
    """Run the walk-forward of these settings on bars; with ``run`` extend that run by the windows it has not."""
    search, windows = assemble_search(settings, bars), cut_windows(settings, bars)
    check_memory(search, len(windows))
    earlier = earlier_run(load_run(settings.run), search, windows) if settings.run is not None else None
    return run_search(
        settings,
        bars,
        doubts(settings, bars, window_spans(windows)),
        observer,
        lambda executor, observe: run_walk_forward(search, windows, settings.choice, executor, observe, earlier),
    )


def run(settings: Settings, console: Console) -> int:
    """Run it from the command line."""
    return show(settings, console, compute, print_walk_forward)
