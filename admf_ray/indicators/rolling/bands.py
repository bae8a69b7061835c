"""Bands around an average."""

from typing import Any

from admf_ray.core.kernels import INDICATOR, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.convergence import smoothing_convergence
from admf_ray.indicators.registry import INDICATORS, Indicator
from admf_ray.indicators.rolling.running import ratio

__all__ = ["bollinger", "keltner"]


@compiled(INDICATOR)
def bollinger(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Bollinger's bands: the average, and ``params[1]`` deviations (ddof 0) above and below it.

    Then where the value lies in them, (value - lower) / (upper - lower), and how wide they are, (upper - lower) /
    middle: NaN where the bands coincide and where the middle is 0. No state.
    """
    width = params[1]
    for t in range(start, stop):
        value = matrix[rows[0], t]
        middle = matrix[rows[1], t]
        upper = middle + width * matrix[rows[2], t]
        lower = middle - width * matrix[rows[2], t]
        out[0, t] = middle
        out[1, t] = upper
        out[2, t] = lower
        out[3, t] = ratio(value - lower, upper - lower)
        out[4, t] = ratio(upper - lower, middle)


INDICATORS.add(
    Indicator(
        name="bollinger",
        pattern="rolling",
        parameters=(Parameter("period", 20, 2, 100_000), Parameter("width", 2.0, 0.01, 100.0, "float")),
        inputs=("close",),
        parts=("{0}", "sma({0},{period})", "deviation({0},{period})"),
        outputs=("middle", "upper", "lower", "percent_b", "width"),
        kernel=bollinger,
        state_size=lambda params: 0,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Bollinger, Bollinger on Bollinger Bands (2001), ch. 7 and 8: bands, %b and BandWidth (as a fraction)",
    )
)


@compiled(INDICATOR)
def keltner(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Write Keltner's channel: the exponential average of the close, and ``params[2]`` average true ranges around it.

    NaN while either is. No state.
    """
    for t in range(start, stop):
        middle = matrix[rows[0], t]
        reach = params[2] * matrix[rows[1], t]
        out[0, t] = middle if reach == reach else reach
        out[1, t] = middle + reach
        out[2, t] = middle - reach


INDICATORS.add(
    Indicator(
        name="keltner",
        pattern="recursive",
        parameters=(
            Parameter("period", 20, 1, 100_000),
            Parameter("atr_period", 10, 1, 100_000),
            Parameter("multiplier", 2.0, 0.01, 100.0, "float"),
        ),
        inputs=("high", "low", "close"),
        parts=("ema({2},{period})", "atr({0},{1},{2},{atr_period})"),
        outputs=("middle", "upper", "lower"),
        kernel=keltner,
        state_size=lambda params: 0,
        warm_up=lambda params: max(int(params[0]) - 1, int(params[1])),
        convergence=lambda params: max(
            int(params[0]) - 1 + smoothing_convergence(2.0 / (params[0] + 1.0)),
            int(params[1]) + smoothing_convergence(1.0 / params[1]),
        ),
        source="Keltner, How to Make Money in Commodities (1960); with ema and atr as Raschke uses it",
    )
)
