"""The settings: the resolved configuration as frozen, checked values."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from admf_ray.core.bars import Adjustment
from admf_ray.core.records import Boundary, FillPolicy
from admf_ray.core.registry import unknown_name
from admf_ray.data import DataRequest, Dataset, Sanity, Span
from admf_ray.errors import ConfigError
from admf_ray.optimize import OBJECTIVES, Choice
from admf_ray.plugins import plugin_file

__all__ = [
    "ClusterSettings",
    "DataSettings",
    "Range",
    "RollingWindows",
    "Settings",
    "SplitWindows",
    "required_run",
]

_SPAN_FIELDS = ("train", "test", "step", "gap")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SanitySettings(_Section):
    """``data.sanity``: see `admf_ray.data.request.Sanity`."""

    mode: Literal["enforce", "warn", "off"] = "enforce"
    profile: Literal["strict", "relaxed"] = "strict"
    max_na_fraction: Annotated[float, Field(ge=0, le=1)] | None = None
    allow_sort: bool | None = None
    allow_drop_duplicates: bool | None = None
    allow_clip_prices: bool | None = None
    forward_fill_bars: Annotated[int, Field(ge=0)] | None = None
    hold_on_nan: bool | None = None
    require_utc: bool | None = None


class DataSettings(_Section):
    """``data``: see `admf_ray.data.request.DataRequest`."""

    source: str = "sp500"
    path: str | None = None
    symbol: str | None = None
    symbols: tuple[str, ...] | None = None
    calendar: str | None = None
    timezone: str | None = None
    stamp: Literal["open", "close"] = "close"
    timeframe: str | None = None
    adjust: Adjustment = "none"
    periods_per_year: Annotated[float, Field(gt=0)] | None = None
    ohl_from_close: bool = False
    min_history_bars: Annotated[int, Field(ge=0)] | None = None
    columns: Mapping[str, str] = {}
    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    start: str | None = None
    stop: str | None = None
    sanity: SanitySettings = SanitySettings()
    synthetic: Mapping[str, int | float | str] = {}

    @property
    def request(self) -> DataRequest:
        """What is asked of the source."""
        return DataRequest(
            **{
                **dict(self),
                "sanity": Sanity(**dict(self.sanity)),
                "synthetic": dict(self.synthetic),
                "columns": dict(self.columns),
            }
        )

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return str(Path(value).expanduser().absolute()) if value else None


class RollingWindows(_Section):
    """``windows`` of kind rolling or anchored: see `admf_ray.data.windows.WindowPlan`."""

    kind: Literal["rolling", "anchored", "expanding"] = "rolling"
    train: str = "4y"
    test: str = "1y"
    step: str | None = None
    gap: str = "0b"
    align: Literal["none", "month", "quarter", "year"] = "year"
    allow_truncated_final: bool = False
    require_stress: Literal["warn", "enforce"] | None = None

    @field_validator(*_SPAN_FIELDS)
    @classmethod
    def _is_span(cls, value: str | None, info: Any) -> str | None:
        return value if value is None else str(Span.parse(value, f"windows.{info.field_name}"))

    @field_validator("kind")
    @classmethod
    def _resolve_alias(cls, value: str) -> str:
        return "anchored" if value == "expanding" else value


class SplitWindows(_Section):
    """``windows`` of kind split: the dates at which train, validation and test begin."""

    kind: Literal["split"]
    train: str | None = None
    validation: str
    test: str
    gap: str = "0b"
    require_stress: Literal["warn", "enforce"] | None = None

    @field_validator("gap")
    @classmethod
    def _is_span(cls, value: str) -> str:
        return str(Span.parse(value, "windows.gap"))


class SpanSettings(_Section):
    """``span``: bars known after ``start`` and up to ``stop``."""

    start: str | None = None
    stop: str | None = None


class Range(_Section):
    """One searched parameter: low, low + step, ... up to high."""

    low: float
    high: float
    step: float = 1.0


class StrategySettings(_Section):
    """``strategy``: a registered name, its parameters, and the space that a search goes through."""

    name: str | None = "sma_cross"
    params: Mapping[str, float] = {}
    space: Mapping[str, Range | Sequence[float] | float] = {}


class RiskSettings(_Section):
    """``risk``: how a target becomes a quantity; see `admf_ray.risk.sizing`."""

    sizing: str = "percent_equity"
    size: Annotated[float, Field(gt=0)] = 1.0
    lot: Annotated[float, Field(ge=0)] = 1.0


class ExecutionSettings(_Section):
    """``execution``: when orders fill, what they cost, what ends a segment."""

    fill: Literal["next_open", "close"] = "next_open"
    boundary: Literal["flatten", "mark"] = "flatten"
    commission_bps: Annotated[float, Field(ge=0)] = 1.0
    commission_per_share: Annotated[float, Field(ge=0)] = 0.0
    commission_minimum: Annotated[float, Field(ge=0)] = 0.0
    commission_fixed: Annotated[float, Field(ge=0)] = 0.0
    slippage_bps: Annotated[float, Field(ge=0, lt=10_000)] = 2.0
    half_spread: Annotated[float, Field(ge=0)] = 0.0


class PortfolioSettings(_Section):
    """``portfolio``: initial cash, and the risk-free rate per year as a fraction."""

    cash: Annotated[float, Field(gt=0)] = 100_000.0
    risk_free: float = 0.0


class SearchSettings(_Section):
    """``search``: how candidates are made, and which may win."""

    sampler: Literal["grid"] = "grid"
    objective: str = "sharpe"
    min_trades: Annotated[int, Field(ge=1)] = 1
    constraints: Sequence[str] = ()
    record: Literal["all", "objective"] = "all"

    @field_validator("objective")
    @classmethod
    def _is_objective(cls, value: str) -> str:
        if value not in OBJECTIVES:
            raise ConfigError(f"search.objective: {unknown_name('objective', value, list(OBJECTIVES))}")
        return value


class ClusterSettings(_Section):
    """``cluster``: where chunks are computed; never enters a result."""

    kind: Literal["serial", "local", "existing"] = "serial"
    workers: Annotated[int, Field(ge=1)] | None = None
    address: str | None = None
    chunk_seconds: Annotated[float, Field(gt=0)] = 0.5


class HubSettings(_Section):
    """``hub``: whether candidates share indicators; never enters a result."""

    mode: Literal["shared", "isolated"] = "shared"


class LoggingSettings(_Section):
    """``logging``: what the terminal gets, and the log file of the run directory; never enters a result."""

    format: Literal["console", "json"] = "console"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    rotation: Annotated[int, Field(ge=1_000)] = 10_000_000
    kept: Annotated[int, Field(ge=0)] = 3

    @field_validator("level", mode="before")
    @classmethod
    def _in_capitals(cls, value: Any) -> Any:
        return value.upper() or "INFO" if isinstance(value, str) else value


class ReportSettings(_Section):
    """``report``: the page that a run writes."""

    page: bool = True


class Settings(_Section):
    """Everything that a run depends on."""

    experiment: str
    plugins: tuple[str, ...] = ()
    run_root: Path | None = None
    run_name: str | None = None
    run: Path | None = None
    runs: tuple[Path, ...] = ()
    dataset: Dataset | None = None
    span: SpanSettings = SpanSettings()
    data: DataSettings = DataSettings()
    windows: Annotated[RollingWindows | SplitWindows, Field(discriminator="kind")] = RollingWindows()
    strategy: StrategySettings = StrategySettings()
    risk: RiskSettings = RiskSettings()
    execution: ExecutionSettings = ExecutionSettings()
    portfolio: PortfolioSettings = PortfolioSettings()
    search: SearchSettings = SearchSettings()
    cluster: ClusterSettings = ClusterSettings()
    hub: HubSettings = HubSettings()
    logging: LoggingSettings = LoggingSettings()
    report: ReportSettings = ReportSettings()

    @field_validator("windows", mode="before")
    @classmethod
    def _rolling_unless_said(cls, value: Any) -> Any:
        return {"kind": "rolling", **value} if isinstance(value, Mapping) else value

    @field_validator("run_root", "run")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("runs")
    @classmethod
    def _all_absolute(cls, values: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(value.expanduser().absolute() for value in values)

    @field_validator("plugins")
    @classmethod
    def _absolute_files(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(plugin_file(value) or value) for value in values)

    @field_validator("run_name")
    @classmethod
    def _one_name(cls, value: str | None) -> str | None:
        if value is not None and (not re.fullmatch(r"[\w.-]{1,100}", value) or value in {".", "..", "latest"}):
            raise ConfigError(f"run_name: '{value}' is no name; allowed: up to 100 letters, digits, - _ .")
        return value

    def plain(self) -> dict[str, Any]:
        """Give the settings as plain values, for files and fingerprints."""
        return self.model_dump(mode="json")

    @property
    def choice(self) -> Choice:
        """How winners are chosen."""
        return Choice(self.search.objective, self.search.min_trades)

    @property
    def account(self) -> dict[str, Any]:
        """The fields of `admf_ray.engine.spec.AccountRules`."""
        enums = {
            "fill": FillPolicy[self.execution.fill.upper()],
            "boundary": Boundary[self.execution.boundary.upper()],
        }
        return {**dict(self.risk), **dict(self.execution), **dict(self.portfolio), **enums}


def required_run(settings: Settings) -> Path:
    """Give the run that a command looks at.

    Raises
    ------
    ConfigError
        Where none was given.
    """
    if settings.run is None:
        raise ConfigError("run: which run? allowed: run=<dir>, for example run=runs/latest")
    return settings.run
