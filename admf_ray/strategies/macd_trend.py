"""Moving average convergence divergence: long while the line is above its signal."""

from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators import INDICATORS
from admf_ray.strategies.crossing import long_while_above
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["macd_trend"]


@compiled(STRATEGY)
def macd_trend(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Target 1 while the line is above the signal, else 0; NaN while either is unknown."""
    for s in range(rows.shape[0]):
        long_while_above(matrix[rows[s, 0]], matrix[rows[s, 1]], start, stop, out[s])


STRATEGIES.add(
    Strategy(
        name="macd_trend",
        # The average of one line is the line itself, which is never above it.
        parameters=(
            Parameter("fast", 12, 1, 100_000),
            Parameter("slow", 26, 2, 100_000),
            Parameter("signal", 9, 2, 100_000),
        ),
        inputs=("macd(close,{fast},{slow},{signal}).line", "macd(close,{fast},{slow},{signal}).signal"),
        kernel=macd_trend,
        constraints=("fast < slow",),
        warm_up=INDICATORS["macd"].warm_up,
        convergence=INDICATORS["macd"].convergence,
        source="Appel, Technical Analysis: Power Tools for Active Investors (2005), ch. 8",
    )
)
