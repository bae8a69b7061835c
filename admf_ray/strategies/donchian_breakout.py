"""Breakout of Donchian's channel: long from a close above the highest high until one below the lowest low.

What is held between the two depends on the last breakout, however long ago: the convergence is that of the channel.
"""

import math
from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.strategies.breakout import held_beyond
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["donchian_breakout"]


@compiled(STRATEGY)
def donchian_breakout(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Target 1 from a close above the channel until one below it, else 0; NaN while either side is unknown.

    The channel is that of the bar before, so this bar is not part of it: the highest of ``entry`` highs, the lowest of
    ``exit`` lows. After a missing bar the lower side is known again first, and a fall below it counts at once. State:
    the target.
    """
    for s in range(rows.shape[0]):
        held = state[s]
        for t in range(start, stop):
            out[s, t] = math.nan
            if t == 0:
                continue
            close = matrix[rows[s, 0], t]
            upper = matrix[rows[s, 1], t - 1]
            lower = matrix[rows[s, 2], t - 1]
            held = held_beyond(held, close, lower, upper)
            if not math.isnan(close + upper + lower):
                out[s, t] = held
        state[s] = held


STRATEGIES.add(
    Strategy(
        name="donchian_breakout",
        parameters=(Parameter("entry", 20, 2, 100_000), Parameter("exit", 10, 1, 100_000)),
        inputs=("close", "highest(high,{entry})", "lowest(low,{exit})"),
        kernel=donchian_breakout,
        constraints=("exit < entry",),
        state_size=lambda params: 1,
        warm_up=lambda params: int(max(params)),
        convergence=lambda params: int(max(params)),
        source="Kaufman, Trading Systems and Methods (5th ed. 2013), ch. 5: the N-day breakout; 20 and 10 bars as in "
        "Faith, Way of the Turtle (2007)",
    )
)
