"""The settings of an account: risk, execution, portfolio, instruments."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from admf_ray.app.sections import Fraction, NotNegative, Positive, Section
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
from admf_ray.engine.spec import NO_DISTANCE, AccountRules, Distance, Instrument, LimitRule
from admf_ray.errors import ConfigError

__all__ = ["ExecutionSettings", "InstrumentSettings", "PortfolioSettings", "RiskSettings", "account_rules"]


class LimitSettings(Section):
    """``risk.limits.portfolio`` and ``strategy``: what the positions of an account may come to; None for no limit."""

    max_position: NotNegative | None = None
    max_gross_leverage: NotNegative | None = None
    max_exposure: NotNegative | None = None
    max_open_positions: Annotated[int, Field(ge=0)] | None = None


class SymbolLimitSettings(Section):
    """``risk.limits.symbol``: what the position in one symbol may come to, a number or numbers by symbol."""

    max_position: NotNegative | Mapping[str, NotNegative] | None = None
    max_gross_leverage: NotNegative | Mapping[str, NotNegative] | None = None
    max_exposure: NotNegative | Mapping[str, NotNegative] | None = None


class LimitsSettings(Section):
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


class HaltSettings(Section):
    """``risk.halts``: losses at which an account sells everything; None for none."""

    max_drawdown: Fraction | None = None
    drawdown_pause: Annotated[int, Field(ge=1)] | None = None
    daily_loss: Fraction | None = None


class DistanceSettings(Section):
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


class ExitSettings(Section):
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


class RiskSettings(Section):
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


class ExecutionSettings(Section):
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


class PortfolioSettings(Section):
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


class InstrumentSettings(Section):
    """``instruments``: what is known of a symbol; see `admf_ray.engine.spec.Instrument`."""

    multiplier: Positive = 1.0
    tick: NotNegative = 0.0
    lot: NotNegative | None = None
    currency: str = "USD"
    periods_per_year: Positive | None = None


def account_rules(
    risk_settings: RiskSettings,
    execution_settings: ExecutionSettings,
    portfolio: PortfolioSettings,
    instruments: Mapping[str, InstrumentSettings],
) -> AccountRules:
    """Give the rules of the account that these sections describe."""
    risk, execution = dict(risk_settings), dict(execution_settings)
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
            **dict(portfolio),
            "rebalance": risk_settings.rebalance == "every_bar",
            "limits": risk_settings.limits.rules,
            "reentry": Reentry[risk_settings.reentry.upper()],
            "fill": FillPolicy[execution_settings.fill.upper()],
            "boundary": Boundary[execution_settings.boundary.upper()],
            "order": OrderKind[execution_settings.order.upper()],
            "time_in_force": TimeInForce[execution_settings.time_in_force.upper()],
            "account": AccountKind[execution_settings.account.upper()],
            "participation": execution_settings.participation or 0.0,
            "instruments": {name: Instrument(**dict(known)) for name, known in instruments.items()},
        }
    )
