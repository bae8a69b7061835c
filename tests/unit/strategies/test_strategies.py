"""What strategies decide, on prices that can be followed by hand."""

import math

import numpy as np
import pytest

from tests.series import daily_bars, indicate, single_search


def targets(name: str, close: list[float], **params: float) -> np.ndarray:
    search = single_search(daily_bars(close), name, params)
    return search.targets(search.hub(), 0)[0]


def test_bollinger_reversion_buys_below_the_band_and_sells_at_the_average() -> None:
    # period 3, width 1: at 7 the mean is 9 and the deviation sqrt(2), so 7 < 7.58 buys; 7.5 is below the mean 8.17 and
    # above the band, so it holds; 9 is above the mean 7.83 and sells.
    close = [10, 10, 10, 7, 7.5, 9, 9]
    found = targets("bollinger_reversion", close, period=3, width=1)
    np.testing.assert_array_equal(found, [math.nan, math.nan, 0, 1, 1, 0, 0])


def test_bollinger_reversion_does_not_trade_equal_closes() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        close = np.concatenate([100 + rng.normal(size=15), np.full(40, 100 + rng.normal())])
        found = targets("bollinger_reversion", close, period=10, width=1)
        assert len(set(found[15 + 10 :])) == 1


def test_rsi_reversion_holds_from_oversold_to_its_exit() -> None:
    # period 2; averages of gains and losses, then the index
    # 10 9 8: 0 and 1: 0, buys; 9: (0+1)/2 and (1+0)/2: 50, holds; 8.5: 0.25 and (0.5+0.5)/2: 33.3, holds;
    # 11: (0.25+2.5)/2 and 0.25: 84.6, sells; 10.5: 0.6875 and (0.25+0.5)/2: 64.7, stays out
    found = targets("rsi_reversion", [10, 9, 8, 9, 8.5, 11, 10.5], period=2, oversold=30, exit=70)
    np.testing.assert_array_equal(found, [math.nan, math.nan, 1, 1, 1, 0, 0])


@pytest.mark.parametrize(("name", "average"), [("sma_cross", "sma"), ("ema_cross", "ema")])
def test_crossings_are_long_while_the_fast_average_is_above(sp500, name: str, average: str) -> None:
    close = sp500.close[0][:500]
    fast, slow = indicate(average, close, 10), indicate(average, close, 30)
    expected = np.where(np.isnan(slow), math.nan, fast > slow)
    np.testing.assert_array_equal(targets(name, close, fast=10, slow=30), expected)
