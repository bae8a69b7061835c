"""Reversion of the relative strength index: buy when it is oversold, sell when it has recovered.

What is held between the two depends on the last crossing, however long ago: the convergence is that of the indicator.
"""

import math
from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.convergence import smoothing_convergence
from admf_ray.strategies.registry import STRATEGIES, Strategy
from admf_ray.strategies.reversion import held_until

__all__ = ["rsi_reversion"]


@compiled(STRATEGY)
def rsi_reversion(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Target 1 from an index below ``oversold`` until one at or above ``exit``, else 0; NaN while it is unknown."""
    for s in range(rows.shape[0]):
        row = rows[s, 0]
        for t in range(start, stop):
            index = matrix[row, t]
            state[s] = held_until(state[s], index, params[1], params[2])
            out[s, t] = state[s] if index == index else math.nan


STRATEGIES.add(
    Strategy(
        name="rsi_reversion",
        parameters=(
            Parameter("period", 14, 2, 100_000),
            Parameter("oversold", 30, 0, 100, "float"),
            Parameter("exit", 55, 0, 100, "float"),
        ),
        inputs=("rsi(close,{period})",),
        kernel=rsi_reversion,
        constraints=("oversold < exit",),
        state_size=lambda params: 1,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]) + smoothing_convergence(1.0 / params[0]),
        source="Wilder, New Concepts in Technical Trading Systems (1978), sec. VI: bottoms below 30",
    )
)
