import numpy as np
import pytest
import talib

from tests.unit.indicators.computed import (
    NAN,
    assert_agrees,
    assert_comes_back,
    bars_of,
    computed,
    series,
    walk,
    windows,
)


def test_wma_by_hand() -> None:
    # (1+2x2)/3, (2+2x6)/3, two windows with the missing bar, (4+2x5)/3, (5+2x9)/3
    found = series([1.0, 2.0, 6.0, NAN, 4.0, 5.0, 9.0], "wma(close,2)")
    np.testing.assert_allclose(found, [NAN, 5 / 3, 14 / 3, NAN, NAN, 14 / 3, 23 / 3], rtol=1e-15)


def test_zscore_by_hand() -> None:
    # (1, 3): mean 2, deviation 1; (3, 3): deviation 0; two windows with the missing bar; (4, 8): mean 6, deviation 2
    found = series([1.0, 3.0, 3.0, NAN, 8.0, 4.0], "zscore(close,2)")
    np.testing.assert_array_equal(found, [NAN, 1.0, NAN, NAN, NAN, -1.0])


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        # (1, 3): mean 2, deviation 1; (3, 3): mean 3, deviation 0
        ("middle", [NAN, 2.0, 3.0]),
        ("upper", [NAN, 2 + 2 * 1, 3.0]),
        ("lower", [NAN, 2 - 2 * 1, 3.0]),
        ("percent_b", [NAN, (3 - 0) / (4 - 0), NAN]),
        ("width", [NAN, (4 - 0) / 2, 0.0]),
    ],
)
def test_bollinger_by_hand(output: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(series([1.0, 3.0, 3.0], f"bollinger(close,2,2).{output}"), expected)


@pytest.mark.parametrize("period", [2, 20, 200, 1_000])
def test_averages_agree_with_ta_lib(sp500, period: int) -> None:
    close = sp500.close[0]
    assert_agrees(computed(sp500, f"wma(close,{period})"), talib.WMA(close, period))
    upper, middle, lower = talib.BBANDS(close, period, 2.5, 2.5)
    key = f"bollinger(close,{period},2.5)"
    assert_agrees(computed(sp500, f"{key}.upper"), upper)
    assert_agrees(computed(sp500, f"{key}.middle"), middle)
    assert_agrees(computed(sp500, f"{key}.lower"), lower)
    if period > 2:  # TA-Lib's deviations of two values are off by their rounding
        assert_agrees(computed(sp500, f"{key}.width"), (upper - lower) / middle)


@pytest.mark.parametrize("period", [2, 20, 1_000])
def test_zscore_and_percent_b_agree_with_numpy(sp500, period: int) -> None:
    views = windows(sp500.close[0], period)
    mean, deviation = views.mean(axis=1), views.std(axis=1)
    oracle = np.divide(views[:, -1] - mean, deviation, out=np.full(len(mean), NAN), where=deviation > 0)
    assert_agrees(computed(sp500, f"zscore(close,{period})")[period - 1 :], oracle)
    # z deviations above the mean is (z + 2) / 4 of the way through the bands
    assert_agrees(computed(sp500, f"bollinger(close,{period},2).percent_b")[period - 1 :], (oracle + 2) / 4)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("period", [2, 50, 700])
def test_averages_do_not_drift_over_a_million_bars(scale: float, period: int) -> None:
    bars = bars_of(walk(scale))
    views = windows(bars.close[0][-5_000:], period)
    newest, mean, deviation = views[:, -1], views.mean(axis=1), views.std(axis=1)
    weights = np.arange(1, period + 1)
    exact = views @ (weights / weights.sum())
    found = computed(bars, f"wma(close,{period})")[-len(exact) :]
    np.testing.assert_allclose(found, exact, rtol=1e-12)
    found = computed(bars, f"zscore(close,{period})")[-len(exact) :]
    np.testing.assert_allclose(found * deviation, newest - mean, atol=1e-12 * mean.max())
    found = computed(bars, f"bollinger(close,{period},2).upper")[-len(exact) :]
    np.testing.assert_allclose(found, mean + 2 * deviation, rtol=1e-12)


def test_a_spike_leaves_no_trace_once_the_weighted_sum_is_made_anew() -> None:
    values = np.full(3_000, 1.0)
    values[100] = 1e18
    assert series(values, "wma(close,10)")[512] == 1.0


def test_bands_of_flat_prices_coincide() -> None:
    flat = np.concatenate([np.random.default_rng(3).random(50) + 1, np.full(60, 0.1)])
    assert np.isnan(series(flat, "zscore(close,20)")[50 + 19 :]).all()
    assert np.isnan(series(flat, "bollinger(close,20,2).percent_b")[50 + 19 :]).all()
    assert (series(flat, "bollinger(close,20,2).width")[50 + 19 :] == 0.0).all()
    np.testing.assert_allclose(series(flat, "wma(close,20)")[50 + 19 :], 0.1, rtol=1e-13)


def test_bands_around_nothing_have_no_width() -> None:
    # closes less opens: -1, 1, so the middle is 0
    found = computed(bars_of([1.0, 2.0], open=[2.0, 1.0]), "bollinger(spread(close,open),2,2).width")
    assert np.isnan(found).all()


@pytest.mark.parametrize("text", ["wma(close,20)", "zscore(close,20)", "bollinger(close,20,2)"])
def test_averages_come_back_after_missing_bars(text: str) -> None:
    assert_comes_back(text)
