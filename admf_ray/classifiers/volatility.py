"""Level of volatility: between which borders, fitted on past data, it lies."""

from typing import Any

from admf_ray.classifiers.registry import CLASSIFIERS, Classifier
from admf_ray.core.kernels import CLASSIFIER, compiled
from admf_ray.core.parameters import Parameter

__all__ = ["level_names", "volatility"]


def level_names(states: int) -> tuple[str, ...]:
    """Name so many levels, from the lowest to the highest.

    Parameters
    ----------
    states : int
        From 2 to 5.

    Examples
    --------
    >>> level_names(3)
    ('low', 'medium', 'high')
    """
    middle = ("medium",) if states % 2 else ()
    outer = states > 3
    return (*(("lowest",) * outer), "low", *middle, "high", *(("highest",) * outer))


@compiled(CLASSIFIER)
def volatility(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Label the number of borders below the volatility; -1 while it is unknown.

    Parameters: period, states, then the fitted borders in ascending order. No state.
    """
    value = matrix[rows[0]]
    for t in range(start, stop):
        if value[t] != value[t]:
            out[0, t] = -1.0
            continue
        below = 0.0
        for border in params[2:]:
            if border < value[t]:
                below += 1.0
        out[0, t] = below


CLASSIFIERS.add(
    Classifier(
        name="volatility",
        parameters=(Parameter("period", 20, 2, 100_000), Parameter("states", 3, 2, 5)),
        inputs=("volatility(close,{period})",),
        kernel=volatility,
        labels=lambda params: level_names(int(params[1])),
        warm_up=lambda params: int(params[0]),
        convergence=lambda params: int(params[0]),
        fit="admf_ray.statistics.borders:fit_borders",
        fitted_size=lambda params: int(params[1]) - 1,
        source="Hull, Options, Futures, and Other Derivatives (10th ed. 2018), sec. 15.4: the volatility; quantiles by "
        "Hyndman and Fan, Sample Quantiles in Statistical Packages, American Statistician 50 (1996), definition 7",
    )
)
