"""Crossing of two exponential moving averages: long while the fast one is above the slow one."""

from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.convergence import smoothing_convergence
from admf_ray.strategies.crossing import long_while_above
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["ema_cross"]


@compiled(STRATEGY)
def ema_cross(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Target 1 while the fast average is above the slow one, else 0; NaN while either is unknown."""
    for s in range(rows.shape[0]):
        long_while_above(matrix[rows[s, 0]], matrix[rows[s, 1]], start, stop, out[s])


STRATEGIES.add(
    Strategy(
        name="ema_cross",
        parameters=(Parameter("fast", 12, 1, 100_000), Parameter("slow", 26, 2, 100_000)),
        inputs=("ema(close,{fast})", "ema(close,{slow})"),
        kernel=ema_cross,
        constraints=("fast < slow",),
        warm_up=lambda params: int(max(params)) - 1,
        convergence=lambda params: int(max(params)) - 1 + smoothing_convergence(2.0 / (max(params) + 1.0)),
        source="Appel, Technical Analysis: Power Tools for Active Investors (2005), ch. 7: the sign of the MACD",
    )
)
