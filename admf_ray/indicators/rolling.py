"""Rolling indicators: a fixed window of the newest bars, updated in constant time a bar."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["sma"]

_RESYNCHRONIZE = 512
"""Bars after which a running sum is summed anew, which bounds its drift to that of 512 additions."""


@compiled(INDICATOR)
def sma(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the simple moving average of the newest ``params[0]`` values.

    NaN before the window is full and while it holds a missing value. State: the sum of the values in the window that
    are not missing, and how many are. The sum is made anew at every absolute bar index divisible by 512, so that it
    neither drifts nor depends on how the history was cut into chunks.
    """
    row = rows[0]
    period = int(params[0])
    total = state[0]
    missing = state[1]
    for t in range(start, stop):
        value = matrix[row, t]
        if t % _RESYNCHRONIZE == 0:
            total = 0.0
            missing = 0.0
            for u in range(max(t - period + 1, 0), t + 1):
                other = matrix[row, u]
                if math.isnan(other):
                    missing += 1.0
                else:
                    total += other
        else:
            if math.isnan(value):
                missing += 1.0
            else:
                total += value
            if t >= period:
                leaving = matrix[row, t - period]
                if math.isnan(leaving):
                    missing -= 1.0
                else:
                    total -= leaving
        out[0, t] = total / period if t >= period - 1 and missing == 0.0 else math.nan
    state[0] = total
    state[1] = missing


INDICATORS.add(
    Indicator(
        name="sma",
        pattern="rolling",
        parameters=(Parameter("period", 20, 1, 100_000),),
        inputs=1,
        outputs=("sma",),
        kernel=sma,
        state_size=lambda params: 2,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Murphy, Technical Analysis of the Financial Markets (1999), ch. 9",
    )
)
