"""``+experiment=compare``: runs side by side."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console

from admf_ray.app.settings import Settings
from admf_ray.errors import ConfigError
from admf_ray.logs import log_record
from admf_ray.report import compare_page, print_comparison
from admf_ray.report.comparison import Compared
from admf_ray.workflow import load_run
from admf_ray.workflow.performance import performance
from admf_ray.workflow.run_directory import write_text

__all__ = ["run"]

_OF_PLACE = ("run_root", "run_name", "run", "runs", "cluster", "logging", "report")


def run(settings: Settings, console: Console) -> int:
    """Print figures and differences of runs, and write them with their paths as a page into ``run_root``."""
    if len(settings.runs) < 2:
        raise ConfigError(f"runs: {len(settings.runs)} given; allowed: two or more: runs=[<dir>,<dir>]")
    performances = [performance(load_run(directory)) for directory in settings.runs]
    compared = Compared.of(performances, _differences([one.config for one in performances]))
    print_comparison(console, compared)
    log_record("COMPARISON", {"runs": list(compared.names), "figures": compared.figures})
    if settings.run_root is not None:
        page = settings.run_root / f"compare-{'-'.join(compared.names)}.html"
        write_text(page, compare_page(compared))
        console.print(f"report: {page}", highlight=False, soft_wrap=True)
    return 0


def _differences(configs: list[str]) -> dict[str, list[str]]:
    """Give the options that are not the same in all runs, with the value in each."""
    flat = [dict(_options(OmegaConf.to_container(OmegaConf.create(text)))) for text in configs]
    names = dict.fromkeys(name for options in flat for name in options)
    shown = {name: [str(options.get(name, "-")) for options in flat] for name in names}
    return {name: values for name, values in shown.items() if len(set(values)) > 1}


def _options(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping) and values:
        for name, value in values.items():
            if path or name not in _OF_PLACE:
                yield from _options(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, values
