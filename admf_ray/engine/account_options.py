"""Options of the account that a search may go through, and how each gets into the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from admf_ray.core.parameters import Parameter
from admf_ray.core.records import DistanceKind, Level, LimitKind
from admf_ray.core.registry import unknown_name
from admf_ray.engine.spec import AccountRules, Distance, LimitRule
from admf_ray.errors import ConfigError

__all__ = ["ACCOUNT_OPTIONS", "AccountOption", "account_option", "check_options", "is_option", "with_options"]

_TINY = 1e-6
"""Smallest value in a search of what has to be above 0."""

_LARGE = 1e12
_BARS = 100_000


@dataclass(frozen=True, slots=True)
class AccountOption:
    """One numeric option of the account.

    Attributes
    ----------
    path : str
        Of the option in the configuration, and the name of its column in tables of candidates.
    low, high : float
        Inclusive bounds.
    field : str
        Of `AccountRules`.
    kind : {"int", "float"}
    distance : DistanceKind or None
        Of a protective level: what its value is.
    limit : (Level, LimitKind) or None
        Of a limit: which one.
    """

    path: str
    low: float
    high: float
    field: str
    kind: Literal["int", "float"] = "float"
    distance: DistanceKind | None = None
    limit: tuple[Level, LimitKind] | None = None

    @property
    def parameter(self) -> Parameter:
        """It as a parameter; the default says nothing, as every candidate has a value of it."""
        return Parameter(self.path, self.low, self.low, self.high, self.kind)

    def applied(self, rules: AccountRules, value: float) -> AccountRules:
        """Give the rules with another value of it."""
        number = int(value) if self.kind == "int" else float(value)
        if self.limit is not None:
            kept = [rule for rule in rules.limits if (rule.level, rule.kind) != self.limit]
            kept.append(LimitRule(*self.limit, float(value)))
            return replace(rules, limits=tuple(sorted(kept, key=lambda rule: (rule.level, rule.kind))))
        changed: dict[str, Any] = {self.field: number if self.distance is None else Distance(self.distance, number)}
        return replace(rules, **changed)


def _distances() -> list[AccountOption]:
    most = {"percent": 0.999, "price": _LARGE, "atr": _LARGE}
    return [
        AccountOption(
            f"risk.exits.{field}.{kind}",
            _TINY,
            # A profit may be more than the price, a loss of a long position not.
            _LARGE if field == "take_profit" else high,
            field,
            distance=DistanceKind[kind.upper()],
        )
        for field in ("stop_loss", "take_profit", "trailing_stop")
        for kind, high in most.items()
    ]


def _limits() -> list[AccountOption]:
    return [
        AccountOption(
            f"risk.limits.{level.name.lower()}.{kind.name.lower()}",
            0.0,
            _BARS if kind == LimitKind.MAX_OPEN_POSITIONS else _LARGE,
            "limits",
            "int" if kind == LimitKind.MAX_OPEN_POSITIONS else "float",
            limit=(level, kind),
        )
        for level in Level
        for kind in LimitKind
        if (level, kind) != (Level.SYMBOL, LimitKind.MAX_OPEN_POSITIONS)
    ]


ACCOUNT_OPTIONS: Mapping[str, AccountOption] = {
    option.path: option
    for option in (
        AccountOption("risk.size", _TINY, _LARGE, "size"),
        AccountOption("risk.cap", _TINY, _LARGE, "cap"),
        AccountOption("risk.lot", 0.0, _LARGE, "lot"),
        AccountOption("risk.minimum_trade", 0.0, _LARGE, "minimum_trade"),
        AccountOption("risk.rebalance_threshold", 0.0, _LARGE, "rebalance_threshold"),
        *_distances(),
        AccountOption("risk.exits.time_stop", 1, _BARS, "time_stop", "int"),
        AccountOption("risk.halts.max_drawdown", _TINY, 0.999, "max_drawdown"),
        AccountOption("risk.halts.drawdown_pause", 1, _BARS, "drawdown_pause", "int"),
        AccountOption("risk.halts.daily_loss", _TINY, 0.999, "daily_loss"),
        *_limits(),
        AccountOption("execution.commission_bps", 0.0, _LARGE, "commission_bps"),
        AccountOption("execution.commission_per_share", 0.0, _LARGE, "commission_per_share"),
        AccountOption("execution.commission_minimum", 0.0, _LARGE, "commission_minimum"),
        AccountOption("execution.commission_fixed", 0.0, _LARGE, "commission_fixed"),
        AccountOption("execution.slippage_bps", 0.0, 9_999.0, "slippage_bps"),
        AccountOption("execution.half_spread", 0.0, _LARGE, "half_spread"),
        AccountOption("execution.impact", 0.0, _LARGE, "impact"),
        AccountOption("execution.participation", _TINY, 1.0, "participation"),
        AccountOption("execution.offset", 0.0, 0.999, "offset"),
        AccountOption("execution.margin_requirement", _TINY, 1.0, "margin_requirement"),
        AccountOption("execution.borrow_rate", 0.0, _LARGE, "borrow_rate"),
        AccountOption("execution.loan_rate", 0.0, _LARGE, "loan_rate"),
    )
}
"""By path: the one list of what ``search.space`` may hold."""


def is_option(name: str) -> bool:
    """Say whether a column of candidates is an option of the account: only their names are paths."""
    return "." in name


def account_option(path: str) -> AccountOption:
    """Give the option of a path.

    Raises
    ------
    ConfigError
        Where none of that path can be searched.
    """
    if path not in ACCOUNT_OPTIONS:
        unknown = unknown_name("option that can be searched", path, list(ACCOUNT_OPTIONS))
        raise ConfigError(f"search.space.{path}: {unknown}")
    return ACCOUNT_OPTIONS[path]


def with_options(rules: AccountRules, options: Mapping[str, float]) -> AccountRules:
    """Give the rules with other values of options, by their paths.

    Examples
    --------
    >>> found = with_options(AccountRules(), {"risk.size": 0.5, "risk.exits.time_stop": 20.0})
    >>> found.size, found.time_stop
    (0.5, 20)
    """
    for path, value in options.items():
        rules = ACCOUNT_OPTIONS[path].applied(rules, value)
    return rules


def check_options(rules: AccountRules, paths: Sequence[str]) -> None:
    """Refuse options that cannot be searched, or not beside what the account has.

    Raises
    ------
    ConfigError
        Names the option and what is allowed.
    """
    searched: dict[str, str] = {}
    for path in paths:
        option = account_option(path)
        if option.distance is None:
            continue
        level = path.rpartition(".")[0]
        if level in searched:
            raise ConfigError(f"search.space.{path}: {searched[level]} is searched, too; allowed: one of the two")
        searched[level] = path
        has = getattr(rules, option.field).kind
        if has not in (DistanceKind.NONE, option.distance):
            own = f"{level}.{has.name.lower()}"
            raise ConfigError(f"search.space.{path}: the account has {own}; allowed: search that, or {own}=null")
