"""Warm starts: a search that begins with the best sets of an earlier run, which saw nothing that it is tested on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from admf_ray.app.candidates import search_space
from admf_ray.app.compose import compose, composed_params
from admf_ray.app.configuration import plain_config
from admf_ray.app.search_settings import WarmedSettings
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.data import Window, parse_date
from admf_ray.engine.account_options import is_option
from admf_ray.errors import ConfigError, ReproductionError
from admf_ray.workflow import RunResult, load_run
from admf_ray.workflow.frames import boundary
from admf_ray.workflow.ledger import Warmth
from admf_ray.workflow.results import read_json, read_text
from admf_ray.workflow.warm import best_sets

__all__ = ["warmed", "warmth"]


def warmed(settings: Settings, bars: Bars, windows: Sequence[Window] = ()) -> Settings:
    """Give the settings with the best sets of ``search.warm_start`` among ``search.points``.

    They hold all that was read of that run, so that whoever goes on with this one does without it.

    Parameters
    ----------
    settings : Settings
    bars : Bars
    windows : sequence of Window
        Of a walk-forward: what that run saw must end before the first test.

    Raises
    ------
    ConfigError
        Where that run cannot be used: says why, and what is allowed.
    ReproductionError
        Where a file of it is damaged.
    """
    search, directory = settings.search, settings.search.warm_start
    if directory is None or search.warmed is not None:
        return settings
    if search.sampler == "grid":
        raise ConfigError("search.warm_start: a grid has all sets; allowed: search=random, qmc, tpe, nsga2, cmaes")
    run = _finished(directory)
    composition = compose(settings)
    if run.summary["strategy"] != composition.name:
        raise ConfigError(
            f"search.warm_start: '{directory}' is of {run.summary['strategy']}; allowed: a run of {composition.name}"
        )
    names = [name for name in run.tables.columns("candidates") if name != "candidate"]
    space = search_space(settings, composition, composed_params(settings, composition))
    # Options of the account that only the other run searched are left out of its sets.
    of_space = [name for name in names if name in space.names or not is_option(name)]
    if of_space != list(space.names):
        raise ConfigError(
            f"search.warm_start: '{directory}' has the parameters {', '.join(names)}; allowed: a run with "
            f"{', '.join(space.names)}"
        )
    known = _known(run)
    _check_seen(settings, bars, windows, np.datetime64(known.seen))
    points = best_sets(run, space, search.warm_points)
    if not points:
        raise ConfigError(
            f"search.warm_start: no set of '{directory}' that could win lies in strategy.space and obeys the "
            "constraints; allowed: a space that holds some of them"
        )
    update: dict[str, Any] = {"points": [*search.points, *points], "warmed": known}
    return settings.model_copy(update={"search": search.model_copy(update=update)})


def _check_seen(settings: Settings, bars: Bars, windows: Sequence[Window], seen: np.datetime64) -> None:
    """Refuse a run that saw what this one is tested on, or its holdout."""
    found = []
    for window in windows:
        begin = np.datetime64(boundary(bars, window.test_start), "ns")
        if seen >= begin:
            found.append(f"the test of window {window.index} begins at {_text(begin)}")
    if (start := settings.holdout.start) is not None and seen > parse_date(start, "holdout.start"):
        found.append(f"the holdout begins after {start}")
    if found:
        raise ConfigError(
            f"search.warm_start: '{settings.search.warm_start}' saw bars up to {_text(seen)}, and {found[0]}; "
            "allowed: a run whose data ends before"
        )


def warmth(settings: Settings) -> Warmth | None:
    """Give what a search knew of an earlier run when it began."""
    known = settings.search.warmed
    return None if known is None else Warmth(known.run, known.candidates, known.trials)


def _finished(directory: Path) -> RunResult:
    try:
        run = load_run(directory)
    except ConfigError as error:
        raise ConfigError(f"search.warm_start: {str(error).removeprefix('run: ')}") from None
    if not {"candidates", "trials"} <= set(run.tables):
        raise ConfigError(f"search.warm_start: '{directory}' searched nothing; allowed: a sweep or a walk-forward")
    if changed := run.changed():
        raise ReproductionError(f"search.warm_start: '{directory}' is no longer as it was left: {', '.join(changed)}")
    return run


def _known(run: RunResult) -> WarmedSettings:
    """Say what a run tried and saw, itself and through the run that it began with."""
    assert run.directory is not None
    before = plain_config(read_text(run.directory / "config.yaml"), run.directory)["search"].get("warmed")
    seen = np.datetime64(read_json(run.directory / "manifest.json")["data"]["last_known_at"], "ns")
    candidates, trials = run.tables.rows("candidates"), run.tables.rows("trials")
    if before is not None:
        candidates, trials = candidates + before["candidates"], trials + before["trials"]
        seen = max(seen, np.datetime64(before["seen"], "ns"))
    return WarmedSettings(run=run.directory.name, candidates=candidates, trials=trials, seen=str(seen))


def _text(moment: np.datetime64) -> str:
    return str(np.datetime_as_string(moment, unit="auto"))
