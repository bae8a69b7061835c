import math

import numpy as np
import pandas as pd
import pytest

from tests.series import indicate


def test_sma_by_hand() -> None:
    values = np.array([1.0, 2.0, 6.0, math.nan, 4.0, 5.0, 9.0])
    # (1+2)/2, (2+6)/2, then two windows with the missing bar, (4+5)/2, (5+9)/2
    np.testing.assert_array_equal(indicate("sma", values, 2), [math.nan, 1.5, 4.0, math.nan, math.nan, 4.5, 7.0])


@pytest.mark.parametrize("period", [1, 2, 20, 200, 1_000])
def test_sma_agrees_with_pandas(sp500, period: int) -> None:
    close = sp500.close[0]
    oracle = pd.Series(close).rolling(period).mean().to_numpy()
    np.testing.assert_allclose(indicate("sma", close, period), oracle, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_sma_does_not_drift_over_a_million_bars(scale: float) -> None:
    rng = np.random.default_rng(1)
    values = scale * np.exp(np.cumsum(rng.normal(0, 0.01, 1_000_000)) / 10)
    exact = np.lib.stride_tricks.sliding_window_view(values[-5_000:], 50).mean(axis=1)
    np.testing.assert_allclose(indicate("sma", values, 50)[-len(exact) :], exact, rtol=1e-13)


def test_a_spike_leaves_no_trace_once_the_sum_is_made_anew() -> None:
    values = np.full(3_000, 1.0)
    values[100] = 1e18
    assert indicate("sma", values, 10)[512 + 10] == 1.0


def test_deviation_by_hand() -> None:
    values = np.array([1.0, 3.0, 7.0, math.nan, 4.0, 4.0])
    # |3-1|/2, |7-3|/2, two windows with the missing bar, two equal values
    np.testing.assert_array_equal(indicate("deviation", values, 2), [math.nan, 1.0, 2.0, math.nan, math.nan, 0.0])


@pytest.mark.parametrize("period", [2, 20, 200, 1_000])
def test_deviation_agrees_with_numpy(sp500, period: int) -> None:
    close = sp500.close[0]
    oracle = np.lib.stride_tricks.sliding_window_view(close, period).std(axis=1)
    np.testing.assert_allclose(indicate("deviation", close, period)[period - 1 :], oracle, rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_deviation_does_not_drift_over_a_million_bars(scale: float) -> None:
    rng = np.random.default_rng(1)
    values = scale * np.exp(np.cumsum(rng.normal(0, 0.01, 1_000_000)) / 10)
    exact = np.lib.stride_tricks.sliding_window_view(values[-5_000:], 50).std(axis=1)
    np.testing.assert_allclose(indicate("deviation", values, 50)[-len(exact) :], exact, rtol=1e-10)


def test_deviation_is_accurate_after_a_fall_by_fifteen_orders_of_magnitude() -> None:
    rng = np.random.default_rng(2)
    values = np.concatenate([1e9 * (1 + rng.random(100)), 1e-6 * (1 + rng.random(100))])
    exact = np.lib.stride_tricks.sliding_window_view(values, 20).std(axis=1)
    np.testing.assert_allclose(indicate("deviation", values, 20)[19:], exact, rtol=1e-9)


def test_deviation_of_equal_prices_is_zero_whatever_came_before() -> None:
    values = np.concatenate([np.random.default_rng(3).random(50), np.full(30, 0.1)])
    assert (indicate("deviation", values, 20)[50 + 19 :] == 0.0).all()


@pytest.mark.parametrize(("level", "spread"), [(100.0, 1e-6), (1e6, 1e-4), (1e9, 1e-3)])
def test_the_error_of_deviation_is_relative_to_the_spread_and_not_to_the_level(level: float, spread: float) -> None:
    values = level + spread * np.random.default_rng(4).normal(size=5_000)
    views = np.lib.stride_tricks.sliding_window_view(values, 20)
    # Differences to a value of the window are exact where the level is all that they share.
    exact = (views - views[:, :1]).std(axis=1)
    np.testing.assert_allclose(indicate("deviation", values, 20)[19:], exact, rtol=1e-9)


def test_deviation_of_sparse_values_comes_back() -> None:
    values = np.random.default_rng(5).normal(100, 1, 600)
    values[40:560] = math.nan
    values[100:560:20] = 50.0
    found = indicate("deviation", values, 10)
    assert np.isnan(found[40:569]).all()
    np.testing.assert_allclose(
        found[569:], np.lib.stride_tricks.sliding_window_view(values[560:], 10).std(axis=1), rtol=1e-10
    )
