import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.errors import CapacityError, ConfigError
from admf_ray.optimize import Candidates, axis_values, expand_grid
from admf_ray.strategies import STRATEGIES

CROSS = STRATEGIES["sma_cross"]


def test_the_grid_is_every_combination_that_obeys_all_constraints_in_order() -> None:
    grid = expand_grid(CROSS, {}, {"fast": [5, 3, 8], "slow": [4, 8, 12]}, ["slow - fast > 1"])
    by_hand = [(f, s) for f, s in itertools.product([3, 5, 8], [4, 8, 12]) if f < s and s - f > 1]
    assert [tuple(row) for row in grid.values] == by_hand
    assert grid.names == ("fast", "slow")
    assert grid.parameters(0) == {"fast": 3, "slow": 8}


AXIS = st.lists(st.integers(2, 30), min_size=1, max_size=8, unique=True)


@given(AXIS, AXIS, st.sampled_from(["fast > 0", "slow - fast > 3", "fast != 4 and slow < 20"]), st.integers(1, 9))
def test_blocks_are_the_grid_that_is_put_together_by_hand(fast, slow, constraint: str, size: int) -> None:
    obeyed = {
        "fast > 0": lambda f, s: True,
        "slow - fast > 3": lambda f, s: s - f > 3,
        "fast != 4 and slow < 20": lambda f, s: f != 4 and s < 20,
    }[constraint]
    by_hand = [pair for pair in itertools.product(sorted(fast), sorted(slow)) if pair[0] < pair[1] and obeyed(*pair)]
    try:
        grid = expand_grid(CROSS, {}, {"fast": fast, "slow": slow}, [constraint])
    except ConfigError:
        assert by_hand == []
        return
    blocks = [grid.block(first, min(first + size, len(grid))) for first in range(0, len(grid), size)]
    assert [tuple(row) for block in blocks for row in block] == by_hand
    assert grid.places.nbytes == 4 * len(by_hand)
    last = len(grid) - 1
    assert tuple(grid.parameters(last).values()) == by_hand[last]


def test_listed_candidates_are_taken_as_they_are() -> None:
    values = np.array([[5.0, 0.5], [3.0, 0.25], [5.0, 0.5]])
    assert Candidates.listed(("a", "b"), values).block(1, 3).tolist() == values[1:].tolist()


def test_what_is_not_searched_is_fixed() -> None:
    assert expand_grid(CROSS, {"slow": 50}, {"fast": [5, 10]}).values.tolist() == [[5, 50], [10, 50]]
    assert expand_grid(STRATEGIES["buy_and_hold"], {}, {}).values.shape == (1, 0)


def test_duplicate_values_are_one_candidate() -> None:
    assert len(expand_grid(CROSS, {"slow": 50}, {"fast": [5, 5.0, 5]})) == 1


def test_the_default_space_holds_4950_pairs() -> None:
    fast, slow = axis_values(2, 198, 2, "fast"), axis_values(4, 200, 2, "slow")
    assert len(expand_grid(CROSS, {}, {"fast": fast, "slow": slow})) == 4_950


def test_float_axes_include_their_end() -> None:
    np.testing.assert_allclose(axis_values(0.1, 0.3, 0.1, "x"), [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"fast": [300], "slow": [200]}, "none of fast 1 x slow 1 = 1 combinations obeys 'fast < slow'"),
        ({"fats": [3]}, r"strategy.space.fats: .*did you mean fast"),
        ({"fast": []}, "strategy.space.fast: no values"),
        ({"fast": [0]}, "strategy.space.fast: 0 is out of bounds"),
        ({"fast": [2.5]}, "strategy.space.fast: 2.5 is not a whole number"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(space, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        expand_grid(CROSS, {}, space)


@pytest.mark.parametrize("axis", [(5, 2, 1), (1, 5, 0), (1, 5, -1), (1, 5, float("nan"))])
def test_axes_that_lead_nowhere_are_refused(axis) -> None:
    with pytest.raises(ConfigError, match=r"x: low=.* allowed: low <= high and step > 0"):
        axis_values(*axis, "x")


def test_a_space_that_cannot_be_held_is_refused_before_it_is_made() -> None:
    many = list(range(1, 10_001))
    with pytest.raises(CapacityError, match="fast 10000 x slow 9999 = 99990000 combinations"):
        expand_grid(CROSS, {}, {"fast": many, "slow": many[1:]})


def test_one_candidate_keeps_its_names() -> None:
    assert Candidates.single({"a": 1.0, "b": 0.5}).parameters(0) == {"a": 1, "b": 0.5}
