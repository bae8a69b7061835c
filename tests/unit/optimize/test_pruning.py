"""Pruning: Wilcoxon's test over blocks says who goes on; what is given up neither wins nor has an objective."""

from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest

import admf_ray
from admf_ray import Bars
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import Adaptive, Candidates, Choice, DrawnRange, Studied, blocks_of, plan_search
from admf_ray.optimize.pruning import going_on, pruner
from admf_ray.optimize.study import run_study
from admf_ray.strategies import STRATEGIES

CROSS = STRATEGIES["sma_cross"]
BEST = [1.0, 2.0, 0.5, 1.5, 3.0, 1.0]


def test_a_trial_that_is_behind_in_its_first_blocks_is_given_up() -> None:
    study = optuna.create_study(direction="maximize", pruner=pruner())
    first = study.ask()
    assert all(going_on([first], np.array([score]), block) == [True] for block, score in enumerate(BEST))
    study.tell(first, 2.0)

    differences = np.array(
        [
            [-0.1, -0.2, -0.3, -0.4, 9.0, 9.0],  # behind in four of four: p = 1/16 < 0.1
            [-0.1, -0.2, -0.3, 0.15, -0.5, -0.6],  # ahead once
            [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],  # ahead
            [-0.1, np.nan, -0.3, -0.4, -0.5, -0.6],  # undefined in a block: compared with none
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # as the best one
        ]
    )
    trials = [study.ask() for _ in differences]
    left, after = list(range(5)), []
    for block, best in enumerate(BEST):
        goes_on = going_on([trials[one] for one in left], differences[left, block] + best, block)
        left = [one for one, goes in zip(left, goes_on, strict=True) if goes]
        after.append(left)
    # By hand, the second one: after five blocks it has ranks 1, 3, 4, 2 (ahead), 5; of all signs three have ranks ahead
    # that add up to 2 at most (none, 1, 2): p = 3/32 < 0.1. After four blocks it was 3/16.
    assert after == [[0, 1, 2, 3, 4]] * 3 + [[1, 2, 3, 4], [2, 3, 4], [2, 3, 4]]


def test_before_there_is_a_best_one_nothing_is_given_up() -> None:
    study = optuna.create_study(direction="maximize", pruner=pruner())
    trials = [study.ask(), study.ask()]
    assert all(going_on(trials, np.array([1.0, -9.0]), block) == [True, True] for block in range(6))


SPANS = [(0, 1_000), (500, 1_500)]


def studied(bars: Bars, choice: Choice, engine: Any = "compiled", **changed: Any) -> Studied:
    ranges = {"fast": DrawnRange(2, 60), "slow": DrawnRange(20, 200)}
    adaptive = replace(Adaptive("tpe", 30, 1, 5, ranges, pruning="wilcoxon"), **changed)
    example = Candidates.single({"fast": 5.0, "slow": 50.0})
    search = replace(plan_search(bars, CROSS, example, AccountRules()), adaptive=adaptive, engine=engine)
    return run_study(1, search.study_bundle(SPANS, choice))


@pytest.mark.parametrize("batch", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_what_is_given_up_has_no_metrics_and_what_is_not_has_those_of_the_whole_span(sp500: Bars, batch: int) -> None:
    bars, choice = sp500.head(1_500), Choice("total_return", 1, selection="worst_block", blocks=8)
    found = studied(bars, choice, batch=batch)
    assert 3 < found.pruned.sum() < 27
    assert np.isnan(found.metrics[found.pruned]).all()
    assert np.isnan(found.worst_block[found.pruned]).all()
    search = plan_search(bars, CROSS, Candidates.listed(CROSS.parameter_names, found.params), AccountRules())
    hub = search.hub()
    for candidate in np.flatnonzero(~found.pruned)[:5].tolist():
        segment = search.segment(hub, candidate, *SPANS[1])
        np.testing.assert_array_equal(found.metrics[candidate], list(segment.metrics.values()))
        blocks = [search.segment(hub, candidate, *block) for block in blocks_of(SPANS[1], 8)]
        assert found.worst_block[candidate] == min(block.metrics["total_return"] for block in blocks)
    # Some of the blocks of those that were given up were left out; of the others the worst one is looked for at last.
    assert found.bars < (30 + 2 * (~found.pruned).sum()) * 1_000


def test_without_pruning_every_set_has_its_metrics(sp500: Bars) -> None:
    found = studied(sp500.head(1_500), Choice("total_return", 1), pruning="none", trials=10)
    assert not found.pruned.any()
    assert not np.isnan(found.metrics[:, 0]).any()
    assert found.bars == 10_000


def test_both_engines_give_up_the_same_sets_and_none_of_them_wins(sp500: Bars) -> None:
    space = {"fast": {"low": 5, "high": 50}, "slow": {"low": 60, "high": 200}}
    bars = sp500.head(1_600)
    search = {"sampler": "tpe", "trials": 16, "objective": "total_return", "pruning": "wilcoxon", "blocks": 8}
    compiled, driven = (
        admf_ray.walk_forward(
            bars, "sma_cross", space, windows={"train": "4y", "test": "2y"}, search=search, engine={"kind": kind}
        )
        for kind in ("compiled", "event_driven")
    )
    assert compiled.fingerprints() == driven.fingerprints()
    pruned = compiled.trials.filter(status="pruned")
    assert len(pruned) > 0
    assert pruned["objective"].is_nan().all()
    assert not set(pruned["candidate"]) & set(compiled.windows["candidate"])
    (cause,) = (one for one in compiled.summary["causes"] if "pruned" in one["cause"])
    assert (cause["count"], cause["of"]) == (len(pruned), len(compiled.trials))


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"pruning": "wilcoxon", "blocks": 8}, "search.pruning: wilcoxon, and search.sampler=grid learns nothing"),
        (
            {"pruning": "wilcoxon", "blocks": 3, "sampler": "tpe"},
            "search.blocks: 3, and no set can be pruned before it is behind in 4 blocks; allowed: from 4 on",
        ),
        ({"pruning": "median"}, "search.pruning: 'median' is not allowed"),
    ],
)
def test_pruning_that_cannot_be_is_refused(sp500: Bars, search: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        admf_ray.walk_forward(sp500, "sma_cross", {"fast": [5, 10]}, search=search)
