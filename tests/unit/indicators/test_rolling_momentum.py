import math

import numpy as np
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
    walk,
    windows,
)

FLOWS = bars_of([2.0, 4.0, 3.0, 3.0], volume=[10.0, 10.0, 20.0, 30.0])
RANGES = bars_of([4.0, 3.0, 2.0], high=[4.0, 4.0, 2.0], low=[2.0, 2.0, 2.0], volume=[10.0, 30.0, 10.0])


@pytest.mark.parametrize(
    ("bars", "text", "expected"),
    [
        # 4/2 - 1, the missing bar, and 6/4 - 1 across it
        (bars_of([2.0, 3.0, 4.0, NAN, 6.0]), "roc(close,2)", [NAN, NAN, 1.0, NAN, 0.5]),
        (bars_of([2.0, 3.0, 4.0, NAN, 6.0]), "momentum(close,2)", [NAN, NAN, 2.0, NAN, 2.0]),
        # (1, 3): 3 lies 1 above the mean, the mean deviation is 1; (3, 3): none
        (bars_of([1.0, 3.0, 3.0]), "cci(high,low,close,2)", [NAN, 1 / 0.015, 0.0]),
        # flows of +4x10, -3x20, and 0 where the price has not changed
        (FLOWS, "mfi(high,low,close,volume,2)", [NAN, NAN, 100 * 40 / (40 + 60), 0.0]),
        # changes +2, -1, +4, then a missing bar
        (bars_of([10.0, 12.0, 11.0, 15.0, NAN]), "cutler_rsi(close,2)", [NAN, NAN, 200 / 3, 400 / 5, NAN]),
        # |2-1| of |+2| + |-1|; |5-3| of |-1| + |+3|; |6-2| of |+3| + |+1|
        (bars_of([1.0, 3.0, 2.0, 5.0, 6.0]), "efficiency_ratio(close,2)", [NAN, NAN, 1 / 3, 2 / 4, 1.0]),
        # log returns +1, -1 (mean 0, squares 2), and -1, -1
        (bars_of(np.exp([1.0, 2.0, 1.0, 0.0])), "volatility(close,2)", [NAN, NAN, math.sqrt(2.0), 0.0]),
        # at the high: +10; in the middle: 0; no range: 0
        (RANGES, "chaikin_money_flow(high,low,close,volume,2)", [NAN, 10 / 40, 0.0]),
    ],
)
def test_momentum_by_hand(bars, text: str, expected: list[float]) -> None:
    np.testing.assert_allclose(computed(bars, text), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("period", [2, 14, 200, 1_000])
def test_momentum_agrees_with_ta_lib(sp500, period: int) -> None:
    high, low, close, volume = (values[0] for values in (sp500.high, sp500.low, sp500.close, sp500.volume))
    # TA-Lib's ROC is in percent
    assert_agrees(100 * computed(sp500, f"roc(close,{period})"), talib.ROC(close, period))
    assert_agrees(computed(sp500, f"roc(close,{period})"), talib.ROCP(close, period))
    assert_agrees(computed(sp500, f"momentum(close,{period})"), talib.MOM(close, period))
    assert_agrees(computed(sp500, f"cci(high,low,close,{period})"), talib.CCI(high, low, close, period))
    assert_agrees(computed(sp500, f"mfi(high,low,close,volume,{period})"), talib.MFI(high, low, close, volume, period))


def cutler(close: np.ndarray, period: int) -> np.ndarray:
    changes = windows(np.diff(close), period)
    gains, losses = np.maximum(changes, 0).sum(axis=1), np.maximum(-changes, 0).sum(axis=1)
    return 100 * gains / (gains + losses)


def efficiency(close: np.ndarray, period: int) -> np.ndarray:
    return np.abs(close[period:] - close[:-period]) / windows(np.abs(np.diff(close)), period).sum(axis=1)


def spread_of_returns(close: np.ndarray, period: int) -> np.ndarray:
    return windows(np.log(close[1:] / close[:-1]), period).std(axis=1, ddof=1)


def money_flow_index(high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray, period: int):
    typical = (high + low + close) / 3
    flows = windows(np.sign(np.diff(typical)) * typical[1:] * volume[1:], period)
    return 100 * np.maximum(flows, 0).sum(axis=1) / np.abs(flows).sum(axis=1)


def chaikin(high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray, period: int) -> np.ndarray:
    accumulated = ((close - low) - (high - close)) / (high - low) * volume
    return windows(accumulated, period).sum(axis=1) / windows(volume, period).sum(axis=1)


ON_CLOSES = [("cutler_rsi", cutler), ("efficiency_ratio", efficiency), ("volatility", spread_of_returns)]
ON_VOLUME = [("mfi", money_flow_index), ("chaikin_money_flow", chaikin)]


@pytest.mark.parametrize("period", [2, 14, 200, 1_000])
@pytest.mark.parametrize(("name", "oracle"), ON_CLOSES)
def test_momentum_of_closes_agrees_with_numpy(sp500, name: str, oracle, period: int) -> None:
    found = computed(sp500, f"{name}(close,{period})")
    assert np.isnan(found[:period]).all()
    np.testing.assert_allclose(found[period:], oracle(sp500.close[0], period), rtol=1e-11)


@pytest.mark.parametrize("period", [1, 21, 1_000])
def test_chaikin_money_flow_agrees_with_numpy(sp500, period: int) -> None:
    fields = [values[0] for values in (sp500.high, sp500.low, sp500.close, sp500.volume)]
    found = computed(sp500, f"chaikin_money_flow(high,low,close,volume,{period})")
    assert np.isnan(found[: period - 1]).all()
    np.testing.assert_allclose(found[period - 1 :], chaikin(*fields, period), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("period", [2, 50, 700])
def test_momentum_does_not_drift_over_a_million_bars(scale: float, period: int) -> None:
    bars = random_bars(1_000_000, scale)
    fields = [values[0, -5_000:] for values in (bars.high, bars.low, bars.close, bars.volume)]
    for name, oracle in ON_CLOSES:
        exact = oracle(fields[2], period)
        found = computed(bars, f"{name}(close,{period})")[-len(exact) :]
        np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-11)
    for name, oracle in ON_VOLUME:
        exact = oracle(*fields, period)
        found = computed(bars, f"{name}(high,low,close,volume,{period})")[-len(exact) :]
        np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("name", "oracle"), ON_CLOSES)
def test_what_has_left_the_window_leaves_no_trace(name: str, oracle) -> None:
    values = walk(1.0, 400)
    values[100:103] = [1e12, 1.0, 1e6]
    exact = oracle(values[103:], 20)
    np.testing.assert_allclose(series(values, f"{name}(close,20)")[-len(exact) :], exact, rtol=1e-9)


@pytest.mark.parametrize(("name", "oracle"), ON_VOLUME)
def test_a_volume_that_has_left_the_window_leaves_no_trace(name: str, oracle) -> None:
    bars = random_bars(400)
    fields = [values[0].copy() for values in (bars.high, bars.low, bars.close, bars.volume)]
    fields[3][100:103] = [1e15, 1.0, 1e9]
    high, low, close, volume = fields
    exact = oracle(*(values[103:] for values in fields), 20)
    spiked = bars_of(close, high=high, low=low, volume=volume)
    found = computed(spiked, f"{name}(high,low,close,volume,20)")[-len(exact) :]
    np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("level", [0.1, 1e-6, 1e9])
def test_flat_prices_are_neutral_whatever_came_before(level: float) -> None:
    flat = np.concatenate([level * (1 + np.random.default_rng(3).random(50)), np.full(60, level)])
    bars = bars_of(flat, volume=np.full(110, 5.0))
    neutral = {
        "roc(close,20)": 0.0,
        "momentum(close,20)": 0.0,
        "cci(high,low,close,20)": 0.0,
        "mfi(high,low,close,volume,20)": 50.0,
        "cutler_rsi(close,20)": 50.0,
        "efficiency_ratio(close,20)": 0.0,
        "volatility(close,20)": 0.0,
        "chaikin_money_flow(high,low,close,volume,20)": 0.0,
    }
    for text, expected in neutral.items():
        assert (computed(bars, text)[50 + 20 :] == expected).all(), text


def test_no_volume_is_neutral_and_an_unknown_one_is_missing() -> None:
    volume = np.full(80, 5.0)
    volume[10:30] = 0.0
    volume[60] = NAN
    bars = bars_of(walk(1.0, 80), high=walk(1.1, 80), low=walk(0.9, 80), volume=volume)
    flow = computed(bars, "chaikin_money_flow(high,low,close,volume,5)")
    index = computed(bars, "mfi(high,low,close,volume,5)")
    assert (flow[14:30] == 0.0).all()
    assert (index[14:30] == 50.0).all()
    for found in (flow, index):
        assert np.flatnonzero(np.isnan(found[5:])).tolist() == [55, 56, 57, 58, 59]
        assert np.isfinite(found[65:]).all()


def test_there_is_no_change_from_nothing() -> None:
    # closes less opens: 0, 1, -1, 2
    bars = bars_of([1.0, 2.0, 1.0, 3.0], open=[1.0, 1.0, 2.0, 1.0])
    np.testing.assert_array_equal(computed(bars, "roc(spread(close,open),1)"), [NAN, NAN, -2.0, -3.0])
    assert np.isnan(computed(bars, "volatility(spread(close,open),2)")).all()


@pytest.mark.parametrize(
    "text",
    [
        "cci(high,low,close,20)",
        "mfi(high,low,close,volume,14)",
        "cutler_rsi(close,14)",
        "efficiency_ratio(close,10)",
        "volatility(close,20)",
        "chaikin_money_flow(high,low,close,volume,20)",
    ],
)
def test_momentum_comes_back_after_missing_bars(text: str) -> None:
    assert_comes_back(text)


@pytest.mark.parametrize("name", ["roc", "momentum"])
def test_a_change_needs_its_two_values_only(name: str) -> None:
    values = walk(1.0, 100)
    values[40:43] = NAN
    missing = np.flatnonzero(np.isnan(series(values, f"{name}(close,10)")[10:])) + 10
    assert missing.tolist() == [40, 41, 42, 50, 51, 52]
