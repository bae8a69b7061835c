"""The settings: the resolved configuration as frozen, checked values."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, InstanceOf, field_validator

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
    StrategySettings,
    WatchSettings,
)
from admf_ray.app.data_settings import CombinatorialWindows, DataSettings, HoldoutSettings, RollingWindows, SplitWindows
from admf_ray.app.search_settings import SearchSettings
from admf_ray.app.sections import Section, SpanSettings
from admf_ray.core.registry import unknown_name
from admf_ray.data import Dataset
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import Choice
from admf_ray.plugins import plugin_file
from admf_ray.workflow.recovery import Recovery

__all__ = ["SET_BY_RESUME", "TRADING", "ClusterSettings", "Settings", "required_run"]

TRADING = ("backtest", "sweep", "walkforward")
"""Experiments that trade: others look at data, at runs or at the platform."""

SET_BY_RESUME = ("resumed", "recovery")
"""Settings that are no options."""

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
