"""One step of the forward filter of a hidden Markov chain whose states emit normal numbers.

What fits such a chain and what filters with it take the same steps, so that both mean the same probabilities.
"""

import math
from typing import Any

from admf_ray.core.kernels import shared

__all__ = ["observed", "predicted", "scaling"]

_IMPOSSIBLE = 1e-300
"""Below it a probability has no full precision, and cannot be divided by."""


@shared
def scaling(variances: Any, constants: Any) -> None:
    """Write what the log density of each state has besides its exponent: log(2 pi variance) / 2.

    Parameters
    ----------
    variances, constants : float64 arrays, shape [state]
    """
    for state in range(len(variances)):
        constants[state] = 0.5 * math.log(2.0 * math.pi * variances[state])


@shared
def predicted(previous: Any, transition: Any, out: Any) -> None:
    """Write the probabilities of the states one bar later (Hamilton, Time Series Analysis (1994), eq. 22.4.6).

    What rounding carries beyond 1 is cut off.

    Parameters
    ----------
    previous, out : float64 arrays, shape [state]
    transition : float64 array, shape [state x state]
        From the state of the row to that of the column, row by row.
    """
    states = len(previous)
    for later in range(states):
        total = 0.0
        for now in range(states):
            total += previous[now] * transition[now * states + later]
        out[later] = min(total, 1.0)


@shared
def observed(value: float, means: Any, variances: Any, constants: Any, factors: Any, probabilities: Any) -> float:
    """Turn predicted probabilities into filtered ones, in place, by what was observed (Hamilton 1994, eq. 22.4.5).

    Densities are taken relative to the largest, so that a far outlier belongs to the state that is widest there and not
    to none. Where it is impossible in every state that is possible, the predicted probabilities stay.

    Parameters
    ----------
    value : float
    means, variances : float64 arrays, shape [state]
    constants : float64 array, shape [state]
        Of `scaling`.
    factors : float64 array, shape [state]
        Receives what each probability was multiplied with.
    probabilities : float64 array, shape [state]

    Returns
    -------
    float
        Logarithm of the density of the value before it was seen; minus infinity where it is impossible.

    Examples
    --------
    Two states of variance 1 around 0 and 2: the observation 1 tells nothing.

    >>> import numpy as np
    >>> constants, factors, probabilities = np.zeros(2), np.zeros(2), np.array([0.3, 0.7])
    >>> scaling(np.ones(2), constants)
    >>> density = observed(1.0, np.array([0.0, 2.0]), np.ones(2), constants, factors, probabilities)
    >>> round(density, 6), probabilities.tolist()
    (-1.418939, [0.3, 0.7])
    """
    largest = -math.inf
    for state in range(len(means)):
        distance = value - means[state]
        factors[state] = -constants[state] - 0.5 * distance * distance / variances[state]
        largest = max(largest, factors[state])
    total = 0.0
    if largest > -math.inf:
        for state in range(len(means)):
            factors[state] = math.exp(factors[state] - largest)
            total += probabilities[state] * factors[state]
    if not total > _IMPOSSIBLE:
        for state in range(len(means)):
            factors[state] = 1.0
        return -math.inf
    for state in range(len(means)):
        probabilities[state] = probabilities[state] * factors[state] / total
        factors[state] /= total
    return largest + math.log(total)
