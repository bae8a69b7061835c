"""``print=containers``: the containers that an experiment would run, instead of running it."""

from rich.console import Console

from admf_ray.app.assemble import assemble_search, load_data
from admf_ray.app.settings import Settings
from admf_ray.containers import ScopedContainer, text_tree
from admf_ray.engine.event_driven import BOOK, container_spec
from admf_ray.logs import log_record

__all__ = ["run"]


def run(settings: Settings, console: Console) -> int:
    """Draw the containers of ``strategy.params``: components, who listens to what, what is forwarded."""
    bars = load_data(settings)
    search = assemble_search(settings, bars, searched=False)
    container = ScopedContainer(container_spec({BOOK: search.composition}), "backtest")
    try:
        container.initialize()
        console.print(text_tree(container), highlight=False, markup=False, soft_wrap=True)
        log_record("CONTAINERS", container.snapshot())
    finally:
        container.dispose()
    return 0
