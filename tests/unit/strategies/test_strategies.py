"""What strategies decide, on prices that can be followed by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import plan_search
from admf_ray.optimize.space import Candidates
from admf_ray.strategies import STRATEGIES
from tests.series import daily_bars, indicate
from tests.unit.engine.account import bars_of
from tests.unit.strategies.decided import decided


def targets(name: str, close: list[float] | np.ndarray, **params: float) -> np.ndarray:
    return decided(daily_bars(close), name, **params)[0]


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


def test_macd_is_long_while_its_line_is_above_the_signal() -> None:
    # Averages of 1 (the close) and 2 (weight 2/3) bars, signal of 2:
    # slow 11, 35/3, 89/9, 305/27, 953/81; line 1, 1/3, -8/9, 19/27, 19/81; signal from bar 2 on: (1 + 1/3)/2 = 2/3,
    # 2/3 - 14/9 x 2/3 = -10/27, -10/27 + 29/27 x 2/3 = 28/81, 28/81 - 9/81 x 2/3 = 22/81
    # At the last bar the line is above 0, but below its signal.
    found = targets("macd_trend", [10, 12, 12, 9, 12, 12], fast=1, slow=2, signal=2)
    np.testing.assert_array_equal(found, [math.nan, math.nan, 0, 0, 1, 0])


def average(values: np.ndarray, period: int) -> np.ndarray:
    """Exponential, begun with the mean of the first values."""
    out = np.full(len(values), math.nan)
    out[period - 1] = values[:period].mean()
    for t in range(period, len(values)):
        out[t] = out[t - 1] + 2 / (period + 1) * (values[t] - out[t - 1])
    return out


def test_macd_agrees_with_plain_numpy(index) -> None:
    close = index.close[0]
    line = average(close, 12) - average(close, 26)
    signal = np.concatenate([np.full(25, math.nan), average(line[25:], 9)])
    expected = np.where(np.isnan(signal), math.nan, line > signal)
    found = decided(index, "macd_trend", fast=12, slow=26, signal=9)[0]
    assert np.isfinite(found).argmax() == 33
    np.testing.assert_array_equal(found, expected)


def test_momentum_is_long_while_the_return_over_its_lag_is_above_0() -> None:
    # lag 2: 10 after 10 is no gain; 11 after 9 is one, 8 after 10 none; 9 after 8 is one, whatever is missing between
    found = targets("time_series_momentum", [10, 9, 10, 11, 8, math.nan, 9, 8, 9.5], lag=2)
    np.testing.assert_array_equal(found, [math.nan, math.nan, 0, 1, 0, math.nan, 1, math.nan, 1])


def test_momentum_agrees_with_plain_numpy(index) -> None:
    close = index.close[0]
    expected = np.concatenate([np.full(252, math.nan), close[252:] > close[:-252]])
    np.testing.assert_array_equal(decided(index, "time_series_momentum", lag=252)[0], expected)


def test_symbols_that_are_decided_together_begin_together() -> None:
    late = [None] * 5 + [10.0] * 15
    bars = replace(bars_of([10.0] * 20, late), min_history=3)
    assert STRATEGIES["sma_cross"].begins(bars).tolist() == [2, 7]
    assert STRATEGIES["pairs_zscore"].begins(bars).tolist() == [7, 7]


def test_a_pair_needs_two_symbols() -> None:
    set_of_one = Candidates.single(STRATEGIES["pairs_zscore"].complete({}))
    with pytest.raises(ConfigError, match="pairs_zscore trades 2 symbols together and the data has 1"):
        plan_search(bars_of([10.0] * 50), STRATEGIES["pairs_zscore"], set_of_one, AccountRules())
