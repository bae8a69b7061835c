"""Trend: whether the close is above its simple moving average."""

from typing import Any

from admf_ray.classifiers.registry import CLASSIFIERS, Classifier
from admf_ray.core.kernels import CLASSIFIER, compiled
from admf_ray.core.parameters import Parameter

__all__ = ["trend"]


@compiled(CLASSIFIER)
def trend(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Label 1 while the close is above its average, else 0; -1 while either is unknown. No state."""
    close, average = matrix[rows[0]], matrix[rows[1]]
    for t in range(start, stop):
        gap = close[t] - average[t]
        out[0, t] = -1.0 if gap != gap else 1.0 if gap > 0.0 else 0.0


CLASSIFIERS.add(
    Classifier(
        name="trend",
        parameters=(Parameter("period", 200, 2, 100_000),),
        inputs=("close", "sma(close,{period})"),
        kernel=trend,
        labels=lambda params: ("down", "up"),
        warm_up=lambda params: int(params[0]) - 1,
        convergence=lambda params: int(params[0]) - 1,
        source="Faber, A Quantitative Approach to Tactical Asset Allocation, Journal of Wealth Management 9 (2007)",
    )
)
