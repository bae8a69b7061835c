"""The page of a run: its numbers are those of the Parquet files, and a browser draws all of it."""

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.launch import main
from admf_ray.report.page import extremes, render
from admf_ray.workflow import RunResult
from tests.unit.report.browser import WIDTHS, needs_chromium, opened

NUMBERS = "cells => cells.map(c => c.dataset.value === '' ? NaN : +c.dataset.value)"
SPACE = ["strategy.space.fast={low:10,high:60,step:10}", "strategy.space.slow=[80,120,200]"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pages")
    common = ["cluster=serial", f"run_root={root}"]
    assert main(["+experiment=walkforward", *SPACE, *common, "run_name=walked"]) == 0
    assert main(["+experiment=sweep", *SPACE, *common, "run_name=swept"]) == 0
    assert main(["+experiment=backtest", *common, "run_name=tested", "execution.fill=close"]) == 0
    return root


@pytest.fixture(scope="module")
def run(root: Path) -> RunResult:
    return admf_ray.load_run(root / "walked")


def payload(page: Path) -> dict:
    """What the page draws from."""
    text = page.read_text()
    return json.loads(re.search(r'<script type="application/json" id="payload">(.*?)</script>', text)[1])


def traces(page: Path, chart: str) -> dict:
    drawn = payload(page)
    found = {trace["name"]: trace for trace in drawn["charts"][chart]["data"]}
    for trace in found.values():
        if trace["x"] == "@time":
            trace["x"] = drawn["series"]["time"]
    return found


def days(column: pl.Series) -> list[str]:
    return [str(day) for day in column.to_numpy().astype("datetime64[ns]").astype("datetime64[D]")]


def test_equity_is_that_of_the_table(root: Path, run: RunResult) -> None:
    row = {day: index for index, day in enumerate(days(run.equity["time"]))}
    for name, column in (("strategy", "equity"), ("buy and hold", "benchmark")):
        drawn = traces(root / "walked/report.html", "equity")[name]
        expected = run.equity[column].to_numpy()[[row[day] for day in drawn["x"]]]
        assert len(drawn["y"]) > 1_000
        np.testing.assert_allclose(drawn["y"], expected, rtol=1e-6)
    assert drawn["x"][0] == days(run.equity["time"])[0]
    assert drawn["x"][-1] == days(run.equity["time"])[-1]


def test_drawdown_reaches_the_worst_of_the_summary(root: Path, run: RunResult) -> None:
    drawn = traces(root / "walked/report.html", "drawdown")
    assert min(drawn["strategy"]["y"]) == pytest.approx(run.summary["out_of_sample"]["max_drawdown"], rel=1e-6)
    assert min(drawn["buy and hold"]["y"]) == pytest.approx(run.summary["benchmark"]["max_drawdown"], rel=1e-6)


def test_positions_are_those_of_the_table(root: Path, run: RunResult) -> None:
    drawn = payload(root / "walked/report.html")
    (position, exposure) = drawn["charts"]["exposure"]["data"]
    row = {day: index for index, day in enumerate(days(run.equity["time"]))}
    held = run.equity["position"].to_numpy()
    np.testing.assert_array_equal(position["y"], held[[row[day] for day in drawn["series"]["position_time"]]])
    changes = {days(run.equity["time"])[index] for index in np.flatnonzero(np.diff(held)) + 1}
    assert changes <= set(drawn["series"]["position_time"])
    # The newest year of 252 bars.
    assert exposure["y"][-1] == pytest.approx(np.mean(held[-252:] != 0.0), rel=1e-6)


def test_rolling_figures_are_those_of_the_newest_year(root: Path, run: RunResult) -> None:
    traces_ = payload(root / "walked/report.html")["charts"]["rolling"]["data"]
    returns = (run.equity["equity"] / run.equity["equity"].shift(1) - 1).to_numpy()[-252:]
    deviation = returns.std(ddof=1)
    assert traces_[0]["y"][-1] == pytest.approx(returns.mean() / deviation * math.sqrt(252), rel=1e-6)
    assert traces_[2]["y"][-1] == pytest.approx(deviation * math.sqrt(252), rel=1e-6)


def test_months_and_years_compound_to_the_whole(root: Path, run: RunResult) -> None:
    page = root / "walked/report.html"
    months = [value for row in payload(page)["charts"]["monthly"]["data"][0]["z"] for value in row if value is not None]
    years = traces(page, "annual")["strategy"]["y"]
    for returns in (months, years):
        assert np.prod(1 + np.array(returns)) - 1 == pytest.approx(
            run.summary["out_of_sample"]["total_return"], rel=1e-4
        )


def test_the_surface_holds_the_best_trial_of_each_cell(root: Path, run: RunResult) -> None:
    surface = payload(root / "walked/report.html")["series"]["surface"]
    (pair,) = surface["pairs"]
    assert pair["names"] == ["fast", "slow"]
    trials = run.trials.join(run.candidates, on="candidate")
    for window in (0, 15):
        for column, row, value in zip(pair["column"], pair["row"], pair["values"][window], strict=True):
            cell = (pl.col("fast") == pair["x"][column]) & (pl.col("slow") == pair["y"][row])
            expected = trials.filter(cell & (pl.col("window") == window))["objective"].max()
            assert value == pytest.approx(expected, rel=1e-3)
        chosen = json.loads(run.windows["parameters"][window])
        assert pair["winners"][window][:2] == [chosen["fast"], chosen["slow"]]


def test_train_and_test_bars_are_those_of_the_windows(root: Path, run: RunResult) -> None:
    drawn = traces(root / "walked/report.html", "decay")
    for part in ("train", "test"):
        shown = np.array(drawn[part]["y"], dtype=float)
        np.testing.assert_allclose(shown, run.windows[f"{part}_sharpe"], rtol=1e-6)


def test_chosen_parameters_are_those_of_the_windows(root: Path, run: RunResult) -> None:
    drawn = traces(root / "walked/report.html", "stability")
    chosen = [json.loads(text) for text in run.windows["parameters"]]
    assert drawn["fast"]["y"] == [parameters["fast"] for parameters in chosen]


@needs_chromium
def test_headline_tables_and_cards_show_the_files_figures(root: Path, run: RunResult) -> None:
    with opened(root / "walked/report.html") as page:
        for name, form in (("sharpe", "{:.2f}"), ("total_return", "{:+.1%}"), ("trades", "{:,.0f}")):
            shown = page.locator(f'[data-figure="{name}"] .value').inner_text()
            assert shown == form.format(run.summary["out_of_sample"][name])
        shown = page.locator('[data-figure="beta"] .value').inner_text()
        assert shown == f"{run.summary['relative']['beta']:.2f}"
        net = page.locator("#trades tbody tr td:nth-child(8)").evaluate_all(NUMBERS)
        np.testing.assert_array_equal(net, run.trades["net"])
        sharpe = page.locator("#windows tbody tr td:nth-child(7)").evaluate_all(NUMBERS)
        np.testing.assert_array_equal(sharpe, run.windows["test_sharpe"])


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
@pytest.mark.parametrize("name", ["walked", "swept", "tested"])
def test_every_figure_draws_without_a_word_on_the_console(root: Path, name: str, width: int, scheme: str) -> None:
    with opened(root / name / "report.html", width, scheme) as page:
        charts = page.locator("[data-chart]")
        assert charts.count() == len(payload(root / name / "report.html")["charts"])
        for index in range(charts.count()):
            assert charts.nth(index).locator(".main-svg").count() >= 1
            assert charts.nth(index).locator(".trace, .heatmaplayer image, .heatmap, .barlayer .point").count() >= 1
            assert charts.nth(index).bounding_box()["height"] > 100
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        page.click("#theme")
        assert page.evaluate("document.documentElement.dataset.theme") != scheme


@needs_chromium
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS.keys())
def test_trades_can_be_sorted_and_filtered(root: Path, run: RunResult, width: int) -> None:
    with opened(root / "walked/report.html", width) as page:

        def net() -> list[float]:
            return page.locator("#trades tbody tr:visible td:nth-child(8)").evaluate_all(NUMBERS)

        head = page.locator("#trades th", has_text="net")
        head.click()
        assert net() == sorted(run.trades["net"])
        head.click()
        assert net() == sorted(run.trades["net"], reverse=True)
        page.fill("#trades input", "2008-")
        expected = run.trades.filter(
            pl.from_epoch("entry_time", "ns").dt.year().eq(2008) | pl.from_epoch("exit_time", "ns").dt.year().eq(2008)
        )
        assert sorted(net()) == sorted(expected["net"])
        assert page.locator("#trades .count").inner_text() == f"{len(expected)} of {len(run.trades)} rows"
        page.fill("#trades input", "no such trade")
        assert net() == []


@needs_chromium
def test_the_surface_follows_its_selects_and_definitions_open(root: Path) -> None:
    with opened(root / "walked/report.html") as page:
        z = "() => document.querySelector('[data-chart=surface]').data[0].z.flat().filter(v => v !== null)"
        before = page.evaluate(z)
        page.locator("#surface select").first.select_option("9")
        after = page.evaluate(z)
        assert before != after
        expected = payload(root / "walked/report.html")["series"]["surface"]["pairs"][0]["values"][9]
        assert sorted(after) == sorted(value for value in expected if value is not None)
        card = page.locator('[data-figure="sharpe"]')
        assert not card.locator("p").is_visible()
        card.locator("summary").click()
        assert "sample deviation" in card.locator("p").inner_text()


def test_pages_stay_under_six_megabytes_however_large_the_search(tmp_path: Path) -> None:
    bars = admf_ray.load_bars("sp500")
    space = {
        "period": {"low": 2, "high": 40, "step": 1},
        "oversold": {"low": 10, "high": 40, "step": 2},
        "exit": {"low": 45, "high": 80, "step": 2},
    }
    found = admf_ray.walk_forward(bars, "rsi_reversion", space, run_root=tmp_path, run_name="large")
    assert len(found.candidates) == 39 * 16 * 18
    assert (tmp_path / "large/report.html").stat().st_size < 6_000_000
    pairs = payload(tmp_path / "large/report.html")["series"]["surface"]["pairs"]
    assert [pair["names"] for pair in pairs] == [["period", "oversold"], ["period", "exit"], ["oversold", "exit"]]
    assert max(value for pair in pairs for value in pair["values"][3] if value is not None) == pytest.approx(
        found.trials.filter((pl.col("window") == 3) & (pl.col("status") == "complete"))["objective"].max(), rel=1e-3
    )


def test_a_page_is_drawn_anew_as_it_was(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = root / "walked/report.html"
    before = page.read_text()
    page.unlink()
    assert main(["+experiment=report", f"run={root / 'walked'}"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tried: 18 sets in 288 trials on this data, all by this run",
        f"report: {page}",
    ]
    assert page.read_text() == before


def test_a_run_without_a_page(tmp_path: Path, sp500) -> None:
    admf_ray.backtest(sp500, "sma_cross", run_root=tmp_path, run_name="plain", report={"page": False})
    assert not (tmp_path / "plain/report.html").exists()


def test_a_run_that_never_traded_has_a_page(tmp_path: Path, sp500) -> None:
    found = admf_ray.walk_forward(
        sp500, "sma_cross", {"fast": [10], "slow": [50]}, search={"min_trades": 999}, run_root=tmp_path, run_name="cash"
    )
    assert len(found.trades) == 0
    text = (tmp_path / "cash/report.html").read_text()
    assert "nothing to survive" in text
    assert "16 of 16 windows were spent in cash" in text


def test_text_of_the_user_cannot_become_markup() -> None:
    page = render("<b>a</b>", "</script><script>alert(1)</script>", [], texts=[("x", "<img src=x onerror=alert(1)>")])
    assert "<b>a</b>" not in page
    assert "<script>alert" not in page
    assert "<img" not in page


def test_extremes_keep_lowest_highest_first_and_last() -> None:
    values = np.random.default_rng(1).normal(size=10_000)
    values[[17, 5_003]] = [math.nan, 50.0]
    shown = extremes(values, 500)
    assert len(shown) <= 502
    assert {0, 9_999, 5_003, int(np.nanargmin(values))} <= set(shown.tolist())
    assert extremes(values[:100], 500).tolist() == list(range(100))


@needs_chromium
def test_runs_stand_side_by_side(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = f"runs=[{root / 'walked'},{root / 'tested'}]"
    assert main(["+experiment=compare", runs, f"run_root={root}"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "execution.fill" in printed
    kinds = "walked: walk-forward out of sample, chained; tested: one backtest, nothing searched"
    assert f"The figures are not of one kind: {kinds}. No table is the same in all runs." in printed
    with opened(root / "compare-walked-tested.html", WIDTHS["phone"]) as page:
        figures = page.locator("#figures tbody tr", has_text="Sharpe").first.inner_text().split("\t")
        sharpes = [
            admf_ray.load_run(root / "walked").summary["out_of_sample"]["sharpe"],
            admf_ray.load_run(root / "tested").summary["metrics"]["sharpe"],
        ]
        assert figures[1:3] == [f"{sharpe:.2f}" for sharpe in sharpes]
        assert page.locator("[data-chart=equity] .trace").count() == 2


def test_a_run_beside_itself_is_the_same_to_the_last_bit(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=compare", f"runs=[{root / 'walked'},{root / 'walked'}]", f"run_root={root}"]) == 0
    printed = capsys.readouterr().out
    assert "walked-1" in printed
    assert "not of one kind" not in printed
    assert "The same to the last bit in all runs: candidates, trials, windows, equity, fills, trades." in printed


def test_runs_of_long_and_equal_names_have_a_page(root: Path, tmp_path: Path, capsys) -> None:
    for folder, name in (("a", "x" * 90), ("b", "x" * 90), ("c", f"{'x' * 88}-1")):
        shutil.copytree(root / "swept", tmp_path / folder / name)
    runs = ",".join(str(path) for path in sorted(tmp_path.glob("*/x*")))
    assert main(["+experiment=compare", f"runs=[{runs}]", f"run_root={tmp_path}"]) == 0
    (page,) = tmp_path.glob("compare-3-runs-*.html")
    heads = re.findall(r"<th[^>]*>(x+-[-0-9]+)</th>", page.read_text().split('id="differences"')[0])
    assert len(set(heads)) == 3
    capsys.readouterr()


def test_one_run_is_nothing_to_compare(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=compare", f"runs=[{root / 'walked'}]"]) == 2
    assert "runs: 1 given; allowed: two or more" in capsys.readouterr().err
