"""``+experiment=resume``: go on with a run that was stopped, wherever and however."""

from pathlib import Path
from typing import Any

from rich.console import Console

from admf_ray.app.assemble import load_data
from admf_ray.app.commands import backtest, sweep, walkforward
from admf_ray.app.configuration import differing_options, plain_config
from admf_ray.app.parsing import parse_settings
from admf_ray.app.settings import Settings, required_run
from admf_ray.core.bars import Bars
from admf_ray.errors import ConfigError, ReproductionError
from admf_ray.workflow.manifest import describe_run
from admf_ray.workflow.recovery import plan_recovery, read_records
from admf_ray.workflow.results import read_json, read_text

__all__ = ["run"]

_RUNS = {"backtest": backtest.run, "sweep": sweep.run, "walkforward": walkforward.run}
_MADE_FROM = ("code", "plugins", "packages", "python", "machine", "data")


def run(settings: Settings, console: Console) -> int:
    """Go on with ``run``; chunks that are complete are not computed again, and the result is the same.

    What went wrong before decides how: see `admf_ray.workflow.recovery.plan_recovery`. Nothing of the run is touched
    here: what is forced is written down by whoever has the lock of the run.

    Raises
    ------
    ConfigError
        Where there is no run to go on with, it is finished, or somebody works on it.
    ReproductionError
        Where options, code, packages, machine or data are not what they were, and nothing forces it.
    """
    path = required_run(settings)
    config = plain_config(read_text(path / "config.yaml"), path)
    if (path / "summary.json").exists():
        raise ConfigError(f"run: '{path.name}' is finished; allowed: a run that was stopped")
    if config["experiment"] not in _RUNS:
        raise ConfigError(f"run: '{path.name}' is of {config['experiment']}; allowed: {', '.join(_RUNS)}")
    anew = {name: settings.plain()[name] for name in ("cluster", "logging", "report")}
    chosen = settings.plain() | {name: config[name] for name in ("experiment", "run", "runs", "run_name", "run_root")}
    bars = load_data(settings)
    changed, is_other = _changes(path, config, chosen, bars)
    if changed and not settings.force:
        raise ReproductionError(
            f"run: '{path.name}' was begun with something else: {'; '.join(changed)}; allowed: the same again, or "
            "force=true, which is recorded"
        )
    cluster = settings.cluster
    records = read_records(path / "progress.jsonl")
    recovery = plan_recovery(records, cluster.chunk_seconds, cluster.chunk_timeout, settings.force, changed, is_other)
    values = {**(chosen if settings.force else config), **anew, "resumed": path, "recovery": recovery}
    # Of a password only its user knows more than that there was one.
    values["search"] = {**values["search"], "storage": settings.search.storage}
    went_on = parse_settings(values)
    return _RUNS[went_on.experiment](went_on, console)


def _changes(path: Path, config: dict[str, Any], chosen: dict[str, Any], bars: Bars) -> tuple[list[str], bool]:
    """Say what is not what it was, a line each, and whether that is options or data."""
    options = differing_options([config, chosen])
    # Plugins are those that the run directory keeps: what they were is in the manifest.
    found = [f"{name} is {now}, was {then}" for name, (then, now) in options.items() if name != "plugins"]
    manifest = read_json(path / "manifest.json")
    now = describe_run(bars, config, {})
    is_other = bool(found) or manifest["data"]["fingerprint"] != now["data"]["fingerprint"]
    for part in _MADE_FROM:
        then, here = (one[part]["fingerprint"] if part == "data" else one[part] for one in (manifest, now))
        if then != here:
            found.append(f"{part} has changed" if part in {"code", "data"} else f"{part} is {here}, was {then}")
    # Values may have several lines.
    return [" ".join(one.split()) for one in found], is_other
