"""Spans in several pieces: one account goes through them, flat at the beginning of each; both engines agree."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admf_ray import Bars, load_bars
from admf_ray.core.records import Boundary, DistanceKind
from admf_ray.data.spans import Stretch, pieces_of
from admf_ray.engine import hosting
from admf_ray.engine import sweep as compiled
from admf_ray.engine.spec import AccountRules, Distance
from admf_ray.errors import ConfigError
from admf_ray.optimize import Candidates, Choice, Search, expand_grid, plan_search
from admf_ray.portfolio.metrics import METRICS, path_metrics
from admf_ray.strategies import STRATEGIES
from tests.series import daily_bars
from tests.unit.engine.test_sweep import BUSY, COMPOSITIONS, COSTS, searched

SPANS: list[Stretch] = [((0, 200), (260, 500), (620, 800)), (250, 650), ((30, 31), (400, 700))]
TIMED = replace(BUSY, boundary=Boundary.MARK, interest=0.03, daily_loss=0.02, max_drawdown=0.05, drawdown_pause=0)
UNFITTED = [name for name, one in COMPOSITIONS.items() if not one.is_fitted]
# Of different pieces the sums of money are added in another order.
ADDED = ("commission", "profit_factor")


@pytest.fixture(scope="module")
def indices() -> Bars:
    return load_bars("indices").head(800)


def swept(search: Search, spans: Sequence[Stretch]) -> tuple[np.ndarray, np.ndarray]:
    """What both engines make of all candidates."""
    hub, choice, every = search.hub(), Choice("sharpe", 1), (0, len(search.candidates))
    params, wanted = search.candidates.block(*every), search.requests.wanted(search.candidates, *every)
    driven = replace(search, engine="event_driven").bundle(hub, spans, choice, METRICS)
    return (
        compiled.run_chunk(params, wanted, search.bundle(hub, spans, choice, METRICS)),
        hosting.run_chunk(params, wanted, driven),
    )


def one_by_one(search: Search, candidate: int, span: Stretch) -> dict[str, float]:
    """Metrics of a path put together from accounts, each of which begins with what the one before it ended with."""
    hub, cash = search.hub(), search.rules.cash
    segments = []
    for start, stop in pieces_of(span):
        own = replace(search, rules=replace(search.rules, cash=cash))
        segments.append(own.segment(hub, candidate, start, stop))
        cash = float(segments[-1].equity[-1])
    nets = np.concatenate([segment.trades["net"] for segment in segments])
    return path_metrics(
        np.concatenate([segment.equity for segment in segments]),
        np.concatenate([(segment.position != 0.0).any(axis=0) for segment in segments]),
        nets,
        sum(segment.metrics["commission"] for segment in segments),
        search.rules.record(search.bars.periods_per_year),
    )


def check(search: Search, spans: Sequence[Stretch]) -> np.ndarray:
    found, driven = swept(search, spans)
    assert found.tobytes() == driven.tobytes()
    for candidate in range(len(search.candidates)):
        for place, span in enumerate(spans):
            expected = one_by_one(search, candidate, span)
            own = dict(zip(METRICS, found[candidate, place].tolist(), strict=True))
            for name in METRICS:
                allowed = 1e-9 if name in ADDED else 0.0
                assert own[name] == pytest.approx(expected[name], rel=allowed, abs=0.0, nan_ok=True), name
    return found


@pytest.mark.parametrize("rules", [BUSY, TIMED], ids=["busy", "marked, with interest and halts"])
@pytest.mark.parametrize("name", UNFITTED)
def test_a_path_in_pieces_is_accounts_one_after_the_other(indices: Bars, name: str, rules: AccountRules) -> None:
    found = check(searched(name, indices, rules), SPANS)
    assert found[:, :, METRICS.index("trades")].min() > 0


@settings(max_examples=15)
@given(
    edges=st.lists(st.integers(0, 300), min_size=2, max_size=9, unique=True).map(sorted),
    rules=st.sampled_from([COSTS, BUSY, TIMED]),
)
def test_any_pieces(sp500: Bars, edges: list[int], rules: AccountRules) -> None:
    strategy = STRATEGIES["sma_cross"]
    search = plan_search(
        sp500.head(300), strategy, expand_grid(strategy, {}, {"fast": [2.0, 5.0], "slow": [10.0]}), rules
    )
    pieces = tuple(zip(edges[::2], edges[1::2], strict=False))
    check(search, [pieces, (0, 300)])


@pytest.mark.parametrize(("boundary", "trades", "exposure"), [(Boundary.FLATTEN, 2, 2 / 6), (Boundary.MARK, 0, 4 / 6)])
def test_two_pieces_by_hand(boundary: Boundary, trades: int, exposure: float) -> None:
    # Bought at the open after a piece's first bar, at 10 and at 40, and worth double at its last close. What happens
    # between the pieces, a fall by 99%, is nobody's loss.
    bars = daily_bars([10, 10, 20, 0.2, 40, 40, 80])
    rules = AccountRules(cash=1_000.0, lot=0.0, boundary=boundary)
    search = plan_search(bars, STRATEGIES["buy_and_hold"], Candidates.single({}), rules)
    expected = {
        "final_equity": 4_000.0,
        "total_return": 3.0,
        "trades": trades,
        "exposure": exposure,
        "max_drawdown": 0.0,
        # Returns 0, 0, 1, 0, 0, 1: mean 1/3, sum of squares 4/3 about it.
        "sharpe": (1 / 3) / math.sqrt(4 / 3 / 5) * math.sqrt(252),
    }
    for found in swept(search, [((0, 3), (4, 7))]):
        own = dict(zip(METRICS, found[0, 0].tolist(), strict=True))
        assert {name: own[name] for name in expected} == pytest.approx(expected, rel=1e-14)


def test_a_halt_ends_with_its_piece_and_the_drawdown_does_not() -> None:
    # Halted at the fall by a half, for good: in one piece nothing is bought again, in the next one it is.
    bars = daily_bars([10, 10, 5, 5, 5, 5, 10, 10])
    rules = AccountRules(cash=1_000.0, lot=0.0, max_drawdown=0.2)
    search = plan_search(bars, STRATEGIES["buy_and_hold"], Candidates.single({}), rules)
    for found in swept(search, [(0, 8), ((0, 4), (4, 8))]):
        assert found[0, :, METRICS.index("final_equity")].tolist() == [500.0, 1_000.0]
        assert found[0, :, METRICS.index("max_drawdown")].tolist() == [-0.5, -0.5]


def test_exits_of_one_piece_do_not_block_the_next() -> None:
    # A stop sells at 9; with reentry: reset the target, always 1, may not be followed again in that piece.
    bars = daily_bars([10, 10, 8, 8, 10, 10, 20], low=[10, 10, 8, 8, 10, 10, 20], open=[10, 10, 10, 8, 10, 10, 20])
    rules = AccountRules(cash=900.0, lot=0.0, stop_loss=Distance(DistanceKind.PERCENT, 0.1))
    search = plan_search(bars, STRATEGIES["buy_and_hold"], Candidates.single({}), rules)
    for found in swept(search, [(0, 7), ((0, 4), (4, 7))]):
        assert found[0, :, METRICS.index("final_equity")] == pytest.approx([810.0, 1_620.0])


def test_a_fitted_classifier_is_not_fitted_across_a_gap(indices: Bars) -> None:
    search = searched("levelled", indices, COSTS)
    with pytest.raises(ConfigError, match="3 pieces of bars with gaps between are no span to fit on"):
        search.bundle(search.hub(), SPANS, Choice("sharpe", 1), METRICS)
