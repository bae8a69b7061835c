"""Labels of the rules, by hand and against plain numpy."""

import math

import numpy as np

from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.bars import Bars
from admf_ray.statistics.borders import fit_borders
from tests.series import daily_bars
from tests.unit.classifiers.labelled import classified, inputs_of, labels

NAN = math.nan


def test_trend_is_up_while_the_close_is_above_its_average() -> None:
    # averages of 2, from bar 1 on: 10.5 10.5 10 10; 10 is no more than 10; a missing bar hides two averages
    assert labels(daily_bars([10, 11, 10, 10, 10]), "trend", period=2) == [-1, 1, 0, 0, 0]
    assert labels(daily_bars([10, 11, NAN, 10, 11]), "trend", period=2) == [-1, 1, -1, -1, 1]


def test_trend_agrees_with_plain_numpy(sp500: Bars) -> None:
    close = sp500.close[0]
    average = np.convolve(close, np.ones(200) / 200, mode="valid")
    expected = np.append(np.full(199, -1.0), close[199:] > average)
    np.testing.assert_array_equal(labels(sp500, "trend"), expected)


def test_volatile_comes_before_trend_and_trend_before_chop() -> None:
    # rows: efficiency ratio, volatility, its mean; ratio 1.5, threshold 0.3
    rows = np.array(
        [
            [NAN, 0.9, 0.9, 0.3, 0.29, 0.9, 0.9],
            [1.00, NAN, 1.0, 1.0, 1.50, 1.6, 1.6],
            [1.00, 1.0, NAN, 1.0, 1.00, 1.0, 1.2],
        ]
    )
    assert classified(rows, "trend_chop_volatile", {})[0].tolist() == [-1, -1, -1, 0, 1, 2, 0]


def test_trend_chop_volatile_agrees_with_plain_numpy(sp500: Bars) -> None:
    close = sp500.close[0]
    changes, returns = np.diff(close), np.diff(np.log(close))
    expected = np.full(len(close), -1.0)
    volatility = np.full(len(close), NAN)
    for t in range(20, len(close)):
        volatility[t] = returns[t - 20 : t].std(ddof=1)
    for t in range(119, len(close)):
        efficiency = abs(close[t] - close[t - 20]) / np.abs(changes[t - 20 : t]).sum()
        is_volatile = volatility[t] > 1.5 * volatility[t - 99 : t + 1].mean()
        expected[t] = 2 if is_volatile else 0 if efficiency >= 0.3 else 1
    assert set(expected) == {-1, 0, 1, 2}
    np.testing.assert_array_equal(labels(sp500, "trend_chop_volatile"), expected)


def test_volatility_counts_the_borders_below_it() -> None:
    rows = np.array([[NAN, 0.5, 1.0, 1.5, 2.0, 9.0]])
    assert classified(rows, "volatility", {}, [1.0, 2.0])[0].tolist() == [-1, 0, 0, 1, 1, 2]


def test_levels_of_volatility_have_equal_shares_where_they_are_fitted(sp500: Bars) -> None:
    rows = inputs_of(CLASSIFIERS["volatility"], sp500, {"states": 4})[:, :2_020]
    found = classified(rows, "volatility", {"states": 4}, fit_borders(rows, (20.0, 4.0)))[0]
    assert [int((found == label).sum()) for label in (-1, 0, 1, 2, 3)] == [20, 500, 500, 500, 500]


def test_a_breakout_lasts_until_the_close_is_beyond_the_middle() -> None:
    # The channel of the two bars before, high and low equal to the close:
    # bar 2: 10 to 11, 12 breaks out above | bar 3: 11 to 12, middle 11.5, which 11.5 is not below | bar 4: 11.5 to 12,
    # middle 11.75, 11.6 is below it | bar 5: 11.5 to 11.6, 11.55 stays | bar 6: 11.55 to 11.6, 11 breaks out below
    # bar 7: 11 to 11.55, 11.2 is below the middle | bar 8: 11 to 11.2, middle 11.1, 11.15 is above it
    bars = daily_bars([10, 11, 12, 11.5, 11.6, 11.55, 11, 11.2, 11.15])
    assert labels(bars, "pattern", period=2) == [-1, -1, 2, 2, 1, 1, 0, 0, 1]


def test_a_breakout_outlasts_missing_bars_unless_the_first_known_one_ends_it() -> None:
    # After the gap the channel is known again at bar 6: 12 to 13, middle 12.5: 12.6 goes on, 12.4 does not.
    for close, last in ((12.6, 2), (12.4, 1)):
        bars = daily_bars([10, 11, 12, NAN, 12, 13, close])
        assert labels(bars, "pattern", period=2) == [-1, -1, 2, -1, -1, -1, last]


def test_pattern_agrees_with_plain_numpy(sp500: Bars) -> None:
    close, high, low = sp500.close[0], sp500.high[0], sp500.low[0]
    expected, lasting = np.full(len(close), -1.0), 0
    for t in range(20, len(close)):
        upper, lower = high[t - 20 : t].max(), low[t - 20 : t].min()
        middle = (upper + lower) / 2
        if close[t] > upper:
            lasting = 1
        elif close[t] < lower:
            lasting = -1
        elif (lasting == 1 and close[t] < middle) or (lasting == -1 and close[t] > middle):
            lasting = 0
        expected[t] = 1 + lasting
    assert set(expected) == {-1, 0, 1, 2}
    np.testing.assert_array_equal(labels(sp500, "pattern"), expected)
