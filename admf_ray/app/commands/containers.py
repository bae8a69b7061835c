"""``print=containers``: the containers that an experiment would run, instead of running it."""

from rich.console import Console

from admf_ray.app.assemble import assemble_search, load_data, single_span
from admf_ray.app.settings import Settings
from admf_ray.containers import text_tree
from admf_ray.logs import log_record

__all__ = ["run"]


def run(settings: Settings, console: Console) -> int:
    """Draw the container of ``strategy.params`` over its span: components, who listens to what, what is forwarded."""
    bars = load_data(settings)
    search = assemble_search(settings, bars, searched=False)
    container = search.container(search.hub(), 0, *single_span(settings, bars))
    try:
        container.initialize()
        console.print(text_tree(container), highlight=False, markup=False, soft_wrap=True)
        log_record("CONTAINERS", container.snapshot())
    finally:
        container.dispose()
    return 0
