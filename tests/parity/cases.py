"""Random panels of bars and random rules of accounts: everything that the simulation knows, alone and together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from admf_ray.core.bars import NEVER, Bars
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

SCALES = (1e-6, 0.3, 10.0, 100.0, 2_500.0, 1e9)
TARGETS = (
    (0.0, 1.0),
    (0.0, 1.0, math.nan),
    (0.0, 0.3, 0.5, 1.0, math.nan),
    (-1.0, 0.0, 1.0),
    (0.0, 1.0, math.inf),
    (-1.0, 1.0),
    (-1.0, -0.4, 0.0, 0.7, 1.0, math.nan),
    (-1.0, 0.0),
)


@dataclass(frozen=True)
class Panel:
    """Bars, and what strategies and the hub say at each of them; rows are [symbol][bar]."""

    bars: Bars
    targets: list[list[float]]
    volatility: list[list[float]]
    atr: list[list[float]]
    last_bar: list[int]


@dataclass(frozen=True)
class Case:
    panel: Panel
    rules: AccountRules


@st.composite
def panels(draw: st.DrawFn, calm: bool = False) -> Panel:
    """Random walks with gaps, jumps, missing bars, halts and delistings; targets that come and go.

    Calm ones keep to ordinary prices.
    """
    count = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scales = SCALES[2:5] if calm else SCALES
    scale = draw(st.sampled_from(scales))
    alike = draw(st.booleans())
    rows = [
        _symbol(draw, rng, count, scale if alike else draw(st.sampled_from(scales)))
        for _ in range(draw(st.sampled_from([1, 1, 2, 3, 4])))
    ]
    bars_a_session = draw(st.sampled_from([1, 1, 4, 7]))
    fields: dict[str, Any] = {name: np.array([row[name] for row in rows]) for name in rows[0] if name in _FIELDS}
    bars = Bars(
        symbols=tuple("ABCD"[: len(rows)]),
        known_at=np.arange(count) + 1,
        session=(np.arange(count) + int(rng.integers(bars_a_session))) // bars_a_session,
        covers_until=count + 1,
        periods_per_year=252.0 * bars_a_session,
        **fields,
    )
    return Panel(
        bars,
        *([row[name].tolist() for row in rows] for name in ("targets", "volatility", "atr")),
        [row["last_bar"] for row in rows],
    )


_FIELDS = ("open", "high", "low", "close", "volume")


def _symbol(draw: st.DrawFn, rng: np.random.Generator, count: int, scale: float) -> dict[str, Any]:
    jump = rng.random(count) < draw(st.sampled_from([0.0, 0.0, 0.1]))
    jumps = np.where(jump, rng.choice([0.5, 2.0, 0.1], count), 1.0)
    close = scale * np.cumprod(jumps * np.exp(rng.normal(0, draw(st.sampled_from([0.0, 0.01, 0.03, 0.2])), count)))
    before = close if draw(st.booleans()) else np.concatenate([[scale], close[:-1]])
    open_ = before * np.exp(rng.normal(0, draw(st.sampled_from([0.0, 0.01, 0.1])), count))
    if draw(st.booleans()):
        # Few different prices, so that prices and levels are often equal.
        open_, close = (np.maximum(np.round(price / scale, 2), 0.01) * scale for price in (open_, close))
    wide = draw(st.sampled_from([0.0, 0.01, 0.1]))
    if draw(st.integers(0, 3)) == 3:
        # On decimal ticks, which floats only come near.
        tick = 0.01 * float(f"{scale:.0e}")
        open_, close = (np.maximum(np.round(price / tick), 1.0) * tick for price in (open_, close))
        wide = 0.0
    high = np.maximum(open_, close) * (1 + rng.uniform(0, wide, count))
    low = np.minimum(open_, close) / (1 + rng.uniform(0, wide, count))
    missing = rng.random(count) < draw(st.sampled_from([0.0, 0.0, 0.2]))
    if draw(st.integers(0, 3)) == 3:
        halted = int(rng.integers(count))
        missing[halted : halted + int(rng.integers(1, 10))] = True
    last_bar = NEVER
    if draw(st.integers(0, 4)) == 4:
        last_bar = int(rng.integers(count))
        missing[last_bar:] = True
        missing[last_bar] = False
    known = np.arange(count) >= rng.choice([0, 1, 5])
    volatility = draw(st.sampled_from([0.001, 0.01, 0.05])) * rng.uniform(0.5, 2.0, count)
    atr = close * draw(st.sampled_from([0.003, 0.02, 0.1])) * rng.uniform(0.5, 2.0, count)
    volume = np.round(rng.lognormal(0, 1, count) * draw(st.sampled_from([1e3, 1e5])) / min(scale, 1e4)) + 1
    odd = draw(st.sampled_from([0.0, 0.0, 0.3]))
    volume[rng.random(count) < odd] = 0.0
    volume[rng.random(count) < odd / 2] = math.nan
    for values in (volatility, atr):
        values[rng.random(count) < odd / 3] = 0.0
        values[~known] = math.nan
    for prices in (open_, high, low, close):
        prices[missing] = math.nan
    choices = draw(st.sampled_from(TARGETS))
    stay = rng.random(count) < draw(st.sampled_from([0.0, 0.5, 0.9]))
    targets = rng.choice(choices, count)
    for t in range(1, count):
        if stay[t]:
            targets[t] = targets[t - 1]
    return {
        "open": open_,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "targets": targets,
        "volatility": volatility,
        "atr": atr,
        "last_bar": last_bar,
    }


SIZES = {
    "fixed_quantity": (0.5, 1.0, 7.0, 1_000.0),
    "fixed_cash": (10.0, 999.0, 1e6),
    "percent_equity": (0.1, 0.5, 1.0, 2.0, 3.0),
    "volatility_target": (0.05, 0.2, 1.0),
}
EXTREME_SIZES = {"fixed_quantity": 1e19, "percent_equity": 1e300}
LIMITS = [
    (level, kind)
    for level in Level
    for kind in LimitKind
    if (level, kind) != (Level.SYMBOL, LimitKind.MAX_OPEN_POSITIONS)
]


@st.composite
def account_rules(draw: st.DrawFn, symbols: Sequence[str], price: float = 100.0) -> AccountRules:
    """Every setting, each left out in about half of the examples; distances suit ``price``, mostly money too."""
    richness = draw(st.sampled_from([0, 2, 3, 4, 5]))

    def some(*values: Any) -> Any:
        """One of the values, the first of them where the setting is left out."""
        return draw(st.sampled_from(values[1:])) if draw(st.integers(0, 5)) < richness else values[0]

    margin = some(False, True)
    fill = draw(st.sampled_from(FillPolicy))
    sizing = draw(st.sampled_from(sorted(SIZES)))
    size = draw(st.sampled_from(SIZES[sizing]))
    extreme = not margin and sizing in EXTREME_SIZES and draw(st.integers(0, 9)) == 9
    suited = draw(st.integers(0, 3)) > 0
    cash = 1_000.0 * price if suited else draw(st.sampled_from([1e-3, 50.0, 10_000.0, 1e7]))
    fee = price if suited else 1.0
    if sizing == "fixed_cash":
        size = draw(st.sampled_from([0.1, 0.5, 1.5])) * cash if suited else size

    def distance(*fractions: float) -> Distance:
        kind = some(DistanceKind.NONE, DistanceKind.PERCENT, DistanceKind.PRICE, DistanceKind.ATR)
        if kind == DistanceKind.NONE:
            return NO_DISTANCE
        if kind == DistanceKind.ATR:
            return Distance(kind, draw(st.sampled_from([0.5, 1.0, 3.0])))
        return Distance(kind, draw(st.sampled_from(fractions)) * (price if kind == DistanceKind.PRICE else 1.0))

    def limits() -> tuple[LimitRule, ...]:
        kinds = draw(st.lists(st.sampled_from(LIMITS), min_size=1, max_size=6, unique=True))
        return tuple(limit(level, kind) for level, kind in kinds)

    def limit(level: Level, kind: LimitKind) -> LimitRule:
        counts = kind == LimitKind.MAX_OPEN_POSITIONS
        value = draw(st.sampled_from([1.0, 2.0] if counts else [0.05, 0.3, 0.8, 1.5]))
        symbol = draw(st.sampled_from([None, *symbols])) if level == Level.SYMBOL else None
        return LimitRule(level, kind, value, symbol)

    def instrument() -> Instrument:
        return Instrument(
            multiplier=some(1.0, 0.1, 50.0),
            tick=some(0.0, 1e-4, 0.01, 0.05) * price,
            lot=some(None, 0.0, 0.1, 1.0, 10.0),
        )

    rests = fill == FillPolicy.NEXT_OPEN
    return AccountRules(
        cash=cash,
        risk_free=some(0.0, 0.03, -0.01),
        interest=some(0.0, 0.04, 0.5),
        sizing=sizing,
        size=EXTREME_SIZES[sizing] if extreme else size,
        cap=draw(st.sampled_from([0.5, 1.0, 3.0])),
        lot=draw(st.sampled_from([0.0, 0.0, 1e-12, 0.1, 1.0, 100.0])),
        minimum_trade=some(0.0, 0.01, 0.2) * cash,
        rebalance=some(False, True),
        rebalance_threshold=some(0.0, 0.01, 0.1),
        reentry=draw(st.sampled_from(Reentry)),
        limits=limits() if some(False, True) else (),
        stop_loss=distance(0.01, 0.05, 0.3),
        take_profit=distance(0.01, 0.05, 0.3),
        trailing_stop=distance(0.01, 0.05, 0.3),
        time_stop=some(0, 1, 2, 5),
        max_drawdown=some(0.0, 0.01, 0.1, 0.3),
        drawdown_pause=some(0, 1, 5),
        daily_loss=some(0.0, 0.005, 0.02, 0.1),
        fill=fill,
        boundary=draw(st.sampled_from(Boundary)),
        commission_bps=some(0.0, 1.0, 250.0),
        commission_per_share=some(0.0, 0.005) * fee,
        commission_minimum=some(0.0, 1.0) * fee,
        commission_fixed=some(0.0, 0.5) * fee,
        slippage_bps=some(0.0, 2.0, 300.0),
        half_spread=some(0.0, 0.01) * fee,
        impact=0.0 if extreme else some(0.0, 0.1, 1.0, 10.0),
        participation=some(0.0, 0.01, 0.1, 1.0),
        order=some(OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP) if rests else OrderKind.MARKET,
        offset=some(0.0, 0.005, 0.02),
        time_in_force=draw(st.sampled_from(TimeInForce)),
        account=AccountKind.MARGIN if margin else AccountKind.CASH,
        allow_short=margin and draw(st.integers(0, 3)) > 0,
        margin_requirement=draw(st.sampled_from([0.05, 0.25, 0.6, 0.6, 1.0])),
        borrow_rate=some(0.0, 0.03, 0.5),
        loan_rate=some(0.0, 0.05, 0.5),
        instruments={symbol: instrument() for symbol in symbols} if some(False, True) else {},
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Give a panel, and rules for its symbols and prices."""
    panel = draw(panels())
    return Case(panel, draw(account_rules(panel.bars.symbols, usual_price(panel.bars))))


def usual_price(bars: Bars) -> float:
    """Give a round price that is near to the first one of the first symbol."""
    known = bars.close[0][~np.isnan(bars.close[0])]
    return float(f"{known[0]:.0e}") if len(known) else 1.0


def full_book(level: Level) -> Case:
    """Give the case, too rare for chance, of a reversal that ``MAX_OPEN_POSITIONS`` cuts to a close.

    B is let in while A is about to leave; A leaves slowly for want of volume, and then wants to turn short.
    """
    flat = np.full((2, 6), 20.0)
    bars = Bars(
        symbols=("A", "B"),
        known_at=np.arange(6) + 1,
        session=np.arange(6),
        covers_until=7,
        periods_per_year=252,
        open=flat,
        high=flat,
        low=flat,
        close=flat,
        volume=np.array([[1e4, 10, 10, 10, 10, 10], [1e4] * 6]),
    )
    rows = [[0.01] * 6] * 2
    targets = [[1.0, 0.0, -1.0, -1.0, -1.0, -1.0], [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]]
    rules = AccountRules(
        cash=10_000.0,
        size=0.5,
        limits=(LimitRule(level, LimitKind.MAX_OPEN_POSITIONS, 1.0),),
        participation=0.1,
        account=AccountKind.MARGIN,
        allow_short=True,
    )
    return Case(Panel(bars, targets, rows, rows, [NEVER, NEVER]), rules)
