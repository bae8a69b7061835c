"""Stamps: what a source writes as date and time, and the moment at which a bar is known."""

import numpy as np
import polars as pl
import pytest

from admf_ray.core.bars import FIELDS
from admf_ray.errors import DataError
from tests.unit.data.files import HEADER, days, load, moments, written


def test_times_of_day_are_read_in_their_zone_and_moved_to_the_end_of_the_bar(tmp_path) -> None:
    rows = "".join(f"2020-01-02 {hour}:30:00,1,1,1,1,1\n" for hour in (10, 11, 12))
    path = written(tmp_path, HEADER + rows)
    new_york = {"timezone": "America/New_York", "periods_per_year": 252}
    assert moments(load("csv", path, **new_york).known_at)[0] == "2020-01-02T15:30"
    assert moments(load("csv", path, stamp="open", **new_york).known_at)[0] == "2020-01-02T16:30"


def test_midnights_are_days(tmp_path) -> None:
    text = HEADER + "".join(f"{day} 00:00:00,1,1,1,1,1\n" for day in ("2020-01-02", "2020-01-03"))
    known = ["2020-01-02T21:00", "2020-01-03T21:00"]
    assert moments(load("csv", written(tmp_path, text), calendar="XNYS").known_at) == known
    frame = pl.read_csv(tmp_path / "prices.csv", try_parse_dates=True)
    frame.write_parquet(tmp_path / "naive.parquet")
    zoned = pl.col("date").dt.replace_time_zone("America/New_York")
    frame.with_columns(zoned).write_parquet(tmp_path / "zoned.parquet")
    for name in ("naive", "zoned"):
        assert moments(load("parquet", tmp_path / f"{name}.parquet", calendar="XNYS").known_at) == known


def test_a_time_that_daylight_saving_skips_is_refused(tmp_path) -> None:
    path = written(tmp_path, HEADER + "2020-03-08 02:30:00,1,1,1,1,1\n2020-03-08 03:30:00,1,1,1,1,1\n")
    with pytest.raises(
        DataError,
        match=r"timezone: prices bar 2020-03-08 02:30:00 \(row 1\): does not exist, or exists twice, in America",
    ):
        load("csv", path, timezone="America/New_York", periods_per_year=252)


def test_offsets_in_the_stamps_win_over_the_zone(tmp_path) -> None:
    path = written(tmp_path, HEADER + "2020-01-02T10:00:00+01:00,1,1,1,1,1\n2020-01-02T11:00:00+01:00,1,1,1,1,1\n")
    bars = load("csv", path, timezone="America/New_York", periods_per_year=252)
    assert moments(bars.known_at) == ["2020-01-02T09:00", "2020-01-02T10:00"]


EPOCHS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def test_epochs_with_a_point_are_numbers_all_the_same(tmp_path) -> None:
    text = HEADER + "1577977200.0,1,1,1,1,1\n1577977260.0,1,1,1,1,1\n"
    assert moments(load("csv", written(tmp_path, text), periods_per_year=252).known_at)[0] == "2020-01-02T15:00"


def test_formats_that_name_no_offset_are_refused() -> None:
    frame = days(5).with_columns(date=pl.lit("2020-01-02 10:00 EST"))
    with pytest.raises(DataError, match="data.date_format: %Z names no offset; allowed: %z, or data.timezone"):
        load(frame, calendar="XNYS", date_format="%Y-%m-%d %H:%M %Z", timezone="UTC")


@pytest.mark.parametrize("unit", EPOCHS)
def test_epochs_are_read_by_their_size(tmp_path, unit: str) -> None:
    begin = int(np.datetime64("2020-01-02T15:00", "s").astype(int))
    stamps = [(begin + minute * 60) * EPOCHS[unit] for minute in range(3)]
    text = HEADER + "".join(f"{stamp},1,1,1,1,1\n" for stamp in stamps)
    known = ["2020-01-02T15:00", "2020-01-02T15:01", "2020-01-02T15:02"]
    bars = load("csv", written(tmp_path, text), periods_per_year=252)
    assert moments(bars.known_at) == known
    assert bars.report.reading["times"] == f"epoch {unit}"
    frame = pl.read_csv(tmp_path / "prices.csv")
    assert moments(load(frame, periods_per_year=252).known_at) == known


def test_dates_and_times_in_columns_of_their_own_are_put_together(tmp_path) -> None:
    text = "date,time,open,high,low,close\n2020.01.02,09:30,1,1,1,1\n2020.01.02,09:31,1,1,1,1\n"
    bars = load("csv", written(tmp_path, text), timezone="America/New_York", periods_per_year=252)
    assert moments(bars.known_at) == ["2020-01-02T14:30", "2020-01-02T14:31"]
    compact = (
        text.replace("09:3", "093").replace("2020.01.02", "20200102").replace("0930", "930").replace("0931", "931")
    )
    bars = load("csv", written(tmp_path, compact), timezone="America/New_York", periods_per_year=252)
    assert moments(bars.known_at) == ["2020-01-02T14:30", "2020-01-02T14:31"]
    frame = pl.DataFrame(
        {"date": ["2020-01-02"], "time": ["09:30"], "open": [1], "high": [1], "low": [1], "close": [1]}
    )
    typed = frame.with_columns(pl.col("date").str.to_date(), pl.col("time").str.to_time("%H:%M"))
    assert moments(load(typed, timezone="UTC", periods_per_year=252).known_at) == ["2020-01-02T09:30"]


def opened(tmp_path, *clocks: str):
    """Bars of one day in New York, stamped at their open."""
    text = HEADER + "".join(f"2020-01-02 {clock},1,1,1,1,1\n" for clock in clocks)
    path = written(tmp_path, text)
    return lambda **options: load(
        "csv", path, **{"timezone": "America/New_York", "stamp": "open", "calendar": "XNYS", **options}
    )


def test_bars_stamped_at_their_open_end_after_the_distance_of_the_first_two(tmp_path) -> None:
    half_hours = opened(tmp_path, "09:30", "10:00", "10:30", "11:30", "15:30")
    bars = half_hours()
    assert [moment[11:] for moment in moments(bars.known_at)] == ["15:00", "15:30", "16:00", "17:00", "21:00"]
    assert bars.report.reading["length of a bar"] == "30 minutes, as the first"


def test_a_first_distance_that_others_contradict_is_refused_until_the_length_is_declared(tmp_path) -> None:
    # Hours of the clock: the first bar of New York's session is half an hour long, the others are not.
    hours = opened(tmp_path, "09:30", "10:00", "11:00", "12:00", "13:00", "15:00")
    with pytest.raises(
        DataError, match=r"timeframe: prices: the first two bars are 30 minutes apart, most are 60; allow"
    ):
        hours()
    bars = hours(timeframe="1h")
    assert [moment[11:] for moment in moments(bars.known_at)] == ["15:30", "16:00", "17:00", "18:00", "19:00", "21:00"]
    warned = [finding.what for finding in bars.report.findings if finding.rule == "timeframe"]
    assert warned == ["nearer to the bar before than a bar is long"]


def test_a_bar_that_the_close_cuts_short_is_known_at_the_close(tmp_path) -> None:
    bars = opened(tmp_path, "13:30", "14:30", "15:30")()
    assert [moment[11:] for moment in moments(bars.known_at)] == ["19:30", "20:30", "21:00"]
    # Round the clock nothing cuts a bar short, nor what is longer than a session.
    always = opened(tmp_path, "13:30", "17:30", "21:30")(calendar="24/7")
    assert moments(always.known_at)[-1] == "2020-01-03T06:30"
    weeks = opened(tmp_path, "09:30")(timeframe="7d", periods_per_year=52)
    assert moments(weeks.known_at) == ["2020-01-09T14:30"]


def test_a_single_bar_stamped_at_its_open_needs_a_length(tmp_path) -> None:
    single = opened(tmp_path, "09:30")
    with pytest.raises(DataError, match=r"prices has one bar, stamped at its open.*allowed: data.timeframe=5min"):
        single()
    assert moments(single(timeframe="5min").known_at) == ["2020-01-02T14:35"]


def test_dates_on_which_longer_bars_begin_are_refused() -> None:
    weeks = days(40)[::5].with_columns(pl.col("date").dt.truncate("1w"))
    with pytest.raises(DataError, match="timeframe: frame: dates of their beginning do not say when bars end"):
        load(weeks, stamp="open", periods_per_year=52)
    both = pl.concat([weeks.with_columns(symbol=pl.lit("W")), days(40, 1, "D")])
    with pytest.raises(DataError, match="timeframe: W: dates of their beginning"):
        load(both, stamp="open", periods_per_year=252)
    with pytest.raises(DataError, match="timeframe: frame: dates of their beginning do not say when bars end"):
        load(weeks, timeframe="7d", periods_per_year=52)
    with pytest.raises(DataError, match=r"how many bars a year has is not known \(8 of 36 sessions have one\)"):
        load(days(40)[::5], calendar="XNYS")


def test_midnights_of_any_zone_are_days_and_others_beside_them_are_refused() -> None:
    frame = days(150).with_columns(pl.col("date").cast(pl.Datetime("us")))
    expected = load(days(150), calendar="XNYS").known_at
    for zone in ("UTC", "America/New_York", "Europe/London"):
        zoned = frame.with_columns(pl.col("date").dt.replace_time_zone(zone))
        texts = zoned.with_columns(pl.col("date").dt.strftime("%Y-%m-%d %H:%M:%S%:z"))
        epochs = zoned.with_columns(pl.col("date").dt.convert_time_zone("UTC").dt.epoch("s"))
        for table in (zoned, texts, *([epochs] if zone == "UTC" else [])):
            np.testing.assert_array_equal(load(table, calendar="XNYS").known_at, expected)
    at = pl.int_range(pl.len()) == 140
    other = texts.with_columns(date=pl.when(at).then(pl.lit("1999-07-28 16:00:00-04:00")).otherwise(pl.col("date")))
    with pytest.raises(DataError, match=r"some times are days \(midnights\) and some are not, such as row 141"):
        load(other, calendar="XNYS")
    with pytest.raises(DataError, match="a single midnight, '1999-01-04 00:00:00', may be a day or a moment"):
        load(frame.head(1), calendar="XNYS")
    # A column known_at says what it is, also by another name.
    known = frame.with_columns(pl.col("date").dt.replace_time_zone("UTC")).rename({"date": "known_at"})
    assert moments(load(known, periods_per_year=252).known_at)[0] == "1999-01-04T00:00"
    other = known.rename({"known_at": "complete"})
    by_name = load(other, periods_per_year=252, columns={"known_at": "complete"})
    assert moments(by_name.known_at)[0] == "1999-01-04T00:00"


def test_a_time_that_is_named_comes_before_one_that_is_found() -> None:
    hours = pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2020, 1, 2), "1h", time_zone="UTC", eager=True)
    prices = {name: [1.0] * len(hours) for name in FIELDS}
    klines = pl.DataFrame({"timestamp": hours, **prices}).with_columns(
        close_time=pl.col("timestamp") + pl.duration(hours=1)
    )
    for name in ("datetime", "known_at", "timestamp"):
        bars = load(klines, calendar="24/7", columns={name: "close_time"})
        assert moments(bars.known_at)[0] == "2020-01-01T01:00"
    assert "columns left aside" in bars.report.reading


def test_a_declared_length_that_no_two_bars_have_is_refused() -> None:
    hours = pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2020, 1, 2), "1h", time_zone="UTC", eager=True)
    frame = pl.DataFrame({"timestamp": hours, **{name: [1.0] * len(hours) for name in FIELDS}})
    with pytest.raises(DataError, match="said to be 5 minutes long, but no two are nearer than 60"):
        load(frame, calendar="24/7", stamp="open", timeframe="5min")


def test_bars_that_mostly_lie_outside_the_sessions_are_refused() -> None:
    midnights = days(40).with_columns(pl.col("date").cast(pl.Datetime("us")).dt.replace_time_zone("America/New_York"))
    converted = midnights.with_columns(pl.col("date").dt.convert_time_zone("UTC"))
    with pytest.raises(DataError, match="hours: frame: 40 of 40 bars lie outside the sessions of XNYS; allowed: dates"):
        load(converted, calendar="XNYS")


def test_data_that_ends_with_a_session_covers_until_the_next_one() -> None:
    frame = days(1_000).filter(pl.col("date") <= pl.date(2001, 12, 31))
    timed = frame.with_columns(pl.col("date").dt.combine(pl.time(16, 0)).dt.replace_time_zone("America/New_York"))
    # 2002-01-02 opened at 14:30 and closed at 21:00 UTC: no bar is due before.
    assert moments([load(frame, calendar="XNYS").covers_until]) == ["2002-01-02T21:00"]
    assert moments([load(timed, calendar="XNYS").covers_until]) == ["2002-01-02T14:30"]
    early = timed.with_columns(pl.col("date") - pl.duration(minutes=30))
    assert moments([load(early, calendar="XNYS").covers_until]) == ["2002-01-01T20:30"]


def test_times_without_an_offset_need_a_zone_unless_utc_may_be_assumed(tmp_path) -> None:
    path = written(tmp_path, HEADER + "2020-01-02 10:00,1,1,1,1,1\n2020-01-02 11:00,1,1,1,1,1\n")
    with pytest.raises(DataError, match=r"timezone: times carry no offset; allowed: data.timezone=America/New_York"):
        load("csv", path, periods_per_year=252)
    bars = load("csv", path, periods_per_year=252, sanity={"require_utc": False})
    assert (moments(bars.known_at)[0], bars.report.reading["zone"]) == ("2020-01-02T10:00", "UTC, assumed")


def test_day_and_month_are_told_apart_by_the_rows_or_by_a_format(tmp_path) -> None:
    doubtful = written(tmp_path, HEADER + "01/02/2020,1,1,1,1,1\n")
    with pytest.raises(DataError, match=r"day and month cannot be told apart in dates such as '01/02/2020'"):
        load("csv", doubtful, periods_per_year=252)
    for form, day in (("%d/%m/%Y", "2020-02-02"), ("%m/%d/%Y", "2020-01-03")):
        assert moments(load("csv", doubtful, periods_per_year=252, date_format=form).known_at)[0][:10] == day
    clear = written(tmp_path, HEADER + "01/02/2020,1,1,1,1,1\n13/02/2020,1,1,1,1,1\n", "clear.csv")
    assert moments(load("csv", clear, periods_per_year=252).known_at)[0][:10] == "2020-02-02"


def test_a_date_on_which_the_exchange_was_closed_is_refused(tmp_path) -> None:
    path = written(tmp_path, HEADER + "2020-01-01,1,1,1,1,1\n2020-01-02,1,1,1,1,1\n")
    with pytest.raises(
        DataError, match=r"calendar: prices bar 2020-01-01 \(row 1\): no session of calendar XNYS on this date"
    ):
        load("csv", path, calendar="XNYS")
