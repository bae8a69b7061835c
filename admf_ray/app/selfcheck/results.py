"""Expected results and reproducibility: numbers worked out by hand, and one result however it is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.app.selfcheck.target import Target, confirm, prints, require
from admf_ray.core.bars import Bars
from admf_ray.engine.event_driven import BOOK, Market, run_segment_in_container
from admf_ray.engine.hosting import pool_of
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import Candidates, plan_search
from admf_ray.strategies import STRATEGIES

__all__ = ["EXAMPLES", "Example", "check_expected_results", "check_reproducibility"]

_DAY = 86_400 * 10**9
_CENT = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A small market whose account can be followed by hand, from 1,000 in cash.

    Each bar opens where the one before closed. Orders are decided at a close, sized in whole shares at its price, and
    filled at the next open; what is left is sold at the last close.

    Attributes
    ----------
    strategy : str
    params : mapping of str to float
    closes : tuple of float
    equity : tuple of float
        At each close.
    costs : mapping of str to float
        Of `AccountRules`.
    """

    strategy: str
    params: Mapping[str, float] = field(default_factory=dict)
    closes: tuple[float, ...]
    equity: tuple[float, ...]
    costs: Mapping[str, float] = field(default_factory=dict)


EXAMPLES: tuple[Example, ...] = (
    # 10 shares at 100, worth 110 and then 121 each.
    Example(
        strategy="buy_and_hold",
        closes=(100.0, 110.0, 121.0),
        equity=(1_000.0, 1_100.0, 1_210.0),
    ),
    # Above 105 after bar 1: 9 shares at 110 and a fee of 1 leave 9. Below after bar 3: sold at 90, less a fee of 1.
    Example(
        strategy="price_threshold",
        params={"threshold": 105.0},
        closes=(100.0, 110.0, 120.0, 90.0, 80.0),
        equity=(1_000.0, 1_000.0, 1_089.0, 819.0, 818.0),
        costs={"commission_fixed": 1.0},
    ),
    # Means over 2 and 3 bars: 11.5 > 11 after bar 3: 76 shares at 13 leave 12; 7.5 < 10.33 after bar 6: sold at 4.
    Example(
        strategy="sma_cross",
        params={"fast": 2.0, "slow": 3.0},
        closes=(10.0, 10.0, 10.0, 13.0, 16.0, 11.0, 4.0, 4.0),
        equity=(1_000.0, 1_000.0, 1_000.0, 1_000.0, 1_228.0, 848.0, 316.0, 316.0),
    ),
)
"""Equity at each close, worked out in the comments."""


def check_expected_results(target: Target) -> str:
    """Compare both engines with results worked out by hand; the target may lose its costs where prices stand still."""
    for example in EXAMPLES:
        _check_example(example)
    standing = target.on(_standing(target.bars))
    paid = 0.0
    for how, segments in (("compiled", standing.compiled()), ("in containers", standing.contained())):
        for name, segment in segments.items():
            paid = max(paid, _check_costs(f"{name} {how}", standing.setups[name], segment))
    first = next(iter(target.searches.values()))
    rules = first.rules.passive(len(target.bars.symbols))
    holding = plan_search(standing.bars, STRATEGIES["buy_and_hold"], Candidates.single({}), rules)
    setup = holding.setup(holding.hub(), 0)
    cost = _check_costs("buy_and_hold", setup, run_segment(setup, *target.span))
    for name, segment in target.compiled().items():
        target.searches[name].check(segment, target.setups[name], f"book '{name}'")
    return (
        f"{len(EXAMPLES)} worked examples on both engines to the bit; where prices stand still {target.name} loses its "
        f"costs of {paid:,.2f}, buy and hold {cost:,.2f}; ledgers add up"
    )


def _check_example(example: Example) -> None:
    strategy, bars = STRATEGIES[example.strategy], _bars(example.closes)
    candidates = Candidates.single(strategy.complete(example.params))
    costs: dict[str, Any] = dict(example.costs)
    search = plan_search(bars, strategy, candidates, AccountRules(cash=1_000.0, **costs))
    setup = search.setup(search.hub(), 0)
    for how, run in (("compiled", run_segment), ("in a container", run_segment_in_container)):
        equity = run(setup, 0, len(bars)).equity.tolist()
        bar = next((n for n, pair in enumerate(zip(equity, example.equity, strict=True)) if pair[0] != pair[1]), None)
        require(
            bar is None,
            f"{example.strategy} {how}: equity at bar {bar} is {equity[bar or 0]:,.2f}; by hand "
            f"{example.equity[bar or 0]:,.2f}",
        )


def _bars(closes: tuple[float, ...]) -> Bars:
    close = np.array([closes])
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    count = close.shape[1]
    return Bars(
        symbols=("X",),
        known_at=(np.arange(count) + 1) * _DAY,
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=np.full_like(close, 1e6),
        session=np.arange(count, dtype=np.int32),
        covers_until=(count + 1) * _DAY,
        periods_per_year=252.0,
    )


def _standing(bars: Bars) -> Bars:
    """Give the same bars with every price of a symbol at its first close; missing ones stay missing."""
    there = ~np.isnan(bars.close)
    first: npt.NDArray[np.float64] = bars.close[np.arange(len(bars.symbols)), there.argmax(axis=1)]
    close = np.where(there, first[:, np.newaxis], np.nan)
    return replace(bars, open=close, high=close, low=close, close=close)


def _check_costs(who: str, setup: Setup, segment: Segment) -> float:
    """Refuse an account that lost anything else than its costs, to the cent; give the costs."""
    fills, cash = segment.fills, setup.rules.cash
    price = np.nanmax(setup.bars.close, axis=1)[fills["symbol"]]
    slipped = (fills["quantity"] * (fills["price"] - price) * setup.flat["multiplier"][fills["symbol"]]).sum()
    costs = float(fills["commission"].sum() + slipped + fills["borrowed"].sum() - segment.account["interest"])
    lost = cash - float(segment.equity[-1])
    require(
        abs(lost - costs) < _CENT,
        f"{who}: where prices stand still {lost:,.2f} are lost in {len(fills)} fills, costs are {costs:,.2f}",
    )
    require(costs > -_CENT or setup.rules.interest > 0.0, f"{who}: trading earns {-costs:,.2f} at standing prices")
    return costs


def check_reproducibility(target: Target) -> str:
    """Compute the target on both engines, again, with a streamed hub and in pooled containers: one fingerprint."""
    expected = prints(target.compiled())
    ways: dict[str, Callable[[], dict[str, Segment]]] = {
        "compiled, again": target.compiled,
        "in containers": target.contained,
        "in containers, again": target.contained,
        "in containers with a streamed hub": lambda: target.contained(hub=target.hub),
    }
    for how, run in ways.items():
        confirm(prints(run()), expected, how)
    for how in ("in a pooled container", "in a pooled container, used again"):
        confirm({name: _pooled(target, setup) for name, setup in target.setups.items()}, expected, how)
    shown = next(iter(expected.values()))
    return f"one fingerprint in {len(ways) + 3} computations of {len(expected)} books: {shown[:12]}"


def _pooled(target: Target, setup: Setup) -> str:
    with pool_of(setup.composition).container("selfcheck") as container:
        market = Market(container)
        market.begin({BOOK: setup}, target.span)
        market.run(target.span)
        return prints({BOOK: market.books[BOOK].segment()})[BOOK]
