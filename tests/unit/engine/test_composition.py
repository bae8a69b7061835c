"""Strategies, classifiers and an ensemble as one strategy: names, inputs, constraints, and what does not fit."""

import pickle

import numpy as np
import pytest

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.bars import Bars
from admf_ray.engine.composition import Composition, Member, Voice, Watch, fits_of
from admf_ray.errors import ConfigError
from admf_ray.strategies import STRATEGIES, Strategy
from tests.series import daily_bars
from tests.unit.engine.account import bars_of

TREND = Member("trend", STRATEGIES["sma_cross"], (("classifier", ("up",)),), ("down", "up"))
DIP = Member("dip", STRATEGIES["rsi_reversion"], sets=("up",))
BREAKOUT = Member("breakout", STRATEGIES["donchian_breakout"])
CLASSIFIER = Watch("classifier", CLASSIFIERS["trend"])
WEEKLY = Watch("weekly", CLASSIFIERS["trend_chop_volatile"], "COMP", "1w")
ALL = Composition((TREND, DIP, BREAKOUT), (CLASSIFIER, WEEKLY), "vote", (0.5, 0.3, 0.2))
PLAIN = Composition.of(STRATEGIES["sma_cross"])


class TestAsOneStrategy:
    def test_the_first_member_has_its_own_names_and_all_others_begin_with_theirs(self) -> None:
        assert ALL.parameter_names == (
            *("fast", "slow", "down_fast", "down_slow", "up_fast", "up_slow"),
            *("dip_period", "dip_oversold", "dip_exit", "dip_up_period", "dip_up_oversold", "dip_up_exit"),
            *("breakout_entry", "breakout_exit"),
            "classifier_period",
            *("weekly_period", "weekly_baseline", "weekly_ratio", "weekly_threshold"),
        )

    def test_bounds_and_defaults_are_those_of_the_parts(self) -> None:
        found = {parameter.name: parameter for parameter in ALL.parameters}
        (oversold,) = (one for one in STRATEGIES["rsi_reversion"].parameters if one.name == "oversold")
        assert (found["dip_up_oversold"].default, found["dip_up_oversold"].low, found["dip_up_oversold"].high) == (
            oversold.default,
            oversold.low,
            oversold.high,
        )

    def test_inputs_name_the_parameters_of_their_part_and_its_timeframe(self) -> None:
        assert ALL.inputs == (
            *("sma(close,{fast})", "sma(close,{slow})"),
            *("sma(close,{down_fast})", "sma(close,{down_slow})", "sma(close,{up_fast})", "sma(close,{up_slow})"),
            *("rsi(close,{dip_period})", "rsi(close,{dip_up_period})"),
            *("close", "highest(high,{breakout_entry})", "lowest(low,{breakout_exit})"),
            *("close", "sma(close,{classifier_period})"),
            "efficiency_ratio(close,{weekly_period})@1w",
            "volatility(close,{weekly_period})@1w",
            "sma(volatility(close,{weekly_period}),{weekly_baseline})@1w",
        )

    def test_constraints_of_each_set_bind_its_own_parameters(self) -> None:
        assert ALL.constraints == (
            *("fast < slow", "down_fast < down_slow", "up_fast < up_slow"),
            *("dip_oversold < dip_exit", "dip_up_oversold < dip_up_exit"),
            "breakout_exit < breakout_entry",
            "weekly_period < weekly_baseline",
        )

    def test_the_name_says_how_the_members_are_combined(self) -> None:
        assert ALL.name == "vote(trend, dip, breakout)"
        assert Composition((BREAKOUT,)).name == "breakout"
        assert PLAIN.name == "sma_cross"
        assert ALL.member_names == ("trend", "dip", "breakout")

    def test_missing_parameters_are_filled_in_and_every_set_obeys_its_constraint(self) -> None:
        values = ALL.complete({"up_fast": 5.0, "dip_exit": 60.0})
        assert tuple(values) == ALL.parameter_names
        assert (values["fast"], values["up_fast"], values["dip_exit"], values["dip_up_exit"]) == (50, 5, 60, 55)
        with pytest.raises(ConfigError, match=r"strategy.params: vote\(.*\) needs up_fast < up_slow; given: fast=50,"):
            ALL.complete({"up_fast": 300.0})
        with pytest.raises(ConfigError, match=r"strategy.params.up_fats: no parameter .*did you mean up_fast"):
            ALL.complete({"up_fats": 3.0})
        with pytest.raises(ConfigError, match="strategy.params.classifier_period: 1 is out of bounds"):
            ALL.complete({"classifier_period": 1})

    def test_a_strategy_alone_is_a_composition_of_one_and_a_composition_stays_what_it_is(self) -> None:
        strategy = STRATEGIES["rsi_reversion"]
        alone = Composition.of(strategy)
        assert (alone.parameters, alone.inputs, alone.constraints) == (
            strategy.parameters,
            strategy.inputs,
            strategy.constraints,
        )
        assert Composition.of(ALL) is ALL


class TestItsParts:
    def test_voices_are_the_sets_of_each_member_the_global_one_first(self) -> None:
        assert ALL.voices == (
            Voice(0, None, slice(0, 2), slice(0, 2)),
            Voice(0, "down", slice(2, 4), slice(2, 4)),
            Voice(0, "up", slice(4, 6), slice(4, 6)),
            Voice(1, None, slice(6, 7), slice(6, 9)),
            Voice(1, "up", slice(7, 8), slice(9, 12)),
            Voice(2, None, slice(8, 11), slice(12, 14)),
        )

    def test_watches_come_after_all_voices(self) -> None:
        assert ALL.watched(0) == (slice(11, 13), slice(14, 15))
        assert ALL.watched(1) == (slice(13, 16), slice(15, 19))
        assert (len(ALL.inputs), len(ALL.parameters)) == (16, 19)

    def test_fitted_numbers_are_found_by_the_declared_parameters_of_each_watch(self) -> None:
        watches = (Watch("level", CLASSIFIERS["volatility"]), Watch("hmm", CLASSIFIERS["hmm"]))
        composition = Composition((Member("dip", DIP.strategy),), watches)
        params = np.array([14.0, 30.0, 55.0, 20.0, 3.0, 2.0])
        one, other = [np.array([1.0])], [np.array([2.0])]
        assert fits_of(composition, params, {(0, (20.0, 3.0)): one, (1, (2.0,)): other}) == [one, other]

    def test_it_is_plain_where_one_kernel_gives_all_of_its_targets(self) -> None:
        assert PLAIN.is_plain
        assert Composition((Member("any", STRATEGIES["sma_cross"]),), (CLASSIFIER,)).is_plain
        gated = Member("any", STRATEGIES["sma_cross"], (("classifier", ("up",)),))
        routed = Member("any", STRATEGIES["sma_cross"], sets=("up",))
        assert not any(Composition((one,), (CLASSIFIER,)).is_plain for one in (gated, routed))
        assert not ALL.is_plain

    def test_one_member_in_python_makes_it_python(self) -> None:
        python = Strategy(
            name="steady",
            parameters=(),
            inputs=(),
            python=lambda view: 1.0,
            warm_up=lambda params: 0,
            convergence=lambda params: 0,
            source="tests",
        )
        mixed = Composition((BREAKOUT, Member("steady", python)), (), "vote", (0.5, 0.5))
        assert mixed.is_python
        assert not Composition.of(python).is_plain
        assert not ALL.is_python

    def test_it_is_fitted_where_a_classifier_is(self) -> None:
        assert not ALL.is_fitted
        assert Composition((BREAKOUT,), (CLASSIFIER, Watch("hmm", CLASSIFIERS["hmm"]))).is_fitted

    def test_members_begin_by_themselves(self) -> None:
        bars = bars_of([1.0, None, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0])
        waiting = Bars(**{name: getattr(bars, name) for name in bars.__slots__} | {"min_history": 2})
        pair = Member("pair", STRATEGIES["pairs_zscore"])
        both = Composition((BREAKOUT, pair), (), "vote", (0.5, 0.5))
        # By their second bar: A, which lacks a bar, at bar 2, B at bar 1; a pair begins with the later one.
        assert both.begins(waiting).tolist() == [[2, 1], [2, 2]]


class TestItsWayToAHost:
    def test_names_travel_and_give_it_back(self) -> None:
        for composition in (PLAIN, ALL, Composition((BREAKOUT,), (CLASSIFIER,))):
            names = pickle.loads(pickle.dumps(composition.names()))
            assert Composition.named(names) == composition
            assert hash(composition.names()) == hash(names)

    def test_compositions_that_differ_have_other_names(self) -> None:
        for changed in (
            Composition((TREND, DIP, BREAKOUT), (CLASSIFIER, WEEKLY), "vote", (0.5, 0.2, 0.3)),
            Composition((TREND, DIP, BREAKOUT), (CLASSIFIER, WEEKLY), "weighted", (0.5, 0.3, 0.2)),
            Composition((TREND, DIP, BREAKOUT), (CLASSIFIER, Watch("weekly", WEEKLY.classifier)), "vote", ALL.weights),
            Composition((TREND, Member("dip", DIP.strategy), BREAKOUT), ALL.watches, "vote", ALL.weights),
        ):
            assert changed.names() != ALL.names()


A, B = Member("a", STRATEGIES["buy_and_hold"]), Member("b", STRATEGIES["sma_cross"])
PATTERN = CLASSIFIERS["pattern"]


def gated(watch: str) -> Member:
    return Member("a", STRATEGIES["buy_and_hold"], ((watch, ("up",)),))


class TestWhatDoesNotFitTogether:
    @pytest.mark.parametrize(
        ("members", "watches"),
        [((A, A), ()), ((A, Member("same", B.strategy)), (Watch("same", PATTERN),)), ((A,), (CLASSIFIER, CLASSIFIER))],
    )
    def test_two_parts_of_one_name(self, members: tuple[Member, ...], watches: tuple[Watch, ...]) -> None:
        weights = (1.0 / len(members),) * len(members)
        with pytest.raises(ConfigError, match=r"two members or classifiers are named '\w+'; allowed: a name for each"):
            Composition(members, watches, "vote" if len(members) > 1 else None, weights)

    def test_parameters_that_get_one_name(self) -> None:
        routed = Member("a", STRATEGIES["sma_cross"], sets=("up",))
        with pytest.raises(ConfigError, match="has two parameters that are named 'up_fast'"):
            Composition((routed, Member("up", STRATEGIES["sma_cross"])), (CLASSIFIER,), "vote", (0.5, 0.5))

    def test_a_name_that_no_parameter_can_begin_with(self) -> None:
        with pytest.raises(ConfigError, match=r"parameter 'a-b_fast': no name; allowed: letters, digits and _"):
            Composition((A, Member("a-b", STRATEGIES["sma_cross"])), (), "vote", (0.5, 0.5))

    def test_a_gate_of_a_classifier_that_there_is_not(self) -> None:
        with pytest.raises(
            ConfigError, match=r"trades_in of 'a': no classifier is named 'clasifier' \(did you mean cl"
        ):
            Composition((gated("clasifier"),), (CLASSIFIER,))
        with pytest.raises(ConfigError, match="trades_in of 'a': no classifier is named 'classifier'"):
            Composition((gated("classifier"),))

    def test_parameters_by_regime_without_regimes(self) -> None:
        with pytest.raises(ConfigError, match="by_regime of 'b': there are no regimes; allowed: with a classifier"):
            Composition((Member("b", B.strategy, sets=("up",)),))

    @pytest.mark.parametrize(("members", "weights"), [((A, B), (0.5, 0.5)), ((A,), (0.5,)), ((), ())])
    def test_members_that_nothing_combines(self, members: tuple[Member, ...], weights: tuple[float, ...]) -> None:
        known = "allowed: one_of, strongest, vote, weighted"
        with pytest.raises(ConfigError, match=f"ensemble.kind: none, for {len(members)} members; {known}"):
            Composition(members, weights=weights)

    def test_an_unknown_ensemble(self) -> None:
        with pytest.raises(ConfigError, match=r"ensemble.kind: no ensemble is named 'votes' \(did you mean vote\?\)"):
            Composition((A, B), ensemble="votes", weights=(0.5, 0.5))

    def test_weights_that_are_not_one_for_each(self) -> None:
        with pytest.raises(ConfigError, match="ensemble.weights: 0.5, 0.3, 0.2; allowed: one for each of 2 members"):
            Composition((A, B), ensemble="vote", weights=(0.5, 0.3, 0.2))

    @pytest.mark.parametrize(
        "weights", [(1.5, -0.5), (0.0, 0.0), (0.6, 0.5), (float("nan"), 0.5), (float("inf"), 0.5), (0.5, 0.5 + 2e-9)]
    )
    def test_weights_beyond_all_of_the_money(self, weights: tuple[float, float]) -> None:
        with pytest.raises(
            ConfigError, match=r"ensemble.weights: .*; allowed: from 0 on, more than 0 and at most 1 to"
        ):
            Composition((A, B), ensemble="vote", weights=weights)

    def test_weights_that_exceed_one_by_a_rounding_are_no_matter(self) -> None:
        assert Composition((A, B), ensemble="vote", weights=(0.5, 0.5 + 1e-10)).weights[1] > 0.5

    @pytest.mark.parametrize("name", ["pattern", "hmm", "volatility"])
    def test_state_and_fitted_numbers_on_a_higher_timeframe(self, name: str) -> None:
        with pytest.raises(
            ConfigError,
            match=f"classifier 'weekly': {name} keeps state from bar to bar and cannot look at bars of 1w; allowed: "
            "the bars of the data, or a classifier without state",
        ):
            Composition((A,), (Watch("weekly", CLASSIFIERS[name], timeframe="1w"),))

    def test_data_that_its_parts_cannot_look_at(self) -> None:
        bars = daily_bars([1.0, 2.0], symbol="SPX")
        pair = Composition((A, Member("pair", STRATEGIES["pairs_zscore"])), (), "vote", (0.5, 0.5))
        with pytest.raises(ConfigError, match="pairs_zscore trades 2 symbols together and the data has 1"):
            pair.check_symbols(bars.symbols)
        elsewhere = Composition((A,), (Watch("classifier", CLASSIFIERS["trend"], "SPY"),))
        with pytest.raises(
            ConfigError, match=r"classifier.symbol: no symbol of the data is named 'SPY' .*allowed: SPX"
        ):
            elsewhere.check_symbols(bars.symbols)
        ALL.check_symbols(("SPX", "COMP"))
