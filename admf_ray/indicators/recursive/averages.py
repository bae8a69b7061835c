"""Exponential averages, what is made of them, and the volatility that is one."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.convergence import smoothing_convergence
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["dema", "ema", "ewm_volatility", "macd", "tema"]


@compiled(INDICATOR)
def ema(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the exponential moving average of ``params[0]`` bars: each new value has the weight 2 / (period + 1).

    The first value is the mean of the first ``period`` known values. State: the average (their sum before there is
    one), and how many values have been taken in up to the first average.
    """
    row = rows[0]
    period = params[0]
    weight = 2.0 / (period + 1.0)
    average = state[0]
    count = state[1]
    t = start
    while t < stop and count < period:
        value = matrix[row, t]
        out[0, t] = math.nan
        if not math.isnan(value):
            average += value
            count += 1.0
            if count == period:
                average /= period
                out[0, t] = average
        t += 1
    for u in range(t, stop):
        value = matrix[row, u]
        if math.isnan(value):
            out[0, u] = math.nan
        else:
            average += (value - average) * weight
            out[0, u] = average
    state[0] = average
    state[1] = count


INDICATORS.add(
    Indicator(
        name="ema",
        pattern="recursive",
        parameters=(Parameter("period", 20, 1, 100_000),),
        inputs=("close",),
        outputs=("ema",),
        kernel=ema,
        state_size=lambda params: 2,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1 + smoothing_convergence(2.0 / (params[0] + 1.0)),
        source="Murphy, Technical Analysis of the Financial Markets (1999), ch. 9; begun as in TA-Lib",
    )
)


def _chained_convergence(period: float, times: int) -> int:
    """Give the convergence of an average that is itself averaged, each with ``period``, so many times in all."""
    return times * (int(period) - 1 + smoothing_convergence(2.0 / (period + 1.0)))


@compiled(INDICATOR)
def dema(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the double exponential moving average: 2 x average - average of the average.

    Reads the two averages, each of ``params[0]`` bars. State: none.
    """
    for t in range(start, stop):
        once = matrix[rows[0], t]
        twice = matrix[rows[1], t]
        out[0, t] = math.nan
        if not (math.isnan(once) or math.isnan(twice)):
            out[0, t] = 2.0 * once - twice


@compiled(INDICATOR)
def tema(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the triple exponential moving average: 3 x (average - its average) + the average of that one.

    Reads the three averages, each of ``params[0]`` bars. State: none.
    """
    for t in range(start, stop):
        once = matrix[rows[0], t]
        twice = matrix[rows[1], t]
        thrice = matrix[rows[2], t]
        out[0, t] = math.nan
        if not (math.isnan(once) or math.isnan(twice) or math.isnan(thrice)):
            out[0, t] = 3.0 * (once - twice) + thrice


@compiled(INDICATOR)
def macd(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the line, fast less slow average, its exponential average of ``params[2]`` bars, and their difference.

    Reads the two averages, of ``params[0]`` and ``params[1]`` bars. All three outputs begin together. Each average
    begins with the mean of its own first values; TA-Lib begins the fast one later, with those that end where the slow
    one's first values do, so that the two agree only after the convergence. State: the signal (the sum of the lines
    before there is one), and how many lines have been taken in up to the first signal.
    """
    period = params[2]
    weight = 2.0 / (period + 1.0)
    signal = state[0]
    count = state[1]
    for t in range(start, stop):
        fast = matrix[rows[0], t]
        slow = matrix[rows[1], t]
        out[:, t] = math.nan
        if math.isnan(fast) or math.isnan(slow):
            continue
        line = fast - slow
        if count < period:
            signal += line
            count += 1.0
            if count == period:
                signal /= period
        else:
            signal += (line - signal) * weight
        if count == period:
            out[0, t] = line
            out[1, t] = signal
            out[2, t] = line - signal
    state[0] = signal
    state[1] = count


@compiled(INDICATOR)
def ewm_volatility(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the root of the exponentially weighted mean of squared log returns, of half-life ``params[0]`` bars.

    Per bar, as a fraction; no mean is subtracted: variance = L x variance + (1 - L) x return^2 with L = 2^(-1 /
    half-life), begun with the first squared return. A price that is not above 0 has no logarithm and counts as
    missing; the return after missing bars is the one since the last known price. State: the last price (0 before there
    is one), the variance, and whether it has begun.
    """
    row = rows[0]
    weight = -math.expm1(-math.log(2.0) / params[0])
    last = state[0]
    variance = state[1]
    begun = state[2]
    for t in range(start, stop):
        value = matrix[row, t]
        out[0, t] = math.nan
        if math.isnan(value) or value <= 0.0:
            continue
        if last > 0.0:
            change = math.log(value / last)
            if begun == 0.0:
                variance = change * change
                begun = 1.0
            else:
                variance += (change * change - variance) * weight
            out[0, t] = math.sqrt(variance)
        last = value
    state[0] = last
    state[1] = variance
    state[2] = begun


INDICATORS.add(
    Indicator(
        name="dema",
        pattern="recursive",
        parameters=(Parameter("period", 20, 1, 100_000),),
        inputs=("close",),
        parts=("ema({0},{period})", "ema(ema({0},{period}),{period})"),
        outputs=("dema",),
        kernel=dema,
        state_size=lambda params: 0,
        warm_up=lambda params: 2 * (int(params[0]) - 1),
        convergence=lambda params: _chained_convergence(params[0], 2),
        source="Mulloy, Smoothing Data with Faster Moving Averages, Technical Analysis of Stocks & Commodities 12 "
        "(1994); TA-Lib DEMA",
    )
)
INDICATORS.add(
    Indicator(
        name="tema",
        pattern="recursive",
        parameters=(Parameter("period", 20, 1, 100_000),),
        inputs=("close",),
        parts=("ema({0},{period})", "ema(ema({0},{period}),{period})", "ema(ema(ema({0},{period}),{period}),{period})"),
        outputs=("tema",),
        kernel=tema,
        state_size=lambda params: 0,
        warm_up=lambda params: 3 * (int(params[0]) - 1),
        convergence=lambda params: _chained_convergence(params[0], 3),
        source="Mulloy, Smoothing Data with Faster Moving Averages, Technical Analysis of Stocks & Commodities 12 "
        "(1994); TA-Lib TEMA",
    )
)
INDICATORS.add(
    Indicator(
        name="macd",
        pattern="recursive",
        parameters=(
            Parameter("fast", 12, 1, 100_000),
            Parameter("slow", 26, 1, 100_000),
            Parameter("signal", 9, 1, 100_000),
        ),
        inputs=("close",),
        parts=("ema({0},{fast})", "ema({0},{slow})"),
        outputs=("line", "signal", "histogram"),
        kernel=macd,
        state_size=lambda params: 2,
        warm_up=lambda params: int(max(params[:2])) - 1 + int(params[2]) - 1,
        convergence=lambda params: _chained_convergence(max(params[:2]), 1) + _chained_convergence(params[2], 1),
        source="Appel, Technical Analysis: Power Tools for Active Investors (2005), ch. 8; TA-Lib MACD",
    )
)
INDICATORS.add(
    Indicator(
        name="ewm_volatility",
        pattern="recursive",
        parameters=(Parameter("half_life", 11.0, 1.0, 100_000.0, "float"),),
        inputs=("close",),
        outputs=("ewm_volatility",),
        kernel=ewm_volatility,
        state_size=lambda params: 3,
        warm_up=lambda params: 1,
        convergence=lambda params: 1 + 2 * smoothing_convergence(1.0 - 0.5 ** (1.0 / params[0])),
        source="J.P. Morgan, RiskMetrics Technical Document, 4th ed. (1996), ch. 5",
    )
)
