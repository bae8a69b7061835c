"""Sums over groups of bars, such as regimes and blocks: of a single segment and of the sweep."""

import math

import numpy as np
import pytest

from admf_ray.core.bars import Bars
from admf_ray.core.records import Boundary, FillPolicy
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.spec import AccountRules
from admf_ray.engine.sweep import sweep
from admf_ray.indicators import Hub
from admf_ray.optimize import Candidates, Search, expand_grid, plan_search
from admf_ray.portfolio.metrics import METRICS
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import STRATEGIES

CASH = 50_000.0
PLAIN = {"cash": CASH, "risk_free": 0.02, "slippage_bps": 5.0, "fill": FillPolicy.CLOSE}
HALTED = {**PLAIN, "max_drawdown": 0.05, "drawdown_pause": 20, "interest": 0.03, "boundary": Boundary.MARK}
SPANS = [(0, 400), (150, 600)]
REGIMES, BLOCKS = 0, 1


def labels_of(count: int) -> np.ndarray:
    """Three regimes, unknown at first, and blocks of 50 bars."""
    bars = np.arange(count)
    return np.array([np.where(bars < 170, -1, bars // 7 % 3), bars // 50])


def search_of(bars: Bars, rules: dict[str, float]) -> Search:
    entry = STRATEGIES["sma_cross"]
    candidates: Candidates = expand_grid(entry, {}, {"fast": [2.0, 5.0], "slow": [10.0, 20.0]}, ())
    return plan_search(bars, entry, candidates, AccountRules(**rules))


def rows_of(search: Search) -> np.ndarray:
    return search.rows(search.hub())[search.requests.wanted(search.candidates, 0, len(search.candidates))]


def grouped(search: Search, hub: Hub, candidate: int, span: tuple[int, int], labels: np.ndarray) -> Segment:
    return run_segment(search.setup(hub, candidate), *span, labels=labels)


@pytest.mark.parametrize("rules", [PLAIN, HALTED])
def test_sums_of_groups_are_those_of_the_returns_of_their_bars(sp500: Bars, rules: dict[str, float]) -> None:
    bars = sp500.head(600)
    search, labels = search_of(bars, rules), labels_of(len(bars))
    start, stop = SPANS[1]
    segment = grouped(search, search.hub(), 1, (start, stop), labels)
    risk_free = 0.02 / bars.periods_per_year
    expected = np.zeros((2, 12, 4))
    before = CASH
    for t, equity in zip(range(start, stop), segment.equity.tolist(), strict=True):
        change = equity / before - 1.0
        below = min(change - risk_free, 0.0)
        for kind in (REGIMES, BLOCKS):
            if labels[kind, t] >= 0:
                expected[kind, labels[kind, t]] += [1.0, change, change * change, below * below]
        before = equity
    np.testing.assert_array_equal(segment.groups, expected)
    # Bars 150 to 169 have no regime.
    assert segment.groups[REGIMES, :, 0].sum() == stop - start - 20


@pytest.mark.parametrize("rules", [PLAIN, HALTED])
def test_blocks_add_up_to_the_account(sp500: Bars, rules: dict[str, float]) -> None:
    bars = sp500.head(600)
    search = search_of(bars, rules)
    segment = grouped(search, search.hub(), 2, SPANS[1], labels_of(len(bars)))
    total = segment.groups[BLOCKS].sum(axis=0)
    account = segment.account
    sums = [account["bars"], account["sum_returns"], account["sum_squares"], account["sum_negative_squares"]]
    assert total.tolist() == pytest.approx(sums, rel=1e-12)
    # What metrics make of the blocks is what they make of the account.
    bars_, mean = total[0], total[1] / total[0]
    deviation = math.sqrt((total[2] - total[1] * total[1] / bars_) / (bars_ - 1))
    sharpe = (mean - 0.02 / bars.periods_per_year) / deviation * math.sqrt(bars.periods_per_year)
    assert segment.metrics["sharpe"] == pytest.approx(sharpe, rel=1e-10)


def test_labels_change_nothing_else(sp500: Bars) -> None:
    bars = sp500.head(600)
    search = search_of(bars, HALTED)
    hub = search.hub()
    with_labels = grouped(search, hub, 0, SPANS[1], labels_of(len(bars)))
    without = search.segment(hub, 0, *SPANS[1])
    assert with_labels.equity.tobytes() == without.equity.tobytes()
    assert with_labels.fills.tobytes() == without.fills.tobytes()
    assert without.groups.size == 0


@pytest.mark.parametrize("rules", [PLAIN, HALTED])
def test_the_grouped_sweep_gives_the_groups_and_metrics_of_every_segment(sp500: Bars, rules: dict[str, float]) -> None:
    bars = sp500.head(600)
    search, labels = search_of(bars, rules), labels_of(len(bars))
    hub = search.hub()
    variant = search.rules.variant(search.flat(hub))
    params = search.candidates.values
    out = np.empty((len(params), len(SPANS), len(METRICS)))
    groups = np.zeros((len(params), len(SPANS), 2, 12, 4))
    sweep(variant, is_grouped=True)(
        STRATEGIES["sma_cross"].kernel,
        SIZINGS[search.rules.sizing].kernel,
        hub.matrix,
        bars.session,
        rows_of(search),
        params,
        0,
        bars.history_reached(),
        np.array(SPANS),
        np.arange(len(SPANS) + 1),
        search.rules.limit_records(bars.symbols),
        search.rules.record(bars.periods_per_year),
        search.flat(hub),
        True if variant.exits else None,
        True if variant.general else None,
        labels,
        out,
        groups,
    )
    assert (groups[:, :, :, :, 0] > 0).any(axis=(1, 2, 3)).all()
    for candidate in range(len(params)):
        for place, span in enumerate(SPANS):
            segment = grouped(search, hub, candidate, span, labels)
            np.testing.assert_array_equal(groups[candidate, place], segment.groups)
            np.testing.assert_array_equal(out[candidate, place], list(segment.metrics.values()))
