import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from admf_ray import load_bars
from admf_ray.errors import ConfigError, DataError

HEADER = "date,open,high,low,close,volume\n"
ROWS = "2020-01-02,10,11,9,10.5,100\n2020-01-03,10.5,12,10,11,200\n2020-01-06,11,11.5,10.5,11.25,300\n"


def load(source, path=None, **options):
    """Short files: no history asked for."""
    return load_bars(source, path, **{"min_history_bars": 0, **options})


def written(folder: Path, text: str, name: str = "prices.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def moments(known_at) -> list[str]:
    return [str(np.datetime64(int(moment), "ns"))[:16] for moment in known_at]


def test_sp500_is_what_arch_carries(sp500) -> None:
    from arch.data import sp500 as carried

    frame = carried.load()
    assert len(sp500) == 5_031
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(sp500, name)[0], frame[name.capitalize()].to_numpy(float))
    dates = [moment[:10] for moment in moments(sp500.known_at)]
    assert dates == [f"{date:%Y-%m-%d}" for date in frame.index]


def test_dates_become_the_close_of_their_session(sp500) -> None:
    # New York closes at 16:00: 21:00 UTC in winter, 20:00 in summer, 18:00 on 1999-11-26 (half day).
    known = {moment[:10]: moment[11:] for moment in moments(sp500.known_at)}
    assert (known["1999-01-04"], known["1999-07-01"], known["1999-11-26"]) == ("21:00", "20:00", "18:00")
    assert sp500.session.tolist() == list(range(5_031))
    assert sp500.periods_per_year == 252
    assert moments([sp500.covers_until]) == ["2019-01-02T21:00"]


def test_nasdaq_is_named_by_its_symbol() -> None:
    assert load_bars("nasdaq").symbols == ("COMP",)


def test_csv_without_a_calendar_ends_with_the_utc_day(tmp_path) -> None:
    bars = load("csv", written(tmp_path, HEADER + ROWS), periods_per_year=252)
    assert bars.symbols == ("prices",)
    assert moments(bars.known_at) == ["2020-01-03T00:00", "2020-01-04T00:00", "2020-01-07T00:00"]
    assert bars.session.tolist() == [0, 1, 4]
    assert bars.close.tolist() == [[10.5, 11, 11.25]]
    assert bars.volume.tolist() == [[100, 200, 300]]


def test_csv_with_a_calendar_derives_the_bars_of_a_year(tmp_path) -> None:
    bars = load("csv", written(tmp_path, HEADER + ROWS), calendar="XNYS", symbol="ABC")
    assert moments(bars.known_at) == ["2020-01-02T21:00", "2020-01-03T21:00", "2020-01-06T21:00"]
    assert bars.session.tolist() == [0, 1, 2]
    assert bars.periods_per_year == 252


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
        DataError, match=r"timezone: bar 2020-03-08 02:30:00 \(row 1\): does not exist, or exists twice, in America"
    ):
        load("csv", path, timezone="America/New_York", periods_per_year=252)


def test_offsets_in_the_stamps_win_over_the_zone(tmp_path) -> None:
    path = written(tmp_path, HEADER + "2020-01-02T10:00:00+01:00,1,1,1,1,1\n2020-01-02T11:00:00+01:00,1,1,1,1,1\n")
    bars = load("csv", path, timezone="America/New_York", periods_per_year=252)
    assert moments(bars.known_at) == ["2020-01-02T09:00", "2020-01-02T10:00"]


def test_intraday_bars_of_a_year_are_sessions_times_bars(tmp_path) -> None:
    rows = "".join(
        f"2020-01-{day:02d}T{hour}:00:00Z,1,1,1,1,1\n" for day in (2, 3) for hour in (15, 16, 17, 18, 19, 20, 21)
    )
    bars = load("csv", written(tmp_path, HEADER + rows), calendar="XNYS")
    assert bars.periods_per_year == 252 * 7
    assert bars.session.tolist() == [0] * 7 + [1] * 7


def test_missing_values_make_missing_bars_and_volume_may_be_absent(tmp_path) -> None:
    text = "Date , Open,HIGH,low,Close\n2020-01-02,1,1,1,1\n2020-01-03,,1,1,NaN\n2020-01-06,1,1,1,n/a\n"
    bars = load("csv", written(tmp_path, text), periods_per_year=252, sanity={"max_na_fraction": 0.7})
    assert np.isnan(bars.close[0]).tolist() == [False, True, True]
    assert np.isnan(bars.volume).all()


def test_csv_gzip_and_parquet_of_one_content_are_one_series(tmp_path) -> None:
    options = {"symbol": "ABC", "calendar": "XNYS"}
    plain = load("csv", written(tmp_path, HEADER + ROWS), **options)
    with gzip.open(tmp_path / "prices.csv.gz", "wt") as stream:
        stream.write(HEADER + ROWS)
    frame = pl.read_csv(tmp_path / "prices.csv", try_parse_dates=True)
    frame.write_parquet(tmp_path / "prices.parquet")
    prints = {
        plain.fingerprint(),
        load("csv", tmp_path / "prices.csv.gz", **options).fingerprint(),
        load("parquet", tmp_path / "prices.parquet", **options).fingerprint(),
    }
    assert len(prints) == 1


BAD = {
    "wrong column": (
        "date,open,high,low,cl\n2020-01-02,1,1,1,1\n",
        "no column for close; found: date, open, high, low, cl",
    ),
    "no time": ("open,high,low,close\n1,1,1,1\n", r"no column for a time \("),
    "no bar": (HEADER, "there is no bar in it"),
    "nothing at all": ("", "cannot be read as CSV"),
    "no number": (HEADER + "2020-01-02,1,1,1,abc,1\n", r"bar 2020-01-02 \(row 1\): close is no number: 'abc'"),
    "no date": (
        HEADER + ROWS + "soon,1,1,1,1,1\n",
        r"timestamps: bar soon \(row 4\): no date or time between 1678 and 2261; allowed: 2018-12-31",
    ),
    "no such day": (HEADER + "2020-02-30,1,1,1,1,1\n", r"every row, such as row 1: '2020-02-30': no date"),
    "days and times": (
        HEADER + "2020-01-02,1,1,1,1,1\n2020-01-03 10:00:00,1,1,1,1,1\n",
        "some times are days and some do not",
    ),
    "far future": (HEADER + "9999-01-01,1,1,1,1,1\n", "row 1: '9999-01-01': no date or time between 1678 and 2261"),
    "far past": (HEADER + "1500-01-01 10:00:00,1,1,1,1,1\n", "row 1: '1500-01-01 10:00:00': no date or time between"),
    "nothing but gaps": (
        HEADER + "2020-01-02,,,,,1\n2020-01-03,1,1,1,,1\n",
        r"2 of 2 bars are missing a price \(100.0%\); allowed: 1.0% \(data.sanity.max_na_fraction\)",
    ),
    "mixed offsets": (HEADER + "2020-01-02T10:00:00Z,1,1,1,1,1\n2020-01-02T11:00:00,1,1,1,1,1\n", "some times carry"),
    "twice": (HEADER + ROWS + "2020-01-06,1,1,1,1,1\n", r"bar 2020-01-06 \(row 4\): same time as the bar before"),
    "backwards": (HEADER + ROWS + "2020-01-01,1,1,1,1,1\n", r"\(row 4\): earlier than a bar before"),
    "zero": (HEADER + "2020-01-02,0,1,0,1,1\n", r"open is not above 0: 0"),
    "infinite": (HEADER + "2020-01-02,1,inf,1,1,1\n", r"high is infinite: inf"),
    "below low": (HEADER + "2020-01-02,1,3,2,2,1\n", r"open is below low: 1"),
    "above high": (HEADER + "2020-01-02,1,3,1,4,1\n", r"close is above high: 4"),
    "negative volume": (HEADER + "2020-01-02,1,1,1,1,-5\n", r"volume is negative: -5"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_bad_files_are_refused_with_the_place(tmp_path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=f"prices.csv: (?s:.*){message}"):
        load("csv", written(tmp_path, text), periods_per_year=252)


def test_every_finding_is_listed(tmp_path) -> None:
    text = HEADER + "2020-01-02,1,3,2,4,-1\n2020-01-03,-1,1,1,1,1\n"
    with pytest.raises(DataError, match=r"prices.csv: 4 finding\(s\)") as refusal:
        load("csv", written(tmp_path, text), periods_per_year=252)
    assert str(refusal.value).count("\n") == 4


def test_a_date_on_which_the_exchange_was_closed_is_refused(tmp_path) -> None:
    path = written(tmp_path, HEADER + "2020-01-01,1,1,1,1,1\n2020-01-02,1,1,1,1,1\n")
    with pytest.raises(
        DataError, match=r"calendar: bar 2020-01-01 \(row 1\): no session of calendar XNYS on this date"
    ):
        load("csv", path, calendar="XNYS")


@pytest.mark.parametrize(
    ("source", "path", "options", "error", "message"),
    [
        ("csb", None, {}, ConfigError, r"no data source is named 'csb' \(did you mean csv\?\)"),
        ("csv", None, {}, DataError, "data.path: source csv needs"),
        ("csv", "nowhere.csv", {}, DataError, "there is no file"),
        ("sp500", "x.csv", {}, DataError, "source sp500 brings its own data"),
        ("sp500", None, {"adjust": "foo"}, ConfigError, "data.adjust: no adjust is named 'foo'"),
        ("sp500", None, {"stamp": "noon"}, ConfigError, "data.stamp: no stamp is named 'noon'"),
        ("sp500", None, {"timezone": "Mars"}, ConfigError, "data.timezone: 'Mars' is no time zone"),
        ("sp500", None, {"periods_per_year": "x"}, ConfigError, "data.periods_per_year: 'x' is no number"),
        ("sp500", None, {"calendar": "XXXX"}, DataError, "data.calendar: no calendar is named 'XXXX'"),
    ],
)
def test_bad_requests_are_refused(source, path, options, error, message) -> None:
    with pytest.raises(error, match=message):
        load(source, path, **options)


def test_the_bars_of_a_year_are_never_guessed(tmp_path) -> None:
    with pytest.raises(DataError, match="set data.calendar or data.periods_per_year"):
        load("csv", written(tmp_path, HEADER + ROWS))


def test_a_file_that_is_no_parquet_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="x.parquet: cannot be read as Parquet"):
        load("parquet", written(tmp_path, "nonsense", "x.parquet"))
