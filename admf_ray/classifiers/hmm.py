"""Hidden Markov model: which of a few states, each with its own mean and variance, returns are drawn from."""

import math
from typing import Any

import numpy as np

from admf_ray.classifiers.registry import CLASSIFIERS, Classifier
from admf_ray.classifiers.volatility import level_names
from admf_ray.core.kernels import CLASSIFIER, compiled
from admf_ray.core.markov import observed, predicted, scaling
from admf_ray.core.parameters import Parameter
from admf_ray.indicators.convergence import NEVER

__all__ = ["hmm"]


@compiled(CLASSIFIER)
def hmm(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Label the most probable state given the returns so far, the lowest of equals; then its and others' probabilities.

    The forward filter alone: no later return changes a probability. The initial probabilities are those of the first
    bar that has a return; before it the label is -1 and the probabilities are NaN. Afterwards a bar without a return,
    which is a missing one or the one after it, has the predicted probabilities and a label from them. So has a return
    that is impossible in all states that are possible.

    Parameters: states, then the fitted numbers: initial probabilities [state]; transition matrix [from, to] row by row;
    means [state]; variances [state]; states in ascending order of variance. State: the filtered probabilities, all 0
    before the first return.
    """
    states = int(params[0])
    initial = params[1 : 1 + states]
    transition = params[1 + states : 1 + states + states * states]
    means = params[1 + states + states * states : 1 + 2 * states + states * states]
    variances = params[1 + 2 * states + states * states :]
    probabilities, constants, factors = np.empty(states), np.empty(states), np.empty(states)
    scaling(variances, constants)
    value = matrix[rows[0]]
    begun = state.sum() > 0.0
    for t in range(start, stop):
        known = math.isfinite(value[t])
        if not begun and not known:
            out[0, t] = -1.0
            out[1:, t] = math.nan
            continue
        if begun:
            predicted(state, transition, probabilities)
        else:
            probabilities[:] = initial
            begun = True
        if known:
            observed(value[t], means, variances, constants, factors, probabilities)
        state[:] = probabilities
        out[0, t] = np.argmax(probabilities)
        out[1:, t] = probabilities


CLASSIFIERS.add(
    Classifier(
        name="hmm",
        parameters=(Parameter("states", 2, 2, 4),),
        inputs=("roc(close,1)",),
        kernel=hmm,
        labels=lambda params: level_names(int(params[0])),
        outputs=lambda params: 1 + int(params[0]),
        state_size=lambda params: int(params[0]),
        warm_up=lambda params: 1,
        # How fast the filter forgets its beginning depends on what is fitted.
        convergence=lambda params: NEVER,
        fit="admf_ray.statistics.markov:fit_gaussian_hmm",
        fitted_size=lambda params: int(params[0]) * (3 + int(params[0])),
        source="Hamilton, A New Approach to the Economic Analysis of Nonstationary Time Series and the Business Cycle, "
        "Econometrica 57 (1989): the filter, of normal returns whose mean and variance depend on the state",
    )
)
