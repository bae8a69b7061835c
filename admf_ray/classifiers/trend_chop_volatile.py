"""Trend, chop or volatile: how straight prices move, unless they move more than they usually do."""

from typing import Any

from admf_ray.classifiers.registry import CLASSIFIERS, Classifier
from admf_ray.core.kernels import CLASSIFIER, compiled
from admf_ray.core.parameters import Parameter

__all__ = ["trend_chop_volatile"]


@compiled(CLASSIFIER)
def trend_chop_volatile(
    matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any
) -> None:
    """Label 2 where volatility is above ``ratio`` times its mean, else 0 where efficiency is ``threshold``, else 1.

    Volatility and Kaufman's efficiency ratio are those of the newest ``period`` changes; the mean is that of the newest
    ``baseline`` volatilities, this one included. A trend needs an efficiency of at least ``threshold``, up or down. -1
    while any of the three is unknown. No state.
    """
    efficiency, volatility, usual = matrix[rows[0]], matrix[rows[1]], matrix[rows[2]]
    ratio, threshold = params[2], params[3]
    for t in range(start, stop):
        known = efficiency[t] + volatility[t] + usual[t]
        if known != known:
            out[0, t] = -1.0
        elif volatility[t] > ratio * usual[t]:
            out[0, t] = 2.0
        else:
            out[0, t] = 0.0 if efficiency[t] >= threshold else 1.0


CLASSIFIERS.add(
    Classifier(
        name="trend_chop_volatile",
        parameters=(
            Parameter("period", 20, 2, 100_000),
            Parameter("baseline", 100, 2, 100_000),
            Parameter("ratio", 1.5, 1.0, 100.0, "float"),
            Parameter("threshold", 0.3, 0.0, 1.0, "float"),
        ),
        inputs=(
            "efficiency_ratio(close,{period})",
            "volatility(close,{period})",
            "sma(volatility(close,{period}),{baseline})",
        ),
        kernel=trend_chop_volatile,
        labels=lambda params: ("trend", "chop", "volatile"),
        constraints=("period < baseline",),
        warm_up=lambda params: int(params[0]) + int(params[1]) - 1,
        convergence=lambda params: int(params[0]) + int(params[1]) - 1,
        source="trend and chop by the efficiency ratio: Kaufman, Trading Systems and Methods (5th ed. 2013), ch. 17; "
        "volatile by the volatility against its own mean",
    )
)
