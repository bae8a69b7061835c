"""``+experiment=check_data``, and what other experiments show of the data."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

import admf_ray
from admf_ray.launch import main
from tests.unit.data.files import days, written

MENDED = ["data.calendar=XNYS", "data.sanity.profile=relaxed"]


@pytest.fixture
def messy(elsewhere: Path) -> Path:
    """600 bars: two out of order, one twice, a close above its high, two closes missing."""
    frame = days(600)
    order = list(range(600))
    order[100], order[101] = order[101], order[100]
    order.insert(301, 300)
    lines = frame[order].write_csv().splitlines()
    cells = lines[401].split(",")
    lines[401] = ",".join([*cells[:4], "500.0", cells[5]])
    for row in (501, 502):
        cells = lines[row].split(",")
        lines[row] = ",".join([*cells[:4], "", cells[5]])
    return written(elsewhere, "\n".join(lines), "messy.csv")


def newest(name: str) -> Path:
    return Path("runs/latest").resolve() / name


def test_sound_data_is_accepted_with_a_report(elsewhere, capsys) -> None:
    assert main(["+experiment=check_data"]) == 0
    printed = capsys.readouterr().out
    assert "data: SPX, 5,031 bars" in printed
    assert re.search(r"2008 +253 +42% +-48.0% +8.6", printed)
    report = json.loads(newest("data_report.json").read_text())
    assert (report["counts"], report["checks"]["profile"]) == ({}, "strict")
    page = newest("report.html").read_text()
    assert "sp500.csv.gz: accepted" in page
    assert "nothing found" in page
    assert not re.search(r"""<(script|link)[^>]+(src|href)=""", page)


def test_bad_data_is_refused_with_every_finding_marked(messy, capsys) -> None:
    assert main(["+experiment=check_data", "data=csv", "data.path=messy.csv", "data.calendar=XNYS"]) == 2
    printed, error = capsys.readouterr()
    for line in (
        "refused: duplicates: messy bar 2000-03-13 (row 302): the same bar again",
        "refused: order: messy bar 1999-05-27 (row 102): earlier than a bar before",
        "refused: range: messy bar 2000-08-02 (row 401): close is above high: 500",
    ):
        assert line in printed
    assert error == "error: messy.csv: 3 finding(s) in the bars: listed above\n"
    report = json.loads(newest("data_report.json").read_text())
    assert report["counts"]["refused"] == {"duplicates": 1, "order": 1, "range": 1}
    page = newest("report.html").read_text()
    assert "messy.csv: refused" in page
    assert "refused (3 of 3 marked)" in page
    assert json.loads(newest("status.json").read_text())["state"] == "completed"


def test_what_cannot_be_read_leaves_nothing(elsewhere, capsys) -> None:
    written(elsewhere, "a,b\n1,2\n", "x.csv")
    assert main(["+experiment=check_data", "data=csv", "data.path=x.csv"]) == 2
    assert "error: x.csv: no column for a time" in capsys.readouterr().err
    assert [path.name for path in elsewhere.iterdir()] == ["x.csv"]


def test_rows_that_are_no_bars_have_a_page_without_a_chart(elsewhere) -> None:
    written(elsewhere, "date,open,high,low,close\n2150-01-04,1,1,1,1\n", "x.csv")
    options = ["data.min_history_bars=0", "data.calendar=24/7"]
    assert main(["+experiment=check_data", "data=csv", "data.path=x.csv", *options]) == 2
    page = newest("report.html").read_text()
    assert "there is no chart" in page
    assert "is not complete yet" in page
    assert "x.csv: refused" in page


def test_a_refusal_without_findings_is_told_on_the_page(elsewhere, capsys) -> None:
    written(elsewhere, days(200).write_csv(), "x.csv")
    assert main(["+experiment=check_data", "data=csv", "data.path=x.csv"]) == 2
    error = capsys.readouterr().err
    assert error == "error: x.csv: how many bars a year has is not known; set data.calendar or data.periods_per_year\n"
    page = newest("report.html").read_text()
    assert "x.csv: refused" in page
    assert "set data.calendar or data.periods_per_year" in page


def test_a_walk_forward_on_repaired_bars_shows_the_repairs(messy, capsys) -> None:
    options = ["strategy.space.fast=[5,10]", "strategy.space.slow=[20]", "windows.train=250b", "windows.test=50b"]
    options += ["windows.align=none", "cluster=serial"]
    assert main(["+experiment=walkforward", "data=csv", "data.path=messy.csv", *MENDED, *options]) == 0
    filled = "a price is missing, so the bar takes the last close, without volume: 87.1"
    repairs = [
        "duplicates: messy bar 2000-03-13 (row 302): the same bar again, dropped",
        "order: messy bar 1999-05-27 (row 102): earlier than a bar before, sorted",
        f"missing: messy bar 2000-12-22 (row 501): {filled}",
        f"missing: messy bar 2000-12-26 (row 502): {filled}",
        "range: messy bar 2000-08-02 (row 401): close is above high, clipped to it: 500",
    ]
    printed = capsys.readouterr().out
    for repair in repairs:
        assert f"data repaired: {repair}" in printed
    summary = json.loads(newest("summary.json").read_text())
    assert summary["data"]["repairs"] == repairs
    manifest = json.loads(newest("manifest.json").read_text())
    assert manifest["data"]["repairs"] == repairs
    assert manifest["data"]["checks"]["profile"] == "relaxed"
    report = json.loads(newest("data_report.json").read_text())
    assert len([finding for finding in report["findings"] if finding["outcome"] == "repaired"]) == 5
    windows = pl.read_parquet(newest("phases/discovery/windows.parquet"))
    assert {"train_stress_share", "test_stress_share", "test_market_drawdown", "test_volatility_decile"} <= set(
        windows.columns
    )


def test_from_python_the_summary_says_the_same(messy) -> None:
    bars = admf_ray.load_bars("csv", messy, calendar="XNYS", sanity={"profile": "relaxed"})
    result = admf_ray.backtest(bars, "buy_and_hold")
    assert len(result.summary["data"]["repairs"]) == 5
    assert result.summary["data"]["findings"]["repaired"] == {"duplicates": 1, "order": 1, "missing": 2, "range": 1}


@pytest.mark.parametrize("experiment", ["walkforward", "backtest", "sweep"])
def test_stress_can_be_required(elsewhere, capsys, experiment: str) -> None:
    small = ["strategy.space.fast=[5]", "strategy.space.slow=[20]", "cluster=serial"]
    span = [] if experiment == "walkforward" else ["span.start=2017-01-01", "span.stop=2018-01-01"]
    assert main([f"+experiment={experiment}", "windows.require_stress=enforce", *small, *span]) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "error: windows.require_stress: spans whose share of bars in stress is not between 5% and 95%"
    )
    assert "allowed: other spans, or windows.require_stress=warn" in error
    assert list(elsewhere.iterdir()) == []
    assert main([f"+experiment={experiment}", "windows.require_stress=warn", *small, *span]) == 0
    assert "warning: windows.require_stress: spans whose share" in capsys.readouterr().out


def test_synthetic_markets_run_through_every_experiment(elsewhere, capsys) -> None:
    small = ["strategy.space.fast=[5,10]", "strategy.space.slow=[20,50]", "cluster=serial"]
    assert main(["+experiment=walkforward", "data=synthetic", "data.synthetic.kind=regimes", *small]) == 0
    assert "data: S0, 2,520 bars" in capsys.readouterr().out
