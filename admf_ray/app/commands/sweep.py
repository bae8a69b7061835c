"""``+experiment=sweep``: every candidate over one span."""

from rich.console import Console

from admf_ray._types import Observer
from admf_ray.app.assemble import assemble_search, check_capacity, single_span
from admf_ray.app.doubts import doubts, left_out
from admf_ray.app.running import chunk_cache, run_search, show
from admf_ray.app.selecting import check_selection
from admf_ray.app.settings import Settings
from admf_ray.app.warm import warmed, warmth
from admf_ray.core.bars import Bars
from admf_ray.optimize import recording
from admf_ray.report import print_sweep
from admf_ray.workflow import RunResult
from admf_ray.workflow.discovery import PHASE, run_sweep
from admf_ray.workflow.ledger import Effort

__all__ = ["compute", "run"]


def compute(settings: Settings, bars: Bars, observer: Observer | None = None) -> RunResult:
    """Run the sweep of these settings on bars."""
    settings = warmed(settings, bars)
    search, span = assemble_search(settings, bars), single_span(settings, bars)
    check_selection(settings, search, [span])
    check_capacity(settings.cluster, search, 1)
    cache = chunk_cache(settings)
    record = recording(settings.search.record, search.sets)
    return run_search(
        settings,
        bars,
        [*doubts(settings, bars, [("span", *span)]), *left_out(settings, search.sets)],
        observer,
        PHASE,
        lambda executor, observe, folder: run_sweep(
            search, span, settings.choice, record, executor, observe, folder, cache
        ),
        Effort(search.composition.name, search.sets, search.sets, warmth(settings)),
    )


def run(settings: Settings, console: Console) -> int:
    """Run it from the command line."""
    return show(settings, console, compute, print_sweep)
