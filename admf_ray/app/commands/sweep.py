"""``+experiment=sweep``: every candidate over one span."""

from rich.console import Console

from admf_ray._types import Observer
from admf_ray.app.assemble import assemble_search, load_data, open_executor, single_span
from admf_ray.app.recording import run_phase
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.report import ProgressView, print_data, print_sweep
from admf_ray.workflow import PhaseResult, RunResult
from admf_ray.workflow.discovery import run_sweep

__all__ = ["compute", "run"]


def compute(settings: Settings, bars: Bars, observer: Observer | None = None) -> RunResult:
    """Run the sweep of these settings on bars."""
    search = assemble_search(settings, bars)
    span = single_span(settings, bars)

    with open_executor(settings.cluster) as executor:

        def phase(observe: Observer) -> PhaseResult:
            return run_sweep(
                search,
                span,
                settings.search.objective,
                settings.search.min_trades,
                executor,
                settings.cluster.chunk_seconds,
                observe,
            )

        return run_phase(settings, bars, observer, phase)


def run(settings: Settings, console: Console) -> int:
    """Run it from the command line and print what it found."""
    bars = load_data(settings)
    print_data(console, bars)
    with ProgressView(console) as progress:
        result = compute(settings, bars, progress)
    print_sweep(console, result)
    return 0
