"""Fits of the hidden Markov model: against every path, against statsmodels, and what is refused."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from admf_ray.core.bars import Bars
from admf_ray.errors import ConfigError, DataError
from admf_ray.statistics.markov import GaussianHMM, fit_gaussian_hmm, fit_hmm, log_likelihood


@pytest.fixture(scope="module")
def returns(sp500: Bars) -> np.ndarray:
    """5,030 daily returns of the S&P 500, 1999 to 2018."""
    close = sp500.close[0]
    return close[1:] / close[:-1] - 1


@pytest.fixture(scope="module")
def fitted(returns: np.ndarray) -> GaussianHMM:
    return fit_hmm(returns, 2)


def test_the_likelihood_is_the_sum_over_all_paths() -> None:
    model = GaussianHMM(
        initial=np.array([0.3, 0.7]),
        transition=np.array([[0.9, 0.1], [0.4, 0.6]]),
        means=np.array([0.01, -0.02]),
        variances=np.array([1e-4, 9e-4]),
        log_likelihood=math.nan,
        iterations=0,
        converged=True,
    )
    seen = np.array([0.02, -0.05, 0.001, 0.03])
    density = [
        stats.norm.pdf(seen, mean, math.sqrt(var)) for mean, var in zip(model.means, model.variances, strict=True)
    ]
    total = 0.0
    for path in itertools.product(range(2), repeat=4):
        moves = math.prod(model.transition[now, later] for now, later in itertools.pairwise(path))
        total += model.initial[path[0]] * moves * math.prod(density[state][t] for t, state in enumerate(path))
    assert log_likelihood(seen, model) == pytest.approx(math.log(total), rel=1e-12)
    assert log_likelihood(np.insert(seen, 2, math.nan), model) == log_likelihood(seen, model)


def test_the_fit_is_a_fixed_point_of_baum_and_welch() -> None:
    # Expectations in logarithms, without scaling: at a maximum the step of Baum and Welch changes nothing.
    rng = np.random.default_rng(3)
    seen = rng.normal(0, np.repeat([0.01, 0.04], 60))
    found = fit_hmm(seen, 2, tolerance=1e-13)
    smoothed, moves = expected(seen, found)
    np.testing.assert_allclose(found.initial, smoothed[0], atol=1e-5)
    np.testing.assert_allclose(found.transition, moves / moves.sum(axis=1, keepdims=True), atol=1e-5)
    weights = smoothed.sum(axis=0)
    means = smoothed.T @ seen / weights
    np.testing.assert_allclose(found.means, means, atol=1e-7)
    variances = [smoothed[:, s] @ (seen - means[s]) ** 2 / weights[s] for s in range(2)]
    np.testing.assert_allclose(found.variances, variances, rtol=1e-4)


def expected(seen: np.ndarray, model: GaussianHMM) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed probabilities [bar, state] and expected transitions, in logarithms."""
    logs = stats.norm.logpdf(seen[:, np.newaxis], model.means, np.sqrt(model.variances))
    with np.errstate(divide="ignore"):
        moves = np.log(model.transition)
        forward = [np.log(model.initial) + logs[0]]
    for t in range(1, len(seen)):
        forward.append(np.logaddexp.reduce(forward[-1][:, np.newaxis] + moves, axis=0) + logs[t])
    backward = [np.zeros(len(model.means))]
    for t in range(len(seen) - 2, -1, -1):
        backward.insert(0, np.logaddexp.reduce(moves + logs[t + 1] + backward[0], axis=1))
    total = np.logaddexp.reduce(forward[-1])
    pairs = [
        np.exp(forward[t][:, np.newaxis] + moves + logs[t + 1] + backward[t + 1] - total) for t in range(len(seen) - 1)
    ]
    return np.exp(np.array(forward) + np.array(backward) - total), np.sum(pairs, axis=0)


def test_the_fit_is_as_likely_as_that_of_statsmodels_and_close_to_it(returns: np.ndarray, fitted: GaussianHMM) -> None:
    theirs = MarkovRegression(returns, k_regimes=2, trend="c", switching_variance=True).fit(disp=False)
    assert fitted.converged
    assert fitted.log_likelihood >= theirs.llf - 1e-3
    assert fitted.log_likelihood == pytest.approx(log_likelihood(returns, fitted), rel=1e-12)
    order = np.argsort(theirs.params[4:6])
    # They take the first probabilities from the transitions, we fit them: one return of 5,030.
    np.testing.assert_allclose(fitted.means, theirs.params[2:4][order], atol=2e-5)
    np.testing.assert_allclose(fitted.variances, theirs.params[4:6][order], rtol=1e-2)
    np.testing.assert_allclose(fitted.transition, theirs.regime_transition[:, :, 0].T[np.ix_(order, order)], atol=2e-3)


def test_states_are_in_order_of_variance(returns: np.ndarray) -> None:
    for states in (2, 3, 4):
        found = fit_hmm(returns[:1_008], states)
        assert (np.diff(found.variances) > 0).all()
        np.testing.assert_allclose(found.transition.sum(axis=1), 1.0, rtol=1e-12)
        np.testing.assert_allclose(found.initial.sum(), 1.0, rtol=1e-12)


def test_known_parameters_are_found_again() -> None:
    rng = np.random.default_rng(11)
    state = np.zeros(20_000, dtype=int)
    for t in range(1, len(state)):
        state[t] = state[t - 1] if rng.random() < (0.98, 0.95)[state[t - 1]] else 1 - state[t - 1]
    found = fit_hmm(rng.normal(np.array([0.001, -0.002])[state], np.array([0.005, 0.02])[state]), 2)
    np.testing.assert_allclose(found.means, [0.001, -0.002], atol=4e-4)
    np.testing.assert_allclose(np.sqrt(found.variances), [0.005, 0.02], rtol=0.02)
    np.testing.assert_allclose(np.diag(found.transition), [0.98, 0.95], atol=0.005)


def test_two_fits_are_equal_to_the_bit_and_missing_returns_are_left_out(returns: np.ndarray) -> None:
    span = returns[:504]
    one, again = fit_hmm(span, 3), fit_hmm(span, 3)
    assert one.numbers.tobytes() == again.numbers.tobytes()
    assert fit_hmm(np.insert(span, [0, 100, 504], math.nan), 3).numbers.tobytes() == one.numbers.tobytes()


def test_the_classifier_gets_its_numbers_in_order(returns: np.ndarray, fitted: GaussianHMM) -> None:
    numbers = fit_gaussian_hmm(returns[np.newaxis], (2.0,))
    assert numbers[:2].tolist() == fitted.initial.tolist()
    assert numbers[2:6].tolist() == fitted.transition.ravel().tolist()
    assert numbers[6:8].tolist() == fitted.means.tolist()
    assert numbers[8:].tolist() == fitted.variances.tolist()


def test_a_fit_that_needs_more_iterations_says_so(returns: np.ndarray) -> None:
    found = fit_hmm(returns[:504], 2, iterations=3)
    assert not found.converged
    assert found.iterations == 3
    assert found.log_likelihood == pytest.approx(log_likelihood(returns[:504], found), rel=1e-12)


def test_returns_that_hardly_move_for_long_have_a_floor_of_variance() -> None:
    seen = np.where(np.arange(400) % 4 == 3, np.sin(np.arange(400.0)) / 100, 0.0)
    found = fit_hmm(seen, 2)
    assert found.variances[0] == pytest.approx(1e-4 * seen.var(), rel=1e-12)
    assert np.isfinite(found.numbers).all()


def test_a_result_cannot_be_written(fitted: GaussianHMM) -> None:
    with pytest.raises(ValueError, match="read-only"):
        fitted.means[0] = 1.0


@pytest.mark.parametrize("states", [1, 5, 2.5, True])
def test_other_numbers_of_states_are_refused(states) -> None:
    with pytest.raises(ConfigError, match=r"states of a hidden Markov model: .*; allowed: 2 to 4"):
        fit_hmm(np.ones(1_000), states)


def test_what_cannot_be_fitted_is_refused() -> None:
    few = np.append(np.random.default_rng(1).normal(size=149), np.full(60, math.nan))
    with pytest.raises(DataError, match="149 returns are known; allowed: at least 150 for 3 states, so a longer span"):
        fit_hmm(few, 3)
    with pytest.raises(DataError, match="the variance of the returns is 0; allowed: prices that move"):
        fit_hmm(np.zeros(500), 2)
