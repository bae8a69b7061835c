"""Reversion of a pair: short the spread of two symbols where it is high for its newest bars, long where it is low.

The spread is the close of the first symbol less that of the second. What is held depends on the last time that it was
far off, however long ago: the convergence is that of the score.
"""

import math
from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled, shared
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.rolling.running import RESYNCHRONIZE, SHRUNK, ratio
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["pairs_zscore"]

_PAIR = 2


@shared
def _held_spread(held: float, score: float, enter: float, leave: float) -> float:
    """Give what is held of the spread after this bar, -1, 0 or +1; a score that is NaN changes nothing."""
    if score > enter:
        return -1.0
    if score < -enter:
        return 1.0
    if (held < 0.0 and score <= leave) or (held > 0.0 and score >= -leave):
        return 0.0
    return held


@compiled(STRATEGY)
def pairs_zscore(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Write opposite targets, from a score of the spread beyond ``entry`` until it is back within ``exit``, else 0.

    Score: (spread - mean) / deviation (ddof 0) of the newest ``length`` spreads, this one included, as of the key
    ``zscore(spread(close[A],close[B]),length)``; a key of a strategy cannot name another symbol, so it is computed
    here. Where the deviation is 0 both targets stay. NaN for both symbols before ``length`` spreads in a row are known,
    and of any but two symbols. State, in that of the first symbol: mean and sum of squares relative to an origin, the
    highest sum since they were made anew, how many spreads are known in a row, and what is held. All is made anew where
    the window becomes full, at every absolute bar index divisible by 512, and where the sum has fallen to a hundredth.
    """
    if rows.shape[0] != _PAIR:
        out[:, start:stop] = math.nan
        return
    one, two = matrix[rows[0, 0]], matrix[rows[1, 0]]
    length = int(params[0])
    origin, mean, squares, highest = state[0], state[1], state[2], state[3]
    run, held = state[4], state[5]
    for t in range(start, stop):
        spread = one[t] - two[t]
        run = 0.0 if math.isnan(spread) else run + 1.0
        if run < length:
            out[0, t] = math.nan
            out[1, t] = math.nan
            continue
        first = t - length + 1
        anew = run == length or t % RESYNCHRONIZE == 0
        if not anew:
            entering = spread - origin
            leaving = one[first - 1] - two[first - 1] - origin
            before = mean
            mean += (entering - leaving) / length
            squares += (entering - leaving) * ((entering - mean) + (leaving - before))
            anew = squares < SHRUNK * highest
        if anew:
            origin = spread
            mean = 0.0
            for u in range(first, t + 1):
                mean += (one[u] - two[u] - origin) / length
            squares = 0.0
            for u in range(first, t + 1):
                squares += (one[u] - two[u] - origin - mean) ** 2
            highest = 0.0
        highest = max(highest, squares)
        score = ratio(spread - origin - mean, math.sqrt(squares / length))
        held = _held_spread(held, score, params[2], params[1])
        out[0, t] = held
        out[1, t] = 0.0 - held
    state[0], state[1], state[2], state[3] = origin, mean, squares, highest
    state[4], state[5] = run, held


STRATEGIES.add(
    Strategy(
        name="pairs_zscore",
        parameters=(
            Parameter("length", 20, 3, 100_000),
            Parameter("exit", 0.5, 0, 10, "float"),
            Parameter("entry", 2, 0.1, 10, "float"),
        ),
        inputs=("close",),
        kernel=pairs_zscore,
        # No score of n values is beyond the root of n - 1.
        constraints=("exit < entry", "entry * entry < length - 1"),
        state_size=lambda params: 6,
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        scope="panel",
        symbols=_PAIR,
        source="Chan, Algorithmic Trading (2013), ch. 3: the price spread of a pair, by its z-score; two deviations as "
        "in Gatev, Goetzmann and Rouwenhorst, Pairs Trading, Review of Financial Studies 19 (2006)",
    )
)
