import numpy as np
import talib

from tests.unit.indicators.computed import assert_agrees, computed


def test_keltner_is_an_average_with_true_ranges_around_it(sp500) -> None:
    high, low, close = sp500.high[0], sp500.low[0], sp500.close[0]
    middle, reach = talib.EMA(close, 20), 1.5 * talib.ATR(high, low, close, 10)
    middle[np.isnan(reach)] = np.nan
    key = "keltner(high,low,close,20,10,1.5)"
    assert_agrees(computed(sp500, f"{key}.middle"), middle)
    assert_agrees(computed(sp500, f"{key}.upper"), middle + reach)
    assert_agrees(computed(sp500, f"{key}.lower"), middle - reach)


def test_its_parts_are_those_of_everybody(sp500) -> None:
    key = "keltner(high,low,close,20,10,1.5)"
    reach = computed(sp500, f"{key}.upper") - computed(sp500, f"{key}.middle")
    assert_agrees(reach[19:], 1.5 * computed(sp500, "atr(high,low,close,10)")[19:])
    assert_agrees(computed(sp500, f"{key}.middle")[19:], computed(sp500, "ema(close,20)")[19:])
