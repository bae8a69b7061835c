"""Crossing of two simple moving averages: long while the fast one is above the slow one."""

from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.strategies.crossing import long_while_above
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["sma_cross"]


@compiled(STRATEGY)
def sma_cross(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Target 1 while the fast average is above the slow one, else 0; NaN while either is unknown."""
    for s in range(rows.shape[0]):
        long_while_above(matrix[rows[s, 0]], matrix[rows[s, 1]], start, stop, out[s])


STRATEGIES.add(
    Strategy(
        name="sma_cross",
        parameters=(Parameter("fast", 50, 1, 100_000), Parameter("slow", 200, 2, 100_000)),
        inputs=("sma(close,{fast})", "sma(close,{slow})"),
        kernel=sma_cross,
        constraints=("fast < slow",),
        warm_up=lambda params: int(max(params)) - 1,
        convergence=lambda params: int(max(params)) - 1,
        source="Brock, Lakonishok and LeBaron, Simple Technical Trading Rules, Journal of Finance 47 (1992), sec. I.B",
    )
)
