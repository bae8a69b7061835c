import numpy as np
import pandas as pd
import pytest
import talib

from tests.unit.indicators.computed import (
    NAN,
    assert_agrees,
    assert_comes_back,
    bars_of,
    computed,
    random_bars,
    series,
    windows,
)

BARS = bars_of([2.0, 4.0, 3.0, 4.0], high=[3.0, 5.0, 4.0, 4.0], low=[1.0, 2.0, 2.0, 2.0])
TURNS = bars_of([2.0, 4.0, 3.0, 3.0, 4.0], high=[5.0, 7.0, 6.0, 7.0, 6.0], low=[1.0, 3.0, 2.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("bars", "text", "expected"),
    [
        (BARS, "highest(high,2)", [NAN, 5.0, 5.0, 4.0]),
        (BARS, "lowest(low,2)", [NAN, 1.0, 2.0, 2.0]),
        (BARS, "highest(high,1)", [3.0, 5.0, 4.0, 4.0]),
        (BARS, "donchian(high,low,2)", [NAN, 5.0, 5.0, 4.0]),
        (BARS, "donchian(high,low,2).lower", [NAN, 1.0, 2.0, 2.0]),
        (BARS, "donchian(high,low,2).middle", [NAN, (5 + 1) / 2, (5 + 2) / 2, (4 + 2) / 2]),
        # 1 of 4 below the highest, 2 of 3, 0 of 2
        (BARS, "williams_r(high,low,close,2)", [NAN, -100 / 4, -200 / 3, 0.0]),
        # raw %K 75, 100/3, 100: their means of two, and the mean of these
        (BARS, "stochastic(high,low,close,2,2,2)", [NAN, NAN, (75 + 100 / 3) / 2, (100 / 3 + 100) / 2]),
        (BARS, "stochastic(high,low,close,2,2,2).d", [NAN, NAN, NAN, (75 + 200 / 3 + 100) / 4]),
        # bars since the highest high of three: 1; 0, the newest of two equal ones; 1
        (TURNS, "aroon(high,low,2)", [NAN, NAN, 50.0, 100.0, 50.0]),
        # bars since the lowest low of three: 2; 0, the newest of two equal ones; 1
        (TURNS, "aroon(high,low,2).down", [NAN, NAN, 0.0, 100.0, 50.0]),
        (TURNS, "aroon(high,low,2).oscillator", [NAN, NAN, 50.0, 0.0, 0.0]),
        # 3 among (1, 3, 2): 2 of 3 are not above it; (3, 2, 2): 2; (2, 2, 3): 3
        (TURNS, "percentile_rank(low,3)", [NAN, NAN, 2 / 3, 2 / 3, 1.0]),
    ],
)
def test_extremes_by_hand(bars, text: str, expected: list[float]) -> None:
    np.testing.assert_allclose(computed(bars, text), expected, rtol=1e-14)


@pytest.mark.parametrize("period", [2, 5, 14, 200, 1_000])
def test_extremes_agree_with_ta_lib(sp500, period: int) -> None:
    high, low, close = sp500.high[0], sp500.low[0], sp500.close[0]
    np.testing.assert_array_equal(computed(sp500, f"highest(close,{period})"), talib.MAX(close, period))
    np.testing.assert_array_equal(computed(sp500, f"lowest(close,{period})"), talib.MIN(close, period))
    np.testing.assert_array_equal(computed(sp500, f"donchian(high,low,{period}).upper"), talib.MAX(high, period))
    np.testing.assert_array_equal(computed(sp500, f"donchian(high,low,{period}).lower"), talib.MIN(low, period))
    middle = computed(sp500, f"donchian(high,low,{period}).middle")
    assert_agrees(middle, talib.MIDPRICE(high, low, period))
    assert_agrees(computed(sp500, f"williams_r(high,low,close,{period})"), talib.WILLR(high, low, close, period))
    key = f"stochastic(high,low,close,{period},3,5)"
    slow_k, slow_d = talib.STOCH(high, low, close, period, 3, 0, 5, 0)
    assert_agrees(computed(sp500, f"{key}.d"), slow_d)
    known = computed(sp500, key)
    assert np.isnan(known[: period + 1]).all()
    assert_agrees(known[period + 5 :], slow_k[period + 5 :])


@pytest.mark.parametrize("period", [2, 5, 14, 200, 1_000])
@pytest.mark.parametrize("digits", [2, -1])
def test_aroon_agrees_with_ta_lib_where_extremes_are_equal(sp500, period: int, digits: int) -> None:
    high, low = np.round(sp500.high[0], digits), np.round(sp500.low[0], digits)
    bars = bars_of(sp500.close[0], high=high, low=low)
    key = f"aroon(high,low,{period})"
    down, up = talib.AROON(high, low, period)
    assert_agrees(computed(bars, f"{key}.up"), up)
    assert_agrees(computed(bars, f"{key}.down"), down)
    assert_agrees(computed(bars, f"{key}.oscillator"), talib.AROONOSC(high, low, period))


@pytest.mark.parametrize("period", [2, 20, 1_000])
@pytest.mark.parametrize("digits", [2, -1])
def test_percentile_rank_agrees_with_pandas(sp500, period: int, digits: int) -> None:
    close = np.round(sp500.close[0], digits)
    oracle = pd.Series(close).rolling(period).rank(method="max", pct=True).to_numpy()
    np.testing.assert_allclose(series(close, f"percentile_rank(close,{period})"), oracle, rtol=1e-15)


@pytest.mark.parametrize("period", [1, 2, 3, 7, 64, 600])
@pytest.mark.parametrize("missing", [0.0, 0.01, 0.2])
@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_the_queue_is_right_whatever_the_order_of_values(period: int, missing: float, levels: int) -> None:
    rng = np.random.default_rng(period)
    values = 1.0 + rng.integers(0, levels, 1_500)
    values[200:900] = np.arange(700)[:: rng.choice([-1, 1])] + 1.0
    values[rng.random(1_500) < missing] = NAN
    rolling = pd.Series(values).rolling(period)
    np.testing.assert_array_equal(series(values, f"highest(close,{period})"), rolling.max())
    np.testing.assert_array_equal(series(values, f"lowest(close,{period})"), rolling.min())


@pytest.mark.parametrize("period", [1, 2, 9, 300])
def test_aroon_counts_from_the_newest_extreme_between_missing_bars(period: int) -> None:
    rng = np.random.default_rng(period)
    values = 1.0 + rng.integers(0, 20, 1_500)
    values[[100, 101, 600]] = NAN
    rolling = pd.Series(values).rolling(period + 1)
    # argmax of a window turned round finds its newest maximum
    up = rolling.apply(lambda window: 100 * (period - np.argmax(window[::-1])) / period, raw=True)
    down = rolling.apply(lambda window: 100 * (period - np.argmin(window[::-1])) / period, raw=True)
    np.testing.assert_array_equal(series(values, f"aroon(close,close,{period}).up"), up)
    np.testing.assert_array_equal(series(values, f"aroon(close,close,{period}).down"), down)


def test_flat_prices_lie_at_neither_end() -> None:
    flat = np.full(60, 7.0)
    assert (series(flat, "williams_r(close,close,close,14)")[13:] == -50.0).all()
    assert (series(flat, "stochastic(close,close,close,14,3,3).k")[15:] == 50.0).all()
    assert (series(flat, "stochastic(close,close,close,14,3,3).d")[17:] == 50.0).all()
    assert (series(flat, "percentile_rank(close,14)")[13:] == 1.0).all()
    assert (series(flat, "aroon(close,close,14).up")[14:] == 100.0).all()
    assert (series(flat, "aroon(close,close,14).oscillator")[14:] == 0.0).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_the_stochastic_does_not_drift_over_a_million_bars(scale: float) -> None:
    bars = random_bars(1_000_000, scale)
    high, low, close = (values[0, -5_000:] for values in (bars.high, bars.low, bars.close))
    upper, lower = windows(high, 14).max(axis=1), windows(low, 14).min(axis=1)
    raw = 100 * (close[13:] - lower) / (upper - lower)
    slow_k = windows(raw, 3).mean(axis=1)
    slow_d = windows(slow_k, 5).mean(axis=1)
    for output, exact in (("k", slow_k), ("d", slow_d)):
        found = computed(bars, f"stochastic(high,low,close,14,3,5).{output}")
        np.testing.assert_allclose(found[-len(exact) :], exact, atol=1e-10)
        assert np.nanmin(found) >= 0.0
        assert np.nanmax(found) <= 100.0


@pytest.mark.parametrize(
    "text",
    [
        "highest(close,20)",
        "lowest(close,20)",
        "donchian(high,low,20)",
        "williams_r(high,low,close,14)",
        "aroon(high,low,25)",
        "percentile_rank(close,30)",
        "stochastic(high,low,close,14,3,3)",
    ],
)
def test_extremes_come_back_after_missing_bars(text: str) -> None:
    assert_comes_back(text)
