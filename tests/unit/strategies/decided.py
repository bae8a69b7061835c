"""What a strategy decides on given bars."""

import numpy as np

from admf_ray.core.bars import Bars
from tests.series import single_search


def decided(bars: Bars, name: str, **params: float) -> np.ndarray:
    """Targets over the whole series, [symbol, bar]."""
    search = single_search(bars, name, params)
    return search.targets(search.hub(), 0)
