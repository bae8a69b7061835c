"""``+experiment=backtest``: one parameter set over one span."""

from rich.console import Console

from admf_ray.app.assemble import assemble_search, load_data, single_span
from admf_ray.app.recording import run_phase
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.report import print_backtest, print_data
from admf_ray.workflow import RunResult
from admf_ray.workflow.single import run_backtest

__all__ = ["compute", "run"]


def compute(settings: Settings, bars: Bars) -> RunResult:
    """Run the backtest of these settings on bars."""
    search = assemble_search(settings, bars, searched=False)
    span = single_span(settings, bars)
    return run_phase(settings, bars, None, lambda observe: run_backtest(search, span))


def run(settings: Settings, console: Console) -> int:
    """Run it from the command line and print what it found."""
    bars = load_data(settings)
    print_data(console, bars)
    print_backtest(console, compute(settings, bars))
    return 0
