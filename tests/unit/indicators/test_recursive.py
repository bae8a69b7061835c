import math

import numpy as np
import pytest
import talib

from admf_ray.indicators import INDICATORS
from tests.series import indicate


def test_ema_by_hand() -> None:
    values = np.array([1.0, 2.0, 6.0, math.nan, 5.0])
    # (1+2+6)/3 = 3; the missing bar keeps the state; 3 + (5-3) x 2/4 = 4
    np.testing.assert_array_equal(indicate("ema", values, 3), [math.nan, math.nan, 3.0, math.nan, 4.0])


def test_rsi_by_hand() -> None:
    values = np.array([10.0, 12.0, 11.0, math.nan, 15.0])
    # changes +2, -1: averages 1 and 0.5, 100 x 1/1.5; then +4: (1+4)/2 = 2.5 and (0.5+0)/2 = 0.25, 100 x 2.5/2.75
    np.testing.assert_allclose(
        indicate("rsi", values, 2), [math.nan, math.nan, 100 / 1.5, math.nan, 250 / 2.75], rtol=1e-15
    )


def test_rsi_of_prices_that_never_changed_is_neutral() -> None:
    assert (indicate("rsi", np.full(50, 7.0), 14)[14:] == 50.0).all()


@pytest.mark.parametrize(("name", "oracle"), [("ema", talib.EMA), ("rsi", talib.RSI)])
@pytest.mark.parametrize("period", [2, 14, 200])
def test_recursive_indicators_agree_with_ta_lib(sp500, name: str, oracle, period: int) -> None:
    close = sp500.close[0]
    np.testing.assert_allclose(indicate(name, close, period), oracle(close, period), rtol=1e-10)


@pytest.mark.parametrize("name", ["ema", "rsi"])
@pytest.mark.parametrize("period", [2, 14, 100])
def test_values_forget_where_the_series_began(sp500, name: str, period: int) -> None:
    close = sp500.close[0]
    convergence = INDICATORS[name].convergence((float(period),))
    late = indicate(name, close[1_000:], period)[convergence:]
    scale = np.abs(close).max() if name == "ema" else 100.0
    np.testing.assert_allclose(late, indicate(name, close, period)[1_000 + convergence :], atol=1e-9 * scale)
