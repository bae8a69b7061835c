import itertools
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.optimize import BEST, Choice, Leaders, choose, recorded_metrics, recording, trial_status
from admf_ray.optimize.trials import failed_trials
from admf_ray.portfolio.metrics import METRICS

CHOICE = Choice("calmar", min_trades=2)


def random_metrics(count: int, seed: int) -> np.ndarray:
    """Objectives with many ties, some undefined."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, len(METRICS)))
    rows[:, METRICS.index("calmar")] = rng.choice([math.nan, -1.0, 0.0, 0.5, 2.0], count)
    rows[:, METRICS.index("trades")] = rng.integers(0, 9, count)
    return rows


@given(st.integers(0, 10_000), st.integers(1, 4_000), st.lists(st.integers(1, 3_999), max_size=5))
def test_leaders_are_the_same_however_trials_are_cut_and_in_whatever_order(seed: int, count: int, cuts) -> None:
    metrics = random_metrics(count, seed)
    edges = [0, *sorted(cut for cut in set(cuts) if cut < count), count]
    chunks = [Leaders.of(np.arange(a, b), metrics[a:b], CHOICE) for a, b in itertools.pairwise(edges)]
    joined = Leaders.nobody()
    for index in np.random.default_rng(seed).permutation(len(chunks)):
        joined = joined.joined(chunks[index], CHOICE)
    best = choose(metrics, CHOICE, BEST)
    np.testing.assert_array_equal(joined.candidates, best)
    np.testing.assert_array_equal(joined.metrics, metrics[best])
    assert [candidate for candidate, _, _ in joined.ranked(CHOICE, 1)] == choose(metrics, CHOICE).tolist()
    for first, stop in itertools.pairwise(edges):
        np.testing.assert_array_equal(joined.within(first, stop).candidates, best[(best >= first) & (best < stop)])


def test_what_is_recorded_of_all_trials() -> None:
    assert recorded_metrics("all", CHOICE) == METRICS
    assert recorded_metrics("objective", CHOICE) == ("sharpe", "calmar", "trades")
    assert recorded_metrics("objective", Choice("sharpe", 1)) == ("sharpe", "trades")


def test_more_than_a_million_trials_are_recorded_by_their_objective() -> None:
    assert [recording("all", trials) for trials in (1_000_000, 1_000_001)] == ["all", "objective"]
    assert recording("objective", 5) == "objective"


def test_a_candidate_that_failed_leads_nowhere_and_has_no_metrics() -> None:
    found = failed_trials(7, 3, recorded_metrics("objective", CHOICE))
    assert found.first == 7
    assert {name: column.shape for name, column in found.columns.items()} == dict.fromkeys(
        ("sharpe", "calmar", "trades"), (3, 1)
    )
    assert set(trial_status(found.columns["calmar"], found.columns["trades"], CHOICE).ravel()) == {3}
    assert [len(leaders.candidates) for leaders in found.leaders] == [0, 0, 0]
