"""How fast the compiled engine is, in this process on one core."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from admf_ray import load_bars
from admf_ray.core.records import AccountKind, DistanceKind, Level, LimitKind
from admf_ray.data import Span, WindowPlan
from admf_ray.engine.spec import AccountRules, Distance, LimitRule
from admf_ray.indicators import INDICATORS
from admf_ray.optimize import Choice, axis_values, expand_grid, plan_search
from admf_ray.optimize.trials import sweep_chunk
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from tests.benchmarks.harness import row

MARKET = AccountRules(commission_bps=1.0, slippage_bps=2.0)
STOPPED = replace(
    MARKET, stop_loss=Distance(DistanceKind.PERCENT, 0.05), trailing_stop=Distance(DistanceKind.PERCENT, 0.1)
)
GENERAL = replace(
    STOPPED,
    take_profit=Distance(DistanceKind.ATR, 10.0),
    sizing="volatility_target",
    size=0.15,
    cap=2.0,
    account=AccountKind.MARGIN,
    allow_short=True,
    borrow_rate=0.01,
    loan_rate=0.05,
    limits=(
        LimitRule(Level.PORTFOLIO, LimitKind.MAX_GROSS_LEVERAGE, 2.0),
        LimitRule(Level.SYMBOL, LimitKind.MAX_POSITION, 1.0),
    ),
    max_drawdown=0.2,
    daily_loss=0.03,
    participation=0.1,
    impact=0.5,
)


def swept(rules: AccountRules) -> Callable[[], float]:
    """4,950 sets, whole shares, costs, all metrics; the strategy's own pass over the history included."""
    bars = load_bars("sp500")
    strategy = STRATEGIES["sma_cross"]
    space = {"fast": axis_values(2, 198, 2, "fast"), "slow": axis_values(4, 200, 2, "slow")}
    search = plan_search(bars, strategy, expand_grid(strategy, {}, space), rules)
    year = Span(1, "y")
    windows = WindowPlan(kind="rolling", train=Span(4, "y"), test=year, step=year, gap=Span(0, "b")).cut(bars)
    spans = [(window.train_start, window.train_stop) for window in windows]
    bundle = search.bundle(search.hub(), spans, Choice("sharpe", 1), METRICS)
    units = len(search.candidates) * sum(stop - start for start, stop in spans)
    sweep_chunk((0, 10), bundle)

    def once() -> float:
        began = time.perf_counter()
        sweep_chunk((0, len(search.candidates)), bundle)
        return (time.perf_counter() - began) / units * 1e9

    return once


@row("sweep sma_cross, S&P 500 daily, 15 windows, one core", "ns per bar and set", runs=9, bar=4.0)
def sweep() -> Callable[[], float]:
    """Market orders in a cash account."""
    return swept(MARKET)


@row("sweep with stop and trailing stop, one core", "ns per bar and set", runs=9, bar=8.0)
def sweep_stopped() -> Callable[[], float]:
    """Both checked at every bar."""
    return swept(STOPPED)


@row("sweep of a general configuration, one core", "ns per bar and set", runs=9, bar=15.0)
def sweep_general() -> Callable[[], float]:
    """Volatility target, limits, halts, exits, impact and participation in a margin account."""
    return swept(GENERAL)


@row("indicator sma(20), 500,000 bars", "ns per bar", runs=9)
def sma() -> Callable[[], float]:
    """One key in bulk."""
    count = 500_000
    matrix = np.random.default_rng(1).lognormal(size=(1, count))
    out, rows, session = np.empty((1, count)), np.zeros(1, np.int64), np.zeros(count, np.int32)

    def once() -> float:
        began = time.perf_counter()
        INDICATORS["sma"].kernel(matrix, rows, session, np.array([20.0]), np.zeros(2), 0, count, out)
        return (time.perf_counter() - began) / count * 1e9

    return once
