import numpy as np
import pytest

from admf_ray.core.sessions import Sessions, timeframe_length
from admf_ray.data.calendar import session_table
from admf_ray.errors import ConfigError, DataError
from tests.series import daily_bars

HOUR = 3_600 * 10**9


def moment(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def new_york(first: str, last: str) -> Sessions:
    return session_table("XNYS", moment(first), moment(last)).sessions


def text_of(moments) -> list[str]:
    return [str(np.datetime64(int(one), "ns"))[:16] for one in moments]


def closes(sessions: Sessions, timeframe: str, *known_at: str) -> list[str]:
    moments = np.array([moment(one) for one in known_at])
    session = np.searchsorted(sessions.close, moments).astype(np.int32)
    return text_of(sessions.bucket_closes(timeframe, moments, session))


def test_buckets_begin_at_the_open_and_end_with_the_session() -> None:
    sessions = new_york("2020-01-02", "2020-01-10")
    # 9:30 to 16:00 in New York is 14:30 to 21:00 in winter: the seventh hour is half an hour long.
    bars = ("2020-01-02T14:31", "2020-01-02T15:30", "2020-01-02T15:31", "2020-01-02T20:31", "2020-01-03T14:35")
    expected = ["2020-01-02T15:30", "2020-01-02T15:30", "2020-01-02T16:30", "2020-01-02T21:00", "2020-01-03T15:30"]
    assert closes(sessions, "1h", *bars) == expected


def test_half_days_and_daylight_saving_are_the_calendars() -> None:
    sessions = new_york("2020-03-02", "2020-12-01")
    # Clocks went forward on 2020-03-08; the day after Thanksgiving closed at 13:00.
    assert closes(sessions, "1d", "2020-03-06T15:00", "2020-03-09T15:00") == ["2020-03-06T21:00", "2020-03-09T20:00"]
    assert closes(sessions, "2h", "2020-11-27T17:45") == ["2020-11-27T18:00"]
    assert closes(sessions, "1h", "2020-11-27T17:45") == ["2020-11-27T18:00"]


def test_weeks_and_months_end_with_their_last_session() -> None:
    sessions = new_york("2019-12-02", "2020-02-28")
    # 2020-01-20 was a holiday, 2020-01-24 a Friday, 2020-01-31 the last of January; Good Friday was 2020-04-10.
    assert closes(sessions, "1w", "2020-01-21T21:00", "2020-01-24T21:00") == ["2020-01-24T21:00"] * 2
    assert closes(sessions, "1mo", "2020-01-02T21:00", "2020-02-03T21:00") == ["2020-01-31T21:00", "2020-02-28T21:00"]
    spring = new_york("2020-04-01", "2020-04-09")
    assert closes(spring, "1w", "2020-04-06T20:00") == ["2020-04-09T20:00"]
    # The month of the last bars is not over: its end is the calendar's, not the data's.
    assert closes(spring, "1mo", "2020-04-09T20:00") == ["2020-04-30T20:00"]


def test_without_an_exchange_days_are_those_of_utc() -> None:
    for name in (None, "24/7"):
        sessions = session_table(name, moment("2020-01-06"), moment("2020-01-08")).sessions
        bars = ("2020-01-06T00:30", "2020-01-07T00:00")
        assert closes(sessions, "1d", *bars) == ["2020-01-07T00:00", "2020-01-07T00:00"]
        assert closes(sessions, "4h", *bars) == ["2020-01-06T04:00", "2020-01-07T00:00"]
        assert closes(sessions, "1w", *bars) == ["2020-01-13T00:00", "2020-01-13T00:00"]
        assert closes(sessions, "1mo", *bars) == ["2020-02-01T00:00", "2020-02-01T00:00"]


def test_sessions_that_begin_the_evening_before_belong_to_their_date() -> None:
    sessions = session_table("CMES", moment("2020-01-06"), moment("2020-01-10")).sessions
    at = int(np.searchsorted(sessions.date, np.datetime64("2020-01-07", "D").astype(int)))
    assert text_of([sessions.open[at], sessions.close[at]]) == ["2020-01-06T23:00", "2020-01-07T23:00"]


@pytest.mark.parametrize("timeframe", ["", "1", "0min", "2d", "1y", "min", "1.5h", "-1h"])
def test_timeframes_that_are_none_are_refused(timeframe: str) -> None:
    with pytest.raises(ConfigError, match="allowed: a whole number and a unit"):
        new_york("2020-01-02", "2020-01-10").bucket_closes(timeframe, np.array([0]), np.array([0], np.int32))


def test_lengths_of_bars() -> None:
    assert timeframe_length("90min", "x") == 1.5 * HOUR
    with pytest.raises(ConfigError, match="data.timeframe: '1w' is no length of a bar"):
        timeframe_length("1w", "data.timeframe")


def test_bars_without_sessions_have_no_buckets() -> None:
    with pytest.raises(DataError, match="these bars carry no sessions"):
        daily_bars([1.0, 2.0]).bucket_closes("1d")


def test_sessions_must_be_in_order() -> None:
    with pytest.raises(DataError, match="close must have one value a session and increase"):
        Sessions(np.array([0, 1]), np.array([0, 10]), np.array([5, 5]))
    with pytest.raises(DataError, match="open before it closes"):
        Sessions(np.array([0, 1]), np.array([6, 10]), np.array([5, 15]))
