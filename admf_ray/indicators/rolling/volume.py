"""Momentum on volume: what the newest bars have changed by, weighted with what was traded."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled, shared
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.registry import INDICATORS, Indicator
from admf_ray.indicators.rolling.running import RESYNCHRONIZE, SHRUNK, ratio, typical_price, within

__all__ = ["chaikin_money_flow", "mfi"]


@shared
def _flow(before: float, typical: float, volume: float) -> float:
    """Give typical price times volume with the sign of the change of the typical price; NaN where anything is."""
    if math.isnan(before):
        return math.nan
    if typical == before:
        return 0.0 * volume
    return typical * volume if typical > before else -typical * volume


@compiled(INDICATOR)
def mfi(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the money flow index of ``params[0]`` bars: 100 x rising / (rising + falling).

    The flow of a bar is its typical price, (high + low + close) / 3, times its volume: rising where the typical price
    is above that of the bar before, falling where it is below. Where nothing has flowed the index is 50 (TA-Lib: 0
    below a flow of 1). State: both sums, their highest values since they were made anew, and how many flows are known
    in a row. They are made anew where the window becomes full, at every absolute bar index divisible by 512, and where
    one has fallen to a hundredth.
    """
    period = int(params[0])
    rising = state[0]
    falling = state[1]
    most_rising = state[2]
    most_falling = state[3]
    run = state[4]
    for t in range(start, stop):
        typical = typical_price(matrix[rows[0], t], matrix[rows[1], t], matrix[rows[2], t])
        flow = math.nan
        if t > 0:
            before = typical_price(matrix[rows[0], t - 1], matrix[rows[1], t - 1], matrix[rows[2], t - 1])
            flow = _flow(before, typical, matrix[rows[3], t])
        run = 0.0 if math.isnan(flow) else run + 1.0
        if run < period:
            out[0, t] = math.nan
            continue
        anew = run == period or t % RESYNCHRONIZE == 0
        if not anew:
            first = t - period
            typical = typical_price(matrix[rows[0], first], matrix[rows[1], first], matrix[rows[2], first])
            before = typical_price(matrix[rows[0], first - 1], matrix[rows[1], first - 1], matrix[rows[2], first - 1])
            leaving = _flow(before, typical, matrix[rows[3], first])
            rising += max(flow, 0.0) - max(leaving, 0.0)
            falling += max(-flow, 0.0) - max(-leaving, 0.0)
            anew = rising < SHRUNK * most_rising or falling < SHRUNK * most_falling
        if anew:
            rising = 0.0
            falling = 0.0
            most_rising = 0.0
            most_falling = 0.0
            first = t - period
            before = typical_price(matrix[rows[0], first], matrix[rows[1], first], matrix[rows[2], first])
            for u in range(t - period + 1, t + 1):
                typical = typical_price(matrix[rows[0], u], matrix[rows[1], u], matrix[rows[2], u])
                flow = _flow(before, typical, matrix[rows[3], u])
                rising += max(flow, 0.0)
                falling += max(-flow, 0.0)
                before = typical
        most_rising = max(most_rising, rising)
        most_falling = max(most_falling, falling)
        flowed = rising + falling
        out[0, t] = ratio(100.0 * rising, flowed) if flowed > 0.0 else 50.0
    state[0] = rising
    state[1] = falling
    state[2] = most_rising
    state[3] = most_falling
    state[4] = run


INDICATORS.add(
    Indicator(
        name="mfi",
        pattern="rolling",
        parameters=(Parameter("period", 14, 1, 100_000),),
        inputs=("high", "low", "close", "volume"),
        outputs=("mfi",),
        kernel=mfi,
        state_size=lambda params: 5,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        source="TA-Lib MFI; Quong and Soudack, Volume-weighted RSI: Money Flow, Stocks & Commodities 7 (1989)",
    )
)


@shared
def _accumulated(high: float, low: float, close: float, volume: float) -> float:
    """Give the volume times where the close lies in the range, from -1 (low) to +1 (high); 0 where there is none."""
    if high == low and not math.isnan(close):
        return 0.0 * volume
    return ((close - low) - (high - close)) / (high - low) * volume


@compiled(INDICATOR)
def chaikin_money_flow(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write Chaikin's money flow of ``params[0]`` bars: accumulated volume over volume, both summed.

    A bar accumulates its volume times ((close - low) - (high - close)) / (high - low), nothing where high is low. From
    -1 to +1; 0 where there is no volume. State: both sums, the highest volume since they were made anew, and how many
    bars are known in a row. They are made anew where the window becomes full, at every absolute bar index divisible by
    512, and where the volume has fallen to a hundredth; what drift is left is cut off at -1 and +1.
    """
    period = int(params[0])
    accumulated = state[0]
    traded = state[1]
    most_traded = state[2]
    run = state[3]
    for t in range(start, stop):
        volume = matrix[rows[3], t]
        newest = _accumulated(matrix[rows[0], t], matrix[rows[1], t], matrix[rows[2], t], volume)
        run = 0.0 if math.isnan(newest) else run + 1.0
        if run < period:
            out[0, t] = math.nan
            continue
        anew = run == period or t % RESYNCHRONIZE == 0
        if not anew:
            u = t - period
            left = matrix[rows[3], u]
            accumulated += newest - _accumulated(matrix[rows[0], u], matrix[rows[1], u], matrix[rows[2], u], left)
            traded += volume - left
            anew = traded < SHRUNK * most_traded
        if anew:
            accumulated = 0.0
            traded = 0.0
            most_traded = 0.0
            for u in range(t - period + 1, t + 1):
                volume = matrix[rows[3], u]
                accumulated += _accumulated(matrix[rows[0], u], matrix[rows[1], u], matrix[rows[2], u], volume)
                traded += volume
        most_traded = max(most_traded, traded)
        out[0, t] = within(accumulated / traded, -1.0, 1.0) if traded > 0.0 else 0.0
    state[0] = accumulated
    state[1] = traded
    state[2] = most_traded
    state[3] = run


INDICATORS.add(
    Indicator(
        name="chaikin_money_flow",
        pattern="rolling",
        parameters=(Parameter("period", 20, 1, 100_000),),
        inputs=("high", "low", "close", "volume"),
        outputs=("chaikin_money_flow",),
        kernel=chaikin_money_flow,
        state_size=lambda params: 4,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Kaufman, Trading Systems and Methods (5th ed. 2013), ch. 12, on volume",
    )
)
