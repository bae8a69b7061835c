"""Momentum, its strength and its smoothness: what the newest bars have changed by."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled, shared
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.registry import INDICATORS, Indicator
from admf_ray.indicators.rolling.running import RESYNCHRONIZE, SHRUNK, ratio, typical_price, within

__all__ = [
    "cci",
    "cutler_rsi",
    "efficiency_ratio",
    "momentum",
    "roc",
    "volatility",
]


@compiled(INDICATOR)
def roc(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the rate of change over ``params[0]`` bars as a fraction: value / value then - 1 (TA-Lib ROC: times 100).

    It needs these two values only, so a missing bar between them does not matter; NaN where the earlier one is 0. No
    state. Exact.
    """
    row = rows[0]
    period = int(params[0])
    for t in range(start, stop):
        out[0, t] = ratio(matrix[row, t], matrix[row, t - period]) - 1.0 if t >= period else math.nan


@compiled(INDICATOR)
def momentum(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the change over ``params[0]`` bars: value - value then.

    It needs these two values only, so a missing bar between them does not matter. No state. Exact.
    """
    row = rows[0]
    period = int(params[0])
    for t in range(start, stop):
        out[0, t] = matrix[row, t] - matrix[row, t - period] if t >= period else math.nan


for _kernel, _source in ((roc, "TA-Lib ROCP"), (momentum, "TA-Lib MOM")):
    INDICATORS.add(
        Indicator(
            name=_kernel.__name__,
            pattern="rolling",
            parameters=(Parameter("period", 10, 1, 100_000),),
            inputs=("close",),
            outputs=(_kernel.__name__,),
            kernel=_kernel,
            state_size=lambda params: 0,
            warm_up=lambda params: int(params[0]),
            convergence=lambda params: int(params[0]),
            source=f"{_source}; Murphy, Technical Analysis of the Financial Markets (1999), ch. 10",
        )
    )


@compiled(INDICATOR)
def cci(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Lambert's commodity channel index of ``params[0]`` bars: (typical - mean) / (0.015 x mean deviation).

    Typical is (high + low + close) / 3, the mean deviation that of absolute differences to the mean; where it is 0 the
    index is 0. State: how many bars are known in a row. No drift: all is summed anew at every bar, relative to its
    typical price, so a bar costs time in proportion to the window.
    """
    period = int(params[0])
    run = state[0]
    for t in range(start, stop):
        typical = typical_price(matrix[rows[0], t], matrix[rows[1], t], matrix[rows[2], t])
        run = 0.0 if math.isnan(typical) else run + 1.0
        if run < period:
            out[0, t] = math.nan
            continue
        mean = 0.0
        for u in range(t - period + 1, t + 1):
            mean += typical_price(matrix[rows[0], u], matrix[rows[1], u], matrix[rows[2], u]) - typical
        mean /= period
        spread = 0.0
        for u in range(t - period + 1, t + 1):
            spread += abs(typical_price(matrix[rows[0], u], matrix[rows[1], u], matrix[rows[2], u]) - typical - mean)
        spread /= period
        out[0, t] = ratio(0.0 - mean, 0.015 * spread) if spread > 0.0 else 0.0
    state[0] = run


INDICATORS.add(
    Indicator(
        name="cci",
        pattern="rolling",
        parameters=(Parameter("period", 20, 2, 100_000),),
        inputs=("high", "low", "close"),
        outputs=("cci",),
        kernel=cci,
        state_size=lambda params: 1,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="TA-Lib CCI; Lambert, Commodity Channel Index, Commodities (October 1980)",
    )
)


@compiled(INDICATOR)
def cutler_rsi(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Cutler's relative strength index: 100 x gains / (gains + losses), both summed over ``params[0]`` changes.

    Where nothing has changed the index is 50. State: both sums, their highest values since they were made anew, and how
    many changes are known in a row. They are made anew where the window becomes full, at every absolute bar index
    divisible by 512, and where one has fallen to a hundredth.
    """
    row = rows[0]
    period = int(params[0])
    gains = state[0]
    losses = state[1]
    most_gains = state[2]
    most_losses = state[3]
    run = state[4]
    for t in range(start, stop):
        change = matrix[row, t] - matrix[row, t - 1] if t > 0 else math.nan
        run = 0.0 if math.isnan(change) else run + 1.0
        if run < period:
            out[0, t] = math.nan
            continue
        anew = run == period or t % RESYNCHRONIZE == 0
        if not anew:
            leaving = matrix[row, t - period] - matrix[row, t - period - 1]
            gains += max(change, 0.0) - max(leaving, 0.0)
            losses += max(-change, 0.0) - max(-leaving, 0.0)
            anew = gains < SHRUNK * most_gains or losses < SHRUNK * most_losses
        if anew:
            gains = 0.0
            losses = 0.0
            most_gains = 0.0
            most_losses = 0.0
            for u in range(t - period + 1, t + 1):
                change = matrix[row, u] - matrix[row, u - 1]
                gains += max(change, 0.0)
                losses += max(-change, 0.0)
        most_gains = max(most_gains, gains)
        most_losses = max(most_losses, losses)
        moved = gains + losses
        out[0, t] = 100.0 * (gains / moved) if moved > 0.0 else 50.0
    state[0] = gains
    state[1] = losses
    state[2] = most_gains
    state[3] = most_losses
    state[4] = run


INDICATORS.add(
    Indicator(
        name="cutler_rsi",
        pattern="rolling",
        parameters=(Parameter("period", 14, 2, 100_000),),
        inputs=("close",),
        outputs=("cutler_rsi",),
        kernel=cutler_rsi,
        state_size=lambda params: 5,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        source="Wilder, New Concepts in Technical Trading Systems (1978), sec. VI, with Cutler's simple means",
    )
)


@compiled(INDICATOR)
def efficiency_ratio(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write Kaufman's efficiency ratio: the distance of ``params[0]`` bars over the path, |change| / sum of |changes|.

    From 0 (back where it began) to 1 (straight); 0 where nothing has changed. State: the path, its highest value since
    it was made anew, and how many changes are known in a row. It is made anew where the window becomes full, at every
    absolute bar index divisible by 512, and where it has fallen to a hundredth; what drift is left is cut off at 1.
    """
    row = rows[0]
    period = int(params[0])
    path = state[0]
    longest = state[1]
    run = state[2]
    for t in range(start, stop):
        change = matrix[row, t] - matrix[row, t - 1] if t > 0 else math.nan
        run = 0.0 if math.isnan(change) else run + 1.0
        if run < period:
            out[0, t] = math.nan
            continue
        anew = run == period or t % RESYNCHRONIZE == 0
        if not anew:
            path += abs(change) - abs(matrix[row, t - period] - matrix[row, t - period - 1])
            anew = path < SHRUNK * longest
        if anew:
            path = 0.0
            longest = 0.0
            for u in range(t - period + 1, t + 1):
                path += abs(matrix[row, u] - matrix[row, u - 1])
        longest = max(longest, path)
        distance = abs(matrix[row, t] - matrix[row, t - period])
        out[0, t] = within(distance / path, 0.0, 1.0) if path > 0.0 else 0.0
    state[0] = path
    state[1] = longest
    state[2] = run


INDICATORS.add(
    Indicator(
        name="efficiency_ratio",
        pattern="rolling",
        parameters=(Parameter("period", 10, 2, 100_000),),
        inputs=("close",),
        outputs=("efficiency_ratio",),
        kernel=efficiency_ratio,
        state_size=lambda params: 3,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        source="Kaufman, Trading Systems and Methods (5th ed. 2013), ch. 17",
    )
)


@shared
def _log_return(value: float, before: float) -> float:
    """Give the logarithm of a ratio of values above 0; NaN where there is none."""
    share = ratio(value, before)
    return math.log(share) if value > 0.0 and share > 0.0 else math.nan


@compiled(INDICATOR)
def volatility(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the standard deviation (ddof 1) of the newest ``params[0]`` log returns, a bar and not a year.

    Times the square root of the bars in a year it is the yearly one. A value that is not above 0 has no logarithm and
    counts as missing. State: the mean and the sum of squares, its highest value since both were made anew, and how many
    returns are known in a row. They are made anew where the window becomes full, at every absolute bar index divisible
    by 512, and where the sum has fallen to a hundredth.
    """
    row = rows[0]
    period = int(params[0])
    mean = state[0]
    squares = state[1]
    highest = state[2]
    run = state[3]
    for t in range(start, stop):
        change = _log_return(matrix[row, t], matrix[row, t - 1]) if t > 0 else math.nan
        run = 0.0 if math.isnan(change) else run + 1.0
        if run < period:
            out[0, t] = math.nan
            continue
        anew = run == period or t % RESYNCHRONIZE == 0
        if not anew:
            leaving = _log_return(matrix[row, t - period], matrix[row, t - period - 1])
            before = mean
            mean += (change - leaving) / period
            squares += (change - leaving) * ((change - mean) + (leaving - before))
            anew = squares < SHRUNK * highest
        if anew:
            mean = 0.0
            for u in range(t - period + 1, t + 1):
                mean += _log_return(matrix[row, u], matrix[row, u - 1]) / period
            squares = 0.0
            for u in range(t - period + 1, t + 1):
                squares += (_log_return(matrix[row, u], matrix[row, u - 1]) - mean) ** 2
            highest = 0.0
        highest = max(highest, squares)
        out[0, t] = math.sqrt(squares / (period - 1))
    state[0] = mean
    state[1] = squares
    state[2] = highest
    state[3] = run


INDICATORS.add(
    Indicator(
        name="volatility",
        pattern="rolling",
        parameters=(Parameter("period", 20, 2, 100_000),),
        inputs=("close",),
        outputs=("volatility",),
        kernel=volatility,
        state_size=lambda params: 4,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        source="Hull, Options, Futures, and Other Derivatives (10th ed. 2018), sec. 15.4",
    )
)
