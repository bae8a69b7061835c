"""Wilder's indicators: averages in which each new value has the weight 1 / period."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled, shared
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.convergence import smoothing_convergence
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["adx", "atr", "rsi"]


@shared
def _index(gains: float, losses: float, price: float) -> float:
    """Give 100 x gains / (gains + losses), 50 where both are nothing beside the price."""
    moved = gains + losses
    return 100.0 * (gains / moved) if moved > 1e-14 * abs(price) else 50.0


@compiled(INDICATOR)
def rsi(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Wilder's relative strength index of ``params[0]`` bars: 100 x gains / (gains + losses), both averaged.

    The averages start as the means of the first ``period`` changes; each later change has the weight 1 / period. Where
    nothing has changed, or so long ago that less than 1e-14 of the price is left of it, the index is 50. State: the
    last value, the two averages (sums before there are any), and how many values have been taken in up to the first
    index.
    """
    row = rows[0]
    period = params[0]
    weight = 1.0 / period
    kept = 1.0 - weight
    last = state[0]
    gains = state[1]
    losses = state[2]
    count = state[3]
    t = start
    while t < stop and count <= period:
        value = matrix[row, t]
        out[0, t] = math.nan
        if not math.isnan(value):
            if count > 0.0:
                gains += max(value - last, 0.0)
                losses += max(last - value, 0.0)
            last = value
            count += 1.0
            if count > period:
                gains /= period
                losses /= period
                out[0, t] = _index(gains, losses, value)
        t += 1
    for u in range(t, stop):
        value = matrix[row, u]
        if math.isnan(value):
            out[0, u] = math.nan
        else:
            gains = gains * kept + max(value - last, 0.0) * weight
            losses = losses * kept + max(last - value, 0.0) * weight
            last = value
            out[0, u] = _index(gains, losses, value)
    state[0] = last
    state[1] = gains
    state[2] = losses
    state[3] = count


@shared
def _true_range(high: float, low: float, last: float) -> float:
    """Give how far a bar reaches, the gap since the last close included."""
    return max(high - low, abs(high - last), abs(low - last))


@compiled(INDICATOR)
def atr(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the average true range of ``params[0]`` bars.

    True range: the largest of high - low, abs(high - last close) and abs(low - last close). The first value is the mean
    of the first ``period`` ranges, of which the first belongs to the second bar; then average = (average x (period - 1)
    + range) / period. State: the last close, the average (the sum before there is one), and how many bars have been
    taken in up to the first average.
    """
    period = params[0]
    last = state[0]
    average = state[1]
    count = state[2]
    for t in range(start, stop):
        high = matrix[rows[0], t]
        low = matrix[rows[1], t]
        close = matrix[rows[2], t]
        out[0, t] = math.nan
        if math.isnan(high) or math.isnan(low) or math.isnan(close):
            continue
        extent = _true_range(high, low, last)
        last = close
        if count == 0.0:
            count = 1.0
            continue
        if count <= period:
            average += extent
            count += 1.0
            if count > period:
                average /= period
        else:
            average = (average * (period - 1.0) + extent) / period
        if count > period:
            out[0, t] = average
    state[0] = last
    state[1] = average
    state[2] = count


_FADED = 1e-14
"""Share of the price below which a sum of ranges is a remainder of moves long past, on its way to underflow."""


@compiled(INDICATOR)
def adx(  # noqa: PLR0915  (arrays handed to functions cost more than the bar itself)
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the average directional index of ``params[0]`` bars, and the plus and minus indicators it is made of.

    A bar moves up by high - last high where that is above 0 and above last low - low, else by 0; down likewise. Sums of
    both and of the true range: of the first ``period`` - 1 moves, then sum = sum - sum / period + new. Plus and minus:
    100 x moves / ranges, known ``period`` bars after the first. Their index: 100 x abs(plus - minus) / (plus + minus);
    its average begins as the mean of the first ``period``, which takes ``period`` - 1 bars more, and goes on as
    Wilder's. Where the sum of ranges has faded to 1e-14 of the close or less, plus and minus are 0; where neither is
    above 0 the index counts as 0 in the first mean and later leaves the average as it is, as in TA-Lib. State: the last
    high, low and close, the three sums, the average (the sum before there is one), and how many bars have been taken in
    up to the first average.
    """
    period = params[0]
    last_high = state[0]
    last_low = state[1]
    last_close = state[2]
    ups = state[3]
    downs = state[4]
    extents = state[5]
    average = state[6]
    count = state[7]
    for t in range(start, stop):
        high = matrix[rows[0], t]
        low = matrix[rows[1], t]
        close = matrix[rows[2], t]
        out[:, t] = math.nan
        if math.isnan(high) or math.isnan(low) or math.isnan(close):
            continue
        rise = high - last_high
        fall = last_low - low
        up = rise if rise > 0.0 and rise > fall else 0.0
        down = fall if fall > 0.0 and fall > rise else 0.0
        extent = _true_range(high, low, last_close)
        last_high = high
        last_low = low
        last_close = close
        count = min(count + 1.0, 2.0 * period + 1.0)
        if count == 1.0:
            continue
        if count <= period:
            ups += up
            downs += down
            extents += extent
            continue
        ups += up - ups / period
        downs += down - downs / period
        extents += extent - extents / period
        ranged = extents > _FADED * abs(close)
        out[1, t] = 100.0 * (ups / extents) if ranged else 0.0
        out[2, t] = 100.0 * (downs / extents) if ranged else 0.0
        moved = ups + downs
        known = ranged and moved > 0.0
        index = 100.0 * (abs(ups - downs) / moved) if known else 0.0
        if count <= 2.0 * period:
            average += index
            if count == 2.0 * period:
                average /= period
        elif known:
            average = (average * (period - 1.0) + index) / period
        if count >= 2.0 * period:
            out[0, t] = average
    state[0] = last_high
    state[1] = last_low
    state[2] = last_close
    state[3] = ups
    state[4] = downs
    state[5] = extents
    state[6] = average
    state[7] = count


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
INDICATORS.add(
    Indicator(
        name="atr",
        pattern="recursive",
        parameters=(Parameter("period", 14, 1, 100_000),),
        inputs=("high", "low", "close"),
        outputs=("atr",),
        kernel=atr,
        state_size=lambda params: 3,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]) + smoothing_convergence(1.0 / params[0]),
        source="Wilder, New Concepts in Technical Trading Systems (1978), sec. III; TA-Lib ATR",
    )
)
INDICATORS.add(
    Indicator(
        name="adx",
        pattern="recursive",
        parameters=(Parameter("period", 14, 2, 100_000),),
        inputs=("high", "low", "close"),
        outputs=("adx", "plus_di", "minus_di"),
        kernel=adx,
        state_size=lambda params: 8,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: 2 * (int(params[0]) + smoothing_convergence(1.0 / params[0])),
        source="Wilder, New Concepts in Technical Trading Systems (1978), sec. IV; begun as TA-Lib ADX",
    )
)
