"""Drawing candidates: within their ranges, obeying constraints, the same for equal seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from admf_ray.core.parameters import Parameter
from admf_ray.errors import ConfigError
from admf_ray.optimize.sampling import draw_candidates
from admf_ray.optimize.space import Dimension, DrawnRange, plan_space
from admf_ray.strategies import STRATEGIES

CROSS = STRATEGIES["sma_cross"]
WIDE: dict[str, DrawnRange | Sequence[float]] = {"fast": DrawnRange(2, 100), "slow": DrawnRange(3, 200)}
REAL = Parameter("x", 1.0, 0.001, 1_000, "float")


def values(span: DrawnRange, parameter: Parameter = REAL, count: int = 2_000) -> np.ndarray:
    return Dimension(parameter, span).at(np.random.default_rng(1).random(count))


@given(
    st.floats(0.001, 10), st.floats(0.0, 500), st.sampled_from([None, 0.25, 3.0]), st.booleans(), st.floats(0, 0.999999)
)
def test_whatever_is_drawn_lies_in_the_range_and_on_a_step(
    low: float, extent: float, step: float | None, log: bool, place: float
) -> None:
    (found,) = Dimension(REAL, DrawnRange(low, low + extent, step, log)).at(np.array([place]))
    assert low <= found <= (low + extent) * (1 + 1e-12)
    if step is not None:
        assert (found - low) / step == pytest.approx(round((found - low) / step), abs=1e-6)


def test_every_whole_number_is_as_likely_as_the_ends() -> None:
    found = values(DrawnRange(2, 6), CROSS.parameters[0], 50_000)
    _, counts = np.unique(found, return_counts=True)
    assert len(counts) == 5
    assert stats.chisquare(counts).pvalue > 0.001


def test_equal_ratios_are_equally_likely_on_a_logarithmic_range() -> None:
    found = values(DrawnRange(0.01, 100, log=True), count=20_000)
    assert stats.kstest(np.log10(found), stats.uniform(-2, 4).cdf).pvalue > 0.001


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_sets_obey_all_constraints_and_none_comes_twice(sampler: str) -> None:
    drawn = draw_candidates(plan_space(CROSS, {}, WIDE, ["slow > 2 * fast"]), sampler, 300, seed=3).values
    assert len(drawn) == len({tuple(row) for row in drawn.tolist()}) == 300
    assert (drawn[:, 1] > 2 * drawn[:, 0]).all()


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_equal_seeds_draw_equal_sets_and_more_trials_only_add(sampler: str) -> None:
    space = plan_space(CROSS, {}, WIDE)
    some = draw_candidates(space, sampler, 50, seed=3).values
    np.testing.assert_array_equal(some, draw_candidates(space, sampler, 50, seed=3).values)
    assert not np.array_equal(some, draw_candidates(space, sampler, 50, seed=4).values)


def test_a_quasi_random_set_fills_the_space_more_evenly() -> None:
    space = plan_space(
        STRATEGIES["bollinger_reversion"], {}, {"period": DrawnRange(5, 200), "width": DrawnRange(0.5, 4)}
    )
    unit = {
        sampler: (draw_candidates(space, sampler, 256, seed=1).values[:, :2] - [5, 0.5]) / [196, 3.5]
        for sampler in ("random", "qmc")
    }
    discrepancy = {name: stats.qmc.discrepancy(points.clip(0, 1)) for name, points in unit.items()}
    assert discrepancy["qmc"] < discrepancy["random"]


def test_a_small_space_gives_all_of_its_sets_and_no_more() -> None:
    space = plan_space(CROSS, {}, {"fast": [5, 10], "slow": [20, 30, 40]})
    assert len(draw_candidates(space, "random", 100, seed=1)) == 6


def test_points_of_the_user_come_first() -> None:
    points = [{"fast": 50, "slow": 200}, {"fast": 7}]
    drawn = draw_candidates(plan_space(CROSS, {"slow": 90}, {"fast": DrawnRange(2, 80)}), "random", 5, 1, points[1:])
    assert drawn.parameters(0) == {"fast": 7, "slow": 90}
    drawn = draw_candidates(plan_space(CROSS, {}, WIDE), "qmc", 5, 1, points[:1])
    assert drawn.parameters(0) == {"fast": 50, "slow": 200}
    assert len(drawn) == 5


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"fast": DrawnRange(10, 5)}, "strategy.space.fast: low=10, high=5, step=none"),
        ({"fast": DrawnRange(10, 50, 0.0)}, "step=0; allowed"),
        ({"fast": DrawnRange(0, 50)}, "strategy.space.fast: "),
        ({"fast": []}, "strategy.space.fast: no values"),
        ({"fats": [1.0]}, "did you mean fast?"),
    ],
)
def test_a_range_that_is_none_is_refused(ranges: Any, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        plan_space(CROSS, {}, ranges)
    assert message in str(refused.value)


def test_a_space_without_any_allowed_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing that was drawn obeys fast < slow"):
        draw_candidates(plan_space(CROSS, {}, {"fast": [50.0], "slow": [20.0]}), "random", 5, 1)


def test_a_point_outside_the_space_of_names_is_refused() -> None:
    space = plan_space(CROSS, {}, WIDE)
    with pytest.raises(ConfigError, match=r"search.points\[0\].slw: "):
        space.points([{"slw": 5}])
    with pytest.raises(ConfigError, match=r"search.points\[1\]: sma_cross needs fast < slow"):
        space.points([{"fast": 5}, {"fast": 300}])
