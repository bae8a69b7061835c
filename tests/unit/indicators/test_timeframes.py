"""Higher timeframes: what a bucket holds, and from when on its value is known."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from admf_ray import load_bars
from admf_ray.core.bars import Bars
from admf_ray.errors import ConfigError, DataError
from admf_ray.indicators import Key, compute_hub, plan_keys
from admf_ray.indicators.timeframes import aggregate
from tests.series import daily_bars

HOUR = 3_600 * 10**9


def minutes(stamps: list[str], close: list[float], **options: Any) -> Bars:
    """Bars of the New York exchange that are known at these local times."""
    frame = pl.DataFrame({"time": stamps, **dict.fromkeys(("open", "high", "low", "close"), close)}).with_columns(
        volume=pl.lit(10.0)
    )
    given = {
        "calendar": "XNYS",
        "timezone": "America/New_York",
        "periods_per_year": 252,
        "min_history_bars": 0,
        **options,
    }
    return load_bars(frame, sanity={"mode": "off"}, **given)


def laid_back(bars: Bars, text: str) -> list[float]:
    key = Key.parse(text).bind(bars.symbols[0])
    hub = compute_hub(bars, [key])
    return hub.matrix[hub.rows[key]].tolist()


def test_a_bucket_gathers_first_highest_lowest_last_and_sum() -> None:
    bars = load_bars("sp500")
    frame = aggregate(bars, "1mo")
    days = bars.known_at.astype("datetime64[ns]").astype("datetime64[M]")
    oracle = (
        pl.DataFrame(
            {
                "month": days.astype("datetime64[D]"),
                **{name: getattr(bars, name)[0] for name in ("open", "high", "low", "close", "volume")},
            }
        )
        .group_by("month", maintain_order=True)
        .agg(pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume"))
    )
    assert len(frame.bars) == 240
    for name in ("open", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(frame.bars, name)[0], oracle[name])
    np.testing.assert_allclose(frame.bars.volume[0], oracle["volume"], rtol=1e-14)


def test_a_value_holds_from_the_close_of_its_bucket_on_and_never_earlier() -> None:
    stamps = [f"2020-01-{day:02d} {hour}:30" for day in (2, 3) for hour in (10, 11, 12, 13, 14, 15)]
    stamps = [*stamps[:6], "2020-01-02 16:00", *stamps[6:], "2020-01-03 16:00", "2020-01-06 10:30"]
    close = [float(index + 1) for index in range(len(stamps))]
    found = laid_back(minutes(stamps, close), "close@1d")
    # The first day ends with the bar of 16:00, its seventh.
    np.testing.assert_array_equal(found, [np.nan] * 6 + [7.0] * 7 + [14.0, 14.0])


def test_a_bucket_does_not_close_because_the_next_bar_is_absent() -> None:
    """The last bar of the first day is missing: its bucket closes at 16:00 all the same."""
    stamps = ["2020-01-02 10:30", "2020-01-02 15:30", "2020-01-03 10:30", "2020-01-03 11:30"]
    found = laid_back(minutes(stamps, [1.0, 2.0, 3.0, 4.0]), "close@1d")
    np.testing.assert_array_equal(found, [np.nan, np.nan, 2.0, 2.0])


def test_the_last_bucket_is_used_only_if_the_calendar_says_that_it_is_over() -> None:
    bars = load_bars("sp500")
    cut = bars.head(int(np.searchsorted(bars.known_at, np.datetime64("2018-11-15", "ns").astype(np.int64))))
    whole, part = laid_back(bars, "close@1mo"), laid_back(cut, "close@1mo")
    np.testing.assert_array_equal(part, whole[: len(part)])
    # October's last close; November is not over.
    assert (
        part[-1]
        == bars.close[0][np.searchsorted(bars.known_at, np.datetime64("2018-11-01", "ns").astype(np.int64)) - 1]
    )


def test_a_half_day_closes_early() -> None:
    """The day after Thanksgiving 2019 ended at 13:00."""
    stamps = ["2019-11-27 15:30", "2019-11-27 16:00", "2019-11-29 12:30", "2019-11-29 13:00", "2019-12-02 10:30"]
    found = laid_back(minutes(stamps, [1.0, 2.0, 3.0, 4.0, 5.0]), "close@1d")
    np.testing.assert_array_equal(found, [np.nan, 2.0, 2.0, 4.0, 4.0])
    hours = laid_back(minutes(stamps, [1.0, 2.0, 3.0, 4.0, 5.0]), "close@2h")
    # Buckets begin at 9:30: 11:30 to 13:30 is cut off at 13:00.
    assert hours[3] == 4.0


def test_daylight_saving_moves_buckets_with_the_session() -> None:
    """On 2020-03-09 the session opened an hour earlier in UTC than on 2020-03-06."""
    stamps = ["2020-03-06 10:00", "2020-03-06 10:30", "2020-03-09 10:00", "2020-03-09 10:30"]
    bars = minutes(stamps, [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(laid_back(bars, "close@1h"), [np.nan, 2.0, 2.0, 4.0])
    assert (bars.known_at[3] - bars.known_at[1]) == 71 * HOUR


def test_indicators_run_on_the_buckets() -> None:
    bars = load_bars("sp500")
    found = laid_back(bars, "sma(close,3)@1w")
    weekly = aggregate(bars, "1w")
    averages = np.convolve(weekly.bars.close[0], np.ones(3) / 3, "valid")
    assert found[-1] == pytest.approx(averages[-1])
    at = int(np.searchsorted(bars.known_at, weekly.bars.known_at[2]))
    assert np.isnan(found[at - 1])
    assert found[at] == pytest.approx(averages[0])


def test_a_missing_bucket_is_a_missing_bar() -> None:
    stamps = ["2020-01-02 16:00", "2020-01-03 16:00", "2020-01-06 16:00"]
    bars = minutes(stamps, [1.0, float("nan"), 3.0])
    np.testing.assert_array_equal(laid_back(bars, "close@1d"), [1.0, np.nan, 3.0])


def test_an_average_of_laid_back_values_is_another_key() -> None:
    bars = load_bars("sp500")
    plan = plan_keys(("SPX",), [Key.parse(text).bind("SPX") for text in ("sma(close@1w,3)", "sma(close,3)@1w")])
    assert plan.computed == 2
    assert laid_back(bars, "sma(close@1w,3)") != laid_back(bars, "sma(close,3)@1w")


def test_what_is_no_timeframe_is_refused() -> None:
    with pytest.raises(ConfigError, match="a timeframe inside timeframe 1w"):
        plan_keys(("SPX",), [Key.parse("sma(close@1d,3)@1w").bind("SPX")])
    with pytest.raises(ConfigError, match=r"cannot be read at '5x'"):
        Key.parse("close@5x")
    with pytest.raises(DataError, match="these bars carry no sessions"):
        compute_hub(daily_bars([1.0, 2.0]), [Key.parse("close@1w").bind("X")])
