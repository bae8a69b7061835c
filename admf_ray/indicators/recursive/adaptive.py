"""Adaptive averages: the weight of the newest value comes from how the prices have moved."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled, shared
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.convergence import smoothing_convergence
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = ["kama", "mesa", "vidya"]

# A sum over the newest `period` changes that cancels nothing: changes come in blocks of `period`; when a block is full
# it is turned into sums from each change to the block's end. The window is then the end of one block and the beginning
# of the next, both sums of numbers that are not negative: no drift, and no outlier that leaves rounding errors behind.

_KAMA_FIXED = 5
_VIDYA_FIXED = 6


@compiled(INDICATOR)
def kama(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Kaufman's adaptive moving average: the straighter the newest ``params[0]`` changes, the faster it is.

    Efficiency = abs(sum of the changes) / sum of their absolute values, 1 where nothing changed (as in TA-Lib); weight
    = (efficiency x (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1))^2 with fast ``params[1]`` and slow
    ``params[2]``; average += weight x (value - average). It begins with the value before the first average. State: the
    average, the last value, how many values have been taken in up to the first average, the place of the newest change
    in its block and the sum of the block up to there; the values before the changes, and the changes, by place.
    """
    row = rows[0]
    period = int(params[0])
    fast = 2.0 / (params[1] + 1.0)
    slow = 2.0 / (params[2] + 1.0)
    before = _KAMA_FIXED
    changes = _KAMA_FIXED + period
    average = state[0]
    last = state[1]
    count = state[2]
    place = int(state[3])
    block = state[4]
    for t in range(start, stop):
        value = matrix[row, t]
        out[0, t] = math.nan
        if math.isnan(value):
            continue
        if count == 0.0:
            last = value
            count = 1.0
            continue
        if place == 0:
            block = 0.0
            for later in range(period - 1, 0, -1):
                state[changes + later - 1] += state[changes + later]
        change = abs(value - last)
        block += change
        state[changes + place] = change
        state[before + place] = last
        place = place + 1 if place + 1 < period else 0
        if count <= period:
            count += 1.0
            average = last
        if count > period:
            travelled = block + state[changes + place] if place > 0 else block
            gone = abs(value - state[before + place])
            efficiency = gone / travelled if travelled > 0.0 else 1.0
            weight = (efficiency * (fast - slow) + slow) ** 2
            average += weight * (value - average)
            out[0, t] = average
        last = value
    state[0] = average
    state[1] = last
    state[2] = count
    state[3] = place
    state[4] = block


@compiled(INDICATOR)
def vidya(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Chande's variable index dynamic average: the more one-sided the newest changes, the faster it is.

    Momentum = (rises - falls) / (rises + falls) over the newest ``params[1]`` changes, 0 where nothing changed; average
    += 2 / (``params[0]`` + 1) x abs(momentum) x (value - average). It begins with the value before the first average.
    The weight may be 0, so that no number of bars is certain to forget where the series began: the convergence is for a
    mean abs(momentum) of 0.5 / sqrt(``params[1]``), half that of a random walk. State: the average, the last value, how
    many values have been taken in up to the first average, the place of the newest change in its block and the sums of
    the block's rises and falls up to there; rises and falls by place.
    """
    row = rows[0]
    period = int(params[1])
    highest = 2.0 / (params[0] + 1.0)
    rises = _VIDYA_FIXED
    falls = _VIDYA_FIXED + period
    average = state[0]
    last = state[1]
    count = state[2]
    place = int(state[3])
    risen = state[4]
    fallen = state[5]
    for t in range(start, stop):
        value = matrix[row, t]
        out[0, t] = math.nan
        if math.isnan(value):
            continue
        if count == 0.0:
            last = value
            count = 1.0
            continue
        if place == 0:
            risen = 0.0
            fallen = 0.0
            for later in range(period - 1, 0, -1):
                state[rises + later - 1] += state[rises + later]
                state[falls + later - 1] += state[falls + later]
        rise = max(value - last, 0.0)
        fall = max(last - value, 0.0)
        risen += rise
        fallen += fall
        state[rises + place] = rise
        state[falls + place] = fall
        place = place + 1 if place + 1 < period else 0
        if count <= period:
            count += 1.0
            average = last
        if count > period:
            up = risen + state[rises + place] if place > 0 else risen
            down = fallen + state[falls + place] if place > 0 else fallen
            momentum = (up - down) / (up + down) if up + down > 0.0 else 0.0
            average += highest * abs(momentum) * (value - average)
            out[0, t] = average
        last = value
    state[0] = average
    state[1] = last
    state[2] = count
    state[3] = place
    state[4] = risen
    state[5] = fallen


_DEGREES = 180.0 / math.pi
_MESA_WARM_UP = 32
_MESA_SETTLED = 500
_PRICES = 9
_SMOOTH = 12
_DETRENDED = 19
_QUADRATURE = 29
_MESA_STATE = 36


@shared
def _hilbert(now: float, second: float, fourth: float, sixth: float, scale: float) -> float:
    """Give Ehlers' Hilbert transform out of a value and those 2, 4 and 6 bars before it."""
    return (0.0962 * (now - sixth) + 0.5769 * (second - fourth)) * scale


@shared
def _next_period(real: float, imaginary: float, period: float) -> float:
    """Give the smoothed length of the cycle, in bars, after one more bar."""
    length = period
    if real != 0.0 and imaginary != 0.0:
        length = 360.0 / (math.atan(imaginary / real) * _DEGREES)
    length = max(min(length, 1.5 * period), 0.67 * period)
    return 0.2 * min(max(length, 6.0), 50.0) + 0.8 * period


@compiled(INDICATOR)
def mesa(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Ehlers' MESA adaptive moving average and the one that follows it at half its weight.

    Weight: ``params[0]`` (fast limit) / change of the cycle's phase in degrees, where that is above 1, but not below
    ``params[1]`` (slow limit). The phase is atan(quadrature / in-phase) of the detrended price, 0 where the in-phase
    part is. The series is taken to have been at its first value before it began, so that nothing has to settle; TA-Lib
    takes it, the averages and the filters to have been 0, and agrees only after the convergence. Nothing is said before
    bar 32. The convergence is that of both averages at their slowest, after 500 bars for the phase, which has no bound
    that could be computed: 380 were the most in 10,000 beginnings on the S&P 500 and random walks. State: how many
    values have been taken in up to bar 32; both averages, phase, period, real and imaginary part of the product of two
    bars; the last in-phase and quadrature parts; then, newest first, 3 values, 7 smoothed ones, 10 detrended ones and 7
    quadratures.
    """
    row = rows[0]
    fast = params[0]
    slow = params[1]
    for t in range(start, stop):
        value = matrix[row, t]
        out[:, t] = math.nan
        if math.isnan(value):
            continue
        if state[0] == 0.0:
            state[1] = value
            state[2] = value
            for lag in range(3):
                state[_PRICES + lag] = value
        smooth = (4.0 * value + 3.0 * state[_PRICES] + 2.0 * state[_PRICES + 1] + state[_PRICES + 2]) / 10.0
        if state[0] == 0.0:
            for lag in range(7):
                state[_SMOOTH + lag] = smooth
        for index in range(_MESA_STATE - 1, _PRICES, -1):
            state[index] = state[index - 1]
        state[_PRICES] = value
        state[_SMOOTH] = smooth

        scale = 0.075 * state[4] + 0.54
        state[_DETRENDED] = _hilbert(smooth, state[_SMOOTH + 2], state[_SMOOTH + 4], state[_SMOOTH + 6], scale)
        quadrature = _hilbert(
            state[_DETRENDED], state[_DETRENDED + 2], state[_DETRENDED + 4], state[_DETRENDED + 6], scale
        )
        state[_QUADRATURE] = quadrature
        in_phase = state[_DETRENDED + 3]
        turned_in_phase = _hilbert(in_phase, state[_DETRENDED + 5], state[_DETRENDED + 7], state[_DETRENDED + 9], scale)
        turned_quadrature = _hilbert(
            quadrature, state[_QUADRATURE + 2], state[_QUADRATURE + 4], state[_QUADRATURE + 6], scale
        )
        one = 0.2 * (in_phase - turned_quadrature) + 0.8 * state[7]
        other = 0.2 * (quadrature + turned_in_phase) + 0.8 * state[8]

        phase = math.atan(quadrature / in_phase) * _DEGREES if in_phase != 0.0 else 0.0
        turned = max(state[3] - phase, 1.0)
        weight = max(fast / turned, slow) if turned > 1.0 else fast
        state[1] += weight * (value - state[1])
        state[2] += 0.5 * weight * (state[1] - state[2])
        state[3] = phase

        state[5] = 0.2 * (one * state[7] + other * state[8]) + 0.8 * state[5]
        state[6] = 0.2 * (one * state[8] - other * state[7]) + 0.8 * state[6]
        state[4] = _next_period(state[5], state[6], state[4])
        state[7] = one
        state[8] = other

        if state[0] < _MESA_WARM_UP:
            state[0] += 1.0
            continue
        out[0, t] = state[1]
        out[1, t] = state[2]


INDICATORS.add(
    Indicator(
        name="kama",
        pattern="recursive",
        parameters=(
            Parameter("period", 10, 1, 100_000),
            Parameter("fast", 2, 1, 100_000),
            Parameter("slow", 30, 1, 100_000),
        ),
        inputs=("close",),
        outputs=("kama",),
        kernel=kama,
        state_size=lambda params: _KAMA_FIXED + 2 * int(params[0]),
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]) + smoothing_convergence((2.0 / (max(params[1:]) + 1.0)) ** 2),
        source="Kaufman, Smarter Trading (1995); begun as TA-Lib KAMA, which has fast 2 and slow 30",
    )
)
INDICATORS.add(
    Indicator(
        name="vidya",
        pattern="recursive",
        parameters=(Parameter("period", 20, 1, 100_000), Parameter("cmo_period", 9, 1, 100_000)),
        inputs=("close",),
        outputs=("vidya",),
        kernel=vidya,
        state_size=lambda params: _VIDYA_FIXED + 2 * int(params[1]),
        warm_up=lambda params: int(params[1]),
        convergence=lambda params: int(params[1]) + smoothing_convergence(1.0 / (params[0] + 1.0) / params[1] ** 0.5),
        source="Chande and Kroll, The New Technical Trader (1994)",
    )
)
INDICATORS.add(
    Indicator(
        name="mesa",
        pattern="recursive",
        parameters=(
            Parameter("fast_limit", 0.5, 0.01, 0.99, "float"),
            Parameter("slow_limit", 0.05, 0.01, 0.99, "float"),
        ),
        inputs=("close",),
        outputs=("mama", "fama"),
        kernel=mesa,
        state_size=lambda params: _MESA_STATE,
        warm_up=lambda params: _MESA_WARM_UP,
        convergence=lambda params: (
            _MESA_SETTLED + smoothing_convergence(min(params)) + smoothing_convergence(0.5 * min(params))
        ),
        source="Ehlers, MESA Adaptive Moving Averages, Technical Analysis of Stocks & Commodities 19 (2001); "
        "TA-Lib MAMA, begun otherwise",
    )
)
