"""The settings: the resolved configuration as frozen, checked values."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from admf_ray.core.bars import Adjustment
from admf_ray.core.records import (
    AccountKind,
    Boundary,
    DistanceKind,
    FillPolicy,
    Level,
    LimitKind,
    OrderKind,
    Reentry,
    TimeInForce,
)
from admf_ray.core.registry import unknown_name
from admf_ray.data import DataRequest, Dataset, Sanity, Span
from admf_ray.engine.spec import NO_DISTANCE, AccountRules, Distance, Instrument, LimitRule
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


Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class LimitSettings(_Section):
    """``risk.limits.portfolio`` and ``strategy``: what the positions of an account may come to; None for no limit."""

    max_position: NotNegative | None = None
    max_gross_leverage: NotNegative | None = None
    max_exposure: NotNegative | None = None
    max_open_positions: Annotated[int, Field(ge=0)] | None = None


class SymbolLimitSettings(_Section):
    """``risk.limits.symbol``: what the position in one symbol may come to, a number or numbers by symbol."""

    max_position: NotNegative | Mapping[str, NotNegative] | None = None
    max_gross_leverage: NotNegative | Mapping[str, NotNegative] | None = None
    max_exposure: NotNegative | Mapping[str, NotNegative] | None = None


class LimitsSettings(_Section):
    """``risk.limits``: at three levels, in the order in which they apply."""

    portfolio: LimitSettings = LimitSettings()
    strategy: LimitSettings = LimitSettings()
    symbol: SymbolLimitSettings = SymbolLimitSettings()

    @property
    def rules(self) -> tuple[LimitRule, ...]:
        """The limits that are set, in order."""
        found = []
        for level in Level:
            for name, values in dict(getattr(self, level.name.lower())).items():
                by_symbol = values if isinstance(values, Mapping) else {None: values}
                for symbol, value in by_symbol.items():
                    if value is not None:
                        found.append(LimitRule(level, LimitKind[name.upper()], float(value), symbol))
        return tuple(found)


class HaltSettings(_Section):
    """``risk.halts``: losses at which an account sells everything; None for none."""

    max_drawdown: Fraction | None = None
    drawdown_pause: Annotated[int, Field(ge=1)] | None = None
    daily_loss: Fraction | None = None


class DistanceSettings(_Section):
    """Distance of a protective level: a fraction of the price, a price or a multiple of the ATR; none for no level."""

    percent: Positive | None = None
    price: Positive | None = None
    atr: Positive | None = None

    @property
    def distance(self) -> Distance:
        """The one that is set.

        Raises
        ------
        ConfigError
            Where there are several.
        """
        given = {name: value for name, value in dict(self).items() if value is not None}
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} are given; allowed: one of percent, price, atr")
        return next((Distance(DistanceKind[name.upper()], value) for name, value in given.items()), NO_DISTANCE)


class ExitSettings(_Section):
    """``risk.exits``: protective exits; see `admf_ray.engine.spec.AccountRules`."""

    stop_loss: DistanceSettings = DistanceSettings()
    take_profit: DistanceSettings = DistanceSettings()
    trailing_stop: DistanceSettings = DistanceSettings()
    time_stop: Annotated[int, Field(ge=1)] | None = None
    atr: str = "atr(high,low,close,14)"

    @field_validator("stop_loss", "take_profit", "trailing_stop")
    @classmethod
    def _one_distance(cls, value: DistanceSettings, info: Any) -> DistanceSettings:
        try:
            fraction = value.distance.kind == DistanceKind.PERCENT and value.distance.value >= 1.0
        except ConfigError as error:
            raise ConfigError(f"risk.exits.{info.field_name}: {error}") from None
        if fraction and info.field_name != "take_profit":
            raise ConfigError(f"risk.exits.{info.field_name}.percent: {value.percent:g}; allowed: a fraction below 1")
        return value


class RiskSettings(_Section):
    """``risk``: how a target becomes a quantity, what bounds it, what ends it; see `AccountRules`."""

    profile: str = "fully_invested"
    sizing: str = "percent_equity"
    size: Positive = 1.0
    cap: Positive = 1.0
    volatility: str = "volatility(close,20)"
    lot: NotNegative = 1.0
    minimum_trade: NotNegative = 0.0
    rebalance: Literal["none", "every_bar"] = "none"
    rebalance_threshold: NotNegative = 0.0
    reentry: Literal["reset", "immediate"] = "reset"
    limits: LimitsSettings = LimitsSettings()
    halts: HaltSettings = HaltSettings()
    exits: ExitSettings = ExitSettings()


class ExecutionSettings(_Section):
    """``execution``: when orders fill, what they cost, what ends a segment; see `AccountRules`."""

    fill: Literal["next_open", "close"] = "next_open"
    boundary: Literal["flatten", "mark"] = "flatten"
    order: Literal["market", "limit", "stop"] = "market"
    offset: Annotated[float, Field(ge=0, lt=1)] = 0.0
    time_in_force: Literal["bar", "day", "cancel"] = "bar"
    commission_bps: NotNegative = 1.0
    commission_per_share: NotNegative = 0.0
    commission_minimum: NotNegative = 0.0
    commission_fixed: NotNegative = 0.0
    slippage_bps: Annotated[float, Field(ge=0, lt=10_000)] = 2.0
    half_spread: NotNegative = 0.0
    impact: NotNegative = 0.0
    participation: Annotated[float, Field(gt=0, le=1)] | None = None
    account: Literal["cash", "margin"] = "cash"
    allow_short: bool = False
    margin_requirement: Annotated[float, Field(gt=0, le=1)] = 0.25
    borrow_rate: NotNegative = 0.0
    loan_rate: NotNegative = 0.0

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.allow_short and self.account == "cash":
            raise ConfigError(
                "execution.allow_short: a cash account has no shorts; allowed: execution.account=margin, or false"
            )
        if self.order != "market" and self.fill == "close":
            raise ConfigError(
                f"execution.order: {self.order} orders wait for bars to come; allowed: market, or fill=next_open"
            )
        return self


class PortfolioSettings(_Section):
    """``portfolio``: initial cash; the risk-free rate and the interest on cash, per year as fractions."""

    cash: Positive = 100_000.0
    risk_free: float = 0.0
    interest: NotNegative = 0.0

    @model_validator(mode="before")
    @classmethod
    def _zero_unless_interest(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("risk_free") is None:
            if values.get("interest"):
                raise ConfigError(
                    "portfolio.risk_free: cash earns interest, so that ratios need the rate they are measured against; "
                    "allowed: a number, for example that of portfolio.interest"
                )
            return {**values, "risk_free": 0.0}
        return values


class InstrumentSettings(_Section):
    """``instruments``: what is known of a symbol; see `admf_ray.engine.spec.Instrument`."""

    multiplier: Positive = 1.0
    tick: NotNegative = 0.0
    lot: NotNegative | None = None
    currency: str = "USD"
    periods_per_year: Positive | None = None


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


class EngineSettings(_Section):
    """``engine``: what simulates candidates; never enters a result."""

    kind: Literal["compiled", "event_driven"] = "compiled"


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
    print: Literal["containers"] | None = None
    category: Literal["kernels", "isolation"] | None = None
    instruments: Mapping[str, InstrumentSettings] = {}
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
    def account(self) -> AccountRules:
        """The rules of the account."""
        risk, execution = dict(self.risk), dict(self.execution)
        del risk["profile"]
        halts, exits = dict(risk.pop("halts")), dict(risk.pop("exits"))
        distances = {name: exits.pop(name).distance for name in ("stop_loss", "take_profit", "trailing_stop")}
        amounts = {name: value or 0 for name, value in {**halts, "time_stop": exits.pop("time_stop")}.items()}
        return AccountRules(
            **{
                **risk,
                **exits,
                **distances,
                **amounts,
                **execution,
                **dict(self.portfolio),
                "rebalance": self.risk.rebalance == "every_bar",
                "limits": self.risk.limits.rules,
                "reentry": Reentry[self.risk.reentry.upper()],
                "fill": FillPolicy[self.execution.fill.upper()],
                "boundary": Boundary[self.execution.boundary.upper()],
                "order": OrderKind[self.execution.order.upper()],
                "time_in_force": TimeInForce[self.execution.time_in_force.upper()],
                "account": AccountKind[self.execution.account.upper()],
                "participation": self.execution.participation or 0.0,
                "instruments": {name: Instrument(**dict(known)) for name, known in self.instruments.items()},
            }
        )


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
