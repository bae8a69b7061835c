"""Compositions come out bit for bit alike: compiled, in containers, streamed, side by side, in used containers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.bars import Bars
from admf_ray.engine import hosting
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.event_driven import BOOK, Market, run_books_in_containers, run_segment_in_container
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import Candidates, plan_search, segment_fingerprint
from admf_ray.strategies import STRATEGIES, Strategy
from admf_ray.strategies.view import View
from tests.parity.cases import account_rules, panels, usual_price
from tests.parity.compositions import WILD, Book, Books, books, briefly
from tests.series import daily_bars

# Prices without an end make no sense of excursions, which both engines compute alike.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def assert_same(expected: Segment, found: Segment) -> None:
    """Compare everything that a segment came to, the ends of its account included."""
    for name in ("fills", "trades", "equity", "position", "regimes", "trade_regimes"):
        one, other = getattr(expected, name), getattr(found, name)
        assert (other.dtype, other.shape, other.tobytes()) == (one.dtype, one.shape, one.tobytes()), name
    assert (found.shares is None) == (expected.shares is None)
    if expected.shares is not None:
        assert found.shares.shape == expected.shares.shape
        assert found.shares.tobytes() == expected.shares.tobytes()
    np.testing.assert_array_equal(list(found.metrics.values()), list(expected.metrics.values()))
    for name in ("cash", "interest", "signals", "orders", "fills", "trades"):
        assert found.account[name] == expected.account[name], name
    np.testing.assert_array_equal(found.holdings["pending"], expected.holdings["pending"])
    assert segment_fingerprint(found) == segment_fingerprint(expected)


def assert_alike(case: Books, after: int, before: int) -> None:
    """Run books on both engines, in every way that a container can run them."""
    setups, hub = case.setups()
    start = min(after, len(case.panel.bars) - 1)
    stop = max(start + 1, len(case.panel.bars) - before)
    expected = {name: run_segment(setup, start, stop) for name, setup in setups.items()}
    for name, setup in setups.items():
        assert_same(expected[name], run_segment_in_container(setup, start, stop))
        assert_same(expected[name], run_segment_in_container(setup, start, stop, hub=hub))
    if len(setups) > 1:
        for streamed in (None, hub):
            together = run_books_in_containers(setups, start, stop, hub=streamed)
            assert list(together) == list(setups)
            for name in setups:
                assert_same(expected[name], together[name])


SPANS = st.integers(0, 12), st.integers(0, 5)


@given(books(), *SPANS)
def test_a_book_comes_out_alike_however_it_is_run(case: Books, after: int, before: int) -> None:
    assert_alike(case, after, before)


@settings(max_examples=40)
@given(books(2), *SPANS)
def test_books_side_by_side_come_out_as_each_alone(case: Books, after: int, before: int) -> None:
    assert_alike(case, after, before)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@settings(max_examples=20_000)
@given(books(2), *SPANS)
def test_twenty_thousand_books_side_by_side_come_out_as_each_alone(case: Books, after: int, before: int) -> None:
    assert_alike(case, after, before)


A_SYMBOL_FOR_ALL = Watch("regime", CLASSIFIERS["pattern"])
SHAPES = (
    Composition((Member("wild", WILD),)),
    Composition((Member("wild", WILD, (("regime", ("range", "breakout_up")),), ("range",)),), (A_SYMBOL_FOR_ALL,)),
    Composition((Member("wild", WILD), Member("dip", STRATEGIES["rsi_reversion"])), (), "vote", (0.6, 0.4)),
    Composition(
        (
            Member("wild", WILD, (("filter", ("up",)),)),
            Member("breakout", STRATEGIES["donchian_breakout"], sets=("breakout_down",)),
        ),
        (A_SYMBOL_FOR_ALL, Watch("filter", CLASSIFIERS["trend"])),
        "weighted",
        (0.5, 0.5),
    ),
)


@st.composite
def candidates_of(draw: st.DrawFn, composition: Composition) -> Books:
    """One candidate after another of a composition, each on bars and by rules of its own."""
    panel = draw(panels())
    params = {name: draw(st.sampled_from([2.0, 3.0])) for name in composition.parameter_names if "period" in name}
    params |= {name: draw(st.sampled_from([3.0, 77.0])) for name in composition.parameter_names if "seed" in name}
    params |= {name: value for name in composition.parameter_names for key, value in _BREAKOUT if name.endswith(key)}
    rules = briefly(draw(account_rules(panel.bars.symbols, usual_price(panel.bars))))
    return Books(panel, {BOOK: Book(composition, composition.complete(params), rules)}, 0)


_BREAKOUT = (("breakout_entry", 4.0), ("down_entry", 3.0), ("breakout_exit", 2.0), ("down_exit", 1.0))


@pytest.mark.parametrize("composition", SHAPES, ids=lambda one: f"{one.name} {len(one.watches)}")
def test_a_container_out_of_the_pool_remembers_nothing_of_what_it_ran_before(composition: Composition) -> None:
    pool = hosting.pool_of(composition)

    @settings(max_examples=25)
    @given(candidates_of(composition), *SPANS)
    def used_again(case: Books, after: int, before: int) -> None:
        (setup,) = case.setups()[0].values()
        start = min(after, len(case.panel.bars) - 1)
        stop = max(start + 1, len(case.panel.bars) - before)
        with pool.container() as container:
            market = Market(container)
            market.begin({BOOK: setup}, (start, stop))
            market.run((start, stop))
            found = market.books[BOOK].segment()
        assert_same(run_segment(setup, start, stop), found)

    created = pool.counts.created
    used_again()
    assert pool.counts.created - created <= 1
    assert pool.counts.reused > 10


# On real prices, with what a few random bars cannot have: fits, and higher timeframes.

RULES = AccountRules(commission_bps=1.0, slippage_bps=2.0, sizing="volatility_target", size=0.2, lot=0.0)
CROSS, DIP = STRATEGIES["sma_cross"], STRATEGIES["rsi_reversion"]
ON_THE_SP500: dict[str, tuple[Composition, dict[str, float]]] = {
    "hmm": (
        Composition((Member("cross", CROSS, (("hmm", ("low",)),)),), (Watch("hmm", CLASSIFIERS["hmm"]),)),
        {"fast": 10, "slow": 50},
    ),
    "volatility": (
        Composition((Member("cross", CROSS, sets=("high",)),), (Watch("level", CLASSIFIERS["volatility"]),)),
        {"fast": 10, "slow": 50, "high_fast": 2, "high_slow": 20},
    ),
    "weekly": (
        Composition(
            (Member("cross", CROSS), Member("dip", DIP, (("weekly", ("up",)), ("daily", ("up",))))),
            (Watch("weekly", CLASSIFIERS["trend"], timeframe="1w"), Watch("daily", CLASSIFIERS["trend"])),
            "weighted",
            (0.5, 0.5),
        ),
        {"fast": 10, "slow": 50, "dip_period": 3, "weekly_period": 10, "daily_period": 50},
    ),
}


@pytest.mark.parametrize("name", ON_THE_SP500)
def test_fitted_classifiers_and_higher_timeframes_come_out_alike(sp500: Bars, name: str) -> None:
    composition, params = ON_THE_SP500[name]
    bars = sp500.head(1_500)
    search = plan_search(bars, composition, Candidates.single(composition.complete(params)), RULES)
    hub = search.hub()
    setup: Setup = search.setup(hub, 0, (0, 750))
    expected = run_segment(setup, 750, 1_500)
    assert len(expected.fills) > 10
    assert all(len(np.unique(labels)) > 1 for labels in expected.regimes)
    assert_same(expected, run_segment_in_container(setup, 750, 1_500))
    assert_same(expected, run_segment_in_container(setup, 750, 1_500, hub=hub))


@pytest.mark.parametrize("ensemble", ["strongest", "vote", "weighted"])
def test_an_ensemble_of_one_is_an_ensemble_on_both_engines(ensemble: str) -> None:
    composition = Composition((Member("wild", WILD),), (), ensemble, (0.5,))
    bars = daily_bars(100.0 * np.cumprod(np.exp(np.random.default_rng(1).normal(0.0, 0.02, 40))))
    search = plan_search(bars, composition, Candidates.single(composition.complete({})), AccountRules(lot=0.0))
    setup = search.setup(search.hub(), 0)
    assert_same(run_segment(setup, 0, 40), run_segment_in_container(setup, 0, 40))


@pytest.mark.parametrize("ensemble", ["strongest", "vote", "weighted"])
def test_a_target_of_minus_zero_is_zero_on_both_engines(ensemble: str) -> None:
    def hesitant(view: View) -> float:
        return (0.0, -0.0, 1.0, -0.0)[view.bar % 4]

    strategy = Strategy(
        name="hesitant",
        parameters=(),
        inputs=(),
        python=hesitant,
        warm_up=lambda params: 0,
        convergence=lambda params: 0,
        source="tests",
    )
    members = (Member("hesitant", strategy), Member("hold", STRATEGIES["buy_and_hold"]))
    composition = Composition(members, (), ensemble, (0.5, 0.5))
    search = plan_search(daily_bars([10.0, 11.0] * 6), composition, Candidates.single({}), AccountRules())
    setup = search.setup(search.hub(), 0)
    assert_same(run_segment(setup, 0, 12), run_segment_in_container(setup, 0, 12))
