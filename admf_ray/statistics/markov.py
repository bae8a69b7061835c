"""Hidden Markov models with normal returns: fitted by expectation and maximization from a few fixed beginnings.

Rabiner, A Tutorial on Hidden Markov Models and Selected Applications in Speech Recognition, Proceedings of the IEEE 77
(1989); for returns Hamilton, A New Approach to the Economic Analysis of Nonstationary Time Series and the Business
Cycle, Econometrica 57 (1989).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from admf_ray.core.kernels import compiled, shared
from admf_ray.core.markov import observed, predicted, scaling
from admf_ray.errors import ConfigError, DataError

__all__ = ["GaussianHMM", "fit_gaussian_hmm", "fit_hmm", "log_likelihood"]

Array = npt.NDArray[np.float64]

_STATES = range(2, 5)
_LEAST = 50
"""Returns for each state: a state has a mean, a variance and a row of transitions to estimate."""

_FLOOR = 1e-4
"""Least variance of a state, as a share of that of the sample: the likelihood has no bound where one may become 0."""

_SAME = 1e-3
"""Difference in log likelihood within which two beginnings have ended at one maximum: no choice hangs on rounding."""

_PERSISTENCE = (0.95, 0.6)
"""Probabilities of staying that a fit begins with: regimes that last, and ones that hardly do."""


@dataclass(frozen=True, slots=True, eq=False)
class GaussianHMM:
    """A hidden Markov model of returns, and how it was fitted.

    Attributes
    ----------
    initial : float64 array, shape [state]
        Probabilities of the states at the first return. States are in ascending order of variance, then of mean.
    transition : float64 array, shape [state, state]
        Probabilities from the state of the row to that of the column.
    means, variances : float64 arrays, shape [state]
        Of returns, as fractions, a bar and not a year.
    log_likelihood : float
        Natural logarithm of the density of the returns.
    iterations : int
        From the beginning that was best.
    converged : bool
        Whether the last iteration gained no more than the tolerance.
    """

    initial: Array
    transition: Array
    means: Array
    variances: Array
    log_likelihood: float
    iterations: int
    converged: bool

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for values in (self.initial, self.transition, self.means, self.variances):
            values.flags.writeable = False

    @property
    def numbers(self) -> Array:
        """Initial probabilities, transition matrix row by row, means, variances: as the classifier ``hmm`` takes them.

        float64 array, shape [states x (states + 3)]
        """
        return np.concatenate([self.initial, self.transition.ravel(), self.means, self.variances])


def fit_hmm(returns: Array, states: int, iterations: int = 2_000, tolerance: float = 1e-6) -> GaussianHMM:
    """Fit a model by the algorithm of Baum and Welch (Rabiner 1989, sec. III.C), from several beginnings.

    The beginnings are fixed, so that equal returns give equal bits: returns grouped by their quantiles, once of their
    distance from 0 and once of themselves, with states that last and with states that hardly do. The highest
    likelihood wins; of two whose logarithms differ by less than 0.001, which is the same maximum reached on two ways,
    the one from the earlier beginning.

    Parameters
    ----------
    returns : float64 array, shape [bar]
        As fractions; those that are not finite are left out, as if their bars did not exist.
    states : int
        From 2 to 4.
    iterations : int
        At most so many from each beginning. A fit that they did not suffice for says so in its `converged`.
    tolerance : float
        Gain in log likelihood, of all returns together, at which an iteration is the last.

    Raises
    ------
    ConfigError
        Where the number of states is another.
    DataError
        Where fewer than 50 returns for each state are known, or they do not move.

    Examples
    --------
    Two hundred calm returns, then two hundred that move ten times as much.

    >>> moves = np.sin(np.arange(400.0)) * np.repeat([0.01, 0.1], 200)
    >>> found = fit_hmm(moves, 2)
    >>> np.sqrt(found.variances).round(3).tolist(), found.transition.round(3).tolist(), found.converged
    ([0.007, 0.071], [[0.995, 0.005], [0.0, 1.0]], True)
    """
    if isinstance(states, bool) or states not in _STATES:
        raise ConfigError(f"states of a hidden Markov model: {states!r}; allowed: {_STATES[0]} to {_STATES[-1]}")
    states = int(states)
    known = np.ascontiguousarray(returns[np.isfinite(returns)])
    if len(known) < _LEAST * states:
        raise DataError(
            f"hidden Markov model: {len(known)} returns are known; allowed: at least {_LEAST * states} for {states} "
            "states, so a longer span to fit on or fewer states"
        )
    variance = float(known.var())
    if not 0.0 < variance < np.inf:
        raise DataError(f"hidden Markov model: the variance of the returns is {variance:g}; allowed: prices that move")
    best: tuple[Array, ...] | None = None
    reached = np.zeros(3)
    for beginning in _beginnings(known, states, _FLOOR * variance):
        told = np.zeros(3)
        _maximize(known, *beginning, _FLOOR * variance, iterations, tolerance, told)
        if best is None or told[0] > reached[0] + _SAME:
            best, reached = beginning, told
    assert best is not None
    initial, transition, means, variances = best
    order = np.lexsort((means, variances))
    return GaussianHMM(
        initial=initial[order],
        transition=transition.reshape(states, states)[np.ix_(order, order)],
        means=means[order],
        variances=variances[order],
        log_likelihood=float(reached[0]),
        iterations=int(reached[1]),
        converged=bool(reached[2]),
    )


def fit_gaussian_hmm(series: Array, parameters: Sequence[float]) -> Array:
    """Fit what the classifier ``hmm`` needs; see `fit_hmm` and `GaussianHMM.numbers`.

    Parameters
    ----------
    series : float64 array, shape [1, bar]
        Returns over the span that is fitted on.
    parameters : sequence of float
        Of the classifier; the last is how many states.

    Returns
    -------
    float64 array, shape [states x (states + 3)]
    """
    return fit_hmm(series[0], int(parameters[-1])).numbers


def log_likelihood(returns: Array, model: GaussianHMM) -> float:
    """Give the logarithm of the density of returns under a model, fitted on these or on others (Hamilton 1994, 22.4.7).

    Parameters
    ----------
    returns : float64 array, shape [bar]
        Those that are not finite are left out.
    model : GaussianHMM
    """
    known = np.ascontiguousarray(returns[np.isfinite(returns)])
    filtered, factors = np.empty((2, len(known), len(model.means)))
    initial, transition = model.initial.copy(), model.transition.flatten()
    return float(_filter(known, initial, transition, model.means.copy(), model.variances.copy(), filtered, factors))


def _beginnings(returns: Array, states: int, floor: float) -> Iterator[tuple[Array, Array, Array, Array]]:
    """Give initial probabilities, transitions row by row, means and variances to begin with."""
    shares = np.arange(1, states) / states
    for persistence in _PERSISTENCE:
        for sorted_by in (np.abs(returns), returns):
            group = np.searchsorted(np.quantile(sorted_by, shares), sorted_by)
            members = [returns[group == state] for state in range(states)]
            filled = [own if len(own) else returns for own in members]
            transition = np.full((states, states), (1.0 - persistence) / (states - 1))
            np.fill_diagonal(transition, persistence)
            yield (
                np.full(states, 1.0 / states),
                transition.ravel(),
                np.array([own.mean() for own in filled]),
                np.array([max(own.var(), floor) for own in filled]),
            )


@shared
def _filter(
    returns: Any, initial: Any, transition: Any, means: Any, variances: Any, filtered: Any, factors: Any
) -> float:
    """Write filtered probabilities and what each was multiplied with, [bar, state]; give the log likelihood."""
    constants = np.empty(len(means))
    scaling(variances, constants)
    total = 0.0
    for t in range(len(returns)):
        if t == 0:
            filtered[0] = initial
        else:
            predicted(filtered[t - 1], transition, filtered[t])
        total += observed(returns[t], means, variances, constants, factors[t], filtered[t])
    return total


@shared
def _smooth(transition: Any, filtered: Any, factors: Any, moves: Any) -> None:
    """Turn filtered probabilities into smoothed ones, in place; add up how often each transition is expected.

    Rabiner 1989, eq. 25, 27 and 37, scaled as in sec. V.A.
    """
    bars, states = filtered.shape
    moves[:] = 0.0
    behind = np.ones(states)
    ahead = np.empty(states)
    for t in range(bars - 2, -1, -1):
        for later in range(states):
            ahead[later] = factors[t + 1, later] * behind[later]
        for now in range(states):
            total = 0.0
            for later in range(states):
                step = transition[now * states + later] * ahead[later]
                moves[now * states + later] += filtered[t, now] * step
                total += step
            behind[now] = total
        for now in range(states):
            filtered[t, now] *= behind[now]


_VECTOR = types.float64[::1]


@compiled(
    types.void(_VECTOR, _VECTOR, _VECTOR, _VECTOR, _VECTOR, types.float64, types.int64, types.float64, _VECTOR),
)
def _maximize(
    returns: Any,
    initial: Any,
    transition: Any,
    means: Any,
    variances: Any,
    floor: float,
    iterations: int,
    tolerance: float,
    told: Any,
) -> None:
    """Improve a model in place until it gains no more (Rabiner 1989, eq. 40 and 53 with one component a state).

    Parameters
    ----------
    returns : float64 array, shape [bar]
    initial, means, variances : float64 arrays, shape [state]
    transition : float64 array, shape [state x state]
    floor : float
        Least variance of a state.
    iterations : int
    tolerance : float
    told : float64 array, shape [3]
        Receives the log likelihood of the model as it is left, the iterations, and whether the gain ended.
    """
    bars, states = len(returns), len(means)
    smoothed, factors = np.empty((bars, states)), np.empty((bars, states))
    moves = np.empty(states * states)
    before = -np.inf
    for iteration in range(1, iterations + 1):
        reached = _filter(returns, initial, transition, means, variances, smoothed, factors)
        told[0] = reached
        told[1] = iteration
        if reached - before <= tolerance:
            told[2] = 1.0
            return
        if iteration == iterations:
            return
        before = reached
        _smooth(transition, smoothed, factors, moves)
        initial[:] = smoothed[0]
        for state in range(states):
            row = moves[state * states : (state + 1) * states]
            left = row.sum()
            weight = left + smoothed[bars - 1, state]
            if left > 0.0:
                transition[state * states : (state + 1) * states] = row / left
            if weight > 0.0:
                means[state] = (smoothed[:, state] * returns).sum() / weight
                variances[state] = max((smoothed[:, state] * (returns - means[state]) ** 2).sum() / weight, floor)
