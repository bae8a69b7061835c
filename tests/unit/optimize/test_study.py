"""Studies: what they propose follows from seed and window alone, and what wins is what the engine says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray import Bars
from admf_ray.cluster import SerialExecutor
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import (
    ADAPTIVE,
    EVALUATE,
    Adaptive,
    Candidates,
    Choice,
    DrawnRange,
    Known,
    Params,
    Stage,
    Studied,
    evaluation,
    parted,
    plan_search,
)
from admf_ray.optimize.study import Studies, planned_study, run_study
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from tests.cluster import poison

CROSS = STRATEGIES["sma_cross"]
SHARPE = Choice("sharpe", 1)
SPANS = [(0, 1_000), (500, 1_500)]
COSTS = AccountRules(commission_bps=1.0, slippage_bps=2.0)


def proposing(**changed: Any) -> Adaptive:
    ranges = {"fast": DrawnRange(2, 60), "slow": DrawnRange(20, 200)}
    return replace(Adaptive("tpe", 25, 1, 5, ranges), **changed)


def studied(bars: Bars, window: int = 0, engine: Any = "compiled", **changed: Any) -> Studied:
    example = Candidates.single({"fast": 5.0, "slow": 50.0})
    search = replace(plan_search(bars, CROSS, example, COSTS), adaptive=proposing(**changed), engine=engine)
    return run_study(window, search.study_bundle(SPANS, Choice("sharpe", 1)))


def bundle_of(bars: Bars, choice: Choice = SHARPE, **changed: Any) -> dict[str, Any]:
    example = Candidates.single({"fast": 5.0, "slow": 50.0})
    return replace(plan_search(bars, CROSS, example, COSTS), adaptive=proposing(**changed)).study_bundle(SPANS, choice)


def spread(bundle: dict[str, Any], known: dict[int, dict[tuple[Stage, Params], Known]]) -> tuple[list[Studied], int]:
    """Step both studies together, a set a chunk; give them, and how many sets were evaluated."""
    studies, evaluated = Studies([planned_study(window, bundle) for window in (0, 1)], 1, known), 0
    with SerialExecutor() as executor:
        for done in executor.each(EVALUATE, studies, bundle, parted):
            evaluated += len(done.chunk.sets)
            known.setdefault(done.chunk.window, {}).update(studies.take(done))
    return sorted(studies.finished, key=lambda one: one.window), evaluated


def assert_same(one: Studied, other: Studied) -> None:
    for name in ("params", "metrics", "worst_block", "pruned", "proposed", "told"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("sampler", list(ADAPTIVE))
def test_a_study_tries_so_many_different_sets_that_obey_the_constraints(sp500: Bars, sampler: str) -> None:
    found = studied(sp500.head(1_500), sampler=sampler)
    assert len(found.params) == len({tuple(row) for row in found.params.tolist()}) == 25
    assert (found.params[:, 0] < found.params[:, 1]).all()


def test_its_metrics_are_those_of_the_engine(sp500: Bars) -> None:
    bars = sp500.head(1_500)
    found = studied(bars, window=1)
    search = plan_search(bars, CROSS, Candidates.listed(CROSS.parameter_names, found.params), COSTS)
    hub = search.hub()
    for candidate in (0, 11, 24):
        segment = search.segment(hub, candidate, *SPANS[1])
        np.testing.assert_array_equal(found.metrics[candidate], list(segment.metrics.values()))


def test_seed_and_window_alone_decide_what_is_proposed(sp500: Bars) -> None:
    bars = sp500.head(1_500)
    one = studied(bars)
    np.testing.assert_array_equal(one.params, studied(bars).params)
    np.testing.assert_array_equal(one.params, studied(bars, engine="event_driven", trials=25).params)
    assert not np.array_equal(one.params, studied(bars, seed=6).params)
    assert not np.array_equal(one.params, studied(bars, window=1).params)


def test_what_it_keeps_of_series_decides_nothing(sp500: Bars, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = sp500.head(1_500)
    kept = studied(bars)
    # Raw rows and those of three sets at most.
    monkeypatch.setattr(evaluation, "MOST_KEPT", (5 + 6) * 1_500 * 8)
    assert_same(studied(bars), kept)


def test_it_learns(sp500: Bars) -> None:
    """The best quarter of what a long study proposes last is better than that of its random beginning."""
    found = studied(sp500.head(1_500), trials=120)
    sharpe = np.nan_to_num(found.metrics[:, METRICS.index("sharpe")], nan=-9.0)
    assert np.quantile(sharpe[-40:], 0.75) > np.quantile(sharpe[:40], 0.75)


def test_points_of_the_user_are_tried_first(sp500: Bars) -> None:
    found = studied(sp500.head(1_500), points=[{"fast": 50, "slow": 150}], trials=5)
    assert found.params[0].tolist() == [50.0, 150.0]


@pytest.mark.parametrize("batch", [1, 12])
@pytest.mark.parametrize("sampler", list(ADAPTIVE))
def test_where_few_sets_obey_some_are_drawn(sp500: Bars, sampler: str, batch: int) -> None:
    found = studied(sp500.head(1_500), sampler=sampler, constraints=("slow == 3 * fast",), trials=12, batch=batch)
    assert len({tuple(row) for row in found.params.tolist()}) == 12
    assert (found.params[:, 1] == 3.0 * found.params[:, 0]).all()


def test_a_study_that_ends_early_is_told_of_and_points_of_the_user_are_all_tried(sp500: Bars) -> None:
    space = {"fast": [5, 10, 20], "slow": [50, 100]}
    points = [{"fast": fast, "slow": 50} for fast in (5, 10, 20)]
    found = admf_ray.sweep(sp500.head(1_500), "sma_cross", space, search={"sampler": "tpe", "trials": 9})
    assert len(found.candidates) == 6
    (said,) = found.summary["warnings"]
    assert said.startswith("studies that ended with fewer sets than search.trials=9: 1, as what was proposed broke")
    search = {"sampler": "tpe", "trials": 2, "points": points}
    suggested = admf_ray.sweep(sp500.head(1_500), "sma_cross", space, search=search)
    assert suggested.candidates["fast"].to_list() == [5.0, 10.0, 20.0]
    assert suggested.summary["warnings"] == []


def test_a_small_space_ends_the_study_when_nothing_new_comes(sp500: Bars) -> None:
    found = studied(sp500.head(1_500), ranges={"fast": [5.0, 10.0], "slow": [50.0]}, trials=10)
    assert sorted(found.params.tolist()) == [[5.0, 50.0], [10.0, 50.0]]


def test_a_walk_forward_gives_the_same_tables_by_batches_of_one_engine_or_the_other(sp500: Bars) -> None:
    space = {"fast": {"low": 2, "high": 60}, "slow": {"low": 20, "high": 200}}
    given: dict[str, Any] = {"windows": {"train": "4y", "test": "4y"}, "search": {"sampler": "tpe", "trials": 12}}
    one = admf_ray.walk_forward(sp500, "sma_cross", space, **given)
    other = admf_ray.walk_forward(sp500, "sma_cross", space, engine={"kind": "event_driven"}, **given)
    assert one.fingerprints() == other.fingerprints()
    assert len(one.trials) == len(one.candidates) == 12 * len(one.windows)
    assert one.trials["candidate"].to_list() == list(range(len(one.trials)))
    # The driver has the series of the winners only.
    assert one.summary["hub"]["computed"] <= 2 * len(one.windows)
    batched = {**given, "search": {**given["search"], "batch": 4}}
    again = admf_ray.walk_forward(sp500, "sma_cross", space, **batched)
    assert again.fingerprints() == admf_ray.walk_forward(sp500, "sma_cross", space, **batched).fingerprints()


@pytest.mark.parametrize(("sampler", "batch"), [("tpe", 1), ("nsga2", 4), ("cmaes", 5)])
def test_studies_that_are_stepped_together_are_those_of_a_host_and_go_on_where_they_were(
    sp500: Bars, sampler: str, batch: int
) -> None:
    bundle = bundle_of(sp500.head(1_500), sampler=sampler, batch=batch, trials=20)
    known: dict[int, dict[tuple[Stage, Params], Known]] = {}
    together, evaluated = spread(bundle, known)
    assert evaluated == 40
    for window, one in enumerate(together):
        assert_same(one, run_study(window, bundle))
    # As after a kill: of the first study all but its last sets are known, of the other some.
    left = {window: dict(list(known[window].items())[:count]) for window, count in ((0, 17), (1, 6))}
    again, evaluated = spread(bundle, left)
    assert evaluated == 3 + 14
    for one, other in zip(again, together, strict=True):
        assert_same(one, other)


def test_choices_are_drawn_where_the_sampler_knows_numbers_only(sp500: Bars) -> None:
    found = studied(sp500.head(1_500), sampler="cmaes", ranges={"fast": DrawnRange(2, 60), "slow": [80, 120, 200]})
    assert set(found.params[:, 1].tolist()) == {80.0, 120.0, 200.0}
    assert len(set(found.params[:, 0].tolist())) > 5


@pytest.mark.parametrize("sampler", ADAPTIVE)
def test_what_may_not_win_is_told_as_the_worst_that_came_before(sp500: Bars, sampler: str) -> None:
    found = run_study(0, bundle_of(sp500.head(1_500), Choice("sharpe", 8), sampler=sampler))
    rows = {tuple(params): row for row, params in enumerate(found.params.tolist())}
    sharpe, trades = (found.metrics[:, METRICS.index(name)] for name in ("sharpe", "trades"))
    worst, barred = 0.0, 0
    for params, (told,) in zip(found.proposed.tolist(), found.told.tolist(), strict=True):
        row = rows.get(tuple(params))
        if row is not None and trades[row] >= 8:
            assert told == sharpe[row]
            worst = min(worst, told)
        else:
            assert told == worst
            barred += 1
    assert barred > 0


def test_several_objectives_are_told_together(sp500: Bars) -> None:
    choice = Choice("sharpe", 1, ("sharpe", "max_drawdown"))
    found = run_study(0, bundle_of(sp500.head(1_500), choice, sampler="nsga2"))
    columns = [METRICS.index(name) for name in choice.objectives]
    rows = {tuple(params): row for row, params in enumerate(found.params.tolist())}
    told = [
        (values, found.metrics[rows[tuple(params)], columns])
        for params, values in zip(found.proposed.tolist(), found.told, strict=True)
        if tuple(params) in rows and found.metrics[rows[tuple(params)], METRICS.index("trades")] >= 1
    ]
    assert len(told) > 15
    for values, expected in told:
        np.testing.assert_array_equal(values, expected)


def test_a_range_ends_at_its_last_whole_step(sp500: Bars) -> None:
    found = studied(sp500.head(1_500), ranges={"fast": DrawnRange(2, 9, 3), "slow": [50.0]}, trials=9)
    assert sorted(found.params[:, 0].tolist()) == [2.0, 5.0, 8.0]


@pytest.fixture
def poisoned(tmp_path: Path) -> dict[str, Any]:
    """Options of a search among lags, of which the first raises."""
    return {
        "plugins": [poison.written(tmp_path)],
        "windows": {"train": "1y", "test": "1y"},
        "search": {"sampler": "tpe", "trials": 10},
    }


def test_a_set_that_raises_costs_itself_only(sp500: Bars, poisoned: dict[str, Any]) -> None:
    bars, space = sp500.head(1_000), {"lag": [1, 3, 6, 10, 20, 30]}
    found = admf_ray.walk_forward(bars, "poisoned", space, **poisoned)
    failed = poison.by_lag(found).filter(pl.col("status") == "failed")
    assert failed["lag"].unique().to_list() == [1.0]
    assert len(failed) == len(found.windows) == len(found.failures) == 2
    assert found.failures["window"].to_list() == [0, 1]
    assert found.failures["error"].unique().to_list() == ["ZeroDivisionError"]
    assert found.failures["candidate"].to_list() == found.trials.filter(status="failed")["candidate"].to_list()
    grid = admf_ray.walk_forward(bars, "poisoned", space, **{**poisoned, "search": {}})
    assert poison.by_lag(found).equals(poison.by_lag(grid))


def test_an_unknown_sampler_is_refused(sp500: Bars) -> None:
    with pytest.raises(ConfigError, match="search.sampler: 'tpee' is not allowed"):
        admf_ray.walk_forward(sp500, "sma_cross", {"fast": [5]}, search={"sampler": "tpee"})
