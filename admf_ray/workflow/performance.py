"""The performance of a finished run: what its tables come to by month, by year and in rolling windows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.statistics import (
    CalendarReturns,
    calendar_returns,
    drawdown,
    per_bar_returns,
    rolling_sharpe,
    volatility_matched,
)
from admf_ray.workflow.results import RunResult, read_json, read_text

__all__ = ["EquityPath", "Performance", "performance"]

Array = npt.NDArray[np.float64]
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class EquityPath:
    """One equity path and what follows from it.

    Attributes
    ----------
    equity, drawdown, rolling_sharpe, rolling_volatility : float64 array, shape [bar]
    monthly, annual : CalendarReturns
    """

    equity: Array
    drawdown: Array
    rolling_sharpe: Array
    rolling_volatility: Array
    monthly: CalendarReturns
    annual: CalendarReturns


@dataclass(frozen=True, slots=True)
class Performance:
    """A run as its reports need it.

    Attributes
    ----------
    result : RunResult
    config : str
        The resolved configuration as YAML.
    manifest, data_report : dict
        As the files of the run hold them.
    rolling_bars : int
        Bars of the rolling windows: a year's, or a quarter of the path where that is shorter.
    own, benchmark : EquityPath or None
        None where the run has no equity path: a sweep.
    matched : float64 array, shape [bar], or None
        Equity of the benchmark brought to the volatility of the strategy.
    """

    result: RunResult
    config: str
    manifest: dict[str, Any]
    data_report: dict[str, Any]
    rolling_bars: int = 0
    own: EquityPath | None = None
    benchmark: EquityPath | None = None
    matched: Array | None = None


def performance(result: RunResult) -> Performance:
    """Work out the performance of a run that has a directory.

    Raises
    ------
    ReproductionError
        Where a file of the run is missing or damaged.
    """
    assert result.directory is not None
    config = read_text(result.directory / "config.yaml")
    manifest = read_json(result.directory / "manifest.json")
    report = read_json(result.directory / "data_report.json")
    if "equity" not in result.tables:
        return Performance(result, config, manifest, report)
    money = result.summary["account"]
    periods, cash = float(manifest["data"]["periods_per_year"]), float(money["cash"])
    risk_free = float(money["risk_free"]) / periods
    time = result.equity["time"].to_numpy()
    bars = max(_FEWEST, min(math.ceil(periods), len(time) // 4))

    def path(name: str) -> EquityPath:
        equity = result.equity[name].to_numpy()
        rolling = rolling_sharpe(per_bar_returns(equity, cash), bars, periods, risk_free)
        monthly, annual = (calendar_returns(time, equity, cash, unit) for unit in ("M", "Y"))
        return EquityPath(equity, drawdown(equity, cash), *rolling, monthly, annual)

    own, benchmark = path("equity"), path("benchmark")
    levered = volatility_matched(per_bar_returns(own.equity, cash), per_bar_returns(benchmark.equity, cash), risk_free)
    matched: Array = cash * np.cumprod(1.0 + levered, dtype=np.float64)
    return Performance(result, config, manifest, report, bars, own, benchmark, matched)
