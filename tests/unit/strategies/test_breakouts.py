"""Breakouts: what is held from a rise beyond one level to a fall beyond another, by hand and against plain numpy."""

import math
from typing import Any

import numpy as np
import pytest

from admf_ray.core.bars import Bars
from tests.series import daily_bars
from tests.unit.strategies.decided import decided

NAN = math.nan


def wide_bars(close: list[float]) -> Bars:
    """Highs 1 above the close and lows 1 below it."""
    middle = np.array(close)
    return daily_bars(middle, high=middle + 1, low=middle - 1)


def held(rises: Any, falls: Any, known: Any) -> np.ndarray:
    """1 from a rise to a fall, else 0; NaN where it is not known."""
    out, state = np.full(len(known), NAN), 0.0
    for t in range(len(known)):
        state = 1.0 if rises[t] else 0.0 if falls[t] else state
        out[t] = state if known[t] else NAN
    return out


def test_donchian_compares_the_close_with_the_channel_of_the_bars_before() -> None:
    # entry 3, exit 2; the highest high of the three bars before, the lowest low of the two before, from bar 3 on:
    # highest 12 13 14.5 14.5 14.5 13: 12 is no more than 12, 13.5 is more than 13 and buys; 13 is no more than 13
    # lowest 9 9 11 11 10 8.5: 11 is no less than 11, 9.5 is less than 10 and sells
    bars = wide_bars([10, 11, 10, 12, 13.5, 12, 11, 9.5, 13])
    found = decided(bars, "donchian_breakout", entry=3, exit=2)[0]
    np.testing.assert_array_equal(found, [NAN, NAN, NAN, 0, 1, 1, 1, 0, 0])


def test_donchian_does_not_forget_a_fall_while_the_high_side_is_unknown() -> None:
    # Bar 5 is missing, so that three highs before are known again at bar 9 only, one low before at bar 7: there
    # 11 is less than 13 - 1 and sells; at 9 the close is within 10.5 and 14.
    bars = wide_bars([10, 11, 10, 12, 13.5, NAN, 13, 11, 11.5, 11.5])
    found = decided(bars, "donchian_breakout", entry=3, exit=1)[0]
    np.testing.assert_array_equal(found, [NAN, NAN, NAN, 0, 1, NAN, NAN, NAN, NAN, 0])


@pytest.mark.parametrize(("entry", "exit_"), [(20, 10), (55, 20)])
def test_donchian_agrees_with_plain_numpy(index, entry: int, exit_: int) -> None:
    close, high, low = index.close[0], index.high[0], index.low[0]
    bars = range(len(close))
    known = np.array([t >= entry for t in bars])
    rises = [known[t] and close[t] > high[t - entry : t].max() for t in bars]
    falls = [known[t] and close[t] < low[t - exit_ : t].min() for t in bars]
    found = decided(index, "donchian_breakout", entry=entry, exit=exit_)[0]
    assert 0 < np.nanmean(found) < 1
    np.testing.assert_array_equal(found, held(rises, falls, known))


def test_atr_trend_holds_between_its_bands() -> None:
    # period 3, so weights of 1/2; the range of one bar is the change of the close; 0.4 ranges:
    # average 10 12 12.5 12.25 11.125 11.0625 and range 0 4 1 1 2 1 from bar 2 on
    # bands 10 to 10 | 10.4 to 13.6: 14 buys | 12.1 to 12.9 | 11.85 to 12.65: 12 holds | 10.325 to 11.925: 10 sells |
    # 10.6625 to 11.4625: 11 stays out
    found = decided(daily_bars([10, 10, 10, 14, 13, 12, 10, 11]), "atr_trend", period=3, atr_period=1, width=0.4)[0]
    np.testing.assert_array_equal(found, [NAN, NAN, 0, 1, 1, 1, 0, 0])


def test_atr_trend_agrees_with_plain_numpy(index) -> None:
    close, high, low = index.close[0], index.high[0], index.low[0]
    count = len(close)
    average, extent = np.full(count, NAN), np.full(count, NAN)
    ranges = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
    average[19], extent[10] = close[:20].mean(), ranges[:10].mean()
    for t in range(20, count):
        average[t] = average[t - 1] + 2 / 21 * (close[t] - average[t - 1])
    for t in range(11, count):
        extent[t] = (9 * extent[t - 1] + ranges[t - 1]) / 10
    rises, falls = close > average + 1.5 * extent, close < average - 1.5 * extent
    found = decided(index, "atr_trend", period=20, atr_period=10, width=1.5)[0]
    assert 0 < np.nanmean(found) < 1
    np.testing.assert_array_equal(found, held(rises, falls, ~np.isnan(average)))


def test_volatility_breakout_measures_a_move_by_the_returns_before_it() -> None:
    # period 2: the deviation (ddof 1) of two returns is their difference over the root of 2.
    # Of the two before, from bar 3 on: 0.0141, 0.0071, 0.0177, 0.0106, 0.0212. 0.02 buys, -0.005 holds, -0.02 sells,
    # 0.01 stays out, 0.022 buys; with 0.022 itself in it, the deviation at the last bar would be 0.0085.
    returns = [0, 0.01, 0.03, 0.02, -0.005, -0.02, 0.01, 0.022]
    bars = daily_bars(100 * np.exp(np.cumsum(returns)))
    found = decided(bars, "volatility_breakout", period=2, width=1)[0]
    np.testing.assert_array_equal(found, [NAN, NAN, NAN, 1, 1, 0, 0, 1])
    # Twice the deviations: 0.0283, 0.0141, 0.0354, 0.0212, 0.0424: nothing is that large.
    found = decided(bars, "volatility_breakout", period=2, width=2)[0]
    np.testing.assert_array_equal(found, [NAN, NAN, NAN, 0, 0, 0, 0, 0])


def test_volatility_breakout_agrees_with_plain_numpy(index) -> None:
    returns = np.append(NAN, np.diff(np.log(index.close[0])))
    bars = range(len(returns))
    known = [t > 20 for t in bars]
    reach = np.array([2 * returns[t - 20 : t].std(ddof=1) if known[t] else NAN for t in bars])
    found = decided(index, "volatility_breakout", period=20, width=2)[0]
    assert 0 < np.nanmean(found) < 1
    np.testing.assert_array_equal(found, held(returns > reach, returns < -reach, known))
