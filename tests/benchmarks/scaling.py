"""How the cost of a bar and set moves: with workers, with bars, sets and symbols, and beside the memory's speed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import count, pairwise
from typing import Any

import numpy as np

from admf_ray import Bars, load_bars
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.data import Span, WindowPlan
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import Choice, axis_values, expand_grid, plan_search
from admf_ray.optimize.trials import sweep_chunk
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from tests.benchmarks.harness import Once, Points, Reading, row

MINUTE = 60 * 10**9
COSTS = AccountRules(commission_bps=1.0, slippage_bps=2.0)
CHOICE = Choice("sharpe", 1)
STRATEGY = STRATEGIES["sma_cross"]
FEW = {"fast": (5, 20), "slow": (50, 200)}
MANY = {"fast": tuple(range(2, 60, 2)), "slow": tuple(range(4, 62, 2))}
TIMES_OVER = 20
"""How often the 4,950 sets are repeated, so that hosts compute for seconds."""


def windowed() -> dict[str, Any]:
    """99,000 sets over 15 windows of the S&P 500."""
    bars = load_bars("sp500")
    space = {"fast": axis_values(2, 198, 2, "fast"), "slow": axis_values(4, 200, 2, "slow")}
    search = plan_search(bars, STRATEGY, expand_grid(STRATEGY, {}, space), COSTS)
    year = Span(1, "y")
    windows = WindowPlan(kind="rolling", train=Span(4, "y"), test=year, step=year, gap=Span(0, "b")).cut(bars)
    spans = [(window.train_start, window.train_stop) for window in windows]
    bundle = search.bundle(search.hub(), spans, CHOICE, METRICS)
    return repeated(bundle, TIMES_OVER * len(search.candidates))


def repeated(bundle: dict[str, Any], sets: int) -> dict[str, Any]:
    """Repeat the sets of a bundle until there are so many."""
    return bundle | {"places": np.resize(bundle["places"], sets)}


def mapped(bundle: dict[str, Any], workers: int) -> tuple[float, float]:
    """Seconds that warm hosts take, and the share of them that they compute."""
    edges = np.linspace(0, len(bundle["places"]), 65).astype(int).tolist()
    with RayExecutor(workers=workers) as executor:
        shared = executor.share(bundle)
        function = "admf_ray.optimize.trials:sweep_chunk"
        executor.map(function, [(first, first + 10) for first in range(0, 40 * workers, 10)], shared)
        began = time.perf_counter()
        busy = sum(done.seconds for done in executor.each(function, list(pairwise(edges)), shared))
        seconds = time.perf_counter() - began
    return seconds, busy / (workers * seconds)


@cache
def one_and_two(run: int) -> tuple[float, float, float]:
    """Seconds on one worker and on two, and how busy the two were."""
    bundle = windowed()
    one, _ = mapped(bundle, 1)
    two, busy = mapped(bundle, 2)
    return one, two, busy


def of_workers(figure: Callable[[float, float, float], float]) -> Callable[[], Once]:
    def prepare() -> Once:
        runs = count()

        def once() -> Reading:
            one, two, busy = one_and_two(next(runs))
            return Reading(
                figure(one, two, busy), f"99,000 sets, 15 windows: {one:.1f} s on one worker, {two:.1f} on two"
            )

        return once

    return prepare


row("1 to 2 Ray workers, 99,000 sets", "x", runs=3, bar=1.8, at_least=True)(
    of_workers(lambda one, two, busy: one / two)
)
row("1 to 2 Ray workers, 99,000 sets, share of the time that hosts compute", "of 1", runs=3, bar=0.9, at_least=True)(
    of_workers(lambda one, two, busy: busy)
)


def walk(bars: int, symbols: int = 1) -> Bars:
    """A random walk by the minute, for each symbol another."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 1e-3, (symbols, bars)), axis=1))
    return Bars(
        symbols=tuple(f"S{index}" for index in range(symbols)),
        known_at=(np.arange(bars) + 1) * MINUTE,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=close,
        session=np.zeros(bars, np.int32),
        covers_until=(bars + 1) * MINUTE,
        periods_per_year=252 * 390,
    )


def bundled(bars: Bars, space: Mapping[str, Sequence[float]] = FEW) -> dict[str, Any]:
    """SMA crosses of every symbol, each with its share of the equity; whole series in one span."""
    rules = replace(COSTS, size=1.0 / len(bars.symbols))
    search = plan_search(bars, STRATEGY, expand_grid(STRATEGY, {}, space), rules)
    return search.bundle(search.hub(), [(0, len(bars))], CHOICE, METRICS)


def cost(bundle: dict[str, Any], symbols: int = 1) -> float:
    """Nanoseconds per bar, set and symbol: the fastest of as many sweeps as half a second holds, at least one."""
    sets, bars = len(bundle["places"]), bundle["matrix"].shape[1]
    sweep_chunk((0, min(sets, 2)), bundle)
    taken: list[float] = []
    while sum(taken) < 0.5:
        began = time.perf_counter()
        sweep_chunk((0, sets), bundle)
        taken.append(time.perf_counter() - began)
    return min(taken) / (sets * bars * symbols) * 1e9


def along(axis: str, unit: str, sizes: Sequence[int], at: Callable[[int], float]) -> Callable[[], Once]:
    """How uneven the cost is beyond the smallest size, where what a call costs by itself no longer shows."""

    def prepare() -> Once:
        def once() -> Reading:
            values = [(float(size), at(size)) for size in sizes]
            beyond = [y for _, y in values[1:]]
            told = f"{unit}: " + ", ".join(f"{y:.2f} at {x:,.0f}" for x, y in values)
            return Reading(max(beyond) / min(beyond), told, Points(axis, unit, values))

        return once

    return prepare


UNEVEN = "x, dearest over cheapest"
PER_SET, PER_SYMBOL = "ns per bar and set", "ns per bar, set and symbol"
row("cost over bars, 10^3 to 10^7", UNEVEN, runs=3)(
    along("bars", PER_SET, [10**power for power in range(3, 8)], lambda bars: cost(bundled(walk(bars))))
)
row("cost over sets, 10^2 to 10^6, of 1,000 bars", UNEVEN, runs=3)(
    along(
        "sets",
        PER_SET,
        [10**power for power in range(2, 7)],
        lambda sets: cost(repeated(bundled(walk(1_000), MANY), sets)),
    )
)
row("cost over symbols, 1 to 500, of 1,000 bars", UNEVEN, runs=3)(
    along(
        "symbols",
        PER_SYMBOL,
        [1, 5, 20, 100, 500],
        lambda symbols: cost(repeated(bundled(walk(1_000, symbols)), 100), symbols),
    )
)
READ = 24
"""Bytes that a sweep must read per bar and set, were nothing kept in caches: two averages and the close."""


def bandwidth() -> float:
    """Bytes a second that one core reads from memory: a dot product of two arrays far larger than caches."""
    left, right = np.ones(2**26), np.ones(2**26)
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        np.dot(left, right)
        taken.append(time.perf_counter() - began)
    return (left.nbytes + right.nbytes) / min(taken)


@row("roofline: sweep of 10^7 bars over the memory's speed, one core", "x the bound", runs=5)
def roofline() -> Once:
    """Series far larger than caches, so that every byte comes from memory."""
    bundle = bundled(walk(10_000_000))

    def once() -> Reading:
        speed = bandwidth()
        bound, ours = READ / speed * 1e9, cost(bundle)
        told = f"{READ} B per bar and set (two averages, the close) at {speed / 1e9:.1f} GB/s: {bound:.2f} ns"
        return Reading(ours / bound, f"{told}; ours {ours:.2f}")

    return once
