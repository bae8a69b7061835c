"""Highest and lowest values of the newest bars, and where the newest value lies between them.

The extremes are found with a queue of bars in the state: each bar that may yet become the extreme, oldest first, in a
ring. Every bar enters and leaves it once, so that a bar costs the same however long the window is.
"""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.registry import INDICATORS, Indicator
from admf_ray.indicators.rolling.running import ratio, within

__all__ = ["aroon", "donchian", "highest", "lowest", "percentile_rank", "stochastic", "williams_r"]


@compiled(INDICATOR)
def highest(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the highest of the newest ``params[0]`` values.

    State: how many values are known in a row, the place of the oldest bar in the queue, its length, and the queue of
    bars whose values fall. Exact.
    """
    row = rows[0]
    period = int(params[0])
    run = state[0]
    head = int(state[1])
    length = int(state[2])
    for t in range(start, stop):
        value = matrix[row, t]
        out[0, t] = math.nan
        if math.isnan(value):
            run = 0.0
            length = 0
            continue
        run += 1.0
        if length > 0 and state[3 + head] <= t - period:
            head = head + 1 if head + 1 < period else 0
            length -= 1
        place = head + length if head + length < period else head + length - period
        while length > 0:
            last = place - 1 if place > 0 else period - 1
            if matrix[row, int(state[3 + last])] > value:
                break
            place = last
            length -= 1
        state[3 + place] = t
        length += 1
        if run >= period:
            out[0, t] = matrix[row, int(state[3 + head])]
    state[0] = run
    state[1] = head
    state[2] = length


@compiled(INDICATOR)
def lowest(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the lowest of the newest ``params[0]`` values.

    State: how many values are known in a row, the place of the oldest bar in the queue, its length, and the queue of
    bars whose values rise. Exact.
    """
    row = rows[0]
    period = int(params[0])
    run = state[0]
    head = int(state[1])
    length = int(state[2])
    for t in range(start, stop):
        value = matrix[row, t]
        out[0, t] = math.nan
        if math.isnan(value):
            run = 0.0
            length = 0
            continue
        run += 1.0
        if length > 0 and state[3 + head] <= t - period:
            head = head + 1 if head + 1 < period else 0
            length -= 1
        place = head + length if head + length < period else head + length - period
        while length > 0:
            last = place - 1 if place > 0 else period - 1
            if matrix[row, int(state[3 + last])] < value:
                break
            place = last
            length -= 1
        state[3 + place] = t
        length += 1
        if run >= period:
            out[0, t] = matrix[row, int(state[3 + head])]
    state[0] = run
    state[1] = head
    state[2] = length


for _kernel, _source in ((highest, "TA-Lib MAX"), (lowest, "TA-Lib MIN")):
    INDICATORS.add(
        Indicator(
            name=_kernel.__name__,
            pattern="rolling",
            parameters=(Parameter("period", 20, 1, 100_000),),
            inputs=("close",),
            outputs=(_kernel.__name__,),
            kernel=_kernel,
            state_size=lambda params: 3 + int(params[0]),
            warm_up=lambda params: int(params[0]) - 1,
            convergence=lambda params: int(params[0]) - 1,
            source=_source,
        )
    )


@compiled(INDICATOR)
def donchian(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Donchian's channel: the highest high and the lowest low of ``params[0]`` bars, this one included.

    Then their mean. A breakout is beyond the channel of the bar before. No state. Exact.
    """
    for t in range(start, stop):
        upper = matrix[rows[0], t]
        lower = matrix[rows[1], t]
        out[0, t] = upper
        out[1, t] = lower
        out[2, t] = (upper + lower) / 2.0


INDICATORS.add(
    Indicator(
        name="donchian",
        pattern="rolling",
        parameters=(Parameter("period", 20, 1, 100_000),),
        inputs=("high", "low"),
        parts=("highest({0},{period})", "lowest({1},{period})"),
        outputs=("upper", "lower", "middle"),
        kernel=donchian,
        state_size=lambda params: 0,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Kaufman, Trading Systems and Methods (5th ed. 2013), ch. 5: Donchian's N-day channel",
    )
)


@compiled(INDICATOR)
def williams_r(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Williams' %R: 100 x (close - highest high) / (highest high - lowest low), from -100 to 0.

    Where the highest high is the lowest low it is -50, neither end (TA-Lib: 0). No state. Exact.
    """
    for t in range(start, stop):
        upper = matrix[rows[1], t]
        extent = upper - matrix[rows[2], t]
        out[0, t] = -50.0 if extent == 0.0 else ratio(100.0 * (matrix[rows[0], t] - upper), extent)


INDICATORS.add(
    Indicator(
        name="williams_r",
        pattern="rolling",
        parameters=(Parameter("period", 14, 1, 100_000),),
        inputs=("high", "low", "close"),
        parts=("{2}", "highest({0},{period})", "lowest({1},{period})"),
        outputs=("williams_r",),
        kernel=williams_r,
        state_size=lambda params: 0,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="TA-Lib WILLR; Murphy, Technical Analysis of the Financial Markets (1999), ch. 10",
    )
)


@compiled(INDICATOR)
def stochastic(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Lane's slow stochastic: %K is the mean of ``params[1]`` raw ones, %D that of ``params[2]`` %K.

    The raw %K of a bar, 100 x (close - lowest low) / (highest high - lowest low) over ``params[0]`` bars, is 100 above
    Williams' %R, which is what is averaged; where highest and lowest are equal it is 50, neither end. %K is known
    before %D is (TA-Lib: not). No state; the drift is that of the averages, and is cut off at 0 and 100.
    """
    for t in range(start, stop):
        out[0, t] = within(100.0 + matrix[rows[0], t], 0.0, 100.0)
        out[1, t] = within(100.0 + matrix[rows[1], t], 0.0, 100.0)


INDICATORS.add(
    Indicator(
        name="stochastic",
        pattern="rolling",
        parameters=(
            Parameter("period", 14, 1, 100_000),
            Parameter("smooth_k", 3, 1, 100_000),
            Parameter("smooth_d", 3, 1, 100_000),
        ),
        inputs=("high", "low", "close"),
        parts=(
            "sma(williams_r({0},{1},{2},{period}),{smooth_k})",
            "sma(sma(williams_r({0},{1},{2},{period}),{smooth_k}),{smooth_d})",
        ),
        outputs=("k", "d"),
        kernel=stochastic,
        state_size=lambda params: 0,
        warm_up=lambda params: int(params[0] + params[1]) - 2,
        convergence=lambda params: int(params[0] + params[1] + params[2]) - 3,
        source="TA-Lib STOCH with simple averages; Murphy, Technical Analysis of the Financial Markets (1999), ch. 10",
    )
)


@compiled(INDICATOR)
def aroon(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Chande's Aroon: 100 x (period - bars since the highest high, or lowest low) / period, and up - down.

    The extremes are those of ``params[0]`` bars and the one before them; the newest of equal ones counts, as in TA-Lib.
    State, for high and low each: how many values are known in a row, the place of the oldest bar in the queue, its
    length, and the queue. Exact.
    """
    period = int(params[0])
    size = period + 1
    for side in range(2):
        row = rows[side]
        sign = 1.0 - 2.0 * side
        base = side * (size + 3)
        queue = base + 3
        run = state[base]
        head = int(state[base + 1])
        length = int(state[base + 2])
        for t in range(start, stop):
            value = sign * matrix[row, t]
            out[side, t] = math.nan
            if math.isnan(value):
                run = 0.0
                length = 0
                continue
            run += 1.0
            if length > 0 and state[queue + head] < t - period:
                head = head + 1 if head < period else 0
                length -= 1
            place = head + length if head + length < size else head + length - size
            while length > 0:
                last = place - 1 if place > 0 else period
                if sign * matrix[row, int(state[queue + last])] > value:
                    break
                place = last
                length -= 1
            state[queue + place] = t
            length += 1
            if run >= size:
                out[side, t] = 100.0 * (period - (t - state[queue + head])) / period
        state[base] = run
        state[base + 1] = head
        state[base + 2] = length
    for t in range(start, stop):
        out[2, t] = out[0, t] - out[1, t]


INDICATORS.add(
    Indicator(
        name="aroon",
        pattern="rolling",
        parameters=(Parameter("period", 25, 1, 100_000),),
        inputs=("high", "low"),
        outputs=("up", "down", "oscillator"),
        kernel=aroon,
        state_size=lambda params: 2 * (int(params[0]) + 4),
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        source="TA-Lib AROON, AROONOSC; Chande, A Time Price Oscillator, Stocks & Commodities 13 (1995)",
    )
)


@compiled(INDICATOR)
def percentile_rank(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the share of the newest ``params[0]`` values that are not above the newest, itself included: in (0, 1].

    State: how many values are known in a row. Exact; a bar costs time in proportion to the window.
    """
    row = rows[0]
    period = int(params[0])
    run = state[0]
    for t in range(start, stop):
        value = matrix[row, t]
        run = 0.0 if math.isnan(value) else run + 1.0
        if run < period:
            out[0, t] = math.nan
            continue
        count = 0
        for u in range(t - period + 1, t + 1):
            count += matrix[row, u] <= value
        out[0, t] = count / period
    state[0] = run


INDICATORS.add(
    Indicator(
        name="percentile_rank",
        pattern="rolling",
        parameters=(Parameter("period", 100, 2, 100_000),),
        inputs=("close",),
        outputs=("percentile_rank",),
        kernel=percentile_rank,
        state_size=lambda params: 1,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="The empirical distribution function of the window at its newest value; scipy.stats.percentileofscore "
        "of kind 'weak', as a fraction",
    )
)
