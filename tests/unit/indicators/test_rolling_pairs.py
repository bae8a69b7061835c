from dataclasses import replace

import numpy as np
import pytest
import talib

from admf_ray.core.bars import FIELDS
from admf_ray.indicators import Key, compute_hub
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

TWO = bars_of([1.0, 2.0, 3.0], open=[1.0, 3.0, 2.0])
ASSET = bars_of([100.0, 120.0, 108.0], open=[100.0, 110.0, 99.0])


@pytest.mark.parametrize(
    ("bars", "text", "expected"),
    [
        # through (1, 2, 6): (6-1)/2 a bar, and 3 + 2.5 at the newest
        (bars_of([1.0, 2.0, 6.0]), "linear_regression(close,3)", [NAN, NAN, 2.5]),
        (bars_of([1.0, 2.0, 6.0]), "linear_regression(close,3).value", [NAN, NAN, 5.5]),
        (TWO, "spread(close,open)", [0.0, -1.0, 1.0]),
        # differences to the means: (-1, 0, 1) and (-1, 1, 0): products 1, squares 2 each
        (TWO, "covariance(close,open,3)", [NAN, NAN, 1 / 3]),
        (TWO, "correlation(close,open,3)", [NAN, NAN, 0.5]),
        # returns +20 %, -10 % on +10 %, -10 %: products 0.15 x 0.1 twice over squares 0.1 x 0.1 twice
        (ASSET, "beta(close,open,2)", [NAN, NAN, 1.5]),
    ],
)
def test_pairs_by_hand(bars, text: str, expected: list[float]) -> None:
    np.testing.assert_allclose(computed(bars, text), expected, rtol=1e-14)


@pytest.mark.parametrize("period", [2, 5, 14, 200, 1_000])
def test_lines_agree_with_ta_lib(sp500, period: int) -> None:
    close = sp500.close[0]
    slope = computed(sp500, f"linear_regression(close,{period}).slope")
    np.testing.assert_allclose(slope, talib.LINEARREG_SLOPE(close, period), rtol=1e-9, atol=1e-9)
    assert_agrees(computed(sp500, f"linear_regression(close,{period}).value"), talib.LINEARREG(close, period))


@pytest.mark.parametrize("period", [5, 20, 200, 1_000])
@pytest.mark.parametrize("other", ["open", "volume"])
def test_pairs_agree_with_ta_lib(sp500, period: int, other: str) -> None:
    one, two = sp500.close[0], getattr(sp500, other)[0]
    assert_agrees(computed(sp500, f"correlation(close,{other},{period})"), talib.CORREL(one, two, period))
    # TA-Lib's first series is the market
    assert_agrees(computed(sp500, f"beta(close,{other},{period})"), talib.BETA(two, one, period))


def moments(x: np.ndarray, y: np.ndarray, period: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariance and deviations, relative to the oldest value of each window."""
    one, two = windows(x, period), windows(y, period)
    one, two = one - one[:, :1], two - two[:, :1]
    one, two = one - one.mean(axis=1, keepdims=True), two - two.mean(axis=1, keepdims=True)
    return (one * two).mean(axis=1), one.std(axis=1), two.std(axis=1)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("period", [2, 50, 700])
def test_pairs_do_not_drift_over_a_million_bars(scale: float, period: int) -> None:
    bars = bars_of(walk(scale), open=walk(1.0, seed=2) + walk(1.0))
    x, y = bars.close[0, -5_000:], bars.open[0, -5_000:]
    covariance, one, two = moments(x, y, period)
    found = computed(bars, f"covariance(close,open,{period})")[-len(one) :]
    np.testing.assert_allclose(found / (one * two), covariance / (one * two), atol=1e-9)
    found = computed(bars, f"correlation(close,open,{period})")[-len(one) :]
    np.testing.assert_allclose(found, covariance / (one * two), atol=1e-9)
    covariance, one, two = moments(x[1:] / x[:-1] - 1, y[1:] / y[:-1] - 1, period)
    found = computed(bars, f"beta(close,open,{period})")[-len(one) :]
    np.testing.assert_allclose(found, covariance / two**2, rtol=1e-9, atol=1e-9 * (one / two).max())
    views = windows(x, period)
    steps = np.arange(period) - (period - 1) / 2
    slope = (views - views[:, :1]) @ steps / (steps @ steps)
    found = computed(bars, f"linear_regression(close,{period}).slope")[-len(slope) :]
    np.testing.assert_allclose(found * period, slope * period, atol=1e-9 * np.median(views.std(axis=1)))


@pytest.mark.parametrize(("level", "spread"), [(100.0, 1e-6), (1e6, 1e-4), (1e9, 1e-3)])
def test_the_error_of_correlation_is_relative_to_the_spread_and_not_to_the_level(level: float, spread: float) -> None:
    rng = np.random.default_rng(4)
    x = level + spread * rng.normal(size=5_000)
    y = x + spread * rng.normal(size=5_000)
    covariance, one, two = moments(x, y, 20)
    found = computed(bars_of(x, open=y), "correlation(close,open,20)")[19:]
    np.testing.assert_allclose(found, covariance / (one * two), atol=1e-9)


@pytest.mark.parametrize(("level", "spread"), [(100.0, 1e-6), (1e6, 1e-4), (1e9, 1e-3)])
def test_the_error_of_a_slope_is_relative_to_the_spread_and_not_to_the_level(level: float, spread: float) -> None:
    values = level + spread * np.random.default_rng(4).normal(size=5_000)
    views = windows(values, 20)
    steps = np.arange(20) - 9.5
    slope = (views - views[:, :1]) @ steps / (steps @ steps)
    found = series(values, "linear_regression(close,20).slope")[19:]
    np.testing.assert_allclose(found, slope, atol=1e-10 * spread)


def test_a_spike_that_has_left_the_window_leaves_no_trace_in_pairs_and_lines() -> None:
    x, y = walk(1.0, 400), walk(1.0, 400, seed=2)
    x[100:103] = [1e12, 1.0, 1e6]
    y[110] = 1e9
    covariance, one, two = moments(x[111:], y[111:], 20)
    found = computed(bars_of(x, open=y), "covariance(close,open,20)")[-len(one) :]
    np.testing.assert_allclose(found / (one * two), covariance / (one * two), atol=1e-9)
    found = series(x, "linear_regression(close,20).slope")[-len(one) :]
    np.testing.assert_allclose(found, talib.LINEARREG_SLOPE(x[103:], 20)[-len(one) :], atol=1e-12)


def test_a_source_goes_with_itself() -> None:
    found = series(walk(1.0, 3_000), "correlation(close,close,30)")[29:]
    np.testing.assert_allclose(found, 1.0, rtol=1e-9)
    assert (found <= 1.0).all()


def test_nothing_correlates_with_what_does_not_move() -> None:
    bars = bars_of(walk(1.0, 100), open=np.concatenate([walk(2.0, 50), np.full(50, 0.1)]))
    for text in ("correlation(close,open,20)", "correlation(open,close,20)", "beta(close,open,19)"):
        assert np.isnan(computed(bars, text)[69:]).all()
    np.testing.assert_array_equal(computed(bars, "beta(open,close,19)")[69:], 0.0)
    np.testing.assert_allclose(computed(bars, "covariance(close,open,20)")[69:], 0.0, atol=1e-17)


def test_lines_through_flat_prices_are_flat() -> None:
    flat = np.concatenate([walk(1.0, 50), np.full(60, 0.1)])
    assert (series(flat, "linear_regression(close,20).slope")[69:] == 0.0).all()
    assert (series(flat, "linear_regression(close,20).value")[69:] == 0.1).all()


def test_a_value_that_only_one_source_lacks_is_missing() -> None:
    volume = np.random.default_rng(6).random(100) + 1
    volume[50] = NAN
    bars = bars_of(walk(1.0, 100), volume=volume)
    for text in ("correlation(close,volume,10)", "correlation(volume,close,10)", "covariance(close,volume,10)"):
        assert (np.flatnonzero(np.isnan(computed(bars, text)[9:])) + 9).tolist() == list(range(50, 60))
    # a return needs the value before as well
    assert (np.flatnonzero(np.isnan(computed(bars, "beta(close,volume,10)")[10:])) + 10).tolist() == list(range(50, 61))
    assert np.flatnonzero(np.isnan(computed(bars, "spread(close,volume)"))).tolist() == [50]


@pytest.mark.parametrize(
    "text",
    [
        "linear_regression(close,20)",
        "spread(close,open)",
        "covariance(close,open,20)",
        "correlation(close,open,20)",
        "beta(close,open,20)",
    ],
)
def test_pairs_come_back_after_missing_bars(text: str) -> None:
    assert_comes_back(text)


def test_the_zscore_of_a_spread_is_computed_from_its_parts_once(sp500) -> None:
    texts = [
        "zscore(spread(close,open),20)",
        "bollinger(spread(close,open),20,2).percent_b",
        "sma(spread(close,open),20)",
    ]
    keys = [Key.parse(text).bind(sp500.symbols[0]) for text in texts]
    hub = compute_hub(sp500, keys)
    # spread, sma, deviation, zscore, bollinger
    assert hub.counters.computed == 5
    views = windows(sp500.close[0] - sp500.open[0], 20)
    oracle = (views[:, -1] - views.mean(axis=1)) / views.std(axis=1)
    assert_agrees(hub.matrix[hub.rows[keys[0]]][19:], oracle)
    assert_agrees(hub.matrix[hub.rows[keys[1]]][19:], (oracle + 2) / 4)


def test_a_pair_may_be_two_symbols() -> None:
    one, two = bars_of(walk(1.0, 100)), bars_of(walk(2.0, 100, seed=2))
    both = {name: np.concatenate([getattr(one, name), getattr(two, name)]) for name in FIELDS}
    bars = replace(one, symbols=("A", "B"), **both)
    views = windows(one.close[0] - two.close[0], 20)
    oracle = (views[:, -1] - views.mean(axis=1)) / views.std(axis=1)
    assert_agrees(computed(bars, "zscore(spread(close[A],close[B]),20)")[19:], oracle)
