"""Price against a fixed level: long above it, flat below it."""

import math
from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["price_threshold"]


@compiled(STRATEGY)
def price_threshold(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Target 1 while the close is above the level, 0 while below; NaN on the level and on missing bars."""
    level = params[0]
    for s in range(rows.shape[0]):
        row = rows[s, 0]
        for t in range(start, stop):
            close = matrix[row, t]
            if close > level:
                out[s, t] = 1.0
            elif close < level:
                out[s, t] = 0.0
            else:
                out[s, t] = math.nan


STRATEGIES.add(
    Strategy(
        name="price_threshold",
        parameters=(Parameter("threshold", 100, 0, 1e12, "float"),),
        inputs=("close",),
        kernel=price_threshold,
        warm_up=lambda params: 0,
        convergence=lambda params: 0,
        source="worked examples of the tests: decisions that can be followed by hand",
    )
)
