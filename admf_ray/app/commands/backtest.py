"""``+experiment=backtest``: one parameter set over one span."""

from rich.console import Console

from admf_ray._types import Observer
from admf_ray.app.assemble import assemble_search, single_span
from admf_ray.app.compose import book_settings
from admf_ray.app.doubts import doubts
from admf_ray.app.holdout import refuse_open
from admf_ray.app.running import run_phase, show
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.optimize import compute_together
from admf_ray.report import print_backtest, print_books
from admf_ray.workflow import RunResult
from admf_ray.workflow.books import PHASE as BOOKS
from admf_ray.workflow.books import run_books
from admf_ray.workflow.ledger import Effort
from admf_ray.workflow.single import PHASE, run_backtest

__all__ = ["compute", "run"]


def compute(settings: Settings, bars: Bars, observer: Observer | None = None) -> RunResult:
    """Run the backtest of these settings on bars; of each book where there are several."""
    refuse_open(settings)
    if settings.books:
        return _compute_books(settings, bars, observer)
    search, span = assemble_search(settings, bars, searched=False), single_span(settings, bars)
    warnings = doubts(settings, bars, [("span", *span)])
    return run_phase(
        settings,
        bars,
        warnings,
        observer,
        PHASE,
        lambda _observe, folder: run_backtest(search, span, folder),
        Effort(search.composition.name, 1, 1),
    )


def _compute_books(settings: Settings, bars: Bars, observer: Observer | None) -> RunResult:
    books = book_settings(settings)
    searches = {name: assemble_search(own, bars, searched=False) for name, own in books.items()}
    span = single_span(settings, bars)
    warnings = dict.fromkeys(line for own in books.values() for line in doubts(own, bars, [("span", *span)]))
    hub = compute_together(searches.values())
    return run_phase(
        settings,
        bars,
        [*warnings],
        observer,
        BOOKS,
        lambda _observe, folder: run_books(searches, hub, span, folder),
        Effort(f"books {', '.join(books)}", len(books), len(books)),
    )


def run(settings: Settings, console: Console) -> int:
    """Run it from the command line."""
    return show(settings, console, compute, print_books if settings.books else print_backtest)
