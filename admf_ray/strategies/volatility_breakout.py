"""Breakout of volatility: long from a rise that is large for the bars before it until a fall that is.

What is held between the two depends on the last large move, however long ago: the convergence is that of the
indicators.
"""

import math
from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.strategies.breakout import held_beyond
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["volatility_breakout"]


@compiled(STRATEGY)
def volatility_breakout(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Target 1 from a return above ``width`` volatilities until one below minus as many, else 0; NaN while unknown.

    Returns are logarithmic, from close to close. The volatility is that of the bar before, so this bar's return is not
    part of it. State: the target.
    """
    width = params[1]
    for s in range(rows.shape[0]):
        held = state[s]
        for t in range(start, stop):
            out[s, t] = math.nan
            if t == 0:
                continue
            move = matrix[rows[s, 0], t]
            reach = width * matrix[rows[s, 1], t - 1]
            held = held_beyond(held, move, -reach, reach)
            if not math.isnan(move + reach):
                out[s, t] = held
        state[s] = held


STRATEGIES.add(
    Strategy(
        name="volatility_breakout",
        parameters=(Parameter("period", 20, 2, 100_000), Parameter("width", 2, 0.1, 10, "float")),
        inputs=("log_return(close)", "volatility(close,{period})"),
        kernel=volatility_breakout,
        state_size=lambda params: 1,
        warm_up=lambda params: int(params[0]) + 1,
        convergence=lambda params: int(params[0]) + 1,
        source="after Bookstaber's volatility system, which measures moves in average true ranges",
    )
)
