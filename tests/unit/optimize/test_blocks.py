import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.errors import ConfigError
from admf_ray.optimize import Choice, blocks_of, check_blocks
from admf_ray.optimize.blocks import worst_blocks
from admf_ray.portfolio.metrics import METRICS


@given(st.integers(0, 50), st.integers(30, 400), st.integers(1, 30))
def test_blocks_follow_each_other_and_the_first_ones_get_what_is_left_over(start: int, length: int, count: int) -> None:
    blocks = blocks_of((start, start + length), count)
    assert [bar for first, stop in blocks for bar in range(first, stop)] == list(range(start, start + length))
    lengths = [stop - first for first, stop in blocks]
    assert lengths == [length // count + 1] * (length % count) + [length // count] * (count - length % count)


def test_the_worst_block_is_the_lowest_objective_and_none_where_one_is_undefined() -> None:
    metrics = np.zeros((2, 4, len(METRICS)))
    # Two spans of two blocks each.
    metrics[:, :, METRICS.index("sharpe")] = [[2.0, 0.5, -1.0, 3.0], [math.nan, 1.0, 4.0, math.inf]]
    found = worst_blocks(metrics, Choice("2 * sharpe", 1, selection="worst_block", blocks=2))
    np.testing.assert_array_equal(found, [[1.0, -2.0], [math.nan, math.nan]])


def test_blocks_that_are_too_short_to_have_a_result_are_refused() -> None:
    check_blocks([(0, 8), (10, 30)], 4)
    with pytest.raises(ConfigError, match="4 blocks of a train span of 7 bars; allowed: at most 3, 2 bars each"):
        check_blocks([(10, 30), (0, 7)], 4)
