"""Running a phase, with a run directory where one is asked for."""

from collections.abc import Callable

from admf_ray._types import Observer
from admf_ray.app.configuration import settings_yaml, variant_yaml
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.workflow import PhaseResult, RunDirectory, RunResult

__all__ = ["run_phase"]


def run_phase(
    settings: Settings, bars: Bars, observer: Observer | None, phase: Callable[[Observer], PhaseResult]
) -> RunResult:
    """Run a phase and keep what it found.

    Parameters
    ----------
    settings : Settings
        Without a ``run_root`` nothing is written.
    bars : Bars
    observer : callable or None
        Told of the progress.
    phase : callable
        Takes the observer to tell; everything that can be refused has been checked before.
    """
    if settings.run_root is None:
        found = phase(observer or (lambda kind, record: None))
        return RunResult(found.summary, found.tables)
    run = RunDirectory(settings.run_root, settings.run_name, settings.plain(), settings_yaml(settings))
    with run:
        found = phase(run.observing(observer))
        best = run.path / "best"
        for variant in found.variants:
            run.write_text(f"best/{variant.name}.yaml", variant_yaml(settings, variant, best))
        return run.finish(bars, found)
