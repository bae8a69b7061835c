"""What now, day after day: the orders of all days add up to what the walk-forward held."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import admf_ray
from admf_ray.cluster import SerialExecutor
from admf_ray.core.records import Boundary, FillPolicy
from admf_ray.data import Span, WindowPlan
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import JOURNAL, Adaptive, Choice, DrawnRange, expand_grid, plan_search
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow.searching import search_windows
from admf_ray.workflow.today import Today, refit

SPACE = {"fast": [10.0, 20.0], "slow": [50.0, 100.0]}
CHOICE = Choice("sharpe", 1)
PLANS = {
    "rolling": {"train": "4y", "test": "1y"},
    "anchored": {"kind": "anchored", "train": "4y", "test": "1y"},
    "gap": {"train": "4y", "test": "1y", "gap": "2w"},
    "months without alignment": {"train": "3y", "test": "3mo", "align": "none"},
    "steps longer than tests": {"train": "4y", "test": "6mo", "step": "1y"},
}


def plan(options: dict[str, str]) -> WindowPlan:
    given = {"kind": "rolling", "gap": "0b", "align": "year", **options}
    given.setdefault("step", given["test"])
    spans = {name: Span.parse(given[name], name) for name in ("train", "test", "step", "gap")}
    return WindowPlan(kind=given["kind"], align=given["align"], **spans)


def on(bars, count: int, windows: WindowPlan, rules: AccountRules) -> Today:
    """What was said on the evening of bar ``count - 1``."""
    known = bars.head(count)
    strategy = STRATEGIES["sma_cross"]
    search = plan_search(known, strategy, expand_grid(strategy, {}, SPACE), rules)
    with SerialExecutor() as executor:
        return refit(search, windows.newest(known), CHOICE, executor, lambda kind, record: None)


@pytest.mark.parametrize("options", PLANS.values(), ids=PLANS.keys())
@pytest.mark.parametrize("fill", list(FillPolicy))
def test_orders_of_consecutive_days_lead_to_the_positions_of_the_walk_forward(sp500, options, fill) -> None:
    rules = AccountRules(fill=fill, slippage_bps=2.0, commission_bps=1.0)
    whole = admf_ray.walk_forward(
        sp500,
        "sma_cross",
        SPACE,
        windows=options,
        execution={"fill": fill.name.lower(), "slippage_bps": 2.0, "commission_bps": 1.0},
    )
    row = {moment: index for index, moment in enumerate(whole.equity["time"].to_list())}
    position, window = whole.equity["position"].to_numpy(), whole.equity["window"].to_numpy()
    moments = whole.equity["time"].to_numpy()
    borders = np.searchsorted(sp500.known_at, moments[np.flatnonzero(np.diff(window)) + 1])
    changes = np.searchsorted(sp500.known_at, moments[np.flatnonzero(np.diff(position)) + 1])
    watched = {
        bar + day for bar in [*borders[3:6].tolist(), *changes[10:16].tolist()] for day in range(-3, 4) if bar + day > 0
    }
    orders = 0
    for bar in sorted(watched):
        said = on(sp500, bar + 1, plan(options), rules)
        here, following = row.get(int(sp500.known_at[bar])), row.get(int(sp500.known_at[bar + 1]))
        if said.state != "testing":
            assert said.standings[0].order == 0.0
            continue
        # On the last bar of a window the walk-forward is flat, while who trades on does not know that it is the last.
        if following is None or window[following] != window[here]:
            continue
        assert said.standings[0].position == position[here]
        assert said.window == window[here]
        if fill == FillPolicy.NEXT_OPEN and (following + 1 == len(window) or window[following + 1] == window[here]):
            assert said.standings[0].position + said.standings[0].order == position[following]
        if fill == FillPolicy.CLOSE and here > 0 and window[here - 1] == window[here]:
            assert position[here - 1] + said.standings[0].order == position[here]
        orders += said.standings[0].order != 0.0
    assert orders >= 3


def test_between_two_tests_there_is_nothing_to_do(sp500) -> None:
    windows = plan(PLANS["steps longer than tests"])
    states = [on(sp500, count, windows, AccountRules()) for count in (2_000, 2_100, 2_200, 2_264, 2_265)]
    assert {one.state for one in states} <= {"before", "testing", "after"}
    assert "after" in {one.state for one in states}
    for one in states:
        if one.state == "after":
            assert (one.standings[0].order, one.standings[0].position) == (0.0, 0.0)


def test_the_state_goes_from_before_over_testing_to_the_next_window(sp500) -> None:
    windows = plan(PLANS["rolling"])
    first = int(np.searchsorted(sp500.known_at, np.datetime64("2010-01-01", "ns").astype(np.int64)))
    said = [on(sp500, count, windows, AccountRules(boundary=Boundary.FLATTEN)) for count in range(first - 1, first + 3)]
    assert [one.state for one in said] == ["testing", "before", "testing", "testing"]
    assert [one.window for one in said] == [6, 7, 7, 7]
    assert all(later.as_of > earlier.as_of for earlier, later in itertools.pairwise(said))


def test_who_knows_nothing_yet_says_so(sp500) -> None:
    """No set trades in training: the window is spent in cash."""
    strategy = STRATEGIES["sma_cross"]
    search = plan_search(sp500, strategy, expand_grid(strategy, {}, SPACE), AccountRules())
    with SerialExecutor() as executor:
        window = plan(PLANS["rolling"]).newest(sp500)
        said = refit(search, window, Choice("sharpe", 999), executor, lambda kind, record: None)
    assert (said.parameters, said.standings[0].target, said.standings[0].since, said.standings[0].order) == (
        None,
        None,
        None,
        0.0,
    )


def test_the_study_of_today_is_that_of_its_window_and_is_not_stored(sp500, tmp_path: Path, monkeypatch) -> None:
    strategy, windows = STRATEGIES["sma_cross"], plan(PLANS["rolling"]).cut(sp500)[:3]
    ranges = {"fast": DrawnRange(2, 60), "slow": DrawnRange(20, 200)}
    search = plan_search(sp500, strategy, expand_grid(strategy, {"fast": 5.0, "slow": 50.0}, {}), AccountRules())
    search = replace(search, adaptive=Adaptive("tpe", 8, 2, 5, ranges, storage=JOURNAL))
    folder = tmp_path / "run" / "phases" / "discovery" / "chunks"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with SerialExecutor() as executor:
        spans = [window.train for window in windows]
        found = search_windows(search, spans, CHOICE, ("sharpe", "trades"), executor, lambda *_: None, folder)
        said = refit(search, windows[2], CHOICE, executor, lambda *_: None)
    assert found.chosen[2] is not None
    assert said.parameters == found.search.parameters(found.chosen[2].candidates)
    assert {path.name for path in tmp_path.iterdir()} == {"run", "temporary"}
    assert not list(temporary.iterdir())
