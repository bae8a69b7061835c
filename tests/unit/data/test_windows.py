import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from admf_ray.data import Separation, Span, SplitPlan, Window, WindowPlan, date_span
from admf_ray.errors import AdmfError, ConfigError
from tests.series import daily_bars


def plan(**spans: object) -> WindowPlan:
    fields: dict[str, object] = {"kind": "rolling", "train": "4y", "test": "1y", "gap": "0b", **spans}
    fields.setdefault("step", fields["test"])
    for name in ("train", "test", "step", "gap"):
        fields[name] = Span.parse(str(fields[name]), name)
    return WindowPlan(**fields)  # type: ignore[arg-type]


def days(bars, window: Window) -> tuple[str, ...]:
    edges = (window.train_start, window.train_stop - 1, window.test_start, window.test_stop - 1)
    return tuple(str(np.datetime64(int(bars.known_at[edge]), "ns"))[:10] for edge in edges)


def test_four_years_and_one_aligned_to_the_year(sp500) -> None:
    windows = plan(align="year").cut(sp500)
    assert len(windows) == 16
    assert days(sp500, windows[0]) == ("1999-01-04", "2002-12-31", "2003-01-02", "2003-12-31")
    # The last test span is complete: after 2018-12-31 the next session is in 2019.
    assert days(sp500, windows[-1]) == ("2014-01-02", "2017-12-29", "2018-01-02", "2018-12-31")


def test_without_alignment_a_last_test_that_the_data_does_not_fill_is_dropped(sp500) -> None:
    assert len(plan().cut(sp500)) == 15
    kept = plan(allow_truncated_final=True).cut(sp500)
    assert len(kept) == 16
    assert kept[-1].test_stop == len(sp500)


def test_one_bar_less_makes_the_last_test_incomplete(sp500) -> None:
    assert len(plan(align="year").cut(sp500.head(len(sp500) - 1))) == 15


def test_anchored_windows_grow_from_the_first_bar(sp500) -> None:
    rolling, anchored = plan(align="year").cut(sp500), plan(kind="anchored", align="year").cut(sp500)
    assert {window.train_start for window in anchored} == {0}
    assert [window.train_stop for window in anchored] == [window.train_stop for window in rolling]
    assert [window.test_stop for window in anchored] == [window.test_stop for window in rolling]


def test_bar_spans_count_bars() -> None:
    bars = daily_bars(np.ones(100))
    windows = plan(train="40b", test="10b", gap="5b").cut(bars)
    assert windows == (
        Window(0, 0, 40, 45, 55),
        Window(1, 10, 50, 55, 65),
        Window(2, 20, 60, 65, 75),
        Window(3, 30, 70, 75, 85),
        Window(4, 40, 80, 85, 95),
    )
    assert Separation.prove(windows, bars) == Separation(windows=5, train_bars=200, test_bars=50, smallest_gap=5)


def test_a_step_beyond_the_test_leaves_bars_out() -> None:
    windows = plan(train="10b", test="5b", step="20b").cut(daily_bars(np.ones(60)))
    assert [(window.test_start, window.test_stop) for window in windows] == [(10, 15), (30, 35), (50, 55)]


spans = st.builds(lambda count, unit: f"{count}{unit}", st.integers(1, 400), st.sampled_from(["b", "d", "w", "mo"]))


@given(spans, spans, spans, st.integers(0, 30), st.sampled_from(["rolling", "anchored"]),
       st.sampled_from(["none", "month", "quarter", "year"]), st.booleans())  # fmt: skip
def test_whatever_is_cut_is_proven_apart(train, test, step, gap, kind, align, truncated) -> None:
    bars = daily_bars(np.ones(900))
    try:
        windows = plan(
            train=train, test=test, step=step, gap=f"{gap}b", kind=kind, align=align, allow_truncated_final=truncated
        ).cut(bars)
    except ConfigError:
        assume(False)
    proof = Separation.prove(windows, bars)
    assert proof.windows == len(windows) >= 1
    assert proof.smallest_gap == gap


@pytest.mark.parametrize(
    "change", [{"test_start": 39}, {"train_stop": 41}, {"test_stop": 101}, {"train_start": -1}, {"test_stop": 40}]
)
def test_the_proof_refuses_windows_out_of_order(change: dict[str, int]) -> None:
    with pytest.raises(AdmfError, match="window 0 is not in order"):
        Separation.prove([replace(Window(0, 0, 40, 40, 50), **change)], daily_bars(np.ones(100)))


def test_the_proof_refuses_test_spans_that_overlap() -> None:
    with pytest.raises(AdmfError, match="test spans of windows 0 and 1 overlap"):
        Separation.prove([Window(0, 0, 40, 40, 50), Window(1, 5, 45, 49, 60)], daily_bars(np.ones(100)))


@pytest.mark.parametrize(
    ("spans_", "message"),
    [
        ({"train": "30y"}, r"train 30y \+ gap 0b \+ test 1y do not fit the data: train would end 2029-01-04"),
        ({"step": "6mo"}, "windows.step: 6mo is shorter than windows.test: 1y.* share 12[0-9] bars"),
        ({"train": "1b"}, r"windows.train: 1b holds 1 bar\(s\) in window 0; allowed: spans of at least 2"),
        ({"train": "0b"}, "windows.train: 0b is empty"),
        ({"test": "1d", "step": "1d"}, "windows.test: 1d holds 0 bar"),
    ],
)
def test_absurd_settings_are_refused_with_the_arithmetic(sp500, spans_: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**spans_).cut(sp500)


def split(**fields: object) -> SplitPlan:
    values = {"train": None, "validation": "2011-01-01", "test": "2015-01-01", "gap": Span(0, "b")}
    return SplitPlan(**{**values, **fields})  # type: ignore[arg-type]


def test_a_split_goes_from_date_to_date(sp500) -> None:
    spans_ = split(gap=Span(5, "b")).spans(sp500)
    assert spans_["train"][0] == 0
    assert spans_["validation"][0] == spans_["train"][1] + 5
    assert spans_["test"] == (spans_["validation"][1] + 5, len(sp500))
    assert str(np.datetime64(int(sp500.known_at[spans_["train"][1]]), "ns"))[:10] == "2011-01-03"
    window = split().window(sp500, "validation")
    assert window.test_start == window.train_stop


@pytest.mark.parametrize(
    "fields",
    [{"validation": "2016-01-01"}, {"test": "2030-01-01"}, {"train": "2012-01-01"}, {"validation": "1990-01-01"}],
)
def test_a_split_out_of_order_or_beyond_the_data_is_refused(sp500, fields: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"windows: the dates .* leave train .* bars"):
        split(**fields).spans(sp500)


def test_training_data_is_no_test(sp500) -> None:
    with pytest.raises(ConfigError, match="dataset: train cannot be tested"):
        split().window(sp500, "train")


def test_a_span_of_dates_is_open_where_nothing_is_given(sp500) -> None:
    assert date_span(sp500, None, None, "span") == (0, len(sp500))
    start, stop = date_span(sp500, "2003-01-01", "2003-12-31T21:00:00", "span")
    assert days(sp500, Window(0, start, stop, start, stop)) == ("2003-01-02", "2003-12-31") * 2
    with pytest.raises(ConfigError, match="span: from 2030-01-01 to None there are 0 bars"):
        date_span(sp500, "2030-01-01", None, "span")


@pytest.mark.parametrize("kind", ["rolling", "anchored"])
@pytest.mark.parametrize("gap", ["1b", "5b", "21b"])
def test_a_gap_in_bars_goes_with_spans_of_the_calendar(sp500, kind: str, gap: str) -> None:
    windows = plan(kind=kind, gap=gap, align="year").cut(sp500)
    assert len(windows) >= 15
    for window, following in itertools.pairwise(windows):
        assert window.test_start - window.train_stop == int(gap[:-1])
        assert window.test_stop == following.test_start
