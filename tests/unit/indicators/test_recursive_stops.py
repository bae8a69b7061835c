import math

import numpy as np
import pytest
import talib

from tests.series import daily_bars
from tests.unit.indicators.test_recursive import computed

NAN = math.nan


def plain_supertrend(high: np.ndarray, low: np.ndarray, close: np.ndarray, period: int, multiplier: float):
    """From the definition: basic bands, then carried ones, then which of them is followed."""
    middle, extent = (high + low) / 2, talib.ATR(high, low, close, period)
    above, below = middle + multiplier * extent, middle - multiplier * extent
    upper, lower, direction = above.copy(), below.copy(), np.full(len(close), NAN)
    direction[period] = 1 if close[period] >= middle[period] else -1
    for t in range(period + 1, len(close)):
        if close[t - 1] <= upper[t - 1]:
            upper[t] = min(above[t], upper[t - 1])
        if close[t - 1] >= lower[t - 1]:
            lower[t] = max(below[t], lower[t - 1])
        turned = close[t] < lower[t] if direction[t - 1] > 0 else close[t] > upper[t]
        direction[t] = -direction[t - 1] if turned else direction[t - 1]
    return np.where(direction > 0, lower, upper), direction


def test_parabolic_sar_by_hand() -> None:
    bars = daily_bars(
        np.full(7, 10.0),
        high=[10.0, 11.0, 13.0, NAN, 12.0, 11.0, 10.0],
        low=[8.0, 9.0, 10.0, NAN, 11.0, 9.0, 7.0],
    )
    # The second bar is higher: the trend rises, stop 8, extreme 11; next 8 + 0.1 x 3 = 8.3.
    # 13 is a new extreme, factor 0.2: 8.3 + 0.2 x 4.7 = 9.24, but not above the newest lows: 9. Then 9 + 0.2 x 4 = 9.8.
    # The low 9 is below: the stop is the extreme, 13, and next 13 + 0.1 x (9 - 13) = 12.6.
    np.testing.assert_allclose(
        computed("parabolic_sar(high,low,0.1,0.2)", bars), [NAN, 8.0, 8.3, NAN, 9.0, 13.0, 12.6], rtol=1e-14
    )


def test_parabolic_sar_of_a_fall_mirrors_that_of_a_rise(sp500) -> None:
    high, low = sp500.high[0], sp500.low[0]
    mirrored = daily_bars(sp500.close[0], high=4_000 - low, low=4_000 - high)
    text = "parabolic_sar(high,low,0.02,0.2)"
    # The second bar lies within the first, so that both begin as rises, until one of them has turned.
    late = 10
    np.testing.assert_allclose(4_000 - computed(text, mirrored)[late:], computed(text, sp500)[late:], rtol=1e-9)


@pytest.mark.parametrize(
    ("acceleration", "maximum"), [(0.02, 0.2), (0.1, 0.1), (0.5, 0.2), (0.005, 0.9), (0.0001, 0.0001)]
)
def test_parabolic_sar_agrees_with_ta_lib(sp500, acceleration: float, maximum: float) -> None:
    oracle = talib.SAR(sp500.high[0], sp500.low[0], acceleration, maximum)
    values = computed(f"parabolic_sar(high,low,{acceleration},{maximum})", sp500)
    np.testing.assert_allclose(values, oracle, rtol=1e-9)


def test_supertrend_by_hand() -> None:
    bars = daily_bars(
        [9.0, 12.0, 12.0, NAN, 8.0, 9.0, 11.0],
        high=[10.0, 12.0, 13.0, NAN, 11.0, 9.0, 12.0],
        low=[8.0, 10.0, 11.0, NAN, 7.0, 8.0, 9.0],
    )
    # middle +- range: 11 +- 3, 12 +- 2, 9 +- 5, 8.5 +- 1, 10.5 +- 3
    # lower band: 8, 10, 10 (4 is lower), 7.5 (the last close, 8, was below 10), 7.5
    # upper band: 14, 14, 14, 9.5, 9.5 (13.5 is higher). Close 12 is above its bar's middle: rising; 8 < 10 turns it,
    # 11 > 9.5 turns it again.
    text = "supertrend(high,low,close,1,1)"
    np.testing.assert_array_equal(computed(text, bars), [NAN, 8.0, 10.0, NAN, 14.0, 9.5, 7.5])
    np.testing.assert_array_equal(computed(f"{text}.direction", bars), [NAN, 1.0, 1.0, NAN, -1.0, -1.0, 1.0])


@pytest.mark.parametrize(("period", "multiplier"), [(1, 0.5), (10, 3.0), (14, 1.5), (100, 8.0)])
def test_supertrend_is_what_its_definition_says(sp500, period: int, multiplier: float) -> None:
    high, low, close = (getattr(sp500, name)[0] for name in ("high", "low", "close"))
    text = f"supertrend(high,low,close,{period},{multiplier})"
    level, direction = plain_supertrend(high, low, close, period, multiplier)
    assert {-1.0, 1.0} <= set(direction)
    np.testing.assert_allclose(computed(text, sp500), level, rtol=1e-9)
    np.testing.assert_array_equal(computed(f"{text}.direction", sp500), direction)


def test_the_first_trend_of_supertrend_falls_where_the_close_is_in_the_lower_half() -> None:
    for close, direction in ((10.9, -1.0), (11.0, 1.0), (11.1, 1.0)):
        bars = daily_bars([9.0, close], high=[10.0, 12.0], low=[8.0, 10.0])
        assert computed("supertrend(high,low,close,1,1).direction", bars)[1] == direction
