"""The performance of a finished run: what its tables come to by month, year and regime, and in rolling windows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.statistics import (
    CalendarReturns,
    calendar_returns,
    drawdown,
    per_bar_returns,
    rolling_sharpe,
    volatility_matched,
)
from admf_ray.workflow.attribution import Band, member_shares, regime_bands
from admf_ray.workflow.fronts import DrawnFront, drawn_fronts
from admf_ray.workflow.results import RunResult, read_json, read_text
from admf_ray.workflow.surface import Surface, best_cells

__all__ = ["EquityPath", "Paths", "Performance", "performance"]

Array = npt.NDArray[np.float64]
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class EquityPath:
    """One equity path and what follows from it.

    Attributes
    ----------
    equity : float64 array, shape [bar]
        In money.
    drawdown, rolling_sharpe, rolling_volatility : float64 array, shape [bar]
        See `admf_ray.statistics`.
    monthly, annual : CalendarReturns
    """

    equity: Array
    drawdown: Array
    rolling_sharpe: Array
    rolling_volatility: Array
    monthly: CalendarReturns
    annual: CalendarReturns


@dataclass(frozen=True, slots=True)
class Paths:
    """The path of a run beside its benchmark.

    Attributes
    ----------
    bars : int
        Of the rolling windows: a year's, or a quarter of the path where that is shorter; at least 20.
    own, benchmark : EquityPath
    matched : float64 array, shape [bar]
        Equity of the benchmark brought to the volatility of the strategy.
    exposure : float64 array, shape [bar]
        Share of the newest ``bars`` bars that closed with a position; of those there are, at the start.
    trade_returns : float64 array, shape [trade]
        Net result of each trade as a share of what was put in.
    """

    bars: int
    own: EquityPath
    benchmark: EquityPath
    matched: Array
    exposure: Array
    trade_returns: Array


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
    paths : Paths or None
        None where the run has no equity path, a sweep, or several: those of books, or of a cross-validation.
    books : dict of str to Paths
        By book; empty where the run has one account.
    bands : list of Band
        Regimes over time; empty without a classifier, and where several paths go over the same time.
    members : polars.DataFrame
        See `admf_ray.workflow.attribution.member_shares`; no rows without an ensemble.
    containers : dict or None
        What `admf_ray.containers.describe` gave of the containers of the run; None where it had none.
    surface : Surface or None
        None where nothing was searched.
    fronts : list of DrawnFront
        One for each window; empty where there was one objective.
    """

    result: RunResult
    config: str
    manifest: dict[str, Any]
    data_report: dict[str, Any]
    paths: Paths | None
    books: dict[str, Paths]
    bands: list[Band]
    members: pl.DataFrame
    containers: dict[str, Any] | None
    surface: Surface | None
    fronts: list[DrawnFront]


def performance(result: RunResult) -> Performance:
    """Work out the performance of a run that has a directory.

    Raises
    ------
    ReproductionError
        Where a file of the run is missing or damaged.
    """
    assert result.directory is not None
    manifest = read_json(result.directory / "manifest.json")
    periods, containers = float(manifest["data"]["periods_per_year"]), result.directory / "containers.json"
    is_single = "paths" not in result.tables
    paths = {
        book: _paths(tables["equity"], tables["trades"], result.summary["account"], periods)
        for book, tables in result.accounts("equity", "trades").items()
        if is_single
    }
    return Performance(
        result,
        read_text(result.directory / "config.yaml"),
        manifest,
        read_json(result.directory / "data_report.json"),
        paths.pop(None, None),
        {str(book): own for book, own in paths.items()},
        regime_bands(result) if is_single else [],
        member_shares(result),
        read_json(containers) if containers.is_file() else None,
        best_cells(result) if "trials" in result.tables else None,
        drawn_fronts(result),
    )


def _paths(table: pl.DataFrame, trades: pl.DataFrame, money: dict[str, Any], periods: float) -> Paths:
    cash, risk_free = float(money["cash"]), float(money["risk_free"]) / periods
    time = table["time"].to_numpy()
    bars = max(_FEWEST, min(math.ceil(periods), len(time) // 4))

    def path(name: str) -> EquityPath:
        equity = table[name].to_numpy()
        rolling = rolling_sharpe(per_bar_returns(equity, cash), bars, periods, risk_free)
        monthly, annual = (calendar_returns(time, equity, cash, unit) for unit in ("M", "Y"))
        return EquityPath(equity, drawdown(equity, cash), *rolling, monthly, annual)

    own, benchmark = path("equity"), path("benchmark")
    levered = volatility_matched(per_bar_returns(own.equity, cash), per_bar_returns(benchmark.equity, cash), risk_free)
    matched: Array = cash * np.cumprod(1.0 + levered, dtype=np.float64)
    held = np.cumsum(table["position"].to_numpy() != 0.0)
    before = np.concatenate([np.zeros(bars), held])[: len(held)]
    exposure = (held - before) / np.minimum(np.arange(len(held)) + 1, bars)
    multiplier = trades["symbol"].replace_strict(money["multipliers"], default=1.0, return_dtype=pl.Float64)
    put_in = (trades["quantity"].abs() * trades["entry_price"] * multiplier).to_numpy()
    return Paths(bars, own, benchmark, matched, exposure, trades["net"].to_numpy() / put_in)
