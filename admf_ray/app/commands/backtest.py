"""``+experiment=backtest``: one parameter set over one span."""

from rich.console import Console

from admf_ray._types import Observer
from admf_ray.app.assemble import assemble_search, doubts, single_span
from admf_ray.app.running import run_phase, show
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.report import print_backtest
from admf_ray.workflow import RunResult
from admf_ray.workflow.single import PHASE, run_backtest

__all__ = ["compute", "run"]


def compute(settings: Settings, bars: Bars, observer: Observer | None = None) -> RunResult:
    """Run the backtest of these settings on bars."""
    search, span = assemble_search(settings, bars, searched=False), single_span(settings, bars)
    warnings = doubts(settings, bars, [("span", *span)])
    return run_phase(
        settings, bars, warnings, observer, PHASE, lambda _observe, folder: run_backtest(search, span, folder)
    )


def run(settings: Settings, console: Console) -> int:
    """Run it from the command line."""
    return show(settings, console, compute, print_backtest)
