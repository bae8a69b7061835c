"""Stateless indicators: this bar alone, or this bar and the last known one before it.

Those of this bar alone have no state. The others keep what they need of the last known bar, and whether there has been
one; they have no value before the second known bar. A bar is missing where any of its sources is: it has no value, and
the last known bar stays the one before it. What cannot be computed or is too large for a number is NaN, never infinite.
"""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled, shared
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = [
    "candle_body",
    "candle_range",
    "finite",
    "gap",
    "log_ratio",
    "log_return",
    "median_price",
    "pivot",
    "true_range",
    "typical_price",
    "weighted_price",
]


@shared
def finite(value: float) -> float:
    """Give the value, or NaN where it is infinite.

    Examples
    --------
    >>> import math
    >>> finite(2.0), finite(math.inf)
    (2.0, nan)
    """
    return value if math.isfinite(value) else math.nan


@shared
def log_ratio(value: float, last: float) -> float:
    """Give log(value / last) of two finite numbers above 0, also where their ratio is beyond all numbers.

    The logarithm of the ratio keeps what a difference of logarithms loses: the digits of a small return.

    Examples
    --------
    >>> log_ratio(1.0, 1.0), log_ratio(1e200, 1e-200) > 900
    (0.0, True)
    """
    ratio = value / last
    return math.log(ratio) if 0.0 < ratio < math.inf else math.log(value) - math.log(last)


@compiled(INDICATOR)
def typical_price(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the typical price, (high + low + close) / 3. No state."""
    for t in range(start, stop):
        out[0, t] = finite((matrix[rows[0], t] + matrix[rows[1], t] + matrix[rows[2], t]) / 3.0)


@compiled(INDICATOR)
def median_price(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the median price, (high + low) / 2. No state."""
    for t in range(start, stop):
        out[0, t] = finite((matrix[rows[0], t] + matrix[rows[1], t]) / 2.0)


@compiled(INDICATOR)
def weighted_price(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the price in which the close weighs as much as the extremes, (high + low + 2 close) / 4. No state."""
    for t in range(start, stop):
        out[0, t] = finite((matrix[rows[0], t] + matrix[rows[1], t] + 2.0 * matrix[rows[2], t]) / 4.0)


@compiled(INDICATOR)
def candle_body(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the body of the candle, close - open: above 0 in a bar that rose. No state."""
    for t in range(start, stop):
        out[0, t] = finite(matrix[rows[1], t] - matrix[rows[0], t])


@compiled(INDICATOR)
def candle_range(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the length of the candle with its shadows, high - low. No state."""
    for t in range(start, stop):
        out[0, t] = finite(matrix[rows[0], t] - matrix[rows[1], t])


@compiled(INDICATOR)
def true_range(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the true range, the largest of high - low, abs(high - last close) and abs(low - last close).

    State: the last known close, and 1 once there is one.
    """
    last = state[0]
    known = state[1]
    for t in range(start, stop):
        high = matrix[rows[0], t]
        low = matrix[rows[1], t]
        close = matrix[rows[2], t]
        out[0, t] = math.nan
        if not math.isfinite(high + low + close):
            continue
        if known > 0.0:
            out[0, t] = finite(max(high - low, abs(high - last), abs(low - last)))
        last = close
        known = 1.0
    state[0] = last
    state[1] = known


@compiled(INDICATOR)
def log_return(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the log return since the last known value, log(value / last value).

    A value that is not above 0 has no logarithm and counts as missing. State: the last known value, 0 before there is
    one.
    """
    last = state[0]
    for t in range(start, stop):
        value = matrix[rows[0], t]
        out[0, t] = math.nan
        if not 0.0 < value < math.inf:
            continue
        if last > 0.0:
            out[0, t] = log_ratio(value, last)
        last = value
    state[0] = last


@compiled(INDICATOR)
def gap(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the gap at the open as a return since the last known close, open / last close - 1.

    NaN where the last close is 0. State: the last known close, and 1 once there is one.
    """
    last = state[0]
    known = state[1]
    for t in range(start, stop):
        first = matrix[rows[0], t]
        close = matrix[rows[1], t]
        out[0, t] = math.nan
        if not math.isfinite(first + close):
            continue
        if known > 0.0:
            out[0, t] = finite(first / last - 1.0)
        last = close
        known = 1.0
    state[0] = last
    state[1] = known


@compiled(INDICATOR)
def pivot(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the pivot of the last known bar before this one and three levels of resistance and of support around it.

    With that bar's high h, low l and close c: p = (h + l + c) / 3; r1, r2, r3 = 2p - l, p + (h - l), h + 2(p - l);
    s1, s2, s3 = 2p - h, p - (h - l), l - 2(h - p). Nothing of this bar is used but whether it is missing. State: high,
    low and close of the last known bar, and 1 once there is one.
    """
    high = state[0]
    low = state[1]
    close = state[2]
    known = state[3]
    for t in range(start, stop):
        for output in range(7):
            out[output, t] = math.nan
        if not math.isfinite(matrix[rows[0], t] + matrix[rows[1], t] + matrix[rows[2], t]):
            continue
        if known > 0.0:
            center = (high + low + close) / 3.0
            out[0, t] = finite(center)
            out[1, t] = finite(2.0 * center - low)
            out[2, t] = finite(center + (high - low))
            out[3, t] = finite(high + 2.0 * (center - low))
            out[4, t] = finite(2.0 * center - high)
            out[5, t] = finite(center - (high - low))
            out[6, t] = finite(low - 2.0 * (high - center))
        high = matrix[rows[0], t]
        low = matrix[rows[1], t]
        close = matrix[rows[2], t]
        known = 1.0
    state[0] = high
    state[1] = low
    state[2] = close
    state[3] = known


def _add(
    name: str, kernel: Any, inputs: tuple[str, ...], source: str, remembered: int = 0, outputs: tuple[str, ...] = ()
) -> None:
    """Register an indicator that keeps so many floats of the last known bar, and needs one where it keeps any."""
    before = 1 if remembered else 0
    INDICATORS.add(
        Indicator(
            name=name,
            pattern="stateless",
            parameters=(),
            inputs=inputs,
            outputs=outputs or (name,),
            kernel=kernel,
            state_size=lambda params: remembered,
            warm_up=lambda params: before,
            convergence=lambda params: before,
            source=source,
        )
    )


_CANDLES = "Nison, Japanese Candlestick Charting Techniques (1991), ch. 3"

_add("typical_price", typical_price, ("high", "low", "close"), "TA-Lib TYPPRICE")
_add("median_price", median_price, ("high", "low"), "TA-Lib MEDPRICE")
_add("weighted_price", weighted_price, ("high", "low", "close"), "TA-Lib WCLPRICE")
_add("candle_body", candle_body, ("open", "close"), f"{_CANDLES}: the real body, with its sign")
_add("candle_range", candle_range, ("high", "low"), f"{_CANDLES}: the real body and both shadows")
_add(
    "true_range",
    true_range,
    ("high", "low", "close"),
    "Wilder, New Concepts in Technical Trading Systems (1978), sec. III; begun as in TA-Lib TRANGE",
    remembered=2,
)
_add(
    "log_return",
    log_return,
    ("close",),
    "Campbell, Lo and MacKinlay, The Econometrics of Financial Markets (1997), sec. 1.4: continuous compounding",
    remembered=1,
)
_add(
    "gap",
    gap,
    ("open", "close"),
    "Murphy, Technical Analysis of the Financial Markets (1999), ch. 4: price gaps, here from close to open",
    remembered=2,
)
_add(
    "pivot",
    pivot,
    ("high", "low", "close"),
    "Person, A Complete Guide to Technical Trading Tactics (2004): floor traders' pivot points",
    remembered=4,
    outputs=("pivot", "r1", "r2", "r3", "s1", "s2", "s3"),
)
