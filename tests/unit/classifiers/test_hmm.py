"""The filter of the hidden Markov model: by hand, against statsmodels, and without a look ahead."""

import math

import numpy as np
import pytest
from statsmodels.tsa.regime_switching.markov_regression import MarkovRegression

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.bars import Bars
from admf_ray.statistics.markov import GaussianHMM, fit_gaussian_hmm, log_likelihood
from tests.series import daily_bars
from tests.unit.classifiers.labelled import classified, inputs_of

NAN = math.nan
STAY = np.array([[0.9, 0.1], [0.2, 0.8]])


def model(initial, means, variances, transition=STAY) -> GaussianHMM:
    arrays = [np.array(values, dtype=float) for values in (initial, transition, means, variances)]
    return GaussianHMM(*arrays, log_likelihood=NAN, iterations=0, converged=True)


def filtered(returns, numbers, states: int = 2) -> np.ndarray:
    """Labels and probabilities, [output, bar]."""
    rows = np.atleast_2d(np.asarray(returns, dtype=float))
    return classified(rows, "hmm", {"states": states}, numbers)


def test_the_filter_by_hand() -> None:
    # Means 0 and 2, variance 1: the density in the second state is exp(2 r - 2) times that in the first.
    # r = 1 tells nothing: 0.6, 0.4. Then predicted 0.6 x 0.9 + 0.4 x 0.2 = 0.62 and 0.38; r = 1 + log(2)/2 doubles the
    # second: 0.62 / 1.38, 0.76 / 1.38.
    found = filtered([1.0, 1.0 + math.log(2) / 2], model([0.6, 0.4], [0, 2], [1, 1]).numbers)
    np.testing.assert_allclose(found[1:], [[0.6, 0.62 / 1.38], [0.4, 0.76 / 1.38]], rtol=1e-14)
    assert found[0].tolist() == [0, 1]


def test_of_equally_probable_states_the_lowest_is_the_label() -> None:
    found = filtered([1.0, 1.0], model([0.5, 0.5], [0, 2], [1, 1], [[0.5, 0.5], [0.5, 0.5]]).numbers)
    np.testing.assert_array_equal(found, [[0, 0], [0.5, 0.5], [0.5, 0.5]])


def test_missing_bars_are_predicted_and_nothing_is_known_before_the_first_return() -> None:
    found = filtered([NAN, NAN, 1.0, NAN, NAN], model([0.6, 0.4], [0, 2], [1, 1]).numbers)
    np.testing.assert_allclose(found[1], [NAN, NAN, 0.6, 0.62, 0.62 * 0.9 + 0.38 * 0.2], rtol=1e-14)
    np.testing.assert_allclose(found[2], [NAN, NAN, 0.4, 0.38, 0.62 * 0.1 + 0.38 * 0.8], rtol=1e-14)
    assert found[0].tolist() == [-1, -1, 0, 0, 0]


def test_the_returns_are_those_of_one_bar() -> None:
    rows = inputs_of(CLASSIFIERS["hmm"], daily_bars([10, 11, NAN, 11, 11.55]), {})
    np.testing.assert_allclose(rows, [[NAN, 0.1, NAN, NAN, 0.05]], rtol=1e-12)


def test_a_far_outlier_belongs_to_the_widest_state() -> None:
    # Densities of both underflow; their ratio does not.
    found = filtered([0.0, 5.0], model([0.5, 0.5], [0, 0], [1e-4, 1e-3]).numbers)
    np.testing.assert_array_equal(found[:, 1], [1, 0, 1])


def test_an_impossible_return_leaves_what_was_predicted() -> None:
    # The first state cannot be left, and 5 is 500 deviations away in it; 1e200 has no density anywhere.
    fixed = model([1, 0], [0, 0], [1e-4, 1], [[1, 0], [0, 1]])
    np.testing.assert_array_equal(filtered([0.0, 5.0, 1e200, 0.0], fixed.numbers)[1:], [[1] * 4, [0] * 4])
    assert log_likelihood(np.array([0.0, 5.0]), fixed) == -math.inf


@pytest.fixture(scope="module")
def returns(sp500: Bars) -> np.ndarray:
    """Returns of 1,500 days, 2007 to 2012, the first of which is known."""
    return inputs_of(CLASSIFIERS["hmm"], sp500, {})[0, 2_000:3_500]


@pytest.mark.parametrize("states", [2, 3])
def test_probabilities_and_likelihood_are_those_of_statsmodels(returns: np.ndarray, states: int) -> None:
    stay = np.array([[0.97, 0.02, 0.01], [0.03, 0.95, 0.02], [0.04, 0.06, 0.90]])[:states, :states]
    stay[:, -1] = 1 - stay[:, :-1].sum(axis=1)
    steady = np.linalg.matrix_power(stay, 4_096)[0]
    means, variances = np.array([8e-4, 1e-4, -2e-3])[:states], np.array([5e-5, 2e-4, 1e-3])[:states]
    own = model(steady, means, variances, stay)
    # Their first probabilities are those of the bar before, which are the same where they are steady. Their parameters:
    # transitions to all states but the last, by the state that is entered and then by the one that is left.
    theirs = MarkovRegression(returns, k_regimes=states, trend="c", switching_variance=True).filter(
        np.concatenate([stay[:, :-1].T.ravel(), means, variances])
    )
    np.testing.assert_allclose(log_likelihood(returns, own), theirs.llf, rtol=1e-8)
    found = filtered(returns, own.numbers, states)
    np.testing.assert_allclose(found[1:], theirs.filtered_marginal_probabilities.T, rtol=1e-8)
    np.testing.assert_array_equal(found[0], found[1:].argmax(axis=0))
    assert set(found[0]) == set(range(states))


def test_later_returns_change_no_earlier_label_or_probability(returns: np.ndarray) -> None:
    numbers = fit_gaussian_hmm(returns[np.newaxis, :750], (2.0,))
    before = filtered(returns, numbers)
    changed = returns.copy()
    changed[1_000:] *= -10
    after = filtered(changed, numbers)
    np.testing.assert_array_equal(before[:, :1_000], after[:, :1_000])
    assert (before[0, 1_000:] != after[0, 1_000:]).any()
    np.testing.assert_array_equal(before[:, :1_000], filtered(returns[:1_000], numbers))
