"""Trend beyond bands of the average true range: long from a close above the upper one until one below the lower one.

What is held between the two depends on the last band that was broken, however long ago: the convergence is that of the
indicators.
"""

import math
from typing import Any

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.indicators import INDICATORS
from admf_ray.strategies.breakout import held_beyond
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["atr_trend"]

_EMA, _ATR = INDICATORS["ema"], INDICATORS["atr"]


@compiled(STRATEGY)
def atr_trend(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Target 1 from a close ``width`` ranges above the average until one as far below, else 0; NaN while unknown.

    Average and range are those of this bar. State: the target.
    """
    width = params[2]
    for s in range(rows.shape[0]):
        held = state[s]
        for t in range(start, stop):
            close = matrix[rows[s, 0], t]
            average = matrix[rows[s, 1], t]
            reach = width * matrix[rows[s, 2], t]
            held = held_beyond(held, close, average - reach, average + reach)
            out[s, t] = math.nan if math.isnan(close + average + reach) else held
        state[s] = held


STRATEGIES.add(
    Strategy(
        name="atr_trend",
        parameters=(
            Parameter("period", 20, 1, 100_000),
            Parameter("atr_period", 10, 1, 100_000),
            Parameter("width", 2, 0.1, 10, "float"),
        ),
        inputs=("close", "ema(close,{period})", "atr(high,low,close,{atr_period})"),
        kernel=atr_trend,
        state_size=lambda params: 1,
        warm_up=lambda params: max(_EMA.warm_up(params[:1]), _ATR.warm_up(params[1:2])),
        convergence=lambda params: max(_EMA.convergence(params[:1]), _ATR.convergence(params[1:2])),
        source="Keltner, How to Make Money in Commodities (1960): in above the upper band, out below the lower one; "
        "with ema and atr as Raschke uses it",
    )
)
