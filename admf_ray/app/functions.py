"""The platform from Python: the experiments as functions that return their results."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from admf_ray._types import Observer
from admf_ray.app.commands import backtest as backtest_command
from admf_ray.app.commands import sweep as sweep_command
from admf_ray.app.commands import walkforward as walkforward_command
from admf_ray.app.holdout import kept_back
from admf_ray.app.parsing import parse_settings
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.data.sources import HANDED_OVER
from admf_ray.errors import ConfigError
from admf_ray.plugins import activate, find_plugins
from admf_ray.workflow import RunResult

__all__ = ["backtest", "sweep", "walk_forward"]

Space = Mapping[str, Any]


def walk_forward(
    bars: Bars,
    strategy: str,
    space: Space,
    *,
    params: Mapping[str, float] | None = None,
    observer: Observer | None = None,
    **sections: Any,
) -> RunResult:
    """Optimize a strategy over walk-forward windows; what ``+experiment=walkforward`` does.

    Parameters
    ----------
    bars : Bars
        See `admf_ray.load_bars`.
    strategy : str
        Name of a registered strategy.
    space : mapping of str to (dict with low, high, step; or list of values)
        What is searched; empty: what the strategy declares.
    params : mapping of str to float, optional
        Of the parameters that are not searched.
    observer : callable, optional
        Takes progress records.
    **sections
        Any other option, as in the configuration: ``windows={"train": "4y"}``, ``execution={"fill": "close"}``,
        ``cluster={"kind": "local"}``, ``run_root="runs"`` (without it nothing is written), ...

    Returns
    -------
    RunResult
        Tables candidates, trials, windows, equity, fills, trades, timings, front where there are several objectives
        (``search={"objectives": ["sharpe", "max_drawdown"]}``), and failures where there are any.

    Raises
    ------
    ConfigError
        Names the option and what is allowed.
    """
    settings = _settings("walkforward", strategy, params, space, sections)
    return walkforward_command.compute(settings, kept_back(settings, bars), observer)


def sweep(
    bars: Bars,
    strategy: str,
    space: Space,
    *,
    params: Mapping[str, float] | None = None,
    observer: Observer | None = None,
    **sections: Any,
) -> RunResult:
    """Simulate every candidate over one span; what ``+experiment=sweep`` does.

    Parameters as in `walk_forward`; ``span={"start": ..., "stop": ...}`` bounds it.

    Returns
    -------
    RunResult
        Tables candidates, trials, timings, front and failures as in `walk_forward`.
    """
    settings = _settings("sweep", strategy, params, space, sections)
    return sweep_command.compute(settings, kept_back(settings, bars), observer)


def backtest(bars: Bars, strategy: str, params: Mapping[str, float] | None = None, **sections: Any) -> RunResult:
    """Simulate one parameter set over one span; what ``+experiment=backtest`` does.

    Parameters as in `walk_forward`; ``span={"start": ..., "stop": ...}`` bounds it.

    Returns
    -------
    RunResult
        Tables candidates, equity, fills, trades.
    """
    settings = _settings("backtest", strategy, params, {}, sections)
    return backtest_command.compute(settings, kept_back(settings, bars))


def _settings(
    experiment: str, strategy: str, params: Mapping[str, float] | None, space: Space, sections: Mapping[str, Any]
) -> Settings:
    if "data" in sections:
        raise ConfigError("data: the bars are handed over; allowed: every other section of options")
    axes = {name: axis.tolist() if isinstance(axis, np.ndarray) else axis for name, axis in dict(space).items()}
    chosen = {"name": strategy, "params": dict(params or {}), "space": axes}
    settings = parse_settings(
        {"experiment": experiment, **sections, "strategy": chosen, "data": {"source": HANDED_OVER}}
    )
    activate(find_plugins(settings.plugins))
    return settings
