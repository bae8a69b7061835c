"""Trailing stops: levels that follow the price on one side until it crosses them."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.convergence import smoothing_convergence
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["parabolic_sar", "supertrend"]


@compiled(INDICATOR)
def parabolic_sar(  # noqa: PLR0915  (arrays handed to functions cost more than the bar itself)
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write Wilder's parabolic stop and reverse.

    Below a rising market, above a falling one: stop += factor x (extreme - stop), where the extreme is the trend's
    highest high (lowest low) and the factor grows by ``params[0]`` with each new one, up to ``params[1]``; never beyond
    the newest two lows (highs). A low (high) at or beyond the stop ends the trend; the new stop is the old extreme, or
    the newest two highs (lows) where they are beyond it. The first trend falls where the second bar's low is further
    below the first's than its high is above, else it rises.

    Where the series began is forgotten at once when a trend ends at the same bar whatever came before, and within one
    trend as fast as the stop nears the extreme: the convergence is the latter at the smaller of the two parameters,
    and 20 bars for a first reversal. It holds for stocks and random walks; a long trend that hardly swings may need
    more. State: how many bars have been taken in up to 2, whether the trend rises (+1) or falls (-1), the stop for the
    next bar, the extreme, the factor, and the last high and low.
    """
    step = min(params[0], params[1])
    count = state[0]
    trend = state[1]
    level = state[2]
    extreme = state[3]
    factor = state[4]
    last_high = state[5]
    last_low = state[6]
    for t in range(start, stop):
        high = matrix[rows[0], t]
        low = matrix[rows[1], t]
        out[0, t] = math.nan
        if math.isnan(high) or math.isnan(low):
            continue
        if count == 0.0:
            count = 1.0
            last_high = high
            last_low = low
            continue
        if count == 1.0:
            count = 2.0
            trend = -1.0 if last_low - low > max(high - last_high, 0.0) else 1.0
            level = last_low if trend > 0.0 else last_high
            extreme = high if trend > 0.0 else low
            factor = step
            last_high = high
            last_low = low
        ceiling = max(last_high, high)
        floor = min(last_low, low)
        if trend > 0.0 and low <= level:
            trend = -1.0
            level = max(extreme, ceiling)
            extreme = low
            factor = step
            out[0, t] = level
        elif trend < 0.0 and high >= level:
            trend = 1.0
            level = min(extreme, floor)
            extreme = high
            factor = step
            out[0, t] = level
        else:
            out[0, t] = level
            if trend > 0.0 and high > extreme:
                extreme = high
                factor = min(factor + step, params[1])
            elif trend < 0.0 and low < extreme:
                extreme = low
                factor = min(factor + step, params[1])
        level += factor * (extreme - level)
        level = min(level, floor) if trend > 0.0 else max(level, ceiling)
        last_high = high
        last_low = low
    state[0] = count
    state[1] = trend
    state[2] = level
    state[3] = extreme
    state[4] = factor
    state[5] = last_high
    state[6] = last_low


@compiled(INDICATOR)
def supertrend(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the band that follows the price, and whether the trend rises (+1, lower band) or falls (-1, upper band).

    Reads the average true range of ``params[0]`` bars, high, low and close. Bands: (high + low) / 2 +- ``params[1]`` x
    range. The upper band only falls until a close is above it, the lower one only rises until a close is below it; the
    bar after that they begin anew. A close beyond the band of the other side turns the trend. The first trend rises
    where the close is not below the middle of its bar.

    Where the series began is forgotten once the range is and the price has moved each band or crossed it, for which a
    random walk takes of the order of ``params[1]``^2 bars: the convergence counts 20 x (1 + ``params[1]``^2). Wide bars
    that go nowhere may need more. State: the trend (0 before there is one), upper and lower band, and the last close.
    """
    multiplier = params[1]
    trend = state[0]
    upper = state[1]
    lower = state[2]
    last = state[3]
    for t in range(start, stop):
        extent = matrix[rows[0], t]
        high = matrix[rows[1], t]
        low = matrix[rows[2], t]
        close = matrix[rows[3], t]
        out[:, t] = math.nan
        if math.isnan(extent) or math.isnan(high) or math.isnan(low) or math.isnan(close):
            continue
        middle = (high + low) / 2.0
        above = middle + multiplier * extent
        below = middle - multiplier * extent
        if trend == 0.0:
            trend = 1.0 if close >= middle else -1.0
            upper = above
            lower = below
        else:
            upper = above if above < upper or last > upper else upper
            lower = below if below > lower or last < lower else lower
            if trend > 0.0 and close < lower:
                trend = -1.0
            elif trend < 0.0 and close > upper:
                trend = 1.0
        last = close
        out[0, t] = lower if trend > 0.0 else upper
        out[1, t] = trend
    state[0] = trend
    state[1] = upper
    state[2] = lower
    state[3] = last


INDICATORS.add(
    Indicator(
        name="parabolic_sar",
        pattern="recursive",
        parameters=(
            Parameter("acceleration", 0.02, 0.0001, 1.0, "float"),
            Parameter("maximum", 0.2, 0.0001, 1.0, "float"),
        ),
        inputs=("high", "low"),
        outputs=("parabolic_sar",),
        kernel=parabolic_sar,
        state_size=lambda params: 7,
        warm_up=lambda params: 1,
        convergence=lambda params: 20 + smoothing_convergence(min(params)),
        source="Wilder, New Concepts in Technical Trading Systems (1978), sec. II; TA-Lib SAR",
    )
)
INDICATORS.add(
    Indicator(
        name="supertrend",
        pattern="recursive",
        parameters=(Parameter("period", 10, 1, 100_000), Parameter("multiplier", 3.0, 0.01, 100.0, "float")),
        inputs=("high", "low", "close"),
        parts=("atr({0},{1},{2},{period})", "{0}", "{1}", "{2}"),
        outputs=("supertrend", "direction"),
        kernel=supertrend,
        state_size=lambda params: 4,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: (
            int(params[0]) + smoothing_convergence(1.0 / params[0]) + math.ceil(20.0 * (1.0 + params[1] ** 2))
        ),
        source="Seban's Supertrend, as TradingView's ta.supertrend computes it but for the first trend",
    )
)
