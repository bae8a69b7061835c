import math
from typing import Any

import numpy as np
import polars as pl
import pytest
import talib

from admf_ray.core.bars import Bars
from admf_ray.indicators import INDICATORS

NAN = math.nan
NAMES = [entry.name for entry in INDICATORS if entry.pattern == "cumulative"]
BY_SESSION = ["vwap", "realized_variance", "bar_count", "session_trade_count"]


def accumulate(name: str, sources: Any, session: Any = None) -> np.ndarray:
    """Compute an indicator over a mapping of its inputs to series; without sessions all is one."""
    entry = INDICATORS[name]
    matrix = np.array([sources[field] for field in entry.inputs], dtype=float)
    height, count = matrix.shape
    out = np.empty((1, count))
    session = np.zeros(count, np.int32) if session is None else np.asarray(session, np.int32)
    entry.kernel(matrix, np.arange(height), session, np.zeros(0), np.zeros(entry.state_size(())), 0, count, out)
    return out[0]


def fields(bars: Bars, scale: float = 1.0) -> dict[str, np.ndarray]:
    prices = {name: scale * getattr(bars, name)[0] for name in ("open", "high", "low", "close")}
    return prices | {"volume": bars.volume[0].copy()}


def test_on_balance_volume_by_hand() -> None:
    found = accumulate("obv", {"close": [5.0, 6.0, 6.0, NAN, 5.5, 7.0], "volume": [10.0, 20.0, 40.0, 80.0, 1.0, 2.0]})
    # 10; higher 10+20; equal; missing; lower than 6, 30-1; higher 29+2
    np.testing.assert_array_equal(found, [10.0, 30.0, 30.0, NAN, 29.0, 31.0])


def test_the_first_bar_counts_as_higher_whatever_its_level() -> None:
    # a spread may be below 0: 3, then lower, 3-1
    np.testing.assert_array_equal(accumulate("obv", {"close": [-1.0, -2.0], "volume": [3.0, 1.0]}), [3.0, 2.0])


def test_accumulation_distribution_by_hand() -> None:
    bars = {
        "high": [12.0, 14.0, 9.0, NAN, 8.0],
        "low": [8.0, 10.0, 9.0, NAN, 6.0],
        "close": [11.0, 10.0, 9.0, NAN, 8.0],
    }
    found = accumulate("accumulation_distribution", bars | {"volume": [100.0, 30.0, 500.0, 7.0, 4.0]})
    # (3-1)/4 x 100 = 50; (0-4)/4 x 30 = -30; no range, 0; missing; (2-0)/2 x 4 = 4
    np.testing.assert_array_equal(found, [50.0, 20.0, 20.0, NAN, 24.0])


def test_cumulative_volume_by_hand() -> None:
    found = accumulate(
        "cumulative_volume", {"close": [1.0, NAN, 1.0, 1.0], "volume": [3.0, 5.0, NAN, 4.0]}, [0, 0, 1, 2]
    )
    # 3; a bar without prices; one without volume; 3+4, whatever the session
    np.testing.assert_array_equal(found, [3.0, NAN, NAN, 7.0])


def test_volume_weighted_average_price_by_hand() -> None:
    bars = {"high": [12.0, 21.0, NAN, 33.0, 9.0, 6.0], "low": [8.0, 18.0, 1.0, 27.0, 9.0, 6.0]}
    bars |= {"close": [10.0, 21.0, 1.0, 30.0, 9.0, 6.0], "volume": [1.0, 3.0, 50.0, 1.0, 0.0, 2.0]}
    found = accumulate("vwap", bars, [4, 4, 4, 4, 5, 5])
    # typical 10; (10+3x20)/4 = 17.5; missing; (70+30)/5 = 20; a new session without trades; its first trades at 6
    np.testing.assert_array_equal(found, [10.0, 17.5, NAN, 20.0, NAN, 6.0])


def test_realized_variance_by_hand() -> None:
    up, down = math.log(2.0) ** 2, math.log(0.5) ** 2
    found = accumulate("realized_variance", {"close": [1.0, 2.0, NAN, 1.0, 8.0, 8.0, 16.0]}, [0, 0, 0, 0, 1, 1, 1])
    # nothing yet; log(2)^2; missing; log(1/2)^2 more; a new session without the night's log(8)^2; no change; log(2)^2
    np.testing.assert_allclose(found, [0.0, up, NAN, up + down, 0.0, 0.0, up], rtol=1e-15)


def test_bar_count_by_hand() -> None:
    found = accumulate("bar_count", {"close": [1.0, NAN, 1.0, NAN, 1.0, 1.0]}, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(found, [1.0, NAN, 2.0, NAN, 1.0, 2.0])


def test_session_trade_count_by_hand() -> None:
    bars = {"close": [1.0, 1.0, NAN, 1.0, 1.0, 1.0], "volume": [5.0, 2.0, 9.0, 1.0, 4.0, 3.0]}
    # 5, 5+2, missing, 7+1; the next session: 4, 4+3
    np.testing.assert_array_equal(accumulate("session_trade_count", bars, [0, 0, 0, 0, 1, 1]), [5, 7, NAN, 8, 4, 7])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize(("name", "oracle"), [("obv", talib.OBV), ("accumulation_distribution", talib.AD)])
def test_sums_agree_with_ta_lib_at_any_level(sp500: Bars, name: str, oracle: Any, scale: float) -> None:
    bars = fields(sp500, scale)
    expected = oracle(*(bars[field] for field in INDICATORS[name].inputs))
    np.testing.assert_allclose(accumulate(name, bars), expected, rtol=1e-9, atol=1e-9 * bars["volume"].max())


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("name", ["cumulative_volume", *BY_SESSION])
def test_sums_agree_with_polars_at_any_level(sp500: Bars, name: str, scale: float) -> None:
    bars = fields(sp500, scale)
    session = np.cumsum(np.random.default_rng(1).random(len(sp500)) < 0.05)
    close, volume = pl.col("close"), pl.col("volume")
    typical = pl.mean_horizontal("high", "low", "close")
    returns = (close.log() - close.log().shift(1)).fill_null(0.0)
    expression = {
        "cumulative_volume": volume.cum_sum(),
        "vwap": ((typical * volume).cum_sum() / volume.cum_sum()).over("session"),
        "realized_variance": (returns.over("session") ** 2).cum_sum().over("session"),
        "bar_count": close.cum_count().over("session"),
        "session_trade_count": volume.cum_sum().over("session"),
    }[name]
    expected = pl.DataFrame(bars | {"session": session}).select(expression).to_series().to_numpy()
    np.testing.assert_allclose(accumulate(name, bars, session), expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_a_bar_with_a_missing_source_leaves_the_sums_as_they_are(sp500: Bars, name: str) -> None:
    whole = fields(sp500)
    session = np.arange(60) // 7
    for index, field in enumerate(INDICATORS[name].inputs):
        bars = {other: values[:60].copy() for other, values in whole.items()}
        # First, middle and last bars of sessions, and a whole one.
        gone = np.array([0, 1, 13, 14, 24 + index, *range(35, 42)])
        bars[field][gone] = NAN
        found = accumulate(name, bars, session)
        assert np.isnan(found[gone]).all()
        kept = np.delete(np.arange(60), gone)
        without = accumulate(name, {other: values[kept] for other, values in bars.items()}, session[kept])
        assert np.isfinite(without).all()
        np.testing.assert_array_equal(found[kept], without)


@pytest.mark.parametrize("name", BY_SESSION)
@pytest.mark.parametrize("first", [0, 1, 700])
def test_a_session_does_not_know_the_ones_before_it_nor_its_number(sp500: Bars, name: str, first: int) -> None:
    bars = {field: values[:90] for field, values in fields(sp500).items()}
    found = accumulate(name, bars, first + np.arange(90) // 30)
    for start in (0, 30, 60):
        alone = {field: values[start : start + 30] for field, values in bars.items()}
        np.testing.assert_array_equal(found[start : start + 30], accumulate(name, alone))


@pytest.mark.parametrize("name", ["obv", "accumulation_distribution", "cumulative_volume"])
def test_sums_over_the_whole_series_do_not_know_sessions(sp500: Bars, name: str) -> None:
    bars = fields(sp500)
    np.testing.assert_array_equal(accumulate(name, bars, np.arange(len(sp500)) // 7), accumulate(name, bars))


def test_a_session_of_one_bar_has_its_typical_price_and_no_variance(sp500: Bars) -> None:
    bars, session = fields(sp500), np.arange(len(sp500))
    typical = (bars["high"] + bars["low"] + bars["close"]) / 3
    np.testing.assert_allclose(accumulate("vwap", bars, session), typical, rtol=1e-15)
    assert (accumulate("realized_variance", bars, session) == 0.0).all()
    assert (accumulate("bar_count", bars, session) == 1.0).all()


def test_a_close_without_logarithm_counts_as_missing_to_the_variance() -> None:
    # log(4/2)^2, over what is not above 0 and finite
    expected = [NAN, 0.0, NAN, NAN, NAN, math.log(2.0) ** 2]
    np.testing.assert_array_equal(
        accumulate("realized_variance", {"close": [0.0, 2.0, 0.0, -1.0, math.inf, 4.0]}), expected
    )


@pytest.mark.parametrize("name", NAMES)
def test_sums_too_large_for_a_number_are_unknown_and_not_infinite(name: str) -> None:
    levels = np.array([1e308, 1e-300, 5e307, math.inf, 5e307, 1.0])
    bars = {"high": 1.5 * levels, "low": levels, "close": levels, "volume": np.full(6, 1e308)}
    assert not np.isinf(accumulate(name, bars)).any()


@pytest.mark.parametrize("name", ["obv", "accumulation_distribution", "cumulative_volume", "realized_variance"])
def test_a_million_bars_lose_no_more_than_said(name: str) -> None:
    rng = np.random.default_rng(2)
    count = 1_000_000
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, count)) / 10)
    bars = {
        "high": close * 1.01,
        "low": close * (1 - 0.02 * rng.random(count)),
        "close": close,
        "volume": rng.random(count),
    }
    extent = bars["high"] - bars["low"]
    terms = {
        "obv": np.sign(np.diff(close, prepend=0.0)) * bars["volume"],
        "accumulation_distribution": ((close - bars["low"]) - (bars["high"] - close)) / extent * bars["volume"],
        "cumulative_volume": bars["volume"],
        "realized_variance": np.log(close / np.concatenate([close[:1], close[:-1]])) ** 2,
    }[name]
    bound = count * 1.2e-16 * math.fsum(np.abs(terms) if name == "realized_variance" else bars["volume"])
    assert abs(accumulate(name, bars)[-1] - math.fsum(terms)) <= bound
