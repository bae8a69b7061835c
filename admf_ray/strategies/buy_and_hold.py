"""Buy and hold: the benchmark of every search."""

import math
from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["buy_and_hold"]


@compiled(STRATEGY)
def buy_and_hold(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Target 1 on every bar with a close, NaN on missing ones."""
    for s in range(rows.shape[0]):
        row = rows[s, 0]
        for t in range(start, stop):
            close = matrix[row, t]
            out[s, t] = 1.0 if close == close else math.nan


STRATEGIES.add(
    Strategy(
        name="buy_and_hold",
        parameters=(),
        inputs=("close",),
        kernel=buy_and_hold,
        warm_up=lambda params: 0,
        convergence=lambda params: 0,
        source="Sharpe, The Arithmetic of Active Management, Financial Analysts Journal 47 (1991)",
    )
)
