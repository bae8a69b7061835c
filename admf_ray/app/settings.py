"""The settings: the resolved configuration as frozen, checked values."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, InstanceOf, field_serializer, field_validator, model_validator

from admf_ray._types import HostLimits
from admf_ray.app.account_settings import (
    ExecutionSettings,
    InstrumentSettings,
    PortfolioSettings,
    RiskSettings,
    account_rules,
)
from admf_ray.app.composition_settings import (
    ClassifierSettings,
    EnsembleSettings,
    Range,
    Searched,
    StrategySettings,
    WatchSettings,
)
from admf_ray.app.sections import Section, SpanSettings
from admf_ray.core.bars import Adjustment
from admf_ray.core.registry import unknown_name
from admf_ray.data import DataRequest, Dataset, Sanity, Span, parse_date
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import BEST, COMPOSITES, JOURNAL, OBJECTIVES, Choice, checked_place, shown_place
from admf_ray.plugins import plugin_file
from admf_ray.workflow.recovery import Recovery

__all__ = [
    "TRADING",
    "ClusterSettings",
    "CombinatorialWindows",
    "DataSettings",
    "Range",
    "RollingWindows",
    "Settings",
    "SplitWindows",
    "required_run",
]

TRADING = ("backtest", "sweep", "walkforward")
"""Experiments that trade: others look at data, at runs or at the platform."""

_OF_BOOKS = ("strategy", "classifier", "filters", "ensemble", "risk")
Category = Literal[
    "kernels",
    "isolation",
    "event_flow",
    "expected_results",
    "reproducibility",
    "scaling",
    "latency",
    "error_handling",
    "cleanup",
    "memory",
    "batch_processing",
]
_TAKEN = {".", "..", "latest", "cache", "ledger.jsonl"}
"""Names that something else has in a run root."""

_SPAN_FIELDS = ("train", "test", "step", "gap")


class SanitySettings(Section):
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


class DataSettings(Section):
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


class RollingWindows(Section):
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


class SplitWindows(Section):
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


class WarmedSettings(Section):
    """``search.warmed``: what was read of ``search.warm_start`` when the run began."""

    run: str
    candidates: Annotated[int, Field(ge=0)]
    trials: Annotated[int, Field(ge=0)]
    seen: str


class HoldoutSettings(Section):
    """``holdout``: bars known after ``start`` are kept from everything that trades, until they are opened once."""

    start: str | None = None
    open: bool = False

    @field_validator("start")
    @classmethod
    def _is_date(cls, value: str | None) -> str | None:
        if value is not None:
            parse_date(value, "holdout.start")
        return value


class CombinatorialWindows(Section):
    """``windows`` of kind cpcv: see `admf_ray.data.combinatorial.CombinatorialPlan`."""

    kind: Literal["cpcv"]
    groups: Annotated[int, Field(ge=2)] = 6
    tests: Annotated[int, Field(ge=1)] = 2
    gap: str = "0b"
    embargo: str | None = None
    require_stress: Literal["warn", "enforce"] | None = None

    @field_validator("gap", "embargo")
    @classmethod
    def _is_span(cls, value: str | None, info: Any) -> str | None:
        return value if value is None else str(Span.parse(value, f"windows.{info.field_name}"))


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Give the ranges below options by their paths, whether these are written as one name or one below the other."""
    for name, value in values.items():
        # A range has names of its own below it.
        if isinstance(value, Mapping) and not value.keys() & Range.model_fields.keys():
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


class SearchSettings(Section):
    """``search``: how candidates are made, and which may win."""

    sampler: Literal["grid", "random", "qmc", "tpe", "nsga2", "genetic", "cmaes"] = "grid"
    trials: Annotated[int, Field(ge=1)] = 500
    batch: Annotated[int, Field(ge=1)] = 1
    points: Sequence[Mapping[str, float]] = ()
    space: Mapping[str, Searched] = {}
    objective: str = "sharpe"
    objectives: tuple[str, ...] = ()
    min_trades: Annotated[int, Field(ge=1)] = 1
    selection: Literal["best", "plateau", "worst_block", "top_n"] = "best"
    blocks: Annotated[int, Field(ge=2)] = 4
    top: Annotated[int, Field(ge=2, le=BEST)] = 5
    pruning: Literal["none", "wilcoxon"] = "none"
    constraints: Sequence[str] = ()
    record: Literal["all", "objective"] = "all"
    cache: Annotated[int, Field(ge=0)] = 2_000
    warm_start: Path | None = None
    warm_points: Annotated[int, Field(ge=1)] = 20
    warmed: WarmedSettings | None = None

    @field_validator("warm_start")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    storage: str | None = JOURNAL

    @field_validator("sampler")
    @classmethod
    def _resolve_alias(cls, value: str) -> str:
        return "nsga2" if value == "genetic" else value

    @field_validator("space", mode="before")
    @classmethod
    def _by_path(cls, value: Any) -> Any:
        return dict(_flat(value)) if isinstance(value, Mapping) else value

    @field_validator("objective")
    @classmethod
    def _is_objective(cls, value: str) -> str:
        if value.isidentifier() and value not in (*OBJECTIVES, *COMPOSITES):
            raise ConfigError(f"search.objective: {unknown_name('objective', value, [*OBJECTIVES, *COMPOSITES])}")
        # A formula is read once here, so that what is wrong with it is told before anything runs.
        Choice(value, 1).formula  # noqa: B018
        return value

    @field_validator("storage")
    @classmethod
    def _is_place(cls, value: str | None) -> str | None:
        return None if value is None else checked_place(value)

    @field_serializer("storage")
    def _without_password(self, value: str | None) -> str | None:
        return None if value is None else shown_place(value)

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        """Refuse objectives that are none, and one that chooses among them without being declared as such."""
        if not self.objectives:
            return self
        Choice(self.objective, 1, self.objectives).formulas  # noqa: B018
        if len(set(self.objectives)) < max(2, len(self.objectives)):
            shown = ", ".join(self.objectives)
            raise ConfigError(f"search.objectives: [{shown}]; allowed: two or more different ones, or []")
        if self.objective in OBJECTIVES and self.objective not in self.objectives:
            raise ConfigError(
                f"search.objective: {self.objective} chooses among the fronts and is none of search.objectives; "
                f"allowed: {', '.join(self.objectives)}, or a formula"
            )
        if self.sampler == "cmaes":
            raise ConfigError(
                "search.objectives: cmaes learns from one number; allowed with: grid, random, qmc, tpe, nsga2, or []"
            )
        return self


class MemorySettings(Section):
    """``cluster.memory``: see `admf_ray._types.HostLimits`."""

    soft: Annotated[float, Field(gt=0)] = 500.0
    hard: Annotated[float, Field(gt=0)] = 1_000.0
    system: Annotated[float, Field(gt=0, le=1)] = 0.8

    @field_validator("hard")
    @classmethod
    def _not_below_soft(cls, value: float, info: Any) -> float:
        soft = info.data.get("soft", value)
        if value < soft:
            raise ConfigError(
                f"cluster.memory.hard: {value:g} is below cluster.memory.soft ({soft:g}); allowed: at least that"
            )
        return value


class ClusterSettings(Section):
    """``cluster``: where chunks are computed; never enters a result."""

    kind: Literal["serial", "local", "existing"] = "serial"
    workers: Annotated[int, Field(ge=1)] | None = None
    address: str | None = None
    chunk_seconds: Annotated[float, Field(gt=0)] = 0.5
    chunk_timeout: Annotated[float, Field(gt=0, le=1e6)] = 3_600.0
    max_retries: Annotated[int, Field(ge=0)] = 3
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    max_containers: Annotated[int, Field(ge=1)] = 100
    memory: MemorySettings = MemorySettings()
    exclude_head: bool = False

    @property
    def limits(self) -> HostLimits:
        """How much a host may hold."""
        return HostLimits(**dict(self.memory), containers=self.max_containers)

    @property
    def hosts_here(self) -> int:
        """How many hosts share this machine with the driver, as far as that is known before they are started."""
        return 0 if self.kind != "local" else self.workers or len(os.sched_getaffinity(0))


class HubSettings(Section):
    """``hub``: whether candidates share indicators; never enters a result."""

    mode: Literal["shared", "isolated"] = "shared"


class EngineSettings(Section):
    """``engine``: what simulates candidates; never enters a result."""

    kind: Literal["compiled", "event_driven"] = "compiled"
    streams: bool = False


class LoggingSettings(Section):
    """``logging``: what the terminal gets, and the log file of the run directory; never enters a result."""

    format: Literal["console", "json"] = "console"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    rotation: Annotated[int, Field(ge=1_000)] = 10_000_000
    kept: Annotated[int, Field(ge=0)] = 3

    @field_validator("level", mode="before")
    @classmethod
    def _in_capitals(cls, value: Any) -> Any:
        return value.upper() or "INFO" if isinstance(value, str) else value


class ReportSettings(Section):
    """``report``: the page that a run writes."""

    page: bool = True


class Settings(Section):
    """Everything that a run depends on."""

    experiment: str
    seed: Annotated[int, Field(ge=0)] = 0
    plugins: tuple[str, ...] = ()
    run_root: Path | None = None
    run_name: str | None = None
    run: Path | None = None
    resumed: Annotated[Path | None, Field(exclude=True)] = None
    recovery: Annotated[InstanceOf[Recovery] | None, Field(exclude=True)] = None
    force: Annotated[bool, Field(exclude=True)] = False
    runs: tuple[Path, ...] = ()
    print: Literal["containers"] | None = None
    target: str | None = None
    from_step: str | None = Field(default=None, alias="from")
    to: str | None = None
    category: Category | None = None
    protocol: str | None = None
    instruments: Mapping[str, InstrumentSettings] = {}
    dataset: Dataset | None = None
    span: SpanSettings = SpanSettings()
    data: DataSettings = DataSettings()
    holdout: HoldoutSettings = HoldoutSettings()
    windows: Annotated[RollingWindows | SplitWindows | CombinatorialWindows, Field(discriminator="kind")] = (
        RollingWindows()
    )
    strategy: StrategySettings = StrategySettings()
    classifier: ClassifierSettings = ClassifierSettings()
    filters: Mapping[str, WatchSettings] = {}
    ensemble: EnsembleSettings = EnsembleSettings()
    books: Mapping[str, Mapping[str, Any]] = {}
    risk: RiskSettings = RiskSettings()
    execution: ExecutionSettings = ExecutionSettings()
    portfolio: PortfolioSettings = PortfolioSettings()
    search: SearchSettings = SearchSettings()
    cluster: ClusterSettings = ClusterSettings()
    hub: HubSettings = HubSettings()
    engine: EngineSettings = EngineSettings()
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
        if value is not None and (not re.fullmatch(r"[\w.-]{1,100}", value) or value in _TAKEN):
            raise ConfigError(f"run_name: '{value}' is no name; allowed: up to 100 letters, digits, - _ .")
        return value

    @field_validator("books")
    @classmethod
    def _of_sections(cls, values: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        for name, sections in values.items():
            if not re.fullmatch(r"[\w-]{1,100}", name):
                raise ConfigError(f"books: '{name}' is no name; allowed: up to 100 letters, digits, - _")
            for section in sections:
                if section not in _OF_BOOKS:
                    raise ConfigError(f"books.{name}: {unknown_name('section of a book', section, list(_OF_BOOKS))}")
        return values

    def plain(self) -> dict[str, Any]:
        """Give the settings as plain values, for files and fingerprints."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def choice(self) -> Choice:
        """How winners are chosen."""
        asked = self.search
        return Choice(asked.objective, asked.min_trades, asked.objectives, asked.selection, asked.blocks, asked.top)

    @property
    def account(self) -> AccountRules:
        """The rules of the account."""
        return account_rules(self.risk, self.execution, self.portfolio, self.instruments)


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
