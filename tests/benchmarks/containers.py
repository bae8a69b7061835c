"""What a backtest in a container costs: a bar, a handler, a year; and beside other event-driven platforms."""

import gc
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from admf_ray import load_bars
from admf_ray.engine.event_driven import run_segment_in_container
from admf_ray.engine.hosting import run_chunk
from admf_ray.engine.spec import AccountRules
from admf_ray.events import EventBus, EventType, LatencyStatistics
from admf_ray.optimize import Choice, Search, plan_search
from admf_ray.optimize.space import Candidates
from admf_ray.strategies import STRATEGIES
from tests.benchmarks.harness import Once, Reading, row
from tests.benchmarks.platforms import (
    BACKTESTING,
    BACKTRADER,
    NAUTILUS,
    PYBROKER,
    Comparison,
    crossings,
    install_peers,
    run_peer,
)


def crossing() -> tuple[Search, Any]:
    """A crossing of averages over 20 and 50 days on the S&P 500, with commission and slippage."""
    bars = load_bars("sp500")
    rules = AccountRules(commission_bps=1.0, slippage_bps=2.0)
    search = plan_search(bars, STRATEGIES["sma_cross"], Candidates.single({"fast": 20.0, "slow": 50.0}), rules)
    return search, search.hub()


def in_container(search: Search, hub: Any, start: int, stop: int) -> Callable[[], float]:
    """Give what runs the only candidate over a span and gives the seconds that it takes, metrics included."""
    wanted = search.requests.wanted(search.candidates, 0, 1)
    bundle = replace(search, engine="event_driven").bundle(hub, [(start, stop)], Choice("sharpe", 1), ())
    params = search.candidates.block(0, 1)

    def once() -> float:
        gc.collect()
        began = time.perf_counter()
        run_chunk(params, wanted, bundle)
        return time.perf_counter() - began

    once()
    return once


@row("one strategy in a container with metrics, S&P 500 daily, one core", "us a bar", runs=9, bar=6.0)
def one_chain() -> Once:
    """Taking the container out of its pool and resetting it included."""
    search, hub = crossing()
    bars = len(search.bars)
    once = in_container(search, hub, 0, bars)
    return lambda: once() / bars * 1e6


@row("a year of daily bars in a container", "s", runs=9, bar=0.1)
def one_year() -> Once:
    """252 bars."""
    search, hub = crossing()
    bars = len(search.bars)
    return in_container(search, hub, bars - 252, bars)


def latency(kind: EventType) -> Callable[[], Once]:
    def prepare() -> Once:
        search, hub = crossing()
        given = search.setup(hub, 0), 0, len(search.bars)

        def once() -> Reading:
            statistics = LatencyStatistics()

            def observe(bus: EventBus) -> None:
                bus.attach(statistics)

            run_segment_in_container(*given, observe=observe)
            slowest = max((one for one in statistics.latencies() if one.type is kind), key=lambda one: one.p99)
            return Reading(
                slowest.p99 / 1e3, f"{slowest.handler}, p50 {slowest.p50 / 1e3:.1f} us, {slowest.count} calls"
            )

        once()
        return once

    return prepare


for _kind, _bar in ((EventType.BAR, 1_000), (EventType.SIGNAL, 100), (EventType.ORDER, 100), (EventType.FILL, 100)):
    row(f"slowest handler of {_kind} in a container, p99", "us", runs=5, bar=_bar)(latency(_kind))


def over_containers(peer: Comparison) -> Callable[[], Once]:
    """The peer's time over that of containers, for the same sets."""

    def prepare() -> Once:
        install_peers(peer.stamp)
        sets = crossings(peer.rules)
        sample = peer.sample or 20
        bars = load_bars("sp500", min_history_bars=0)
        bundle = sets.bundle | {"bars": bars, "account": peer.rules, "fits": {}}
        candidates = Candidates(bundle["names"], bundle["factors"], bundle["places"])
        ours = sets.indices(min(sample, 20)).tolist()

        def alone() -> float:
            began = time.perf_counter()
            for one in ours:
                wanted = bundle["requests"].wanted(candidates, one, one + 1)
                run_chunk(candidates.block(one, one + 1), wanted, bundle)
            return (time.perf_counter() - began) / len(ours) / len(bars) * 1e6

        alone()

        def once() -> Reading:
            before = alone()
            theirs = run_peer(peer.script, sets.sampled(sample) | dict(peer.options), peer.stamp)
            mine = (before + alone()) / 2
            their_bar = theirs["seconds"] / sample / len(bars) * 1e6
            told = f"version {theirs['version']}: {their_bar:.1f} us a bar, ours {mine:.1f}. {peer.note}"
            return Reading(their_bar / mine, told)

        return once

    return prepare


for _peer in (BACKTESTING, PYBROKER, BACKTRADER, NAUTILUS):
    row(f"{_peer.name} over containers, one core", "x", runs=3, bar=1.0, at_least=True)(over_containers(_peer))
