"""Time-series momentum: long while the return over the bars before is above 0."""

from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["time_series_momentum"]


@compiled(STRATEGY)
def time_series_momentum(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Target 1 while the return over ``lag`` bars is above 0, else 0; NaN while it is unknown.

    The paper has excess returns, and shorts below 0.
    """
    for s in range(rows.shape[0]):
        row = rows[s, 0]
        for t in range(start, stop):
            past = matrix[row, t]
            out[s, t] = (1.0 if past > 0.0 else 0.0) if past == past else past


STRATEGIES.add(
    Strategy(
        name="time_series_momentum",
        parameters=(Parameter("lag", 252, 1, 100_000),),
        inputs=("roc(close,{lag})",),
        kernel=time_series_momentum,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        source="Moskowitz, Ooi and Pedersen, Time Series Momentum, Journal of Financial Economics 104 (2012)",
    )
)
