"""Lines and pairs: what a series does against time, and two series against each other."""

import math
from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.registry import INDICATORS, Indicator
from admf_ray.indicators.rolling.running import RESYNCHRONIZE, SHRUNK, ratio, within

__all__ = ["beta", "correlation", "covariance", "linear_regression", "spread"]


@compiled(INDICATOR)
def linear_regression(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write the slope (a bar) of the least-squares line through the newest ``params[0]`` values, and its newest value.

    With weights 1 (oldest) to n (newest) the slope is 12 / (n (n^2 - 1)) x (weighted sum - (n + 1) / 2 x sum). NaN
    where the deviation is. State: an origin, sum and weighted sum relative to it, the highest deviation since they were
    made anew, and whether the bar before had a value. They are made anew from the window where it has become full, at
    every absolute bar index divisible by 512, and where the deviation has fallen to a hundredth, so that the error is
    relative to the spread of the values and not to their level.
    """
    period = params[0]
    origin = state[0]
    total = state[1]
    weighted = state[2]
    highest = state[3]
    full = state[4]
    for t in range(start, stop):
        value = matrix[rows[0], t]
        deviation = matrix[rows[1], t]
        if math.isnan(deviation):
            full = 0.0
            out[0, t] = math.nan
            out[1, t] = math.nan
            continue
        first = t - int(period) + 1
        if full == 0.0 or deviation < SHRUNK * highest or t % RESYNCHRONIZE == 0:
            origin = value
            total = 0.0
            weighted = 0.0
            for u in range(first, t + 1):
                total += matrix[rows[0], u] - origin
                weighted += (u - first + 1) * (matrix[rows[0], u] - origin)
            highest = deviation
            full = 1.0
        else:
            weighted += period * (value - origin) - total
            total += (value - origin) - (matrix[rows[0], first - 1] - origin)
            highest = max(highest, deviation)
        slope = 12.0 / (period * (period * period - 1.0)) * (weighted - 0.5 * (period + 1.0) * total)
        out[0, t] = slope
        out[1, t] = origin + (total / period + 0.5 * (period - 1.0) * slope)
    state[0] = origin
    state[1] = total
    state[2] = weighted
    state[3] = highest
    state[4] = full


INDICATORS.add(
    Indicator(
        name="linear_regression",
        pattern="rolling",
        parameters=(Parameter("period", 20, 2, 100_000),),
        inputs=("close",),
        parts=("{0}", "deviation({0},{period})"),
        outputs=("slope", "value"),
        kernel=linear_regression,
        state_size=lambda params: 5,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="TA-Lib LINEARREG_SLOPE, LINEARREG; the normal equations for equally spaced bars",
    )
)


@compiled(INDICATOR)
def spread(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the first source less the second. No state. Exact."""
    for t in range(start, stop):
        out[0, t] = matrix[rows[0], t] - matrix[rows[1], t]


INDICATORS.add(
    Indicator(
        name="spread",
        pattern="stateless",
        parameters=(),
        inputs=("close", "close"),
        outputs=("spread",),
        kernel=spread,
        state_size=lambda params: 0,
        warm_up=lambda params: 0,
        convergence=lambda params: 0,
        source="Chan, Algorithmic Trading (2013), ch. 3: the price spread of a pair",
    )
)


@compiled(INDICATOR)
def covariance(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the covariance (ddof 0) of the newest ``params[0]`` values of two sources.

    NaN where the deviation of either is. State: an origin of each source, their means and the sum of products relative
    to it, the highest deviations since all this was made anew, and whether the bar before had a value. It is made anew
    from the window where it has become full, at every absolute bar index divisible by 512, and where either deviation
    has fallen to a hundredth, so that the error is relative to the product of the deviations.
    """
    period = params[0]
    origin_x, origin_y = state[0], state[1]
    mean_x, mean_y = state[2], state[3]
    products = state[4]
    highest_x, highest_y = state[5], state[6]
    full = state[7]
    for t in range(start, stop):
        deviation_x, deviation_y = matrix[rows[2], t], matrix[rows[3], t]
        if math.isnan(deviation_x) or math.isnan(deviation_y):
            full = 0.0
            out[0, t] = math.nan
            continue
        x, y = matrix[rows[0], t], matrix[rows[1], t]
        shrunk = deviation_x < SHRUNK * highest_x or deviation_y < SHRUNK * highest_y
        first = t - int(period) + 1
        if full == 0.0 or shrunk or t % RESYNCHRONIZE == 0:
            origin_x, origin_y = x, y
            mean_x, mean_y = 0.0, 0.0
            for u in range(first, t + 1):
                mean_x += (matrix[rows[0], u] - x) / period
                mean_y += (matrix[rows[1], u] - y) / period
            products = 0.0
            for u in range(first, t + 1):
                products += (matrix[rows[0], u] - x - mean_x) * (matrix[rows[1], u] - y - mean_y)
            highest_x, highest_y = deviation_x, deviation_y
            full = 1.0
        else:
            leaving_x, leaving_y = matrix[rows[0], first - 1] - origin_x, matrix[rows[1], first - 1] - origin_y
            gap = leaving_x - mean_x
            mean_x -= gap / (period - 1.0)
            mean_y -= (leaving_y - mean_y) / (period - 1.0)
            products -= gap * (leaving_y - mean_y)
            gap = x - origin_x - mean_x
            mean_x += gap / period
            mean_y += (y - origin_y - mean_y) / period
            products += gap * (y - origin_y - mean_y)
            highest_x, highest_y = max(highest_x, deviation_x), max(highest_y, deviation_y)
        out[0, t] = products / period
    state[0], state[1] = origin_x, origin_y
    state[2], state[3] = mean_x, mean_y
    state[4] = products
    state[5], state[6] = highest_x, highest_y
    state[7] = full


INDICATORS.add(
    Indicator(
        name="covariance",
        pattern="rolling",
        parameters=(Parameter("period", 20, 2, 100_000),),
        inputs=("close", "close"),
        parts=("{0}", "{1}", "deviation({0},{period})", "deviation({1},{period})"),
        outputs=("covariance",),
        kernel=covariance,
        state_size=lambda params: 8,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="The population's; updated as in Welford, Note on a Method for Calculating Corrected Sums of Squares "
        "and Products, Technometrics 4 (1962)",
    )
)


@compiled(INDICATOR)
def correlation(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Pearson's correlation of the newest ``params[0]`` values of two sources, as they are (no returns).

    Covariance over both deviations; NaN where either deviation is 0 (TA-Lib: 0). No state; the drift is that of the
    parts, and is cut off at -1 and +1.
    """
    for t in range(start, stop):
        share = ratio(ratio(matrix[rows[0], t], matrix[rows[1], t]), matrix[rows[2], t])
        out[0, t] = within(share, -1.0, 1.0)


INDICATORS.add(
    Indicator(
        name="correlation",
        pattern="rolling",
        parameters=(Parameter("period", 20, 2, 100_000),),
        inputs=("close", "close"),
        parts=("covariance({0},{1},{period})", "deviation({0},{period})", "deviation({1},{period})"),
        outputs=("correlation",),
        kernel=correlation,
        state_size=lambda params: 0,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="TA-Lib CORREL; Pearson's product-moment correlation",
    )
)


@compiled(INDICATOR)
def beta(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write the slope of the first source's simple returns on the second's, over ``params[0]`` returns.

    The first is the asset, the second the market (TA-Lib BETA takes them the other way round). Covariance over the
    square of the market's deviation; NaN where that is 0 (TA-Lib: 0). No state; the drift is that of the parts.
    """
    for t in range(start, stop):
        out[0, t] = ratio(ratio(matrix[rows[0], t], matrix[rows[1], t]), matrix[rows[1], t])


INDICATORS.add(
    Indicator(
        name="beta",
        pattern="rolling",
        parameters=(Parameter("period", 60, 2, 100_000),),
        inputs=("close", "close"),
        parts=("covariance(roc({0},1),roc({1},1),{period})", "deviation(roc({1},1),{period})"),
        outputs=("beta",),
        kernel=beta,
        state_size=lambda params: 0,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        source="TA-Lib BETA, sources exchanged; Sharpe, Capital Asset Prices, Journal of Finance 19 (1964)",
    )
)
