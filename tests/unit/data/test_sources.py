import gzip

import numpy as np
import polars as pl
import pytest

from admf_ray import load_bars
from admf_ray.core.bars import FIELDS
from admf_ray.errors import ConfigError, DataError
from tests.unit.data.files import HEADER, ROWS, days, load, moments, written


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


def test_every_way_to_bring_the_same_bars_gives_one_fingerprint(tmp_path) -> None:
    import pandas as pd

    options = {"symbol": "ABC", "calendar": "XNYS"}
    frame = days(40)
    text = frame.write_csv()
    european = text.replace(",", ";").replace(".", ",")
    quoted = "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines())
    turned = frame.with_columns(pl.col("date").dt.strftime("%d.%m.%Y")).write_csv()
    compact = frame.with_columns(pl.col("date").dt.strftime("%Y%m%d")).write_csv()
    angled = text.replace("date,open,high,low,close,volume", "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>")
    shuffled = frame.select("volume", "close", pl.lit("x").alias("note"), "low", "open", "date", "high").write_csv()
    files = {
        "plain": text,
        "semicolons": text.replace(",", ";"),
        "tabs": text.replace(",", "\t"),
        "bars": text.replace(",", "|"),
        "european": european,
        "windows": text.replace("\n", "\r\n"),
        "marked": b"\xef\xbb\xbf" + text.encode(),
        "quoted": quoted,
        "turned": turned,
        "compact": compact,
        "angled": angled,
        "shuffled": shuffled,
        "capitals": text.replace("date,open", " Date , OPEN"),
        "spaced": text.replace(",", " , "),
        "empty first line": "\n" + text,
        "midnights": frame.with_columns(pl.col("date").cast(pl.Datetime("us"))).write_csv(),
    }
    prints = {name: load("csv", written(tmp_path, content), **options).fingerprint() for name, content in files.items()}
    with gzip.open(tmp_path / "prices.csv.gz", "wt") as stream:
        stream.write(text)
    prints["gzip"] = load("csv", tmp_path / "prices.csv.gz", **options).fingerprint()
    frame.write_parquet(tmp_path / "prices.parquet")
    prints["parquet"] = load("parquet", tmp_path / "prices.parquet", **options).fingerprint()
    written(tmp_path, b"", "parts/x")
    frame.head(20).write_parquet(tmp_path / "parts" / "part-0.parquet")
    frame.tail(20).write_parquet(tmp_path / "parts" / "part-1.parquet")
    prints["parts"] = load("parquet", tmp_path / "parts", **options).fingerprint()
    frame.with_columns(year=pl.col("date").dt.year()).write_parquet(tmp_path / "years", partition_by="year", mkdir=True)
    prints["partitions"] = load("parquet", tmp_path / "years", **options).fingerprint()
    pandas = frame.to_pandas()
    prints["polars"] = load(frame, **options).fingerprint()
    prints["arrow"] = load(frame.to_arrow(), **options).fingerprint()
    prints["pandas"] = load(pandas, **options).fingerprint()
    indexed = pandas.set_index(pd.to_datetime(pandas["date"])).drop(columns="date")
    prints["pandas with an index"] = load(indexed, **options).fingerprint()
    prints["pandas in a zone"] = load(indexed.tz_localize("America/New_York"), **options).fingerprint()
    assert len(set(prints.values())) == 1, prints


def test_a_change_of_one_thing_changes_the_fingerprint(tmp_path) -> None:
    frame = days(40)
    options = {"symbol": "ABC", "calendar": "XNYS"}
    prints = [
        load(frame, **options).fingerprint(),
        *(
            load(
                frame.with_columns(
                    pl.when(pl.int_range(pl.len()) == 7).then(pl.col(name) + step).otherwise(pl.col(name)).alias(name)
                ),
                **options,
            ).fingerprint()
            for name, step in (("open", 0.01), ("high", 0.01), ("low", -0.01), ("close", 0.01), ("volume", 1))
        ),
        load(frame.head(39), **options).fingerprint(),
        load(frame, symbol="ABD", calendar="XNYS").fingerprint(),
        load(frame, adjust="splits", **options).fingerprint(),
        load(frame, symbol="ABC", periods_per_year=252).fingerprint(),
        load(frame, min_history_bars=5, **options).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)


def test_several_symbols_in_one_file_become_a_panel(tmp_path) -> None:
    both = pl.concat([days(30, 1, "B"), days(28, 2, "A")])
    path = written(tmp_path, both.sample(fraction=1.0, shuffle=True, seed=3).sort("date").write_csv())
    panel = load("csv", path, calendar="XNYS")
    assert panel.symbols == ("A", "B")
    assert panel.close.shape == (2, 30)
    np.testing.assert_array_equal(panel.close[1], days(30, 1)["close"])
    np.testing.assert_array_equal(panel.close[0, :28], days(28, 2)["close"])
    assert np.isnan(panel.close[0, 28:]).all()
    assert load("csv", path, calendar="XNYS", symbols=("B", "A")).symbols == ("B", "A")
    one = load("csv", path, calendar="XNYS", symbol="B")
    assert one.fingerprint() == load(days(30, 1), symbol="B", calendar="XNYS").fingerprint()
    with pytest.raises(DataError, match=r"data.symbol: prices.csv: no symbol is named 'C'; allowed: A, B"):
        load("csv", path, calendar="XNYS", symbol="C")


def test_a_folder_holds_one_file_a_symbol(tmp_path) -> None:
    for index, symbol in enumerate("BA"):
        written(tmp_path, days(30, index).write_csv(), f"all/{symbol}.csv")
        days(30, index).write_parquet(tmp_path / "all" / f"{symbol}.parquet")
        days(30, index, symbol).write_parquet(tmp_path / "all.parquet" if index else tmp_path / "first.parquet")
    panel = load("csv", tmp_path / "all", calendar="XNYS")
    assert panel.symbols == ("A", "B")
    assert load("parquet", tmp_path / "all", calendar="XNYS").fingerprint() == panel.fingerprint()
    both = pl.concat([days(30, 0, "B"), days(30, 1, "A")])
    both.write_parquet(tmp_path / "hive", partition_by="symbol", mkdir=True)
    assert load("parquet", tmp_path / "hive", calendar="XNYS").fingerprint() == panel.fingerprint()
    assert load(both, calendar="XNYS").fingerprint() == panel.fingerprint()
    assert load("csv", tmp_path / "all", calendar="XNYS", symbol="A").symbols == ("A",)


def test_findings_of_a_folder_name_the_file(tmp_path) -> None:
    written(tmp_path, HEADER + ROWS, "all/A.csv")
    written(tmp_path, HEADER + ROWS.replace("12,10,11", "12,0,11"), "all/B.csv")
    with pytest.raises(DataError, match=r"prices: B.csv: B bar 2020-01-03 \(row 2\): low is not above 0: 0"):
        load("csv", tmp_path / "all", calendar="XNYS")


def test_a_close_alone_is_taken_where_that_is_allowed_and_the_report_says_so(tmp_path) -> None:
    path = written(tmp_path, "date,close\n2020-01-02,10\n2020-01-03,11\n")
    with pytest.raises(
        DataError, match=r"no column for open, high, low; .* data.ohl_from_close=true accepts a close alone"
    ):
        load("csv", path, calendar="XNYS")
    bars = load("csv", path, calendar="XNYS", ohl_from_close=True)
    assert bars.open.tolist() == bars.high.tolist() == bars.low.tolist() == bars.close.tolist() == [[10, 11]]
    assert "taken from the close" in bars.report.reading["open, high, low"]


def test_columns_with_other_names_are_named_by_options() -> None:
    bloomberg = days(30).rename({"date": "Dates", "close": "PX_LAST", "open": "PX_OPEN"})
    names = {"date": "Dates", "close": "PX_LAST", "open": "PX_OPEN"}
    expected = load(days(30), calendar="XNYS").fingerprint()
    assert load(bloomberg, calendar="XNYS", columns=names).fingerprint() == expected
    with pytest.raises(DataError, match=r"data.columns.close: no column 'PX'; found: Dates, PX_OPEN"):
        load(bloomberg, calendar="XNYS", columns={**names, "close": "PX"})
    with pytest.raises(ConfigError, match=r"data.columns.cloes: no column is named 'cloes' \(did you mean close\?\)"):
        load(bloomberg, calendar="XNYS", columns={"cloes": "PX"})


def test_a_volume_with_points_says_nothing_of_prices_with_commas(tmp_path) -> None:
    text = "date;open;high;low;close;volume\n2020-01-02;1,252;1,252;1,252;1,252;697369.0\n"
    with pytest.raises(DataError, match="'1,252' may have a decimal mark or a mark of thousands"):
        load("csv", written(tmp_path, text), calendar="XNYS")


def test_a_folder_never_gives_a_symbol_that_it_does_not_have(tmp_path) -> None:
    written(tmp_path, days(30).write_csv(), "one/SPY.csv")
    with pytest.raises(DataError, match="data.symbol: one: no symbol is named 'QQQ'.*; allowed: SPY"):
        load("csv", tmp_path / "one", calendar="XNYS", symbol="QQQ")
    written(tmp_path, days(30, 0, "Z").write_csv(), "mixed/0.csv")
    for folder in ("x", "y"):
        written(tmp_path, days(30).write_csv(), f"mixed/{folder}/A.csv")
    with pytest.raises(DataError, match="mixed: two files for symbol A: x/A.csv and y/A.csv"):
        load("csv", tmp_path / "mixed", calendar="XNYS")
    for folder in ("x", "y"):
        written(tmp_path, days(30, 0, folder).write_csv().replace("symbol", "inst"), f"named/{folder}/A.csv")
    assert load("csv", tmp_path / "named", calendar="XNYS", columns={"symbol": "inst"}).symbols == ("x", "y")


def test_names_that_are_no_text_are_refused_in_words(tmp_path) -> None:
    import os

    name = os.fsdecode(b"x\xff.csv")
    written(tmp_path, days(30).write_csv(), name)
    with pytest.raises(DataError, match=r"x\?.csv: cannot be read as CSV"):
        load("csv", tmp_path / name, calendar="XNYS")
    with pytest.raises(DataError, match="there is no file or folder '~nobodyxyz/a.csv'"):
        load("csv", "~nobodyxyz/a.csv", calendar="XNYS")


def test_names_with_brackets_are_names_and_no_patterns(tmp_path) -> None:
    for number, name in ((1, "x1"), (2, "x[1]")):
        days(30, number).write_csv(tmp_path / f"{name}.csv")
        days(30, number).write_parquet(tmp_path / f"{name}.parquet")
    for source in ("csv", "parquet"):
        bars = load(source, tmp_path / f"x[1].{source}", calendar="XNYS")
        np.testing.assert_array_equal(bars.close[0], days(30, 2)["close"])


def test_partitions_keep_their_names_and_parts_of_one_symbol_are_put_together(tmp_path) -> None:
    both = pl.concat([days(30, 0, "0700"), days(30, 1, "TRUE")])
    both.write_parquet(tmp_path / "hive", partition_by="symbol", mkdir=True)
    assert load("parquet", tmp_path / "hive", calendar="XNYS").symbols == ("0700", "TRUE")
    for part in (0, 1):
        written(tmp_path, days(30)[part * 15 : part * 15 + 15].write_csv(), f"parts/part-{part}.CSV")
    written(tmp_path, "x", "parts/._0.csv")
    bars = load("csv", tmp_path / "parts", calendar="XNYS", symbol="ABC")
    assert bars.fingerprint() == load(days(30), symbol="ABC", calendar="XNYS").fingerprint()
    for folder in ("a", "b"):
        written(tmp_path, days(30).write_csv(), f"twice/{folder}/SPY.csv")
    with pytest.raises(DataError, match="twice: two files for symbol SPY: a/SPY.csv and b/SPY.csv"):
        load("csv", tmp_path / "twice", calendar="XNYS")


def test_one_wrong_cell_never_changes_what_a_point_means(tmp_path) -> None:
    frame = days(30)
    text = frame.write_csv()
    line = text.splitlines()[21]
    cells = line.split(",")
    broken = written(tmp_path, text.replace(line, ",".join([*cells[:3], '"90,12"', *cells[4:]])))
    with pytest.raises(DataError, match=r"numbers: prices bar .* \(row 21\): low is no number: '90,12'"):
        load("csv", broken, calendar="XNYS")
    # With three decimals everywhere nothing proves that points are not marks of thousands.
    three = frame.with_columns(
        pl.col(name).map_elements(lambda value: f"{value:.3f}", pl.String) for name in FIELDS[:4]
    )
    text = three.write_csv()
    cells = text.splitlines()[21].split(",")
    doubtful = written(tmp_path, text.replace(cells[3], '"90,12"', 1))
    with pytest.raises(DataError, match=r"may have a decimal mark or a mark of thousands"):
        load("csv", doubtful, calendar="XNYS")
    declared = load("csv", doubtful, calendar="XNYS", decimal=".", sanity={"mode": "warn"})
    assert declared.close[0, 0] == frame["close"][0]


def test_files_of_one_folder_have_one_decimal_mark(tmp_path) -> None:
    for name, decimals in (("A", "."), ("B", ",")):
        plain = days(30).write_csv().replace(",", ";").replace(".", decimals)
        written(tmp_path, plain, f"mixed/{name}.csv")
    with pytest.raises(DataError, match=r"B.csv has decimal commas, A.csv has decimal points; allowed: one kind"):
        load("csv", tmp_path / "mixed", calendar="XNYS")
    german = written(tmp_path, "date;open;high;low;close\n2020-01-02;13.017;13.017;13.017;13.017\n", "german.csv")
    with pytest.raises(DataError, match="'13.017' may have a decimal mark or a mark of thousands"):
        load("csv", german, calendar="XNYS")


def test_empty_lines_are_left_aside(tmp_path) -> None:
    text = days(30).write_csv()
    lines = text.splitlines()
    empty = written(tmp_path, "\n".join([*lines[:9], ",,,,,", *lines[9:], ",,,,,", "", ""]), "empty.csv")
    plain = load("csv", written(tmp_path, text), calendar="XNYS", symbol="A")
    assert load("csv", empty, calendar="XNYS", symbol="A").fingerprint() == plain.fingerprint()


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path, monkeypatch) -> None:
    from admf_ray.data import sources

    path = written(tmp_path, days(30, 1).write_csv())
    monkeypatch.setenv("ADMF_CACHE_DIR", str(tmp_path / "cache"))
    original, other = sources.fingerprint_file, days(30, 2).write_csv()

    def rewriting(file) -> str:
        found = original(file)
        path.write_text(other)
        return found

    monkeypatch.setattr(sources, "fingerprint_file", rewriting)
    load("csv", path, calendar="XNYS")
    monkeypatch.setattr(sources, "fingerprint_file", original)
    path.write_text(days(30, 1).write_csv())
    np.testing.assert_array_equal(load("csv", path, calendar="XNYS").close[0], days(30, 1)["close"])


def test_what_is_asked_of_a_source_must_fit_it(tmp_path) -> None:
    path = written(tmp_path, days(30).write_csv())
    with pytest.raises(DataError, match="data.start: source csv downloads nothing; allowed: span.start"):
        load("csv", path, calendar="XNYS", start="2020-01-01")
    with pytest.raises(DataError, match="a table and a path 'x' are both given"):
        load(days(30), "x", calendar="XNYS")
    with pytest.raises(ConfigError, match=r"load_bars: no option is named 'calender' \(did you mean calendar\?\)"):
        load(days(30), calender="XNYS")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timezone": 5}, "data.timezone: 5 is not allowed; allowed: text"),
        ({"timezone": "localtime"}, "data.timezone: 'localtime' is no time zone"),
        ({"symbols": "SPY"}, "data.symbols: 'SPY' is not allowed; allowed: a list of names"),
        ({"min_history_bars": -5}, "data.min_history_bars: -5 is not allowed; allowed: a whole number, at least 0"),
        ({"periods_per_year": float("inf")}, "data.periods_per_year: inf is not allowed"),
        ({"ohl_from_close": "no"}, "data.ohl_from_close: 'no' is not allowed; allowed: true, false"),
        ({"timeframe": "999999d"}, "data.timeframe: '999999d' is no length of a bar; allowed: .* up to 92d"),
        ({"sanity": {"allow_sort": "no"}}, "data.sanity.allow_sort: 'no' is not allowed"),
        ({"sanity": {"max_na_fraction": -1}}, "data.sanity.max_na_fraction: -1 is not allowed; .* at most 1"),
        ({"sanity": {"forward_fill_bars": 1.5}}, "data.sanity.forward_fill_bars: 1.5 is not allowed"),
        ({"sanity": None}, "data.sanity: None is not allowed"),
        ({"sanity": {1: 2}}, "data.sanity: {1: 2} is not allowed"),
        ({"columns": ["a"]}, "data.columns: .* is not allowed; allowed: a mapping"),
        ({"synthetic": None}, "data.synthetic: None is not allowed"),
    ],
)
def test_options_of_the_wrong_kind_are_named(options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        load(days(30), **{"calendar": "XNYS", **options})


def test_a_comma_that_may_be_either_is_refused_until_it_is_declared(tmp_path) -> None:
    path = written(tmp_path, "date;open;high;low;close\n2020-01-02;1,250;1,250;1,250;1,250\n")
    with pytest.raises(
        DataError, match="'1,250' may have a decimal mark or a mark of thousands; allowed: data.decimal"
    ):
        load("csv", path, periods_per_year=252)
    assert load("csv", path, periods_per_year=252, decimal=",").close.tolist() == [[1.25]]
    assert load("csv", path, periods_per_year=252, decimal=".").close.tolist() == [[1250]]
    for text, value in (("1,250.5", 1250.5), ("1.250,5", 1250.5), ("1.250.000", 1250000.0), ("0,125", 0.125)):
        row = f"date;open;high;low;close\n2020-01-02;{text};{text};{text};{text}\n"
        assert load("csv", written(tmp_path, row, "x.csv"), periods_per_year=252).close.tolist() == [[value]]


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
        r"timestamps: prices bar soon \(row 4\): no date or time between 1678 and 2261; allowed: 2018-12-31",
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
        (
            "sp500",
            None,
            {"periods_per_year": "x"},
            ConfigError,
            "data.periods_per_year: 'x' is not allowed; allowed: a number, above 0",
        ),
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
