import math

import numpy as np
import pandas as pd
import pytest
import talib

from admf_ray.indicators import INDICATORS
from tests.series import daily_bars, indicate
from tests.unit.indicators.test_recursive import computed

NAN = math.nan


def test_dema_by_hand() -> None:
    bars = daily_bars([1.0, 2.0, 6.0, 5.0, 9.0, 3.5])
    # averages of 3, weight 1/2: 3, 4, 6.5, 5; theirs: (3 + 4 + 6.5)/3 = 4.5, then 4.5 + 0.5/2 = 4.75
    # 2 x 6.5 - 4.5 = 8.5, 2 x 5 - 4.75 = 5.25
    np.testing.assert_array_equal(computed("dema(close,3)", bars), [NAN, NAN, NAN, NAN, 8.5, 5.25])


def test_tema_by_hand() -> None:
    bars = daily_bars([1.0, 5.0, 6.0, 8.0, 4.0])
    # averages of 2, weight 2/3: 3, 5, 7, 5; theirs: (3 + 5)/2 = 4, 6, 6 - 2/3 = 16/3; theirs: 5, 5 + 2/9 = 47/9
    # 3 x (7 - 6) + 5 = 8, 3 x (5 - 16/3) + 47/9 = 38/9
    np.testing.assert_allclose(computed("tema(close,2)", bars), [NAN, NAN, NAN, 8.0, 38 / 9], rtol=1e-14)


def test_macd_by_hand() -> None:
    bars = daily_bars([1.0, 2.0, 6.0, 5.0, 9.0, 3.5])
    # fast: the closes; slow of 3, weight 1/2: 3, 4, 6.5, 5; lines: 3, 1, 2.5, -1.5
    # signal of 3: (3 + 1 + 2.5)/3 = 6.5/3, then 6.5/3 + (-1.5 - 6.5/3)/2 = 1/3
    start = [NAN] * 4
    np.testing.assert_array_equal(computed("macd(close,1,3,3).line", bars), [*start, 2.5, -1.5])
    np.testing.assert_allclose(computed("macd(close,1,3,3).signal", bars), [*start, 6.5 / 3, 1 / 3], rtol=1e-14)
    np.testing.assert_allclose(computed("macd(close,1,3,3).histogram", bars), [*start, 1 / 3, -5.5 / 3], rtol=1e-14)


def test_ewm_volatility_by_hand() -> None:
    prices = np.exp([0.0, 1.0, 1.0, NAN, 3.0])
    # returns 1, 0 and, over the gap, 2; variances 1, 0.5, (0.5 + 4)/2 = 2.25
    np.testing.assert_allclose(indicate("ewm_volatility", prices, 1), [NAN, 1.0, math.sqrt(0.5), NAN, 1.5], rtol=1e-14)


@pytest.mark.parametrize("nothing", [0.0, -1.0])
def test_a_price_without_a_logarithm_counts_as_missing(nothing: float) -> None:
    prices = np.array([nothing, 10.0, 11.0, nothing, 12.0])
    missing = np.where(prices > 0, prices, NAN)
    np.testing.assert_array_equal(indicate("ewm_volatility", prices, 5), indicate("ewm_volatility", missing, 5))


@pytest.mark.parametrize("half_life", [1.0, 11.2, 250.0])
def test_ewm_volatility_agrees_with_pandas(sp500, half_life: float) -> None:
    squares = pd.Series(np.diff(np.log(sp500.close[0])) ** 2)
    oracle = np.sqrt(squares.ewm(halflife=half_life, adjust=False).mean())
    np.testing.assert_allclose(indicate("ewm_volatility", sp500.close[0], half_life)[1:], oracle, rtol=1e-9)


@pytest.mark.parametrize(("name", "oracle"), [("dema", talib.DEMA), ("tema", talib.TEMA)])
@pytest.mark.parametrize("period", [2, 14, 200])
def test_averages_of_averages_agree_with_ta_lib(sp500, name: str, oracle, period: int) -> None:
    close = sp500.close[0]
    np.testing.assert_allclose(computed(f"{name}(close,{period})", sp500), oracle(close, period), rtol=1e-9)


@pytest.mark.parametrize("periods", [(12, 26, 9), (3, 5, 2), (50, 200, 30)])
def test_macd_agrees_with_ta_lib_after_the_convergence(sp500, periods: tuple[int, int, int]) -> None:
    text = "macd(close,{},{},{})".format(*periods)
    late = INDICATORS["macd"].convergence(tuple(map(float, periods)))
    close = sp500.close[0]
    for output, oracle in zip(["line", "signal", "histogram"], talib.MACD(close, *periods), strict=True):
        values = computed(f"{text}.{output}", sp500)
        np.testing.assert_array_equal(np.isnan(values), np.isnan(oracle))
        np.testing.assert_allclose(values[late:], oracle[late:], rtol=0, atol=1e-9 * close.max())


def test_a_macd_of_swapped_averages_is_the_negative(sp500) -> None:
    one, other = (computed(f"macd(close,{periods},9).signal", sp500) for periods in ("12,26", "26,12"))
    np.testing.assert_array_equal(one, -other)
