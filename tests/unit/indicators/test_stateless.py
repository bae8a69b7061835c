import math
from typing import Any

import numpy as np
import pytest
import talib

from admf_ray.core.bars import Bars
from admf_ray.indicators import INDICATORS

NAN = math.nan
NAMES = [entry.name for entry in INDICATORS if entry.pattern == "stateless"]
FALL = {"open": [9.0, 10.0, 12.0, 5.0], "high": [11.0, 13.0, 14.0, 6.0], "low": [8.0, 10.0, 9.0, 4.0]}
FALL["close"] = [10.0, 12.0, 10.0, 5.0]


def outputs(name: str, sources: Any) -> np.ndarray:
    """Compute an indicator over a mapping of its inputs to series."""
    entry = INDICATORS[name]
    matrix = np.array([sources[field] for field in entry.inputs], dtype=float)
    height, count = matrix.shape
    out = np.empty((len(entry.outputs), count))
    session = np.zeros(count, np.int32)
    entry.kernel(matrix, np.arange(height), session, np.zeros(0), np.zeros(entry.state_size(())), 0, count, out)
    return out


def fields(bars: Bars) -> dict[str, np.ndarray]:
    return {name: getattr(bars, name)[0] for name in ("open", "high", "low", "close", "volume")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # (11+8+10)/3, (13+10+12)/3, (14+9+10)/3, (6+4+5)/3
        ("typical_price", [29 / 3, 35 / 3, 11.0, 5.0]),
        # (11+8)/2, (13+10)/2, (14+9)/2, (6+4)/2
        ("median_price", [9.5, 11.5, 11.5, 5.0]),
        # (11+8+20)/4, (13+10+24)/4, (14+9+20)/4, (6+4+10)/4
        ("weighted_price", [9.75, 11.75, 10.75, 5.0]),
        # 10-9, 12-10, 10-12, 5-5
        ("candle_body", [1.0, 2.0, -2.0, 0.0]),
        # 11-8, 13-10, 14-9, 6-4
        ("candle_range", [3.0, 3.0, 5.0, 2.0]),
        # max(3, |13-10|, |10-10|), max(5, |14-12|, |9-12|), max(2, |6-10|, |4-10|)
        ("true_range", [NAN, 3.0, 5.0, 6.0]),
        # 12/10, 10/12, 5/10
        ("log_return", [NAN, math.log(1.2), math.log(10 / 12), math.log(0.5)]),
        # 10/10 - 1, 12/12 - 1, 5/10 - 1
        ("gap", [NAN, 0.0, 0.0, -0.5]),
    ],
)
def test_values_by_hand(name: str, expected: list[float]) -> None:
    np.testing.assert_allclose(outputs(name, FALL)[0], expected, rtol=1e-15)


def test_pivot_by_hand() -> None:
    found = outputs("pivot", {"high": [13.0, 99.0], "low": [10.0, 1.0], "close": [10.0, 50.0]})
    assert INDICATORS["pivot"].outputs == ("pivot", "r1", "r2", "r3", "s1", "s2", "s3")
    assert np.isnan(found[:, 0]).all()
    # p = (13+10+10)/3 = 11; 2x11-10, 11+(13-10), 13+2(11-10); 2x11-13, 11-(13-10), 10-2(13-11)
    np.testing.assert_array_equal(found[:, 1], [11.0, 12.0, 14.0, 15.0, 9.0, 8.0, 6.0])


def test_pivot_uses_nothing_of_its_own_bar(sp500: Bars) -> None:
    bars = {name: values[:100].copy() for name, values in fields(sp500).items()}
    before = outputs("pivot", bars)
    for name in ("high", "low", "close"):
        bars[name][-1] *= 3
    np.testing.assert_array_equal(outputs("pivot", bars), before)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("typical_price", talib.TYPPRICE),
        ("median_price", talib.MEDPRICE),
        ("weighted_price", talib.WCLPRICE),
        ("true_range", talib.TRANGE),
    ],
)
def test_prices_agree_with_ta_lib_at_any_level(sp500: Bars, name: str, oracle: Any, scale: float) -> None:
    bars = {field: scale * values for field, values in fields(sp500).items()}
    expected = oracle(*(bars[field] for field in INDICATORS[name].inputs))
    np.testing.assert_allclose(outputs(name, bars)[0], expected, rtol=1e-9, atol=1e-9 * scale)


def bars_of_numpy(name: str, bars: dict[str, np.ndarray]) -> np.ndarray:
    """The same by whole arrays."""
    opened, high, low, close = (bars[field] for field in ("open", "high", "low", "close"))
    before = {field: np.concatenate([[NAN], bars[field][:-1]]) for field in ("high", "low", "close")}
    center = sum(before.values()) / 3
    extent = before["high"] - before["low"]
    first, lowest = 2 * center - before["low"], 2 * center - before["high"]
    return {
        "candle_body": close - opened,
        "candle_range": high - low,
        "log_return": np.log(close) - np.log(before["close"]),
        "gap": (opened - before["close"]) / before["close"],
        # The third levels are the first ones and the range again.
        "pivot": [center, first, center + extent, first + extent, lowest, center - extent, lowest - extent],
    }[name]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("name", ["candle_body", "candle_range", "log_return", "gap", "pivot"])
def test_the_others_agree_with_numpy_at_any_level(sp500: Bars, name: str, scale: float) -> None:
    bars = {field: scale * values for field, values in fields(sp500).items()}
    size = 1.0 if name in {"log_return", "gap"} else scale * sp500.close.max()
    np.testing.assert_allclose(
        outputs(name, bars), np.atleast_2d(bars_of_numpy(name, bars)), rtol=1e-9, atol=1e-13 * size
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_bar_with_a_missing_source_is_left_out_of_the_series(sp500: Bars, name: str) -> None:
    whole = fields(sp500)
    for index, field in enumerate(INDICATORS[name].inputs):
        bars = {other: values[:60].copy() for other, values in whole.items()}
        gone = np.array([0, 1, 20 + index, 21 + index, 40])
        bars[field][gone] = NAN
        found = outputs(name, bars)
        assert np.isnan(found[:, gone]).all()
        kept = np.delete(np.arange(60), gone)
        np.testing.assert_array_equal(
            found[:, kept], outputs(name, {other: values[kept] for other, values in bars.items()})
        )


@pytest.mark.parametrize("name", NAMES)
def test_values_begin_at_the_warm_up(sp500: Bars, name: str) -> None:
    warm_up = 1 if name in {"true_range", "log_return", "gap", "pivot"} else 0
    assert INDICATORS[name].warm_up(()) == warm_up
    found = outputs(name, fields(sp500))
    assert np.isnan(found[:, :warm_up]).all()
    assert np.isfinite(found[:, warm_up:]).all()


def test_values_without_logarithm_count_as_missing() -> None:
    found = outputs("log_return", {"close": [2.0, 0.0, -1.0, math.inf, 4.0]})
    # log(4/2), over all that is not above 0 and finite
    np.testing.assert_array_equal(found[0], [NAN, NAN, NAN, NAN, math.log(2.0)])


def test_a_gap_from_a_close_of_zero_is_unknown() -> None:
    # 3/0 has no value; 3/2 - 1
    np.testing.assert_array_equal(
        outputs("gap", {"open": [1.0, 3.0, 3.0], "close": [0.0, 2.0, 2.0]})[0], [NAN, NAN, 0.5]
    )


@pytest.mark.parametrize("name", NAMES)
def test_prices_at_the_end_of_all_numbers_give_nothing_infinite(name: str) -> None:
    levels = np.array([1e308, 5e-324, 1.7e308, 1e-300, -1.7e308, math.inf, 1.0, 1.0])
    bars = {"open": levels, "high": levels, "low": np.roll(levels, 1), "close": np.roll(levels, 2)}
    found = outputs(name, bars)
    assert not np.isinf(found).any()
    assert np.isfinite(
        outputs(name, {field: np.append(values, [1.0, 1.0]) for field, values in bars.items()})[:, -1]
    ).all()


def test_log_returns_over_more_than_all_numbers_are_exact() -> None:
    # log(1e200 / 1e-200) = 400 log 10, and back
    expected = [NAN, 400 * math.log(10), -400 * math.log(10)]
    np.testing.assert_allclose(outputs("log_return", {"close": [1e-200, 1e200, 1e-200]})[0], expected, rtol=1e-14)
