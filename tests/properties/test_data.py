"""Whatever a file holds: cutting it off changes nothing before the cut, and how it is stored changes nothing at all."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from admf_ray import Bars, load_bars
from admf_ray.core.bars import FIELDS
from admf_ray.errors import DataError

MINUTE = 60 * 10**9
KINDS = {
    "days": {"calendar": "XNYS"},
    "days round the clock": {"periods_per_year": 365},
    "half hours": {"timezone": "America/New_York", "calendar": "XNYS"},
    "half hours from their open": {"timezone": "America/New_York", "calendar": "XNYS", "stamp": "open"},
    "moments": {"periods_per_year": 365},
    "midnights of a zone": {"calendar": "XNYS"},
    "decimal commas": {"calendar": "XNYS"},
    "compact": {"calendar": "XNYS", "timezone": "America/New_York"},
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, pl.DataFrame]:
    """A table as text, in order of time, with defects of every kind that can be repaired or is warned of."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    count = draw(st.integers(3, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = np.where(rng.random(count) < draw(st.sampled_from([0.0, 0.2])), rng.integers(2, 5, count), 1)
    if kind in {"days", "days round the clock", "midnights of a zone", "decimal commas"}:
        every = load_bars("sp500").known_at.astype("datetime64[ns]").astype("datetime64[D]")
        days = every[np.cumsum(steps) + draw(st.integers(0, 300))]
        stamps = [str(day) for day in days]
        if kind == "midnights of a zone":
            months = days.astype("datetime64[M]").astype(int) % 12
            stamps = [
                f"{day}T00:00:00-0{4 if 3 <= month <= 8 else 5}:00" for day, month in zip(days, months, strict=True)
            ]
            stamps[-1] = draw(st.sampled_from([stamps[-1], "soon", f"{days[-1]}T16:00:00-05:00"]))
    else:
        # Thirteen half hours a day, from 9:30 or to 16:00, on days far from daylight saving.
        slots = np.cumsum(steps)
        day, slot = (
            np.datetime64("2020-01-06", "D") + (slots // 13 % 5).astype("timedelta64[D]"),
            slots % 13 + (kind != "half hours from their open"),
        )
        minutes = day.astype("datetime64[m]") + (9 * 60 + 30 * (slot + 1)).astype("timedelta64[m]")
        keep = np.append(True, np.diff(minutes.astype(int)) > 0)
        keep[np.argmax(~keep) if not keep.all() else count :] = False
        stamps = [str(minute).replace("T", " ") + ("Z" if kind == "moments" else "") for minute in minutes[keep]]
    count = len(stamps)
    close = 100 * np.exp(np.cumsum(rng.normal(0, draw(st.sampled_from([0.0, 0.01, 0.3])), count)))
    fields = {name: close * factor for name, factor in (("open", 1.0), ("high", 1.02), ("low", 0.98), ("close", 1.0))}
    fields["volume"] = np.round(rng.random(count) * 1e6)
    share = draw(st.sampled_from([0.0, 0.1]))
    for values in fields.values():
        values[rng.random(count) < share] = draw(st.sampled_from([np.nan, -1.0, 0.0, 1e9, np.inf]))
    decimals = draw(st.sampled_from([3, 17]))
    text = {name: [repr(round(float(value), decimals)) for value in values] for name, values in fields.items()}
    if kind == "decimal commas":
        text = {name: [value.replace(".", ",") for value in values] for name, values in text.items()}
    if kind == "compact":
        stamps = [stamp.replace("-", "").replace(":", "") for stamp in stamps]
    return kind, pl.DataFrame({"date": stamps, **text})


def outcome(frame: pl.DataFrame, kind: str, sanity: dict[str, Any]) -> Bars | None:
    """The bars of a table, by way of a file; None where they are refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        frame.write_csv(path)
        try:
            return load_bars("csv", path, min_history_bars=0, sanity=sanity, **KINDS[kind])
        except DataError:
            return None


@given(tables(), st.sampled_from(["enforce", "warn"]), st.floats(0.0, 0.95))
def test_cutting_a_file_off_changes_nothing_before_the_cut(table, mode: str, share: float) -> None:
    kind, frame = table
    sanity = {"mode": mode, "profile": "relaxed", "max_na_fraction": 1.0}
    cut = max(1, int(len(frame) * share))
    whole, part = outcome(frame, kind, sanity), outcome(frame.head(cut), kind, sanity)
    if whole is None or part is None:
        return
    begin = whole.head(len(part))
    for name in (*FIELDS, "known_at", "session"):
        np.testing.assert_array_equal(getattr(begin, name), getattr(part, name), err_msg=name)
    closes = {timeframe: part.bucket_closes(timeframe) for timeframe in ("1h", "1d", "1w", "1mo")}
    for timeframe, expected in closes.items():
        np.testing.assert_array_equal(begin.bucket_closes(timeframe), expected)


def test_most_tables_are_read() -> None:
    """The property above is about bars, not about refusals."""
    read = []

    @given(tables())
    def count(table) -> None:
        kind, frame = table
        sanity = {"mode": "warn", "profile": "relaxed", "max_na_fraction": 1.0}
        read.append(outcome(frame, kind, sanity) is not None)

    count()
    assert np.mean(read) > 0.5


@given(tables())
def test_a_file_and_a_frame_of_the_same_values_are_the_same_bars(table) -> None:
    kind, frame = table
    sanity = {"mode": "warn", "max_na_fraction": 1.0}
    by_file = outcome(frame, kind, sanity)
    numbers = frame.with_columns(pl.col(name).str.replace(",", ".").cast(pl.Float64) for name in FIELDS)
    try:
        by_frame = load_bars(numbers, symbol="x", min_history_bars=0, sanity=sanity, **KINDS[kind])
    except DataError:
        assert by_file is None
        return
    # A file of three decimals with commas may have marks of thousands: then it is refused.
    assert by_file is not None or kind == "decimal commas"
    if by_file is None:
        return
    assert by_file.fingerprint() == by_frame.fingerprint()
