"""``+experiment=check_data``: what is wrong with the bars, in words and as a picture."""

from dataclasses import replace

from rich.console import Console

from admf_ray.app.running import open_run
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.core.findings import DataReport
from admf_ray.data import request_bars, stress_by_year
from admf_ray.errors import DataError, first_line
from admf_ray.logs import log_record
from admf_ray.report import data_page, print_check, print_data
from admf_ray.workflow.manifest import data_report

__all__ = ["run"]


def run(settings: Settings, console: Console) -> int:
    """Print the report of the checks, write it with a plot into a run directory.

    Raises
    ------
    DataError
        Where the bars are refused, once that is done; at once where there is nothing to check: no file, no columns, no
        rows, no stamps that can be placed in time.
    """
    bars, report, error = _checked(settings)
    years = stress_by_year(bars) if bars is not None else []
    if bars is not None and error is None:
        print_data(console, bars)
    print_check(console, report, years)
    log_record("DATA", {"origin": report.origin, "findings": report.counts(), "refused": bool(error)})
    if settings.run_root is not None:
        counts = report.counts()
        with open_run(settings) as directory:
            directory.write_json("data_report.json", report.plain())
            directory.write_text("report.html", data_page(report, bars, years, _reason(error)))
            directory.write_json(
                "summary.json", {"headline": "data checked", "findings": counts, "refused": bool(error)}
            )
        console.print(f"report: {directory.path / 'report.html'}", highlight=False, soft_wrap=True)
    if error is None:
        return 0
    raise DataError(f"{_reason(error)}{': listed above' if report.findings else ''}")


def _reason(error: DataError | None) -> str | None:
    return None if error is None else first_line(error).removesuffix(":")


def _checked(settings: Settings) -> tuple[Bars | None, DataReport, DataError | None]:
    """Give bars, report and refusal; bars that are refused are made as well as they can be, to be drawn."""
    request = settings.data.request
    try:
        bars = request_bars(request)
    except DataError as refusal:
        if not isinstance(refusal.report, DataReport):
            raise
        drawn = replace(request, sanity=replace(request.sanity, mode="warn"), periods_per_year=1.0)
        try:
            return request_bars(drawn), refusal.report, refusal
        except DataError:
            return None, refusal.report, refusal
    return bars, data_report(bars), None
