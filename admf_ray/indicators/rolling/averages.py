"""Averages of the newest bars, what they scatter by, and bands around them."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled, shared
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.registry import INDICATORS, Indicator
from admf_ray.indicators.rolling.running import RESYNCHRONIZE, SHRUNK, ratio

__all__ = ["deviation", "sma", "wma", "zscore"]


@shared
def _sum(values: Any, first: int, stop: int) -> tuple[float, float]:
    """Give the sum of the values ``[first, stop)`` that are not missing, and how many are.

    Four sums side by side take a quarter of the time that one after the other does.
    """
    one, two, three, four = 0.0, 0.0, 0.0, 0.0
    missing = 0
    whole = stop - (stop - first) % 4
    for u in range(first, whole, 4):
        a, b, c, d = values[u], values[u + 1], values[u + 2], values[u + 3]
        missing += (a != a) + (b != b) + (c != c) + (d != d)
        one += a if a == a else 0.0
        two += b if b == b else 0.0
        three += c if c == c else 0.0
        four += d if d == d else 0.0
    for u in range(whole, stop):
        missing += values[u] != values[u]
        one += values[u] if values[u] == values[u] else 0.0
    return (one + two) + (three + four), float(missing)


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
    t = start
    while t < stop:
        if t % RESYNCHRONIZE == 0:
            total, missing = _sum(matrix[row], max(t - period + 1, 0), t + 1)
            out[0, t] = total / period if t >= period - 1 and missing == 0.0 else math.nan
            t += 1
            continue
        end = min(stop, (t // RESYNCHRONIZE + 1) * RESYNCHRONIZE)
        if t >= period and missing == 0.0 and _sum(matrix[row], t, end)[1] == 0.0:
            # Nothing is missing until the sum is made anew: the common case, without a question for each bar.
            for u in range(t, end):
                total += matrix[row, u] - matrix[row, u - period]
                out[0, u] = total / period
            t = end
            continue
        for u in range(t, end):
            entering = matrix[row, u]
            leaving = matrix[row, u - period] if u >= period else 0.0
            missing += (entering != entering) - (leaving != leaving)
            total += (entering if entering == entering else 0.0) - (leaving if leaving == leaving else 0.0)
            out[0, u] = total / period if u >= period - 1 and missing == 0.0 else math.nan
        t = end
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
        if t % RESYNCHRONIZE == 0 or squares < SHRUNK * highest:
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


@compiled(INDICATOR)
def wma(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the average of the newest ``params[0]`` values with the weights 1 (oldest) to ``params[0]`` (newest).

    Each bar takes the sum of the window off the weighted sum, which lowers every weight by 1. State: the sum, the
    weighted sum, and how many values are known in a row. Both are made anew where the window becomes full and at every
    absolute bar index divisible by 512, which bounds their drift: that of the sum enters the weighted one 512 times.
    """
    row = rows[0]
    period = int(params[0])
    total = state[0]
    weighted = state[1]
    run = state[2]
    for t in range(start, stop):
        value = matrix[row, t]
        run = 0.0 if math.isnan(value) else run + 1.0
        if run < period:
            out[0, t] = math.nan
            continue
        if run == period or t % RESYNCHRONIZE == 0:
            total = 0.0
            weighted = 0.0
            for u in range(period):
                total += matrix[row, t - period + 1 + u]
                weighted += (u + 1) * matrix[row, t - period + 1 + u]
        else:
            weighted += period * value - total
            total += value - matrix[row, t - period]
        out[0, t] = weighted / (0.5 * period * (period + 1))
    state[0] = total
    state[1] = weighted
    state[2] = run


INDICATORS.add(
    Indicator(
        name="wma",
        pattern="rolling",
        parameters=(Parameter("period", 20, 1, 100_000),),
        inputs=("close",),
        outputs=("wma",),
        kernel=wma,
        state_size=lambda params: 3,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="TA-Lib WMA; Kaufman, Trading Systems and Methods (5th ed. 2013), ch. 7",
    )
)


@compiled(INDICATOR)
def zscore(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write how many deviations (ddof 0) the newest value lies above the average: (value - sma) / deviation.

    NaN where the deviation is 0. No state. The average drifts by some 1e-14 of the level of the values, so the score
    does by that times level / deviation.
    """
    for t in range(start, stop):
        out[0, t] = ratio(matrix[rows[0], t] - matrix[rows[1], t], matrix[rows[2], t])


INDICATORS.add(
    Indicator(
        name="zscore",
        pattern="rolling",
        parameters=(Parameter("period", 20, 2, 100_000),),
        inputs=("close",),
        parts=("{0}", "sma({0},{period})", "deviation({0},{period})"),
        outputs=("zscore",),
        kernel=zscore,
        state_size=lambda params: 0,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Chan, Algorithmic Trading (2013), ch. 2: the population's deviation",
    )
)
