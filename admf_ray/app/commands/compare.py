"""``+experiment=compare``: runs side by side."""

from rich.console import Console

from admf_ray.app.configuration import differing_options, plain_config
from admf_ray.app.settings import Settings
from admf_ray.errors import ConfigError
from admf_ray.files import write_text
from admf_ray.fingerprint import fingerprint_value
from admf_ray.logs import log_record
from admf_ray.report import compare_page, print_comparison
from admf_ray.report.comparison import Compared
from admf_ray.workflow import load_run
from admf_ray.workflow.performance import performance

__all__ = ["run"]

_LONGEST_NAME = 120


def run(settings: Settings, console: Console) -> int:
    """Print figures and differences of runs, and write them with their paths as a page into ``run_root``.

    Raises
    ------
    ConfigError
        Where there are fewer than two runs, or one is not finished.
    ReproductionError
        Where a file of one is damaged.
    """
    if len(settings.runs) < 2:
        raise ConfigError(f"runs: {len(settings.runs)} given; allowed: two or more: runs=[<dir>,<dir>]")
    performances = [performance(load_run(directory)) for directory in settings.runs]
    configs = [plain_config(one.config, directory) for one, directory in zip(performances, settings.runs, strict=True)]
    compared = Compared.of(performances, differing_options(configs))
    print_comparison(console, compared)
    log_record("COMPARISON", {"runs": list(compared.names), "figures": compared.figures})
    if settings.run_root is not None:
        name = "-".join(compared.names)
        name = name if len(name) <= _LONGEST_NAME else f"{len(compared.names)}-runs-{fingerprint_value(name)[:8]}"
        page = settings.run_root / f"compare-{name}.html"
        write_text(page, compare_page(compared))
        console.print(f"report: {page}", highlight=False, soft_wrap=True)
    return 0
