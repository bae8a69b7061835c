"""Every rule: what it finds, what strict, relaxed, warn and off make of it."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from admf_ray.data import RULES
from admf_ray.data.request import PROFILES
from admf_ray.errors import ConfigError, DataError
from tests.unit.data.files import days, load

COUNT = 60


def changed(frame: pl.DataFrame, row: int, **values: float | None) -> pl.DataFrame:
    """The same bars with other values in one of them."""
    at = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(at).then(pl.lit(value, pl.Float64)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def swapped(frame: pl.DataFrame, row: int) -> pl.DataFrame:
    order = list(range(len(frame)))
    order[row], order[row + 1] = order[row + 1], order[row]
    return frame[order]


def again(frame: pl.DataFrame, row: int, **values: float) -> pl.DataFrame:
    copy = frame[row].with_columns(pl.lit(value, pl.Float64).alias(name) for name, value in values.items())
    return pl.concat([frame[: row + 1].cast({"volume": pl.Float64}), copy.cast({"volume": pl.Float64}),
                      frame[row + 1 :].cast({"volume": pl.Float64})])  # fmt: skip


SOUND = days(COUNT)
LOW, HIGH = float(SOUND["low"][30]), float(SOUND["high"][30])
DEFECTS = {
    "twice": ("duplicates", again(SOUND, 30), "dropped"),
    "twice, differing": ("duplicates", again(SOUND, 30, close=1.0, low=1.0), None),
    "out of order": ("order", swapped(SOUND, 30), "sorted"),
    "infinite": ("infinite", changed(SOUND, 30, high=float("inf")), None),
    "not above 0": ("prices", changed(SOUND, 30, low=0.0), None),
    "open too low": ("range", changed(SOUND, 30, open=LOW - 1), "clipped to it"),
    "close too high": ("range", changed(SOUND, 30, close=HIGH + 1), "clipped to it"),
    "upside down": ("range", changed(SOUND, 30, high=LOW - 1), None),
    "negative volume": ("volume", changed(SOUND, 30, volume=-1.0), None),
    "too much missing": ("missing", changed(SOUND, 30, close=None), "so the bar takes the last close, without volume"),
}


CLOCKS = pl.DataFrame({"time": [f"2020-01-02 {clock}" for clock in ("09:35", "09:40", "09:45", "16:05")]}).with_columns(
    pl.lit(1.0).alias(name) for name in ("open", "high", "low", "close")
)


def with_text(column: str, text: str) -> pl.DataFrame:
    """The sound bars with text in one row of a column."""
    at = pl.int_range(pl.len()) == 9
    return SOUND.with_columns(pl.when(at).then(pl.lit(text)).otherwise(pl.col(column).cast(pl.String)).alias(column))


def with_day(year: int, month: int, day: int) -> pl.DataFrame:
    """The sound bars and one on another day."""
    return pl.concat([SOUND, SOUND[:1].with_columns(date=pl.date(year, month, day))])


TWO_LENGTHS = CLOCKS.with_columns(time=pl.Series([f"2020-01-02 10:{minute}" for minute in ("00", "01", "06", "11")]))
NEW_YORK = {"calendar": "XNYS", "timezone": "America/New_York"}
OPENS = {"periods_per_year": 252, "timezone": "UTC", "stamp": "open"}
PLACED = {
    # rule, table, options, outcomes in enforce, warn and off
    "no date": ("timestamps", with_text("date", "soon"), {"calendar": "XNYS"}, ("refused", "repaired", "refused")),
    "no zone": ("timezone", CLOCKS, {"calendar": "XNYS"}, ("refused", "warned", None)),
    "a holiday": ("calendar", with_day(2020, 1, 1), {"calendar": "XNYS"}, ("refused", "repaired", "refused")),
    "after hours": ("hours", CLOCKS, NEW_YORK, ("warned", "warned", None)),
    "two lengths": ("timeframe", TWO_LENGTHS, OPENS, ("refused", "warned", "refused")),
    "no number": ("numbers", with_text("close", "x"), {"calendar": "XNYS"}, ("refused", "repaired", "refused")),
    "the future": ("future", with_day(2150, 1, 5), {"periods_per_year": 252}, ("refused", "repaired", None)),
    "too short": ("length", SOUND, {"calendar": "XNYS", "min_history_bars": 99}, ("refused", "warned", None)),
    "leak": (
        "leak",
        SOUND.with_columns(x=pl.col("close").shift(-2)),
        {"calendar": "XNYS"},
        ("refused", "warned", None),
    ),
}


@pytest.mark.parametrize("mode", ["enforce", "warn", "off"])
@pytest.mark.parametrize(("rule", "frame", "options", "expected"), PLACED.values(), ids=PLACED)
def test_every_other_rule_in_every_mode(
    rule: str, frame: pl.DataFrame, options: dict, expected: tuple, mode: str
) -> None:
    try:
        report = load(frame, sanity={"mode": mode}, **options).report
    except DataError as refusal:
        report = refusal.report
    found = {finding.outcome for finding in report.findings if finding.rule == rule}
    wanted = expected[("enforce", "warn", "off").index(mode)]
    assert found == ({wanted} if wanted else set())


def test_the_two_tables_name_every_rule_that_a_row_can_break() -> None:
    named = {rule for rule, *_ in [*DEFECTS.values(), *PLACED.values()]}
    assert named | {"gaps", "spikes", "stale"} == set(RULES)


def outcomes(bars) -> list[tuple[str, str]]:
    return [(finding.rule, finding.outcome) for finding in bars.report.findings]


def test_sound_bars_have_no_findings() -> None:
    assert load(SOUND, calendar="XNYS").report.findings == ()


@pytest.mark.parametrize(("rule", "frame", "repair"), DEFECTS.values(), ids=DEFECTS)
def test_strict_refuses(rule: str, frame: pl.DataFrame, repair: str | None) -> None:
    with pytest.raises(DataError, match=rf"1 finding\(s\) in the bars:\n  {rule}: ") as refusal:
        load(frame, symbol="ABC", calendar="XNYS")
    (finding,) = refusal.value.report.with_outcome("refused")
    assert (finding.rule, finding.symbol) == (rule, "ABC")


@pytest.mark.parametrize(("rule", "frame", "repair"), DEFECTS.values(), ids=DEFECTS)
def test_relaxed_repairs_what_it_may_and_says_so(rule: str, frame: pl.DataFrame, repair: str | None) -> None:
    if repair is None:
        with pytest.raises(DataError, match=rf"1 finding\(s\) in the bars:\n  {rule}: "):
            load(frame, calendar="XNYS", sanity={"profile": "relaxed"})
        return
    bars = load(frame, symbol="ABC", calendar="XNYS", sanity={"profile": "relaxed"})
    assert (rule, "repaired") in outcomes(bars)
    (finding,) = bars.report.with_outcome("repaired")
    assert finding.what.endswith(repair)
    assert (finding.symbol, finding.rule) == ("ABC", rule)
    assert finding.time.startswith(str(SOUND["date"][30]))
    assert len(bars) == COUNT


@pytest.mark.parametrize(("rule", "frame", "repair"), DEFECTS.values(), ids=DEFECTS)
def test_warn_goes_on_and_says_so(rule: str, frame: pl.DataFrame, repair: str | None) -> None:
    bars = load(frame, calendar="XNYS", sanity={"mode": "warn"})
    assert rule in {found for found, outcome in outcomes(bars) if outcome in {"warned", "repaired"}}
    assert not bars.report.with_outcome("refused")
    assert len(bars) == COUNT


@pytest.mark.parametrize(("rule", "frame", "repair"), DEFECTS.values(), ids=DEFECTS)
def test_off_refuses_only_what_no_bars_can_be(rule: str, frame: pl.DataFrame, repair: str | None) -> None:
    if rule in {"duplicates", "order", "infinite", "prices"}:
        with pytest.raises(DataError, match=f"  {rule}: "):
            load(frame, calendar="XNYS", sanity={"mode": "off", "profile": "relaxed"})
    else:
        bars = load(frame, calendar="XNYS", sanity={"mode": "off", "profile": "relaxed"})
        assert bars.report.findings == ()
        np.testing.assert_array_equal(bars.open[0][~np.isnan(bars.close[0])], frame["open"].to_numpy()[
            frame["close"].is_not_null().to_numpy()])  # fmt: skip


def test_repairs_are_what_a_hand_would_do() -> None:
    relaxed = {"calendar": "XNYS", "sanity": {"profile": "relaxed"}}
    sound = load(SOUND, calendar="XNYS")
    for name in ("twice", "out of order"):
        repaired = load(DEFECTS[name][1], **relaxed)
        np.testing.assert_array_equal(repaired.close, sound.close)
        np.testing.assert_array_equal(repaired.known_at, sound.known_at)
    assert load(DEFECTS["open too low"][1], **relaxed).open[0, 30] == LOW
    assert load(DEFECTS["close too high"][1], **relaxed).close[0, 30] == HIGH
    filled = load(DEFECTS["too much missing"][1], **relaxed)
    bar = [getattr(filled, name)[0, 30] for name in ("open", "high", "low", "close", "volume")]
    assert bar == [*[float(SOUND["close"][29])] * 4, 0.0]


def test_a_fill_stops_after_so_many_bars_and_never_reaches_back() -> None:
    frame = SOUND
    for row in (0, 20, 21, 22, 23, 24):
        frame = changed(frame, row, open=None)
    bars = load(frame, calendar="XNYS", sanity={"profile": "relaxed", "max_na_fraction": 0.2})
    assert np.flatnonzero(np.isnan(bars.close[0])).tolist() == [0, 23, 24]
    held = [finding.what for finding in bars.report.with_outcome("warned") if finding.rule == "missing"]
    assert held == ["a price is missing: positions are held, marked at the last close"] * 3
    with pytest.raises(DataError, match=r"data.sanity.hold_on_nan=false"):
        load(frame, calendar="XNYS", sanity={"max_na_fraction": 1.0, "hold_on_nan": False})


def test_the_share_of_missing_bars_is_held_against_the_profile() -> None:
    one, three = (
        changed(SOUND, 5, close=None),
        changed(changed(changed(SOUND, 5, close=None), 7, low=None), 9, high=None),
    )
    with pytest.raises(DataError, match=r"1 of 60 bars are missing a price \(1.7%\); allowed: 1.0%"):
        load(one, calendar="XNYS")
    assert np.isnan(load(one, calendar="XNYS", sanity={"max_na_fraction": 0.02}).close[0, 5])
    assert not np.isnan(load(three, calendar="XNYS", sanity={"profile": "relaxed"}).close).any()
    with pytest.raises(DataError, match=r"3 of 60 bars are missing a price \(5.0%\); allowed: 4.0%"):
        load(three, calendar="XNYS", sanity={"profile": "relaxed", "max_na_fraction": 0.04})


def test_bars_in_the_future_are_not_complete() -> None:
    frame = pl.DataFrame(
        {"date": ["2020-01-02", "2199-01-02"], **{name: [1.0, 1.0] for name in ("open", "high", "low", "close")}}
    )
    with pytest.raises(DataError, match=r"future: frame bar 2199-01-02 \(row 2\): is not complete yet"):
        load(frame, periods_per_year=252)
    assert outcomes(load(frame, periods_per_year=252, sanity={"mode": "warn"})) == [("future", "repaired")]


def test_sessions_without_a_bar_are_warned_of() -> None:
    bars = load(SOUND[[*range(10), *range(13, COUNT)]], calendar="XNYS")
    (finding,) = bars.report.findings
    assert (finding.rule, finding.outcome, finding.row) == ("gaps", "warned", 11)
    assert finding.what == "3 session(s) of XNYS without a bar before"


def test_intraday_gaps_and_bars_outside_the_session_are_warned_of() -> None:
    clocks = ["09:35", "09:40", "09:45", "10:00", "16:00", "16:05"]
    frame = pl.DataFrame({"time": [f"2020-01-02 {clock}" for clock in clocks]}).with_columns(
        pl.lit(1.0).alias(name) for name in ("open", "high", "low", "close")
    )
    bars = load(frame, calendar="XNYS", timezone="America/New_York")
    found = [(finding.rule, finding.row, finding.what) for finding in bars.report.findings]
    assert found == [
        ("hours", 6, "1 bar(s) outside the sessions of XNYS, this the first"),
        ("gaps", 4, "2 bar(s) left out before"),
        ("gaps", 5, "71 bar(s) left out before"),
    ]


def test_a_return_far_out_is_a_spike() -> None:
    close = 100 * np.exp(np.cumsum(np.tile([0.01, -0.01, 0.02, -0.02], 15)))
    close[40:] *= 2.0
    frame = SOUND.with_columns(pl.Series(name, close) for name in ("open", "high", "low", "close"))
    (finding,) = load(frame, calendar="XNYS").report.findings
    # MAD 0.02 (median of |r| with a median return near 0), so z of ln 2 is about 0.69 / 0.03 = 23.
    assert (finding.rule, finding.outcome, finding.row) == ("spikes", "warned", 41)
    assert finding.value == pytest.approx(np.log(2) + 0.01, abs=1e-9)


def test_the_indices_have_no_spikes_and_nasdaq_two_bars_without_volume(sp500) -> None:
    from admf_ray import load_bars

    assert sp500.report.findings == ()
    found = load_bars("nasdaq").report.findings
    assert [(finding.rule, finding.time, finding.value) for finding in found] == [
        ("stale", "5/12/2015", None),
        ("stale", "1/9/2018", None),
    ]


def test_a_close_that_does_not_change_is_stale() -> None:
    frame = SOUND
    for row in range(20, 32):
        frame = changed(frame, row, open=90.0, high=90.0, low=90.0, close=90.0)
    (finding,) = load(frame, calendar="XNYS").report.findings
    assert (finding.rule, finding.row, finding.what) == ("stale", 21, "the close stays the same for 12 bars from here")
    idle = SOUND.with_columns(volume=pl.lit(0))
    (finding,) = load(idle, calendar="XNYS").report.findings
    assert (finding.rule, finding.what) == ("stale", "60 of 60 bars have no volume")


def test_too_short_a_series_is_refused() -> None:
    with pytest.raises(DataError, match=r"length: frame: 60 bar\(s\) with prices; allowed: at least 61"):
        load(SOUND, calendar="XNYS", min_history_bars=61)
    with pytest.raises(DataError, match="at least 120"):
        load(SOUND, calendar="XNYS", min_history_bars=None)


@pytest.mark.parametrize("ahead", [1, 5])
def test_a_column_that_is_a_later_price_looks_ahead(ahead: int) -> None:
    leaking = SOUND.with_columns(signal=pl.col("close").shift(-ahead))
    with pytest.raises(DataError, match=rf"leak: frame: column 'signal' equals the close of {ahead} bar\(s\) later"):
        load(leaking, calendar="XNYS")
    behind = SOUND.with_columns(signal=pl.col("close").shift(ahead), today=pl.col("close"))
    assert load(behind, calendar="XNYS").report.findings == ()
    opens = SOUND.with_columns(open=pl.col("close").shift(-1)).head(COUNT - 1)
    wide = opens.with_columns(low=pl.col("low") - 20, high=pl.col("high") + 20)
    with pytest.raises(DataError, match=r"column 'open' equals the close of 1 bar"):
        load(wide, calendar="XNYS")


def test_an_open_at_the_last_close_does_not_look_ahead() -> None:
    frame = SOUND.with_columns(open=pl.col("close").shift(1).fill_null(pl.col("open")))
    frame = frame.with_columns(high=pl.max_horizontal("open", "close"), low=pl.min_horizontal("open", "close"))
    assert load(frame, calendar="XNYS").report.findings == ()
    constant = SOUND.with_columns(pl.lit(5.0).alias(name) for name in ("open", "high", "low", "close"))
    assert "leak" not in dict(outcomes(load(constant, calendar="XNYS")))


def test_findings_come_in_the_order_of_the_rules_then_of_symbols_then_of_time() -> None:
    bad = changed(changed(changed(SOUND, 40, volume=-1.0), 20, close=HIGH + 50), 10, low=-1.0)
    both = pl.concat([bad.with_columns(symbol=pl.lit(name)) for name in ("B", "A")])
    with pytest.raises(DataError) as refusal:
        load(both, calendar="XNYS")
    found = [(finding.rule, finding.symbol) for finding in refusal.value.report.findings]
    assert found == [
        ("prices", "A"), ("prices", "B"), ("range", "A"), ("range", "B"), ("volume", "A"), ("volume", "B"),
    ]  # fmt: skip
    assert [rule for rule in RULES if rule in dict(found)] == list(dict(found))
    assert str(refusal.value).count("\n") == 6


def test_a_message_shows_twenty_of_a_rule_and_the_report_all() -> None:
    frame = SOUND.with_columns(volume=pl.lit(-1))
    with pytest.raises(DataError, match=r"60 finding\(s\)(?s:.*)\n  volume: ... and 40 more$") as refusal:
        load(frame, calendar="XNYS")
    assert len(refusal.value.report.findings) == COUNT


def test_the_report_travels_with_the_bars_and_through_files() -> None:
    bars = load(DEFECTS["twice"][1], calendar="XNYS", sanity={"profile": "relaxed"})
    plain = bars.report.plain()
    assert type(bars.report).from_plain(plain) == bars.report
    assert plain["checks"]["profile"] == "relaxed"
    assert bars.head(10).report is bars.report
    assert dataclasses.replace(bars, report=None).fingerprint() == bars.fingerprint()


@pytest.mark.parametrize(
    ("sanity", "message"),
    [
        (
            {"mode": "of"},
            r"data.sanity.mode: no mode is named 'of' \(did you mean off\?\); allowed: enforce, warn, off",
        ),
        ({"profile": "lax"}, r"data.sanity.profile: no profile is named 'lax'"),
        ({"max_na": 1}, r"data.sanity.max_na: no option is named 'max_na'"),
    ],
)
def test_wrong_options_are_named(sanity: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(SOUND, calendar="XNYS", sanity=sanity)


def test_profiles_name_the_same_keys() -> None:
    assert set(PROFILES["strict"]) == set(PROFILES["relaxed"])
