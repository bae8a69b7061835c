"""Pareto fronts: the definition, tried pair by pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.optimize.pareto import pareto_front


def by_definition(values: np.ndarray) -> list[int]:
    return [
        index
        for index, own in enumerate(values)
        if not any((other >= own).all() and (other > own).any() for other in values)
    ]


@given(
    st.integers(1, 4).flatmap(
        lambda objectives: st.lists(
            # Few values, so that there are equals; some that are far from each other.
            st.tuples(*[st.sampled_from([-1e300, -1.5, -0.0, 0.0, 0.25, 0.5, 1.0, 7.0, 1e300])] * objectives),
            max_size=40,
        ).map(lambda rows: np.array(rows, dtype=np.float64).reshape(len(rows), objectives))
    )
)
def test_the_front_is_what_the_definition_says(values: np.ndarray) -> None:
    assert pareto_front(values).tolist() == by_definition(values)


@pytest.mark.parametrize("objectives", [2, 3, 5])
def test_many_points_have_the_front_that_the_definition_says(objectives: int) -> None:
    values = np.random.default_rng(objectives).normal(size=(900, objectives)).round(2)
    found = pareto_front(values)
    assert found.tolist() == by_definition(values)
    assert 1 < len(found) < 900


@pytest.mark.parametrize("objectives", [2, 3])
def test_the_front_of_a_million_points_holds_against_a_sample(objectives: int) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(1_000_000, objectives))
    front = values[pareto_front(values)]
    assert by_definition(front) == list(range(len(front)))
    for own in values[rng.integers(0, len(values), 200)]:
        assert ((front >= own).all(axis=1)).any()
