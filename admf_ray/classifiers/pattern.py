"""Pattern: a range, or a breakout from it that lasts until the close is back in the middle.

Which breakout lasts depends on the last one, however long ago: the convergence is that of the channel.
"""

from typing import Any

from admf_ray.classifiers.registry import CLASSIFIERS, Classifier
from admf_ray.core.kernels import CLASSIFIER, compiled
from admf_ray.core.parameters import Parameter

__all__ = ["pattern"]

_UP = 1.0
_DOWN = -1.0


@compiled(CLASSIFIER)
def pattern(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Label 2 from a close above the channel, 0 from one below it, each until a close beyond its middle, then 1.

    The channel is that of the bar before, so this bar is not part of it: highest high and lowest low of ``period``
    bars; the middle is their mean. -1 while close or channel is unknown; what lasted before goes on afterwards, unless
    the first known bar ends it. State: +1, -1 or 0 for what lasts.
    """
    close, highest, lowest = matrix[rows[0]], matrix[rows[1]], matrix[rows[2]]
    lasting = state[0]
    for t in range(start, stop):
        out[0, t] = -1.0
        if t == 0:
            continue
        upper, lower = highest[t - 1], lowest[t - 1]
        known = close[t] + upper + lower
        if known != known:
            continue
        middle = (upper + lower) / 2.0
        if close[t] > upper:
            lasting = _UP
        elif close[t] < lower:
            lasting = _DOWN
        elif lasting * (close[t] - middle) < 0.0:
            lasting = 0.0
        out[0, t] = 1.0 + lasting
    state[0] = lasting


CLASSIFIERS.add(
    Classifier(
        name="pattern",
        parameters=(Parameter("period", 20, 2, 100_000),),
        inputs=("close", "highest(high,{period})", "lowest(low,{period})"),
        kernel=pattern,
        labels=lambda params: ("breakout_down", "range", "breakout_up"),
        state_size=lambda params: 1,
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        source="Kaufman, Trading Systems and Methods (5th ed. 2013), ch. 5: Donchian's N-day channel and its breakouts",
    )
)
