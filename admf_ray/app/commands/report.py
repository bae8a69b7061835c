"""``+experiment=report``: the page of a run, drawn anew from its files."""

from rich.console import Console

from admf_ray.app.settings import Settings, required_run
from admf_ray.files import write_text
from admf_ray.logs import log_record
from admf_ray.report import run_page
from admf_ray.report.definitions import tried_text
from admf_ray.workflow import load_run
from admf_ray.workflow.performance import performance

__all__ = ["run"]


def run(settings: Settings, console: Console) -> int:
    """Write ``report.html`` into the run directory.

    Raises
    ------
    ConfigError
        Where there is no finished run.
    ReproductionError
        Where a file of it is damaged.
    """
    result = load_run(required_run(settings))
    assert result.directory is not None
    page = result.directory / "report.html"
    write_text(page, run_page(performance(result)))
    log_record("REPORT", {"page": str(page)})
    if tried := result.summary.get("tried"):
        console.print(f"tried: {tried_text(tried)}", highlight=False, soft_wrap=True)
    console.print(f"report: {page}", highlight=False, soft_wrap=True)
    return 0
