"""Containers do not touch each other: in turns bar by bar, one after the other, one in the other, one failing."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.bars import Bars
from admf_ray.core.records import DistanceKind
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.event_driven import BOOK, Market, open_market, run_segment_in_container
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup
from admf_ray.engine.spec import AccountRules, Distance
from admf_ray.events import LIVE, Event, EventBus, EventType
from admf_ray.indicators import Hub
from admf_ray.optimize import Candidates, plan_search
from admf_ray.strategies import STRATEGIES
from tests.parity.test_compositions import assert_same

SPAN = (500, 900)
RULES = AccountRules(commission_bps=1.0, slippage_bps=2.0, stop_loss=Distance(DistanceKind.PERCENT, 0.03))
NESTED = Composition(
    (
        Member("cross", STRATEGIES["sma_cross"], sets=("breakout_up",)),
        Member("dip", STRATEGIES["rsi_reversion"], (("trend", ("up",)),)),
    ),
    (Watch("pattern", CLASSIFIERS["pattern"]), Watch("trend", CLASSIFIERS["trend"])),
    "weighted",
    (0.6, 0.4),
)
SLOW = {"fast": 10.0, "slow": 50.0, "breakout_up_fast": 5.0, "breakout_up_slow": 20.0, "pattern_period": 10.0}
QUICK = {"fast": 2.0, "slow": 20.0, "breakout_up_fast": 1.0, "breakout_up_slow": 5.0, "pattern_period": 5.0}


@pytest.fixture(scope="module")
def given(sp500: Bars) -> list[tuple[Setup, Hub]]:
    """Two candidates of one composition, which differ in every parameter."""
    found = []
    for params in (SLOW, QUICK):
        complete = NESTED.complete(params | {"dip_period": 3.0, "trend_period": 50.0})
        search = plan_search(sp500.head(1_000), NESTED, Candidates.single(complete), RULES)
        hub = search.hub()
        found.append((search.setup(hub, 0), hub))
    return found


@pytest.fixture(scope="module")
def alone(given: list[tuple[Setup, Hub]]) -> list[Segment]:
    """What each comes to by itself, in a container that nothing else runs beside."""
    found = [run_segment_in_container(setup, *SPAN) for setup, _ in given]
    assert len(found[0].fills) != len(found[1].fills)
    for (setup, _), segment in zip(given, found, strict=True):
        assert_same(run_segment(setup, *SPAN), segment)
    return found


@pytest.fixture(params=[False, True], ids=["read", "streamed"])
def markets(request: pytest.FixtureRequest, given: list[tuple[Setup, Hub]]) -> Iterator[list[Market]]:
    """Two markets of one spec that have begun."""
    with ExitStack() as stack:
        opened = [stack.enter_context(open_market({BOOK: NESTED}, streams=request.param)) for _ in given]
        for market, (setup, hub) in zip(opened, given, strict=True):
            market.begin({BOOK: setup}, SPAN, hub)
        yield opened


def came_to(markets: list[Market]) -> list[Segment]:
    return [market.books[BOOK].segment() for market in markets]


def test_bar_by_bar_in_turns(markets: list[Market], alone: list[Segment]) -> None:
    for bar in range(*SPAN):
        for market in markets:
            market.bar(bar)
    for expected, found in zip(alone, came_to(markets), strict=True):
        assert_same(expected, found)


def test_in_turns_of_many_bars_that_do_not_fall_together(markets: list[Market], alone: list[Segment]) -> None:
    first, second = (iter(range(*SPAN)) for _ in markets)
    for _ in range(*SPAN):
        for bars, market, step in ((first, markets[0], 7), (second, markets[1], 11)):
            for bar in [bar for _, bar in zip(range(step), bars, strict=False)]:
                market.bar(bar)
    for expected, found in zip(alone, came_to(markets), strict=True):
        assert_same(expected, found)


def test_one_after_the_other(markets: list[Market], alone: list[Segment]) -> None:
    for market in markets:
        market.run(SPAN)
    for expected, found in zip(alone, came_to(markets), strict=True):
        assert_same(expected, found)


def test_one_inside_of_the_other(given: list[tuple[Setup, Hub]], alone: list[Segment]) -> None:
    """A whole backtest runs while an event of another one is delivered, at every hundredth bar."""
    found: list[Segment] = []

    class Nesting:
        def on_event(self, event: Event[Any]) -> None:
            if event.type is EventType.BAR and event.payload.bar % 100 == 0:
                found.append(run_segment_in_container(given[1][0], *SPAN))

    def observe(bus: EventBus) -> None:
        # Of the market alone, as the bars go on to the containers in it.
        if bus.parent is None:
            bus.attach(Nesting())

    assert_same(alone[0], run_segment_in_container(given[0][0], *SPAN, observe=observe))
    assert len(found) == 4
    for segment in found:
        assert_same(alone[1], segment)


def beside_one_that_fails(sound: Market, setup: Setup, run: list[int]) -> None:
    """Run bars of a market, each followed by one of a market that fails at its first order after bar 600."""

    class Failing:
        def on_event(self, event: Event[Any]) -> None:
            if event.type is EventType.ORDER and event.payload.bar > 600:
                raise ValueError("on purpose")

    with open_market({BOOK: NESTED}, "failing", lambda bus: bus.attach(Failing())) as failing:
        failing.begin({BOOK: setup}, SPAN)
        for bar in range(*SPAN):
            sound.bar(bar)
            run.append(bar)
            failing.bar(bar)


def test_one_that_fails_leaves_the_other_as_it_is_alone(given: list[tuple[Setup, Hub]], alone: list[Segment]) -> None:
    run: list[int] = []
    with open_market({BOOK: NESTED}) as sound:
        sound.begin({BOOK: given[0][0]}, SPAN)
        live = len(LIVE)
        with pytest.raises(ValueError, match="on purpose"):
            beside_one_that_fails(sound, given[1][0], run)
        assert len(LIVE) == live
        assert 600 < run[-1] < SPAN[1] - 1
        sound.run((run[-1] + 1, SPAN[1]))
        assert_same(alone[0], sound.books[BOOK].segment())


def test_a_market_that_was_reset_runs_another_candidate(given: list[tuple[Setup, Hub]], alone: list[Segment]) -> None:
    with open_market({BOOK: NESTED}) as market:
        for which in (0, 1, 1, 0):
            market.begin({BOOK: given[which][0]}, SPAN)
            market.run(SPAN)
            assert_same(alone[which], market.books[BOOK].segment())
            market.container.stop()
            market.container.reset()
            market.container.start()


def test_a_candidate_that_was_broken_off_leaves_nothing_to_the_next(
    given: list[tuple[Setup, Hub]], alone: list[Segment]
) -> None:
    with open_market({BOOK: NESTED}) as market:
        market.begin({BOOK: given[1][0]}, SPAN)
        market.run((SPAN[0], SPAN[0] + 137))
        market.container.stop()
        market.container.reset()
        market.container.start()
        market.begin({BOOK: given[0][0]}, SPAN)
        market.run(SPAN)
        assert_same(alone[0], market.books[BOOK].segment())
