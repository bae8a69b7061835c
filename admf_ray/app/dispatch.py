"""From a checked configuration to the command that it asks for."""

from collections.abc import Callable

from rich.console import Console

from admf_ray.app.commands import (
    backtest,
    check_data,
    compare,
    components,
    containers,
    fingerprint,
    report,
    resume,
    selfcheck,
    sweep,
    today,
    walkforward,
)
from admf_ray.app.configuration import experiment_lines
from admf_ray.app.settings import TRADING, Settings
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError
from admf_ray.plugins import activate, find_plugins

__all__ = ["COMMANDS", "execute"]

COMMANDS: dict[str, Callable[[Settings, Console], int]] = {
    "backtest": backtest.run,
    "check_data": check_data.run,
    "compare": compare.run,
    "components": components.run,
    "fingerprint": fingerprint.run,
    "report": report.run,
    "resume": resume.run,
    "selfcheck": selfcheck.run,
    "sweep": sweep.run,
    "today": today.run,
    "walkforward": walkforward.run,
}


def execute(settings: Settings, console: Console) -> int:
    """Run the experiment's command; give the exit code."""
    if settings.experiment not in COMMANDS:
        refusal = unknown_name("experiment", settings.experiment, sorted(COMMANDS))
        raise ConfigError(f"experiment: {refusal}\n{experiment_lines()}")
    activate(find_plugins(settings.plugins))
    if settings.print == "containers":
        if settings.experiment not in TRADING:
            raise ConfigError(f"print: {settings.experiment} runs no containers; allowed with: {', '.join(TRADING)}")
        return containers.run(settings, console)
    return COMMANDS[settings.experiment](settings, console)
