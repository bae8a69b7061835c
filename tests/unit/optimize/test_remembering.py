"""What a search remembers: the least embargo of a cross-validation that trains on bars after a test."""

from dataclasses import replace

import numpy as np
import pytest

from admf_ray import Bars
from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.parameters import Parameter
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.indicators import INDICATORS
from admf_ray.optimize import Adaptive, DrawnRange, Search, expand_grid, longest_memory, plan_search
from admf_ray.strategies import STRATEGIES

CROSS = Composition.of(STRATEGIES["sma_cross"])


def searched(
    bars: Bars, composition: Composition, space: dict[str, list[float]], rules: AccountRules | None = None
) -> Search:
    return plan_search(bars, composition, expand_grid(composition, {}, space), rules or AccountRules())


def test_the_longest_average_of_all_candidates_counts(sp500: Bars) -> None:
    found = longest_memory(searched(sp500, CROSS, {"fast": [5.0, 20.0], "slow": [50.0, 100.0]}))
    assert found.bars == 99 + 99
    assert found.arithmetic.endswith(": warm-up 99 + convergence 99")


def test_smoothing_remembers_until_it_has_converged(sp500: Bars) -> None:
    # Weight 2 / 21: (1 - 2/21)^k < 1e-9 from k = 208 on, after 19 bars of warm-up.
    found = longest_memory(searched(sp500, Composition.of(STRATEGIES["ema_cross"]), {"fast": [5.0], "slow": [20.0]}))
    assert found.bars == 19 + 19 + 208


def test_the_account_remembers_as_well(sp500: Bars) -> None:
    rules = AccountRules(sizing="volatility_target", size=0.2, volatility="volatility(sma(close,30),250)")
    found = longest_memory(searched(sp500, CROSS, {"fast": [5.0], "slow": [20.0]}, rules))
    indicator = INDICATORS["volatility"]
    own = indicator.warm_up((250.0,)) + indicator.convergence((250.0,))
    # Its source has seen 29 + 29 bars more.
    assert found.bars == own + 58
    assert "after sma(close[SPX],30): warm-up 29 + convergence 29" in found.arithmetic


def test_a_timeframe_remembers_whole_buckets(sp500: Bars) -> None:
    watched = Composition((Member("cross", STRATEGIES["sma_cross"], (("weekly", ("up",)),)),), (
        Watch("weekly", CLASSIFIERS["trend"], timeframe="1w"),
    ))  # fmt: skip
    found = longest_memory(searched(sp500, watched, {"fast": [5.0], "slow": [20.0], "weekly_period": [10.0]}))
    # 9 + 9 weeks, and the one that is not complete, of 5 bars at most.
    assert found.bars == 19 * 5
    assert "and 1 that is not complete, each of up to 5 bars" in found.arithmetic


def test_what_never_forgets_says_so(sp500: Bars) -> None:
    rules = AccountRules(sizing="volatility_target", size=0.2, volatility="volatility(vwap(high,low,close,volume),20)")
    found = longest_memory(searched(sp500, CROSS, {"fast": [5.0], "slow": [20.0]}, rules))
    assert found.is_endless
    assert (
        "vwap(high[SPX],low[SPX],close[SPX],volume[SPX]): it never forgets where the series began" in found.arithmetic
    )


def adaptive(search: Search, **ranges) -> Search:
    return replace(search, adaptive=Adaptive("tpe", 5, 1, 0, ranges))


def test_of_a_space_that_is_still_to_be_searched_the_corners_count(sp500: Bars) -> None:
    example = searched(sp500, CROSS, {"fast": [5.0], "slow": [20.0]})
    found = longest_memory(adaptive(example, fast=DrawnRange(5.0, 50.0), slow=[20.0, 200.0, 100.0]))
    assert found.bars == 2 * 199


def test_of_one_of_several_the_longest_memory_counts(sp500: Bars) -> None:
    members = (Member("cross", STRATEGIES["sma_cross"]), Member("dip", STRATEGIES["rsi_reversion"]))
    one_of = Composition(members, ensemble="one_of", weights=(0.5, 0.5))
    alone = [
        longest_memory(searched(sp500, STRATEGIES["rsi_reversion"], {"period": [14.0]})).bars,
        longest_memory(searched(sp500, CROSS, {"fast": [5.0], "slow": [20.0]})).bars,
    ]
    space = {"fast": [5.0], "slow": [20.0], "dip_period": [2.0, 14.0]}
    for ranges in (space, {**space, "risk.exits.stop_loss.atr": [1.0, 3.0]}):
        grid = searched(sp500, one_of, ranges)
        assert longest_memory(grid) == longest_memory(adaptive(grid, **ranges))
        assert longest_memory(grid).bars >= max(alone)
    assert longest_memory(searched(sp500, one_of, space)).bars == max(alone)
    slow = AccountRules(atr="atr(high,low,close,900)")
    stopped = searched(sp500, one_of, {**space, "risk.exits.stop_loss.atr": [1.0, 3.0]}, slow)
    assert longest_memory(stopped).bars > max(alone)
    assert "atr" in longest_memory(stopped).arithmetic


def test_too_many_corners_are_refused(sp500: Bars) -> None:
    members = tuple(Member(f"m{index}", STRATEGIES["sma_cross"]) for index in range(7))
    many = Composition(members, ensemble="weighted", weights=(0.1,) * 7)
    example = plan_search(sp500, many, expand_grid(many, {}, {}), AccountRules())
    ranges = {name: DrawnRange(5.0, 50.0) for name in many.parameter_names}
    with pytest.raises(ConfigError, match="16,384 corners, .* allowed: at most 4,096"):
        longest_memory(adaptive(example, **ranges))


@pytest.mark.parametrize("entry", [*INDICATORS, *STRATEGIES, *CLASSIFIERS], ids=lambda entry: entry.name)
def test_every_memory_grows_or_falls_with_each_parameter_by_itself(entry) -> None:
    defaults = [float(one.default) for one in entry.parameters]
    for place, parameter in enumerate(entry.parameters):
        memories = []
        for value in _values(parameter):
            own = (*defaults[:place], value, *defaults[place + 1 :])
            memories.append(min(entry.warm_up(own), 10**9) + min(entry.convergence(own), 10**9))
        steps = np.diff(memories)
        assert (steps >= 0).all() or (steps <= 0).all()


def _values(parameter: Parameter) -> list[float]:
    low, high = float(parameter.low), min(float(parameter.high), 1_000.0)
    values = np.linspace(low, max(low, high), 200)
    return np.unique(np.round(values) if parameter.kind == "int" else values).tolist()
