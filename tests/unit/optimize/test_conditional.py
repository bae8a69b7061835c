"""Spaces with options of the account and of several strategies: each candidate is what it is by itself."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import admf_ray
from admf_ray import Bars
from admf_ray.core.records import FillPolicy
from admf_ray.engine import hosting
from admf_ray.engine import sweep as compiled
from admf_ray.engine.account_options import with_options
from admf_ray.engine.composition import Composition, Member
from admf_ray.engine.simulate import EXITS, FULL, PLAIN
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import (
    ADAPTIVE,
    Adaptive,
    Candidates,
    Choice,
    DrawnRange,
    Search,
    draw_candidates,
    expand_grid,
    plan_search,
    plan_space,
)
from admf_ray.optimize.study import run_study
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES

CROSS, DIP, HOLD = (STRATEGIES[name] for name in ("sma_cross", "rsi_reversion", "buy_and_hold"))
ONE_OF = Composition((Member("cross", CROSS), Member("dip", DIP), Member("hold", HOLD)), (), "one_of", (0.3, 0.3, 0.3))
SPACE = {"fast": [5.0, 60.0], "slow": [20.0, 50.0, 80.0], "dip_period": [2.0, 3.0], "dip_exit": [55.0, 70.0]}
RULES = AccountRules(commission_bps=1.0, slippage_bps=2.0, lot=0.0)
SPANS = [(0, 300), (250, 500)]
CHOICE = Choice("sharpe", 1)


@pytest.fixture(scope="module")
def bars(sp500: Bars) -> Bars:
    return sp500.head(500)


def swept(search: Search, first: int, last: int, engine: Any = "compiled") -> np.ndarray:
    """Metrics of a chunk of candidates, by one engine or the other."""
    bundle = replace(search, engine=engine).bundle(search.hub(), SPANS, CHOICE, METRICS)
    run = compiled.run_chunk if engine == "compiled" else hosting.run_chunk
    return run(search.candidates.block(first, last), search.requests.wanted(search.candidates, first, last), bundle)


class TestAccount:
    """Accounts of all variants, some of which look at the ATR or the volatility and others not."""

    SPACES: Sequence[dict[str, list[float]]] = (
        {"risk.size": [0.5, 1.0], "execution.commission_bps": [0.0, 5.0]},
        {"risk.exits.stop_loss.atr": [1.0, 3.0], "risk.exits.time_stop": [5.0, 50.0]},
        {"risk.lot": [0.0, 10.0], "risk.minimum_trade": [0.0, 500.0], "execution.impact": [0.0, 0.5]},
        {"risk.halts.max_drawdown": [0.02, 0.2], "risk.limits.portfolio.max_position": [0.3, 0.8]},
    )

    @pytest.mark.parametrize("account", SPACES, ids="+".join)
    def test_every_candidate_is_its_parameters_under_rules_of_their_own(self, bars: Bars, account: Any) -> None:
        space = {**account, "fast": [5.0, 10.0], "slow": [20.0]}
        search = plan_search(bars, CROSS, expand_grid(CROSS, {}, space), RULES)
        expected = []
        for *options, fast, slow in itertools.product(*account.values(), [5.0, 10.0], [20.0]):
            rules = with_options(RULES, dict(zip(account, options, strict=True)))
            alone = plan_search(bars, CROSS, Candidates.single({"fast": fast, "slow": slow}), rules)
            hub = alone.hub()
            expected.append([list(alone.segment(hub, 0, *span).metrics.values()) for span in SPANS])
        count = len(expected)
        assert len(search.candidates) == count
        assert len(np.unique([one[1][METRICS.index("final_equity")] for one in expected])) > count // 4
        for engine in ("compiled", "event_driven"):
            assert swept(search, 0, count, engine).tobytes() == np.array(expected).tobytes()
        hub = search.hub()
        own = [list(search.segment(hub, count - 1, *span).metrics.values()) for span in SPANS]
        assert np.array(own).tobytes() == np.array(expected[-1]).tobytes()

    def test_whatever_is_in_a_chunk_its_results_are_the_same_and_in_the_order_of_candidates(self, bars: Bars) -> None:
        ranges: dict[str, Any] = {
            "risk.size": DrawnRange(0.2, 1.0, 0.2),
            "risk.exits.trailing_stop.percent": DrawnRange(0.01, 0.2, log=True),
            **SPACE,
        }
        drawn = draw_candidates(plan_space(ONE_OF, {}, ranges), "random", 40, seed=1)
        search = plan_search(bars, ONE_OF, drawn, RULES)
        whole = swept(search, 0, 40)
        for size in (1, 7):
            parts = [swept(search, first, min(first + size, 40)) for first in range(0, 40, size)]
            assert np.concatenate(parts).tobytes() == whole.tobytes()

    def test_each_kind_runs_in_the_smallest_simulation_that_does_what_its_account_asks_for(self, bars: Bars) -> None:
        space = {"execution.impact": [0.0, 0.5], "fast": [5.0], "slow": [20.0]}
        search = plan_search(bars, CROSS, expand_grid(CROSS, {}, space), RULES)
        opening = search.opening(search.hub())
        variants = [opening.account(search.kind(candidate))["variant"] for candidate in (0, 1)]
        assert variants == [tuple(PLAIN), tuple(FULL)]
        stopped = plan_search(
            bars, CROSS, expand_grid(CROSS, {}, {"risk.exits.time_stop": [5.0], "fast": [5.0]}), RULES
        )
        assert opening.account(stopped.kind(0))["variant"] == tuple(EXITS)

    def test_columns_are_in_one_order_however_options_are_written(self) -> None:
        ranges: dict[str, Any] = {"execution.impact": [0.1], "fast": [5.0], "risk.size": DrawnRange(0.1, 1.0)}
        for given in (ranges, dict(reversed(ranges.items()))):
            assert plan_space(CROSS, {}, given).names == ("risk.size", "execution.impact", "fast", "slow")

    def test_constraints_may_name_options(self) -> None:
        space = {"risk.size": [0.25, 0.5, 1.0], "fast": [5.0, 10.0], "slow": [20.0]}
        grid = expand_grid(CROSS, {}, space, ["risk.size < 0.5 or fast > 5", "20 * risk.size <= slow / 2"])
        assert grid.values.tolist() == [[0.25, 5.0, 20.0], [0.25, 10.0, 20.0], [0.5, 10.0, 20.0]]

    def test_points_name_the_options_that_are_searched(self) -> None:
        space = plan_space(CROSS, {}, {"risk.size": DrawnRange(0.1, 1.0), "fast": DrawnRange(2, 50)})
        assert space.points([{"risk.size": 0.5, "fast": 7}]).tolist() == [[0.5, 7.0, 200.0]]
        with pytest.raises(ConfigError, match=r"search.points\[0\]: risk.size is searched; allowed: a value for it"):
            space.points([{"fast": 7}])

    def test_the_rules_of_another_fill_are_those_of_each_candidate(self, bars: Bars) -> None:
        grid = expand_grid(CROSS, {}, {"risk.size": [0.5, 1.0], "fast": [5.0], "slow": [20.0]})
        search = plan_search(bars, CROSS, grid, replace(RULES, fill=FillPolicy.CLOSE)).at_next_open()
        assert [(one.fill, one.size) for one in (search.kind(0).rules, search.kind(1).rules)] == [
            (FillPolicy.NEXT_OPEN, 0.5),
            (FillPolicy.NEXT_OPEN, 1.0),
        ]


class TestOneOf:
    def test_a_grid_is_the_grids_of_the_members_one_after_the_other(self) -> None:
        grid = expand_grid(ONE_OF, {}, SPACE)
        nan = np.nan
        # 60 >= 20 and 60 >= 50 are no sets of the cross; what is left of it does not touch the others.
        expected = [[0, 5, 20], [0, 5, 50], [0, 5, 80], [0, 60, 80]]
        expected = [[*row, nan, nan, nan] for row in expected]
        expected += [[1, nan, nan, period, 30, leave] for period in (2, 3) for leave in (55, 70)]
        expected += [[2, nan, nan, nan, nan, nan]]
        np.testing.assert_array_equal(grid.values, expected)
        np.testing.assert_array_equal(np.concatenate([grid.block(k, k + 1) for k in range(9)]), expected)
        assert grid.parameters(4) == {"member": 1, "dip_period": 2, "dip_oversold": 30, "dip_exit": 55}
        assert grid.places.nbytes == 4 * 9
        assert sum(len(factor) for factor in grid.factors) == 3 + 2 + 3 + 2 + 1 + 2 + 6

    def test_a_constraint_applies_where_all_that_it_names_is_in_play(self) -> None:
        grid = expand_grid(ONE_OF, {}, SPACE, ["dip_period == 3", "slow < 60"])
        assert grid.values[:, 0].tolist() == [0, 0, 1, 1, 2]
        with pytest.raises(
            ConfigError, match="'fast < dip_exit' names parameters of members that never trade together"
        ):
            expand_grid(ONE_OF, {}, SPACE, ["fast < dip_exit"])

    def test_a_member_may_be_fixed(self) -> None:
        for params, space in (({"member": 1.0}, SPACE), ({}, {**SPACE, "member": [1.0]})):
            grid = expand_grid(ONE_OF, params, space)
            assert grid.values[:, 0].tolist() == [1.0] * 4
            alone = expand_grid(DIP, {}, {"period": [2.0, 3.0], "exit": [55.0, 70.0]})
            assert grid.values[:, 3:].tolist() == alone.values.tolist()

    @pytest.mark.parametrize("engine", ["compiled", "event_driven"])
    def test_a_member_gives_the_bytes_of_its_strategy_alone(self, bars: Bars, engine: Any) -> None:
        search = plan_search(bars, ONE_OF, expand_grid(ONE_OF, {}, SPACE), RULES)
        found = swept(search, 0, 9, engine)
        first = 0
        for strategy, prefix in ((CROSS, ""), (DIP, "dip_"), (HOLD, "hold_")):
            space = {name: SPACE[prefix + name] for name in strategy.parameter_names if prefix + name in SPACE}
            alone = plan_search(bars, strategy, expand_grid(strategy, {}, space), RULES)
            count = len(alone.candidates)
            assert found[first : first + count].tobytes() == swept(alone, 0, count, engine).tobytes()
            first += count
        assert first == 9

    def test_series_are_asked_for_by_those_in_play_only(self, bars: Bars) -> None:
        search = plan_search(bars, ONE_OF, expand_grid(ONE_OF, {}, SPACE), RULES)
        # Four pairs of averages, four times one oscillator, one close.
        assert search.requested == 4 * 2 + 4 * len(DIP.inputs) + len(HOLD.inputs)
        assert not any("nan" in str(key) for key in search.keys)

    @pytest.mark.parametrize("sampler", ["random", "qmc"])
    def test_drawn_sets_differ_in_what_is_in_play(self, sampler: str) -> None:
        ranges: dict[str, Any] = {"fast": DrawnRange(2, 9), "slow": DrawnRange(20, 90), "dip_period": DrawnRange(2, 9)}
        drawn = draw_candidates(plan_space(ONE_OF, {}, ranges), sampler, 60, seed=1).values
        assert len(drawn) == len(np.unique(drawn, axis=0)) == 60
        members = drawn[:, 0]
        np.testing.assert_array_equal(np.isnan(drawn[:, 1:3]).all(axis=1), members != 0)
        np.testing.assert_array_equal(np.isnan(drawn[:, 3:]).all(axis=1), members != 1)
        # Eight periods, and one way to hold: all of them were found, and no more.
        assert (members == 1).sum() == 8
        assert (members == 2).sum() == 1

    def test_points_give_a_member_and_its_parameters(self) -> None:
        space = plan_space(ONE_OF, {}, {"fast": DrawnRange(2, 9), "dip_period": DrawnRange(2, 9)})
        found = draw_candidates(space, "random", 5, 1, [{"member": 1, "dip_period": 7}])
        assert found.parameters(0) == {"member": 1, "dip_period": 7, "dip_oversold": 30, "dip_exit": 55}
        with pytest.raises(ConfigError, match=r"search.points\[0\].fast: it is not in play; allowed"):
            space.points([{"member": 1, "fast": 5}])

    @pytest.mark.parametrize("sampler", list(ADAPTIVE))
    def test_a_study_proposes_no_set_twice_and_what_is_in_play_only(self, bars: Bars, sampler: str) -> None:
        ranges: dict[str, Any] = {
            "risk.size": [0.5, 1.0],
            "fast": DrawnRange(2, 9),
            "slow": DrawnRange(20, 90),
            "dip_period": DrawnRange(2, 9),
        }
        example = draw_candidates(plan_space(ONE_OF, {}, ranges), "random", 1, seed=1)
        adaptive = Adaptive(sampler, 30, 1, 5, ranges, points=[{"risk.size": 0.5, "member": 2}])
        search = replace(plan_search(bars, ONE_OF, example, RULES), adaptive=adaptive)
        found = run_study(1, search.study_bundle(SPANS, CHOICE))
        assert len(np.unique(found.params, axis=0)) == len(found.params) == 30
        np.testing.assert_array_equal(found.params[0], [0.5, 2, *[np.nan] * 5])
        np.testing.assert_array_equal(np.isnan(found.params[:, 2:4]).all(axis=1), found.params[:, 1] != 0)
        np.testing.assert_array_equal(np.isnan(found.params[:, 4:]).all(axis=1), found.params[:, 1] != 1)
        tried = plan_search(bars, ONE_OF, Candidates.listed(example.names, found.params), RULES)
        hub = tried.hub()
        for candidate in (0, 14, 29):
            segment = tried.segment(hub, candidate, *SPANS[1])
            np.testing.assert_array_equal(found.metrics[candidate], list(segment.metrics.values()))


def test_a_walk_forward_of_one_member_is_that_of_its_strategy(sp500: Bars) -> None:
    bars, windows = sp500.head(1_300), {"train": "2y", "test": "1y"}
    dip = {"period": [2, 14], "exit": [55, 70]}
    members = {"kind": "one_of", "members": {"rsi_reversion": {"space": dip}}}
    found = admf_ray.walk_forward(bars, "sma_cross", {"member": [1]}, windows=windows, ensemble=members)
    alone = admf_ray.walk_forward(bars, "rsi_reversion", dip, windows=windows)
    for name in ("trials", "equity", "fills", "trades"):
        assert found.fingerprints()[name] == alone.fingerprints()[name]
    assert found.summary["certified"] == len(found.windows) == 3
    assert found.windows["parameters"].to_list() == [
        text.replace("{", '{"strategy": "rsi_reversion", ') for text in alone.windows["parameters"].to_list()
    ]
