import math

import numpy as np
import pytest

from admf_ray.errors import DataError
from admf_ray.statistics.borders import fit_borders


def test_borders_are_quantiles_of_the_known_values() -> None:
    # Of 1, 2, 4, 8 the median is 3; the quartiles are at positions 0.75, 1.5 and 2.25: 1.75, 3 and 5.
    series = np.array([[math.nan, 8.0, 1.0, math.nan, 4.0, 2.0]])
    assert fit_borders(series, (20.0, 2.0)).tolist() == [3.0]
    assert fit_borders(series, (20.0, 4.0)).tolist() == [1.75, 3.0, 5.0]


def test_too_few_values_are_refused() -> None:
    with pytest.raises(
        DataError, match="borders between 3 levels: 0 of 50 values are known; allowed: at least 3, so a lo"
    ):
        fit_borders(np.full((1, 50), math.nan), (20.0, 3.0))
