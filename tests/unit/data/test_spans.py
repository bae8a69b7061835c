import numpy as np
import pytest

from admf_ray.data.spans import Span, TimeAxis, parse_date
from admf_ray.errors import ConfigError
from tests.series import DAY


def axis(count: int = 10) -> TimeAxis:
    return TimeAxis((np.arange(count) + 1) * DAY, (count + 1) * DAY)


def at(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


@pytest.mark.parametrize(
    ("begin", "span", "end"),
    [
        ("2000-01-31", "1mo", "2000-02-29"),  # no 31st: the last day there is
        ("2001-01-31", "1mo", "2001-02-28"),
        ("2000-02-29", "1y", "2001-02-28"),
        ("2000-02-29", "4y", "2004-02-29"),
        ("2000-11-15T21:00", "1q", "2001-02-15T21:00"),
        ("2000-12-30", "2w", "2001-01-13"),
        ("2000-12-30", "3d", "2001-01-02"),
        ("2000-12-30", "0b", "2000-12-30"),
    ],
)
def test_calendar_spans_keep_the_day_of_the_month(begin: str, span: str, end: str) -> None:
    assert axis().shift(at(begin), Span.parse(span, "x")) == at(end)


def test_twelve_months_from_the_last_day_do_not_drift() -> None:
    ends = [str(axis().shift(at("2000-01-31"), Span(1, "mo").times(k)))[:10] for k in (1, 2, 3, 12)]
    assert ends == ["2000-02-29", "2000-03-31", "2000-04-30", "2001-01-31"]


def test_bars_known_at_a_moment_lie_before_it() -> None:
    days = axis()
    assert days.index(np.datetime64(3 * DAY, "ns")) == 3
    assert days.index(np.datetime64(3 * DAY - 1, "ns")) == 2
    assert days.index(7) == 7


def test_bar_spans_and_calendar_spans_mix() -> None:
    days = axis()
    third = days.shift(np.datetime64(0, "ns"), Span(3, "b"))
    assert third == 3
    assert days.index(days.shift(third, Span(2, "d"))) == 5


def test_the_series_is_covered_until_the_next_bar_is_due() -> None:
    days = axis()
    assert days.is_covered(10)
    assert not days.is_covered(11)
    assert days.is_covered(np.datetime64(11 * DAY - 1, "ns"))
    assert not days.is_covered(np.datetime64(11 * DAY, "ns"))


@pytest.mark.parametrize(
    ("first", "align", "anchor"),
    [
        ("1999-01-04T21:00", "none", "1999-01-04"),
        ("1999-01-04T21:00", "year", "1999-01-01"),  # four days after New Year, and such gaps occur
        ("1999-03-17T21:00", "year", "2000-01-01"),
        ("1999-03-17T21:00", "quarter", "1999-04-01"),
        ("1999-03-17T21:00", "month", "1999-04-01"),
    ],
)
def test_windows_are_anchored_at_the_first_whole_period(first: str, align: str, anchor: str) -> None:
    begin = at(first).astype(np.int64)
    days = TimeAxis(begin + np.array([0, 1, 5, 6]) * DAY, begin + 7 * DAY)
    assert days.anchor(align) == at(anchor)


@pytest.mark.parametrize("text", ["4x", "y", "-1y", "1.5y", "", "4 years", None])
def test_what_is_no_span_is_refused(text: object) -> None:
    with pytest.raises(ConfigError, match=r"windows\.train: .* is no span; allowed"):
        Span.parse(text, "windows.train")  # type: ignore[arg-type]


def test_dates_are_utc_unless_they_say_otherwise() -> None:
    assert parse_date("2011-01-01", "x") == at("2011-01-01")
    assert parse_date("2011-01-01T16:00:00-05:00", "x") == at("2011-01-01T21:00")
    with pytest.raises(ConfigError, match="x: 'soon' is no date"):
        parse_date("soon", "x")


def test_moments_keep_their_nanoseconds() -> None:
    assert parse_date("2011-01-01T21:00:00.123456789", "x") == at("2011-01-01T21:00:00.123456789")
    assert parse_date("2011-01-01T21:00:00.5", "x") == at("2011-01-01T21:00:00.5")
