"""What a candidate wants at each bar: voices by regime, gates, and the ensemble, by hand on a few bars."""

import math
from typing import Any

import numpy as np
import pytest

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.bars import Bars
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.setup import Setup, wanted_targets
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import Candidates, plan_search
from admf_ray.strategies import STRATEGIES
from tests.unit.engine.account import bars_of

NAN = math.nan
TREND = Watch("classifier", CLASSIFIERS["trend"])
PATTERN = Watch("pattern", CLASSIFIERS["pattern"])
THRESHOLD = STRATEGIES["price_threshold"]

# Averages of 2 from bar 1 on: 11 11.5 11 12 13 11 | so the trend is unknown, up, down, down, up, down, down.
CLOSE = [10.0, 12.0, 11.0, 11.0, 13.0, 13.0, 9.0]
REGIMES = [-1, 1, 0, 0, 1, 0, 0]


def setup_of(composition: Composition, bars: Bars, fit: tuple[int, int] | None = None, **params: float) -> Setup:
    """Give a candidate whose periods are 2 unless it says otherwise."""
    periods = {name: 2.0 for name in composition.parameter_names if name.endswith("period")}
    candidates = Candidates.single(composition.complete(periods | params))
    search = plan_search(bars, composition, candidates, AccountRules())
    return search.setup(search.hub(), 0, fit)


def wanted(composition: Composition, bars: Bars | None = None, **params: float) -> Any:
    bars = bars_of(CLOSE) if bars is None else bars
    return wanted_targets(setup_of(composition, bars, **params), len(bars))


def assert_targets(found: Any, *rows: list[float]) -> None:
    np.testing.assert_array_equal(found.targets, rows)


def test_a_strategy_alone_says_what_its_kernel_says() -> None:
    found = wanted(Composition.of(THRESHOLD), threshold=11.0)
    # 1 above 11, 0 below, unknown on it
    assert_targets(found, [0, 1, NAN, NAN, 1, 1, 0])
    assert found.regimes.shape == (0, 7)
    assert found.shares is None


def test_a_classifier_that_nobody_asks_labels_and_changes_nothing() -> None:
    found = wanted(Composition((Member("a", THRESHOLD),), (TREND,)), threshold=11.0)
    assert_targets(found, [0, 1, NAN, NAN, 1, 1, 0])
    assert found.regimes.tolist() == [REGIMES]


def test_the_set_of_the_regime_speaks_and_the_global_one_where_it_is_unknown_or_has_none() -> None:
    routed = Member("a", THRESHOLD, sets=("up",))
    found = wanted(Composition((routed,), (TREND,)), threshold=9.5, up_threshold=12.5)
    # Globally all but 9 are above 9.5. Up at bars 1 and 4: 12 is not above 12.5, 13 is.
    assert_targets(found, [1, 0, 1, 1, 1, 1, 0])


def test_where_a_member_does_not_trade_its_target_is_0_and_so_is_it_where_the_regime_is_unknown() -> None:
    gated = Member("a", THRESHOLD, (("classifier", ("up",)),))
    found = wanted(Composition((gated,), (TREND,)), threshold=9.5)
    assert_targets(found, [0, 1, 0, 0, 1, 0, 0])


def test_a_closed_gate_is_0_even_where_the_strategy_does_not_know() -> None:
    gated = Member("a", THRESHOLD, (("classifier", ("up",)),))
    found = wanted(Composition((gated,), (TREND,)), threshold=11.0)
    # On the level at bars 2 and 3, which are down.
    assert_targets(found, [0, 1, 0, 0, 1, 0, 0])
    opened = Member("a", THRESHOLD, (("classifier", ("down", "up")),))
    assert_targets(wanted(Composition((opened,), (TREND,)), threshold=11.0), [0, 1, NAN, NAN, 1, 1, 0])


def test_a_gate_that_names_no_label_is_never_open() -> None:
    found = wanted(Composition((Member("a", THRESHOLD, (("classifier", ()),)),), (TREND,)), threshold=1.0)
    assert_targets(found, [0] * 7)


def test_all_gates_must_be_open() -> None:
    # Channels of the 2 bars before, from bar 2 on: 10-12, 11-12, 11-11, 11-13, 13-13. Closes 11 and 11 stay in it,
    # 13 breaks out above; 13 is not below the middle of 11 to 13, so it lasts; 9 breaks out below.
    both = Member("a", THRESHOLD, (("classifier", ("up", "down")), ("pattern", ("breakout_up",))))
    found = wanted(Composition((both,), (TREND, PATTERN)), threshold=1.0)
    assert found.regimes.tolist() == [REGIMES, [-1, -1, 1, 1, 2, 2, 0]]
    assert_targets(found, [0, 0, 0, 0, 1, 1, 0])


def test_members_are_routed_by_themselves_and_then_combined() -> None:
    members = (
        Member("a", THRESHOLD, (("classifier", ("up",)),)),
        Member("b", THRESHOLD, sets=("down",)),
    )
    composition = Composition(members, (TREND,), "weighted", (0.75, 0.25))
    found = wanted(composition, threshold=9.5, b_threshold=10.0, b_down_threshold=12.0)
    # a: up at bars 1 and 4. b: unknown on its level of 10 at bar 0, above it at 1 and 4, and above 12 in falls at 5.
    assert_targets(found, [0, 1, 0, 0, 1, 0.25, 0])
    assert found.shares.tolist() == [
        [[0, 0.75, 0, 0, 0.75, 0, 0]],
        [[0, 0.25, 0, 0, 0.25, 0.25, 0]],
    ]


def test_a_member_that_does_not_know_adds_nothing_and_nobody_knows_where_none_does() -> None:
    members = (Member("a", THRESHOLD), Member("b", THRESHOLD))
    found = wanted(Composition(members, (), "weighted", (0.5, 0.5)), threshold=11.0, b_threshold=11.0)
    assert_targets(found, [0, 1, NAN, NAN, 1, 1, 0])
    half = wanted(Composition(members, (), "weighted", (0.5, 0.5)), threshold=11.0, b_threshold=1.0)
    assert_targets(half, [0.5, 1, 0.5, 0.5, 1, 1, 0.5])


def test_a_classifier_looks_at_its_symbol_and_the_first_one_by_default() -> None:
    bars = bars_of(CLOSE, CLOSE[::-1])
    for symbol, labels in ((None, REGIMES), ("A", REGIMES), ("B", [-1, 1, 0, 0, 0, 1, 0])):
        watch = Watch("classifier", CLASSIFIERS["trend"], symbol)
        setup = setup_of(Composition((Member("a", THRESHOLD),), (watch,)), bars)
        assert wanted_targets(setup, 7).regimes.tolist() == [labels]
        assert setup.watched_symbol(0) == (1 if symbol == "B" else 0)


def test_the_regime_of_the_first_classifier_rules_all_symbols() -> None:
    bars = bars_of(CLOSE, [20.0, 5.0, 20.0, 5.0, 20.0, 5.0, 20.0])
    gated = Member("a", THRESHOLD, (("classifier", ("up",)),))
    found = wanted(Composition((gated,), (TREND,)), bars, threshold=9.5)
    assert_targets(found, [0, 1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0, 0])


def test_what_comes_before_the_history_that_the_data_asks_for_is_unknown_unless_a_gate_is_closed() -> None:
    bars = bars_of(CLOSE)
    waiting = Bars(**{name: getattr(bars, name) for name in bars.__slots__} | {"min_history": 3})
    assert_targets(wanted(Composition.of(THRESHOLD), waiting, threshold=9.5), [NAN, NAN, 1, 1, 1, 1, 0])
    gated = Member("a", THRESHOLD, (("classifier", ("up",)),))
    found = wanted(Composition((gated,), (TREND,)), waiting, threshold=9.5)
    assert_targets(found, [0, NAN, 0, 0, 1, 0, 0])


def test_fewer_bars_are_the_beginning_of_more() -> None:
    setup = setup_of(Composition((Member("a", THRESHOLD, sets=("up",)),), (TREND,)), bars_of(CLOSE), threshold=11.0)
    whole = wanted_targets(setup, 7)
    for stop in range(1, 7):
        part = wanted_targets(setup, stop)
        np.testing.assert_array_equal(part.targets, whole.targets[:, :stop])
        np.testing.assert_array_equal(part.regimes, whole.regimes[:, :stop])


class TestRoutes:
    def test_a_route_gives_the_voice_and_whether_there_is_trading(self) -> None:
        gates = (("pattern", ("range", "breakout_up")), ("classifier", ("up",)))
        composition = Composition((Member("a", THRESHOLD, gates, ("up", "down")),), (TREND, PATTERN))
        route = setup_of(composition, bars_of(CLOSE)).route(0)
        assert route.voices.tolist() == [0, 2, 1]
        assert [route.at([regime, 1]) for regime in (-1, 0, 1)] == [(0, False), (2, False), (1, True)]
        assert [route.at([1, regime]) for regime in (-1, 0, 1, 2)] == [(1, False), (1, False), (1, True), (1, True)]

    @pytest.mark.parametrize(
        ("member", "message"),
        [
            (Member("a", THRESHOLD, sets=("upp",)), r"by_regime of 'a': no label is named 'upp' \(did you mean up\?\)"),
            (
                Member("a", THRESHOLD, (("classifier", ("sideways",)),)),
                "trades_in of 'a': no label is named 'sideways'.*allowed: down, up",
            ),
        ],
    )
    def test_a_label_that_the_classifier_does_not_have_is_refused(self, member: Member, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            wanted(Composition((member,), (TREND,)))

    def test_labels_follow_the_parameters_of_the_candidate(self) -> None:
        watch = Watch("level", CLASSIFIERS["volatility"])
        medium = Composition((Member("a", THRESHOLD, sets=("medium",)),), (watch,))
        assert setup_of(medium, bars_of(CLOSE), level_states=3).route(0).voices.tolist() == [0, 0, 1, 0]
        with pytest.raises(ConfigError, match="by_regime of 'a': no label is named 'medium'.*allowed: low, high"):
            setup_of(medium, bars_of(CLOSE), level_states=2).route(0)


class TestFittedClassifiers:
    COMPOSITION = Composition((Member("a", THRESHOLD),), (TREND, Watch("level", CLASSIFIERS["volatility"])))

    def test_numbers_are_those_of_the_span_and_empty_where_nothing_is_fitted(self) -> None:
        setup = setup_of(self.COMPOSITION, bars_of(CLOSE), (0, 5), level_states=2)
        # Volatilities of 2 changes at bars 2, 3 and 4 are known: the border of two levels is their median.
        returns = np.diff(np.log(CLOSE))
        deviations = [abs(returns[t - 1] - returns[t]) / math.sqrt(2) for t in (1, 2, 3)]
        (nothing, border) = setup.fitted
        assert len(nothing) == 0
        np.testing.assert_allclose(border, [np.median(deviations)], rtol=1e-12)

    def test_without_a_span_they_are_refused_with_what_to_do(self) -> None:
        setup = setup_of(self.COMPOSITION, bars_of(CLOSE))
        with pytest.raises(
            ConfigError,
            match="classifier 'level': volatility is fitted on a span of the data, and none is given; allowed: "
            "classifier.fit.start and stop, or a walk-forward, which fits on its train spans",
        ):
            wanted_targets(setup, 7)

    def test_a_span_with_too_few_values_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"classifier 'level', fitted on bars 0 to 3: borders between 3 levels"):
            setup_of(self.COMPOSITION, bars_of(CLOSE), (0, 3), level_states=3)

    def test_nothing_after_the_span_changes_the_numbers(self) -> None:
        changed = bars_of([*CLOSE[:5], 500.0, 1.0])
        one, other = (setup_of(self.COMPOSITION, bars, (0, 5), level_states=2) for bars in (bars_of(CLOSE), changed))
        assert one.fitted[1].tobytes() == other.fitted[1].tobytes()


def test_the_same_candidate_may_read_a_matrix_that_is_computed_bar_by_bar() -> None:
    setup = setup_of(Composition.of(THRESHOLD), bars_of(CLOSE))
    assert setup.reading(setup.matrix) is setup
    other = setup.matrix.copy()
    assert setup.reading(other).matrix is other
    assert setup.reading(other).rows is setup.rows
