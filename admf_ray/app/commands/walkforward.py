"""``+experiment=walkforward``: search on rolling windows, test on what follows; or on splits of all groups of bars."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from admf_ray._types import Observer
from admf_ray.app.assemble import assemble_search, check_capacity, cut_windows, window_spans
from admf_ray.app.configuration import differing_options, plain_config
from admf_ray.app.data_settings import CombinatorialWindows
from admf_ray.app.doubts import doubts, left_out
from admf_ray.app.folds import combinatorial_plan, split_spans
from admf_ray.app.running import chunk_cache, run_search, show
from admf_ray.app.selecting import check_selection
from admf_ray.app.settings import Settings
from admf_ray.app.warm import warmed, warmth
from admf_ray.core.bars import Bars
from admf_ray.data import Window
from admf_ray.errors import ConfigError
from admf_ray.optimize import Search, recording
from admf_ray.plugins import active_plugins
from admf_ray.report import print_combinatorial, print_walk_forward
from admf_ray.workflow import RunResult, load_run
from admf_ray.workflow.combinatorial import run_combinatorial
from admf_ray.workflow.discovery import PHASE, run_walk_forward
from admf_ray.workflow.extension import Earlier, earlier_run
from admf_ray.workflow.ledger import Effort
from admf_ray.workflow.results import read_json, read_text

__all__ = ["compute", "run"]


def compute(settings: Settings, bars: Bars, observer: Observer | None = None) -> RunResult:
    """Run the walk-forward of these settings on bars; with ``run`` extend that run by the windows it has not.

    With windows of kind cpcv it is the combinatorial purged cross-validation in its place.
    """
    if isinstance(settings.windows, CombinatorialWindows):
        return _combinatorial(settings.windows, settings, bars, observer)
    windows = cut_windows(settings, bars)
    settings = warmed(settings, bars, windows)
    search = assemble_search(settings, bars)
    check_selection(settings, search, [window.train for window in windows])
    check_capacity(settings.cluster, search, len(windows))
    earlier = None if settings.run is None else _earlier(settings, settings.run, search, windows)
    trials = search.sets * len(windows)
    record = recording(settings.search.record, trials)
    cache = chunk_cache(settings)
    return run_search(
        settings,
        bars,
        [*doubts(settings, bars, window_spans(windows)), *left_out(settings, trials)],
        observer,
        PHASE,
        lambda executor, observe, folder: run_walk_forward(
            search, windows, settings.choice, record, executor, observe, folder, earlier, cache
        ),
        _effort(settings, search, len(windows) - (0 if earlier is None else earlier.windows)),
    )


def _effort(settings: Settings, search: Search, windows: int) -> Effort:
    """Say what is tried in windows; each study tries sets of its own."""
    trials = search.sets * windows
    candidates = search.sets if search.adaptive is None else trials
    return Effort(search.composition.name, candidates, trials, warmth(settings))


def _combinatorial(
    windows: CombinatorialWindows, settings: Settings, bars: Bars, observer: Observer | None
) -> RunResult:
    search = assemble_search(settings, bars)
    plan = combinatorial_plan(windows, settings, search)
    check_selection(settings, search, [split.train for split in plan.cut(bars)])
    check_capacity(settings.cluster, search, plan.splits)
    trials = search.sets * plan.splits
    record = recording(settings.search.record, trials)
    cache = chunk_cache(settings)
    return run_search(
        settings,
        bars,
        [*doubts(settings, bars, split_spans(plan.cut(bars), bars)), *left_out(settings, trials)],
        observer,
        PHASE,
        lambda executor, observe, folder: run_combinatorial(
            search, plan, settings.choice, record, executor, observe, folder, cache
        ),
        _effort(settings, search, plan.splits),
    )


def _earlier(settings: Settings, run: Path, search: Search, windows: Sequence[Window]) -> Earlier:
    """Take over a run that differs in its data only."""
    earlier = load_run(run)
    then_config = plain_config(read_text(run / "config.yaml"), run)
    for name, (then, now) in differing_options([then_config, settings.plain()]).items():
        if not name.startswith(("data.", "plugins", "holdout.")):
            raise ConfigError(
                f"{name}: {now} is not the {then} of '{run.name}'; allowed: what the run has that is extended"
            )
    used = {plugin.name: plugin.sha256 for plugin in active_plugins()}
    if used != read_json(run / "manifest.json")["plugins"]:
        raise ConfigError(f"plugins: they are not those of '{run.name}'; allowed: those that its run directory keeps")
    return earlier_run(earlier, search, windows)


def run(settings: Settings, console: Console) -> int:
    """Run it from the command line."""
    is_combinatorial = isinstance(settings.windows, CombinatorialWindows)
    return show(settings, console, compute, print_combinatorial if is_combinatorial else print_walk_forward)
