"""Price against its simple moving average: long while the close is above."""

from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.strategies.crossing import long_while_above
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["price_sma"]


@compiled(STRATEGY)
def price_sma(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Target 1 while the close is above its average, else 0; NaN while either is unknown."""
    for s in range(rows.shape[0]):
        long_while_above(matrix[rows[s, 0]], matrix[rows[s, 1]], start, stop, out[s])


STRATEGIES.add(
    Strategy(
        name="price_sma",
        parameters=(Parameter("period", 200, 2, 100_000),),
        inputs=("close", "sma(close,{period})"),
        kernel=price_sma,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Faber, A Quantitative Approach to Tactical Asset Allocation, Journal of Wealth Management 9 (2007)",
    )
)
