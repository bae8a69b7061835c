"""``+experiment=today``: what a walk-forward says to do now."""

from dataclasses import asdict

from rich.console import Console

from admf_ray.app.assemble import assemble_search, check_capacity, load_data, newest_window, open_executor
from admf_ray.app.selecting import check_selection
from admf_ray.app.settings import Settings, required_run
from admf_ray.logs import log_record
from admf_ray.report import ProgressView, print_data, print_findings, print_holdout, print_today
from admf_ray.workflow.manifest import data_report
from admf_ray.workflow.today import refit

__all__ = ["run"]


def run(settings: Settings, console: Console) -> int:
    """Refit the newest window of a run's configuration on the bars there are now, and print what follows.

    Raises
    ------
    ConfigError
        Where there is no finished run, or the bars do not fill a train span.
    """
    required_run(settings)
    bars = load_data(settings)
    print_data(console, bars)
    print_holdout(console, dict(settings.holdout))
    print_findings(console, data_report(bars))
    search, window = assemble_search(settings, bars), newest_window(settings, bars)
    check_selection(settings, search, [window.train])
    check_capacity(settings.cluster, search, 1)
    with open_executor(settings.cluster) as executor, ProgressView(console) as progress:
        found = refit(search, window, settings.choice, executor, progress)
    log_record("TODAY", asdict(found))
    print_today(console, search.composition.name, found)
    return 0
