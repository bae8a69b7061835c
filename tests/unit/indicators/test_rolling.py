import math

import numpy as np
import pandas as pd
import pytest

from admf_ray.indicators import INDICATORS


def sma(values: np.ndarray, period: int) -> np.ndarray:
    out = np.empty((1, len(values)))
    session = np.zeros(len(values), np.int32)
    INDICATORS["sma"].kernel(
        values[np.newaxis], np.zeros(1, np.int64), session, np.array([float(period)]), np.zeros(2), 0, len(values), out
    )
    return out[0]


def test_sma_by_hand() -> None:
    values = np.array([1.0, 2.0, 6.0, math.nan, 4.0, 5.0, 9.0])
    # (1+2)/2, (2+6)/2, then two windows with the missing bar, (4+5)/2, (5+9)/2
    np.testing.assert_array_equal(sma(values, 2), [math.nan, 1.5, 4.0, math.nan, math.nan, 4.5, 7.0])


@pytest.mark.parametrize("period", [1, 2, 20, 200, 1_000])
def test_sma_agrees_with_pandas(sp500, period: int) -> None:
    close = sp500.close[0]
    oracle = pd.Series(close).rolling(period).mean().to_numpy()
    np.testing.assert_allclose(sma(close, period), oracle, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_sma_does_not_drift_over_a_million_bars(scale: float) -> None:
    rng = np.random.default_rng(1)
    values = scale * np.exp(np.cumsum(rng.normal(0, 0.01, 1_000_000)) / 10)
    exact = np.lib.stride_tricks.sliding_window_view(values[-5_000:], 50).mean(axis=1)
    np.testing.assert_allclose(sma(values, 50)[-len(exact) :], exact, rtol=1e-13)


def test_a_spike_leaves_no_trace_once_the_sum_is_made_anew() -> None:
    values = np.full(3_000, 1.0)
    values[100] = 1e18
    assert sma(values, 10)[512 + 10] == 1.0
