"""Files as they come: each is refused with the place, or read with what was done about it."""

import gzip
import re

import numpy as np
import pytest

from admf_ray.errors import DataError
from tests.unit.data.files import days, load, written

SOUND = days(40).write_csv().encode()
LINES = SOUND.decode().splitlines()
HEAD = LINES[0]


def lines(*rows: str) -> bytes:
    """The sound file with rows after its own."""
    return "\n".join([*LINES, *rows]).encode()


def with_line(number: int, row: str) -> bytes:
    """The sound file with another bar ``number``, from 1."""
    return "\n".join([*LINES[:number], row, *LINES[number + 1 :]]).encode()


def replaced(old: str, new: str) -> bytes:
    return SOUND.replace(old.encode(), new.encode())


LAST = LINES[-1].split(",")[0]
REFUSED = {
    "empty": (b"", "cannot be read as CSV"),
    "blank": (b"\n\n\n", "cannot be read as CSV|no column for"),
    "zero bytes": (b"\0" * 100, "no column for"),
    "header only": (HEAD.encode(), "there is no bar in it"),
    "no header": ("\n".join(LINES[1:]).encode(), "no column for a time"),
    "one column": (b"close\n1\n2\n", "no column for a time"),
    "no time": (replaced("date", "when"), r"no column for a time \(date, time"),
    "no close": (replaced("close", "last"), "no column for close"),
    "no prices": (b"date,volume\n2020-01-02,1\n", "no column for open, high, low, close"),
    "two closes": (replaced("volume", "close"), "two columns for close"),
    "two dates": (replaced("volume", "Date"), "two columns for date"),
    "html": (b"<html><body>404</body></html>", "no column for"),
    "json": (b'[{"date": "2020-01-02", "close": 1}]', "no column for"),
    "pdf": (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "cannot be read as CSV|no column for"),
    "zip": (b"PK\x03\x04" + bytes(range(256)), "cannot be read as CSV|no column for"),
    "utf-16": (SOUND.decode().encode("utf-16"), "is UTF-16 text"),
    "latin-1 value": (lines("caf\xe9,1,1,1,1,1").decode().encode("latin-1"), "cannot be read as CSV"),
    "broken gzip": (gzip.compress(SOUND)[:60], "cannot be read as CSV"),
    "gzip of nothing": (gzip.compress(b""), "cannot be read as CSV|no column for"),
    "too many cells": (with_line(5, LINES[5] + ",1,2,3"), "cannot be read as CSV"),
    "open quote": (with_line(5, '"' + LINES[5]), "cannot be read as CSV|no date or time|finding"),
    "text for a price": (
        with_line(5, "1999-01-08,x,1,1,1,1"),
        r"numbers: prices bar 1999-01-08 \(row 5\): open is no num",
    ),
    "text for a volume": (with_line(5, "1999-01-08,1,1,1,1,many"), r"\(row 5\): volume is no number: 'many'"),
    "two points": (with_line(5, "1999-01-08,1.2.3,1,1,1,1"), r"\(row 5\): open is no number: '1.2.3'"),
    "currency": (with_line(5, "1999-01-08,$10,1,1,1,1"), r"\(row 5\): open is no number: '\$10'"),
    "percent": (with_line(5, "1999-01-08,1,1,1,10%,1"), r"\(row 5\): close is no number: '10%'"),
    "fraction": (with_line(5, "1999-01-08,1,1,1,1 1/2,1"), r"\(row 5\): close is no number"),
    "hexadecimal": (with_line(5, "1999-01-08,0x10,1,1,1,1"), r"\(row 5\): open is no number"),
    "underscores": (with_line(5, "1999-01-08,1_000,1,1,1,1"), r"\(row 5\): open is no number"),
    "spreadsheet error": (with_line(5, "1999-01-08,#N/A,1,1,1,1"), r"\(row 5\): open is no number"),
    "overflow": (
        with_line(5, "1999-01-08,1,1e999,1,1,1"),
        r"infinite: prices bar 1999-01-08 \(row 5\): high is infinite",
    ),
    "minus infinity": (with_line(5, "1999-01-08,1,1,-inf,1,1"), r"low is infinite"),
    "zero": (with_line(5, "1999-01-08,0,1,0,1,1"), r"prices: prices bar 1999-01-08 \(row 5\): open is not above 0: 0"),
    "negative": (with_line(5, "1999-01-08,1,2,-1,1,1"), "low is not above 0: -1"),
    "negative volume": (
        with_line(5, "1999-01-08,1,2,1,1,-1"),
        "volume: prices bar 1999-01-08 .* volume is negative: -1",
    ),
    "open above high": (with_line(5, "1999-01-08,3,2,1,1,1"), "range: .* open is above high: 3"),
    "close below low": (with_line(5, "1999-01-08,2,2,1,0.5,1"), "close is below low: 0.5"),
    "high below low": (with_line(5, "1999-01-08,2,1,3,2,1"), "high is below low: 1"),
    "twice": (lines(LINES[-1]), r"duplicates: .*\(row 41\): the same bar again"),
    "twice, differing": (lines(f"{LAST},1,1,1,1,1"), "same time as the bar before, other values"),
    "backwards": (lines("1999-01-04,1,1,1,1,1"), "duplicates|order"),
    "all backwards": ("\n".join([HEAD, *LINES[:0:-1]]).encode(), r"order: .*earlier than a bar before"),
    "word for a date": (lines("yesterday,1,1,1,1,1"), r"timestamps: prices bar yesterday \(row 41\): no date or time"),
    "no such day": (lines("2021-02-29,1,1,1,1,1"), r"bar 2021-02-29 \(row 41\): no date or time"),
    "no such month": (lines("2021-13-01,1,1,1,1,1"), r"bar 2021-13-01 \(row 41\)"),
    "no date": (lines(",1,1,1,1,1"), r"timestamps: .*\(row 41\): no date or time"),
    "year 0": (lines("0000-01-01,1,1,1,1,1"), r"\(row 41\): no date or time"),
    "year 9999": (lines("9999-12-31,1,1,1,1,1"), r"\(row 41\): no date or time between 1678 and 2261"),
    "two-digit years": (re.sub(rb"(?m)^1999", b"99", SOUND), "no date or time"),
    "days and times": (lines("2020-01-02 10:00:00,1,1,1,1,1"), "some times are days and some do not"),
    "offsets and none": (
        b"date,open,high,low,close\n2020-01-02T10:00:00Z,1,1,1,1\n2020-01-02T11:00:00,1,1,1,1\n",
        "some times carry an offset and some do not",
    ),
    "times without a zone": (
        b"date,open,high,low,close\n2020-01-02 10:00,1,1,1,1\n2020-01-02 11:00,1,1,1,1\n",
        "timezone: times carry no offset",
    ),
    "day or month": (re.sub(rb"(?m)^1999-(\d\d)-(\d\d)", b"01/02/1999", SOUND), "day and month cannot be told apart"),
    "both orders": (b"date,open,high,low,close\n13/01/2020,1,1,1,1\n01/13/2020,1,1,1,1\n", "cannot be told apart"),
    "counted rows": (b"date,open,high,low,close\n0,1,1,1,1\n1,1,1,1,1\n", "no date or time"),
    "minutes or epoch": (b"date,open,high,low,close\n202001021530,1,1,1,1\n", "epoch milliseconds"),
    "epochs of two units": (
        b"date,open,high,low,close\n1577955600,1,1,1,1\n1577955660000,1,1,1,1\n",
        r"bar 1577955660000 \(row 2\): no date or time",
    ),
    "epoch too large": (b"date,open,high,low,close\n99999999999,1,1,1,1\n", "no date or time"),
    "a holiday": (lines("2020-01-01,1,1,1,1,1"), r"calendar: .*\(row 41\): no session of calendar XNYS"),
    "a sunday": (lines("2020-01-05,1,1,1,1,1"), "no session of calendar XNYS"),
    "the future": (lines("2150-01-02,1,1,1,1,1"), "future: .* is not complete yet|calendar"),
    "missing prices": (re.sub(rb"(?m),[\d.]+,(\d+)$", rb",,\1", SOUND), "40 of 40 bars are missing a price"),
    "comma, or is it": (
        b"date;open;high;low;close\n2020-01-02;1,250;1,250;1,250;1,250\n",
        "may have a decimal mark or a mark of thousands",
    ),
    "marks of both kinds": (
        b"date;open;high;low;close\n2020-01-02;1.250,5;1,250.5;1;1\n",
        "numbers: .* no number",
    ),
    "symbols with a hole": (b"date,symbol,open,high,low,close\n2020-01-02,,1,1,1,1\n", "row 1: no symbol"),
    "wrong dialect": (replaced(",", "~"), "no column for"),
}
READ = {
    "missing tokens": (with_line(5, "1999-01-08,NA,N/A,null,NaN,-"), ("missing", "repaired")),
    "empty cells": (with_line(5, "1999-01-08,,,,,"), ("missing", "repaired")),
    "too few cells": (with_line(5, "1999-01-08,1,1"), ("missing", "repaired")),
    "twice": (lines(LINES[-1]), ("duplicates", "repaired")),
    "backwards": ("\n".join([HEAD, *LINES[:0:-1]]).encode(), ("order", "repaired")),
    "open above high": (with_line(5, "1999-01-08,3,2,1,1,1"), ("range", "repaired")),
    "a hole": ("\n".join([*LINES[:10], *LINES[12:]]).encode(), ("gaps", "warned")),
    "a spike": (with_line(5, "1999-01-08,9999,9999,9999,9999,1"), ("spikes", "warned")),
    "no volume": (with_line(5, "1999-01-08,1,1,1,1,0"), ("stale", "warned")),
}
OPTIONS = {"symbol": "prices", "calendar": "XNYS", "sanity": {"profile": "relaxed"}}


def test_the_corpus_is_large() -> None:
    assert len(REFUSED) + len(READ) >= 60


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_what_is_wrong(tmp_path, content: bytes, message: str) -> None:
    with pytest.raises(DataError) as refusal:
        load("csv", written(tmp_path, content), symbol="prices", calendar="XNYS")
    assert re.search(message, str(refusal.value)), str(refusal.value)
    assert "prices.csv" in str(refusal.value)
    with pytest.raises(DataError) as second:
        load("csv", written(tmp_path, content), symbol="prices", calendar="XNYS")
    assert str(second.value) == str(refusal.value)


@pytest.mark.parametrize(("content", "finding"), READ.values(), ids=READ)
def test_read_with_what_was_found(tmp_path, content: bytes, finding: tuple[str, str]) -> None:
    bars = load("csv", written(tmp_path, content), **OPTIONS)
    assert finding in {(found.rule, found.outcome) for found in bars.report.findings}
    assert bool((bars.close > 0).all())


def test_mutated_files_raise_nothing_but_data_errors(tmp_path) -> None:
    rng = np.random.default_rng(7)
    alphabet = [
        b"",
        b",",
        b";",
        b"\n",
        b"\r",
        b'"',
        b"-",
        b".",
        b"0",
        b"9",
        b"e",
        b"\xff",
        b"\0",
        b"nan",
        b"inf",
        b" ",
        b"Z",
    ]
    read = refused = 0
    for number in range(2_000):
        content = bytearray(SOUND)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, len(content)))
            match int(rng.integers(0, 4)):
                case 0:
                    content[at : at + 1] = alphabet[int(rng.integers(0, len(alphabet)))]
                case 1:
                    content[at : at + int(rng.integers(1, 40))] = b""
                case 2:
                    content[at:at] = content[at : at + int(rng.integers(1, 60))]
                case _:
                    content[at:at] = alphabet[int(rng.integers(0, len(alphabet)))]
        calendar = {"calendar": "XNYS"} if number % 2 else {"periods_per_year": 252}
        profile = ("strict", "relaxed")[number // 2 % 2]
        mode = ("enforce", "warn", "off")[number // 4 % 3]
        path = written(tmp_path, bytes(content))
        try:
            bars = load("csv", path, sanity={"profile": profile, "mode": mode}, **calendar)
        except DataError:
            refused += 1
        else:
            read += 1
            assert len(bars) > 0
    assert read > 200
    assert refused > 200
