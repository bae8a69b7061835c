"""Studies: what they propose follows from seed and window alone, and what wins is what the engine says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import admf_ray
from admf_ray import Bars
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import ADAPTIVE, Adaptive, Candidates, Choice, DrawnRange, Studied, plan_search
from admf_ray.optimize.study import run_study
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES

CROSS = STRATEGIES["sma_cross"]
SPANS = [(0, 1_000), (500, 1_500)]
COSTS = AccountRules(commission_bps=1.0, slippage_bps=2.0)


def proposing(**changed: Any) -> Adaptive:
    ranges = {"fast": DrawnRange(2, 60), "slow": DrawnRange(20, 200)}
    return replace(Adaptive("tpe", 25, 1, 5, ranges), **changed)


def studied(bars: Bars, window: int = 0, engine: Any = "compiled", **changed: Any) -> Studied:
    example = Candidates.single({"fast": 5.0, "slow": 50.0})
    search = replace(plan_search(bars, CROSS, example, COSTS), adaptive=proposing(**changed), engine=engine)
    return run_study(window, search.study_bundle(SPANS, Choice("sharpe", 1)))


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


def test_it_learns(sp500: Bars) -> None:
    """The best quarter of what a long study proposes last is better than that of its random beginning."""
    found = studied(sp500.head(1_500), trials=120)
    sharpe = np.nan_to_num(found.metrics[:, METRICS.index("sharpe")], nan=-9.0)
    assert np.quantile(sharpe[-40:], 0.75) > np.quantile(sharpe[:40], 0.75)


def test_points_of_the_user_are_tried_first(sp500: Bars) -> None:
    found = studied(sp500.head(1_500), points=[{"fast": 50, "slow": 150}], trials=5)
    assert found.params[0].tolist() == [50.0, 150.0]


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
    batched = {**given, "search": {**given["search"], "batch": 4}}
    again = admf_ray.walk_forward(sp500, "sma_cross", space, **batched)
    assert again.fingerprints() == admf_ray.walk_forward(sp500, "sma_cross", space, **batched).fingerprints()


def test_an_unknown_sampler_is_refused(sp500: Bars) -> None:
    with pytest.raises(ConfigError, match="search.sampler: 'tpee' is not allowed"):
        admf_ray.walk_forward(sp500, "sma_cross", {"fast": [5]}, search={"sampler": "tpee"})
