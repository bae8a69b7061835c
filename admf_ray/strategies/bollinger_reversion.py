"""Reversion to the middle of Bollinger bands: buy below the lower band, sell at the average.

What is held between the two depends on the last crossing, however long ago: the convergence is that of the indicators.
"""

import math
from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.strategies.registry import STRATEGIES, Strategy
from admf_ray.strategies.reversion import held_until

__all__ = ["bollinger_reversion"]


@compiled(STRATEGY)
def bollinger_reversion(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Target 1 from a close below the lower band until one at or above the average, else 0; NaN while unknown.

    Equal closes have no bands: there it holds.
    """
    for s in range(rows.shape[0]):
        for t in range(start, stop):
            close = matrix[rows[s, 0], t]
            middle = matrix[rows[s, 1], t]
            deviation = matrix[rows[s, 2], t]
            if deviation > 0.0:
                state[s] = held_until(state[s], close, middle - params[1] * deviation, middle)
            out[s, t] = state[s] if deviation == deviation else math.nan


STRATEGIES.add(
    Strategy(
        name="bollinger_reversion",
        parameters=(Parameter("period", 20, 2, 100_000), Parameter("width", 2, 0.1, 10, "float")),
        inputs=("close", "sma(close,{period})", "deviation(close,{period})"),
        kernel=bollinger_reversion,
        state_size=lambda params: 1,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Bollinger, Bollinger on Bollinger Bands (2001), ch. 16",
    )
)
