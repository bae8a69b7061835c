"""``print=containers``: the containers that an experiment would run, instead of running it."""

import logging

from rich.console import Console

from admf_ray.app.assemble import assemble_search, load_data
from admf_ray.app.compose import book_settings, composed_containers
from admf_ray.app.settings import Settings
from admf_ray.containers import text_tree
from admf_ray.engine.event_driven import BOOK
from admf_ray.logs import log_record

__all__ = ["run"]


def run(settings: Settings, console: Console) -> int:
    """Draw the containers of ``strategy.params`` and of all books: components, who listens to what, what is forwarded.

    Raises
    ------
    ConfigError
        Where the experiment itself would refuse these settings.
    """
    bars = load_data(settings)
    books = (book_settings(settings) if settings.experiment == "backtest" else {}) or {BOOK: settings}
    searches = {name: assemble_search(own, bars, searched=False) for name, own in books.items()}
    with composed_containers({name: search.kind(0).composition for name, search in searches.items()}) as container:
        held = container.snapshot()
    console.print(text_tree(held), highlight=False, markup=False, soft_wrap=True)
    log_record("CONTAINERS", held, logging.INFO)
    return 0
