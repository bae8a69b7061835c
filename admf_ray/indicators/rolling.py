"""Rolling indicators: a fixed window of the newest bars, updated in constant time a bar."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["deviation", "sma"]

_RESYNCHRONIZE = 512
"""Bars after which a running sum is summed anew, which bounds its drift to that of 512 additions."""

_SHRUNK = 0.01
"""A running sum of squares that falls below this share of its highest value is summed anew: what it once was has left
rounding errors of that size in it."""


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
        inputs=("close",),
        outputs=("sma",),
        kernel=sma,
        state_size=lambda params: 2,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Murphy, Technical Analysis of the Financial Markets (1999), ch. 9",
    )
)


@compiled(INDICATOR)
def deviation(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the standard deviation (ddof 0) of the newest ``params[0]`` values.

    NaN before the window is full and while it holds a missing value. State: an origin, mean and sum of squares of the
    known values in the window relative to it, how many they are, and the highest sum of squares since all this was made
    anew. That is done from the window at every absolute bar index divisible by 512, and where the sum has shrunk to a
    hundredth. Differences to a value of the window lose nothing, so errors are relative to the spread and not to the
    level of the values.
    """
    row = rows[0]
    period = int(params[0])
    origin = state[0]
    mean = state[1]
    squares = state[2]
    known = state[3]
    highest = state[4]
    for t in range(start, stop):
        if t >= period:
            leaving = matrix[row, t - period]
            if not math.isnan(leaving):
                known -= 1.0
                if known > 0.0:
                    gap = leaving - origin - mean
                    mean -= gap / known
                    squares -= gap * (leaving - origin - mean)
        value = matrix[row, t]
        if not math.isnan(value):
            if known == 0.0:
                origin = value
                mean = 0.0
                squares = 0.0
                highest = 0.0
            known += 1.0
            gap = value - origin - mean
            mean += gap / known
            squares += gap * (value - origin - mean)
        highest = max(highest, squares)
        if t % _RESYNCHRONIZE == 0 or squares < _SHRUNK * highest:
            first = max(t - period + 1, 0)
            total = 0.0
            known = 0.0
            for u in range(first, t + 1):
                other = matrix[row, u]
                if not math.isnan(other):
                    if known == 0.0:
                        origin = other
                    total += other - origin
                    known += 1.0
            mean = total / known if known > 0.0 else 0.0
            squares = 0.0
            for u in range(first, t + 1):
                if not math.isnan(matrix[row, u]):
                    squares += (matrix[row, u] - origin - mean) ** 2
            highest = squares
        out[0, t] = math.sqrt(squares / period) if known == period else math.nan
    state[0] = origin
    state[1] = mean
    state[2] = squares
    state[3] = known
    state[4] = highest


INDICATORS.add(
    Indicator(
        name="deviation",
        pattern="rolling",
        parameters=(Parameter("period", 20, 2, 100_000),),
        inputs=("close",),
        outputs=("deviation",),
        kernel=deviation,
        state_size=lambda params: 5,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Bollinger, Bollinger on Bollinger Bands (2001), ch. 7: the population's; updated as in Welford, Note "
        "on a Method for Calculating Corrected Sums of Squares and Products, Technometrics 4 (1962)",
    )
)
