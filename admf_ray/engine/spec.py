"""What is simulated: the rules of an account, as a value that travels to every worker."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import NEVER
from admf_ray.core.records import (
    HOLDING,
    LIMIT,
    RULES,
    AccountKind,
    Boundary,
    DistanceKind,
    FillPolicy,
    Level,
    LimitKind,
    OrderKind,
    Reentry,
    TimeInForce,
    bound_flag,
)
from admf_ray.engine.simulate import EXITS, FULL, PLAIN, Variant
from admf_ray.risk.sizing import SIZINGS

__all__ = ["NO_DISTANCE", "AccountRules", "Distance", "Instrument", "LimitRule"]


@dataclass(frozen=True, slots=True)
class Distance:
    """Distance of a protective level from the price that it protects.

    Attributes
    ----------
    kind : DistanceKind
    value : float
        Fraction of the price, price units, or multiple of the ATR at the bar of the entry decision.
    """

    kind: DistanceKind
    value: float


_MONEY = ("cash", "risk_free", "interest")
_COSTS = (
    "commission_bps",
    "commission_per_share",
    "commission_minimum",
    "commission_fixed",
    "slippage_bps",
    "half_spread",
    "impact",
)
_YEARLY = ("risk_free", "interest", "borrow_rate", "loan_rate")

NO_DISTANCE = Distance(DistanceKind.NONE, 0.0)
"""Of a level that is not used."""


@dataclass(frozen=True, slots=True)
class LimitRule:
    """One limit on positions; limits apply in the order in which they are declared.

    Attributes
    ----------
    level : Level
    kind : LimitKind
    value : float
        Share of equity; a number for ``MAX_OPEN_POSITIONS``.
    symbol : str or None
        The only symbol that it bounds; None for each of them.
    """

    level: Level
    kind: LimitKind
    value: float
    symbol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What is known of a symbol.

    Attributes
    ----------
    multiplier : float
        Money for a unit and a point of price: 1 for shares, 50 for some futures.
    tick : float
        Smallest step of its price; 0 for none. Fill prices are rounded to it, against the order.
    lot : float or None
        Smallest tradable quantity, 0 for fractional; None: that of the account's rules.
    currency : str
        All symbols of an account have one.
    periods_per_year : float or None
        Bars of its own that a year has, checked against the data's; None: not declared.
    """

    multiplier: float = 1.0
    tick: float = 0.0
    lot: float | None = None
    currency: str = "USD"
    periods_per_year: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRules:
    """Sizing, limits, exits, execution and money of one account.

    Attributes
    ----------
    cash : float
        Initial cash.
    risk_free : float
        Per year, as a fraction.
    interest : float
        On cash beyond the value of short positions, per year.
    sizing : str
        Name of a `admf_ray.risk.sizing.SizingRule`.
    size : float
        Quantity, cash amount, share of equity or yearly volatility, as the sizing says.
    cap : float
        Largest ``size / volatility`` of a sizing by volatility.
    volatility : str
        Hub key of the volatility of a bar, which sizing and impact use.
    lot : float
        Smallest tradable quantity; 0 for fractional.
    minimum_trade : float
        Orders of a smaller value are not made, unless they close the position; in money.
    rebalance : bool
        Whether positions are sized anew at every bar.
    rebalance_threshold : float
        They are where the change is worth more than this share of equity.
    reentry : Reentry
        After an exit or a halt: once the target has been 0 or of the other sign, or by the next signal.
    limits : tuple of LimitRule
    stop_loss, take_profit : Distance
        From the mean fill price.
    trailing_stop : Distance
        From the best price of completed bars, at first the fill price.
    time_stop : int
        Leave at the close of this bar of a trade; 0 for never.
    atr : str
        Hub key of the ATR.
    max_drawdown : float
        Fall of equity from its peak at which everything is sold; 0 for none.
    drawdown_pause : int
        Bars after which trading goes on, with a new peak; 0 for the end of the segment.
    daily_loss : float
        The same from the equity at the end of the session before; until this session's end.
    fill : FillPolicy
    boundary : Boundary
    commission_bps : float
        Of the value of a fill, in basis points.
    commission_per_share : float
    commission_minimum : float
        Of the per-share part, per fill.
    commission_fixed : float
        Per fill.
    slippage_bps : float
        Of the price, in basis points.
    half_spread : float
        In price units.
    impact : float
        Price impact in volatilities of a bar, for an order as large as a bar's volume; grows with the square root.
    participation : float
        Largest share of the volume of the bar before that is filled at a bar; 0 for any.
    order : OrderKind
        Of orders that open or add.
    offset : float
        Of their limit or stop price from the close that decided, as a fraction.
    time_in_force : TimeInForce
        Of limit and stop orders.
    account : AccountKind
    allow_short : bool
    margin_requirement : float
        Equity over gross value of positions below which all is sold (margin accounts).
    borrow_rate : float
        On the value of short positions, per year.
    loan_rate : float
        On negative cash, per year.
    instruments : mapping of str to Instrument
        By symbol; others are ``Instrument()``.
    """

    cash: float = 100_000.0
    risk_free: float = 0.0
    interest: float = 0.0
    sizing: str = "percent_equity"
    size: float = 1.0
    cap: float = 1.0
    volatility: str = "volatility(close,20)"
    lot: float = 1.0
    minimum_trade: float = 0.0
    rebalance: bool = False
    rebalance_threshold: float = 0.0
    reentry: Reentry = Reentry.RESET
    limits: tuple[LimitRule, ...] = ()
    stop_loss: Distance = NO_DISTANCE
    take_profit: Distance = NO_DISTANCE
    trailing_stop: Distance = NO_DISTANCE
    time_stop: int = 0
    atr: str = "atr(high,low,close,14)"
    max_drawdown: float = 0.0
    drawdown_pause: int = 0
    daily_loss: float = 0.0
    fill: FillPolicy = FillPolicy.NEXT_OPEN
    boundary: Boundary = Boundary.FLATTEN
    commission_bps: float = 0.0
    commission_per_share: float = 0.0
    commission_minimum: float = 0.0
    commission_fixed: float = 0.0
    slippage_bps: float = 0.0
    half_spread: float = 0.0
    impact: float = 0.0
    participation: float = 0.0
    order: OrderKind = OrderKind.MARKET
    offset: float = 0.0
    time_in_force: TimeInForce = TimeInForce.BAR
    account: AccountKind = AccountKind.CASH
    allow_short: bool = False
    margin_requirement: float = 0.25
    borrow_rate: float = 0.0
    loan_rate: float = 0.0
    instruments: Mapping[str, Instrument] = field(default_factory=dict)

    def passive(self, symbols: int) -> "AccountRules":
        """Give the rules of an account that buys symbols in equal shares and holds them, at the same costs."""
        return AccountRules(
            size=1.0 / symbols,
            **{name: getattr(self, name) for name in (*_MONEY, *_COSTS, "fill", "lot", "volatility", "instruments")},
        )

    @property
    def needs_volatility(self) -> bool:
        """Whether the volatility of bars is looked at."""
        return self._is_scaled or self.impact > 0.0

    @property
    def needs_atr(self) -> bool:
        """Whether a protective level is a multiple of the ATR."""
        return any(distance.kind == DistanceKind.ATR for distance in self._distances)

    @property
    def needs_volume(self) -> bool:
        """Whether the volume of bars is looked at."""
        return self.impact > 0.0 or self.participation > 0.0

    @property
    def _distances(self) -> tuple[Distance, ...]:
        return (self.stop_loss, self.take_profit, self.trailing_stop)

    @property
    def _is_scaled(self) -> bool:
        return SIZINGS[self.sizing].by_volatility

    def variant(self, holdings: npt.NDArray[Any]) -> Variant:
        """Give the smallest compiled simulation that does what these rules ask for.

        Parameters
        ----------
        holdings : `HOLDING` array, shape [symbol]
            What `holdings` gave.
        """
        is_general = (
            self.account != AccountKind.CASH
            or self.order != OrderKind.MARKET
            or bool(self.limits)
            or self._is_scaled
            or self.rebalance
            or max(self.minimum_trade, self.interest, self.impact, self.participation) > 0.0
            or max(self.max_drawdown, self.daily_loss) > 0.0
            or bool((holdings["multiplier"] != 1.0).any() or (holdings["tick"] != 0.0).any())
            or bool((holdings["last_bar"] != NEVER).any())
        )
        has_exits = self.time_stop > 0 or any(distance.kind != DistanceKind.NONE for distance in self._distances)
        return FULL if is_general else EXITS if has_exits else PLAIN

    def record(self, periods_per_year: float) -> npt.NDArray[Any]:
        """Give the one-element `RULES` array that kernels take.

        Parameters
        ----------
        periods_per_year : float
            Bars per year of the data; spreads yearly rates over bars.
        """
        record = np.zeros(1, dtype=RULES)
        derived = {
            "commission_rate": self.commission_bps / 1e4,
            "slippage_rate": self.slippage_bps / 1e4,
            "periods": periods_per_year,
            "root_periods": math.sqrt(periods_per_year),
            "scaled": self._is_scaled,
            "needs_atr": self.needs_atr,
        }
        derived |= {name: getattr(self, name) / periods_per_year for name in _YEARLY}
        for name, distance in zip(("stop", "profit", "trail"), self._distances, strict=True):
            derived |= {name: distance.value, f"{name}_kind": distance.kind}
        for name in RULES.names or ():
            record[name] = derived[name] if name in derived else getattr(self, name)
        return record

    def holdings(
        self,
        symbols: Sequence[str],
        last_bars: npt.NDArray[np.int64] | None = None,
        volatility_row: npt.NDArray[np.int64] | None = None,
        atr_row: npt.NDArray[np.int64] | None = None,
    ) -> npt.NDArray[Any]:
        """Give the flat `HOLDING` array from which every account starts.

        Parameters
        ----------
        symbols : sequence of str
        last_bars : int64 array, shape [symbol], optional
            `NEVER`, or the last bar of a symbol that was delisted.
        volatility_row, atr_row : int64 array, shape [symbol], optional
            Of the hub.
        """
        flat = np.zeros(len(symbols), dtype=HOLDING)
        known = [self.instruments.get(symbol, Instrument()) for symbol in symbols]
        flat["multiplier"] = [instrument.multiplier for instrument in known]
        flat["tick"] = [instrument.tick for instrument in known]
        flat["lot"] = [self.lot if instrument.lot is None else instrument.lot for instrument in known]
        flat["last_bar"] = NEVER if last_bars is None else last_bars
        flat["volatility_row"] = -1 if volatility_row is None else volatility_row
        flat["atr_row"] = -1 if atr_row is None else atr_row
        flat["session"] = -1
        flat["tried"] = -1
        return flat

    def limit_records(self, symbols: Sequence[str]) -> npt.NDArray[Any]:
        """Give the `LIMIT` array of these symbols, in the order in which limits apply."""
        rows = [
            (rule.kind, rule.level, -1 if rule.symbol is None else symbols.index(rule.symbol), rule.value, flag)
            for rule in self.limits
            if rule.symbol is None or rule.symbol in symbols
            for flag in [bound_flag(rule.level, rule.kind)]
        ]
        return np.array(rows, dtype=LIMIT)
