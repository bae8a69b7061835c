"""Recursive indicators: the new value comes from the previous one and this bar.

They keep their state over a missing bar and give NaN there.
"""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["ema", "rsi", "smoothing_convergence"]


def smoothing_convergence(weight: float) -> int:
    """Give the bars after which exponential smoothing has forgotten all but 1e-9 of where it began.

    Parameters
    ----------
    weight : float
        Of the newest value, in (0, 1].

    Examples
    --------
    >>> smoothing_convergence(0.5), smoothing_convergence(1.0)
    (30, 1)
    """
    return 1 if weight >= 1.0 else math.ceil(math.log(1e-9) / math.log1p(-weight))


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
    for t in range(start, stop):
        value = matrix[row, t]
        out[0, t] = math.nan
        if math.isnan(value):
            continue
        if count < period:
            average += value
            count += 1.0
            if count == period:
                average /= period
        else:
            average += (value - average) * weight
        if count == period:
            out[0, t] = average
    state[0] = average
    state[1] = count


@compiled(INDICATOR)
def rsi(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Wilder's relative strength index of ``params[0]`` bars: 100 x gains / (gains + losses), both averaged.

    The averages start as the means of the first ``period`` changes; each later change has the weight 1 / period. Where
    nothing has ever changed the index is 50. State: the last value, the two averages (sums before there are any), and
    how many values have been taken in up to the first index.
    """
    row = rows[0]
    period = params[0]
    last = state[0]
    gains = state[1]
    losses = state[2]
    count = state[3]
    for t in range(start, stop):
        value = matrix[row, t]
        out[0, t] = math.nan
        if math.isnan(value):
            continue
        change = value - last
        last = value
        if count == 0.0:
            count = 1.0
            continue
        gain = max(change, 0.0)
        loss = max(-change, 0.0)
        if count <= period:
            gains += gain
            losses += loss
            count += 1.0
            if count > period:
                gains /= period
                losses /= period
        else:
            gains = (gains * (period - 1.0) + gain) / period
            losses = (losses * (period - 1.0) + loss) / period
        if count > period:
            moved = gains + losses
            out[0, t] = 100.0 * (gains / moved) if moved > 0.0 else 50.0
    state[0] = last
    state[1] = gains
    state[2] = losses
    state[3] = count


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
INDICATORS.add(
    Indicator(
        name="rsi",
        pattern="recursive",
        parameters=(Parameter("period", 14, 2, 100_000),),
        inputs=("close",),
        outputs=("rsi",),
        kernel=rsi,
        state_size=lambda params: 4,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]) + smoothing_convergence(1.0 / params[0]),
        source="Wilder, New Concepts in Technical Trading Systems (1978), sec. VI",
    )
)
