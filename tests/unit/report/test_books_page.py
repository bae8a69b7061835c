"""The page of several books, and what a classifier, an ensemble and containers add to any page."""

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import expect
from rich.console import Console

import admf_ray
from admf_ray.containers import mermaid, text_tree
from admf_ray.launch import main
from admf_ray.report import print_backtest, print_books
from admf_ray.report.page import Chart, times
from admf_ray.report.regime_sections import banded
from admf_ray.workflow import RunResult
from admf_ray.workflow.attribution import Band
from tests.unit.report.browser import WIDTHS, needs_chromium, opened
from tests.unit.report.test_run_page import NUMBERS, days, payload, traces

BOOKS = {
    "always": {},
    "trend": {"classifier": {"name": "trend"}, "strategy": {"trades_in": {"classifier": ["up"]}}},
    "calm": {
        "classifier": {"name": "volatility", "fit": {"stop": "2010-01-04"}},
        "strategy": {"trades_in": {"classifier": ["low", "medium"]}},
    },
    "both": {
        "ensemble": {
            "kind": "weighted",
            "members": {"dip": {"strategy": "rsi_reversion"}},
            "weights": {"sma_cross": 0.6, "dip": 0.4},
        }
    },
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, sp500) -> Path:
    root = tmp_path_factory.mktemp("pages")
    span = {"start": "2010-01-04", "stop": "2016-01-04"}
    admf_ray.backtest(sp500, "sma_cross", books=BOOKS, span=span, run_root=root, run_name="books")
    space = {"fast": [10, 20], "slow": [50]}
    more = {"windows": {"train": "6y", "test": "2y"}, "search": {"min_trades": 20}}
    calm = {"classifier": {"name": "volatility"}, "run_root": root, "run_name": "walked"}
    admf_ray.walk_forward(sp500, "sma_cross", space, **more, **calm)
    return root


@pytest.fixture(scope="module")
def books(root: Path) -> RunResult:
    return admf_ray.load_run(root / "books")


def page(root: Path, run: str) -> str:
    return (root / run / "report.html").read_text()


def test_equity_and_drawdown_of_each_book_are_those_of_the_table(root: Path, books: RunResult) -> None:
    shown = payload(root / "books/report.html")
    charts, time = shown["charts"], shown["series"]["time"]
    drawn = {trace["name"]: trace for trace in charts["equity"]["data"] if trace.get("mode") == "lines"}
    depths = traces(root / "books/report.html", "drawdown")
    names = [book["book"] for book in books.summary["books"]]
    assert [*drawn] == [*depths] == [*names, "buy and hold"]
    assert len({drawn[name]["line"]["color"] for name in depths}) == len(depths)
    for book in books.summary["books"]:
        table = books.equity.filter(pl.col("book") == book["book"])
        row = {day: index for index, day in enumerate(days(table["time"]))}
        expected = table["equity"].to_numpy()[[row[day] for day in time]]
        np.testing.assert_allclose(drawn[book["book"]]["y"], expected, rtol=1e-6)
        assert min(depths[book["book"]]["y"]) == pytest.approx(book["metrics"]["max_drawdown"], rel=1e-6)


def test_the_page_says_that_no_book_was_chosen_and_what_each_is(root: Path) -> None:
    text = page(root, "books")
    assert "None of these books was chosen" in text
    assert "weighted of:; sma_cross, weight 0.6; dip (rsi_reversion), weight 0.4" in text
    assert "sma_cross, trades in classifier low or medium; classifier: volatility" in text
    assert "classifier.name=trend strategy.trades_in.classifier=[up]" in text


def band_labels(root: Path, run: str) -> dict[str, dict[str, int]]:
    """How many bars the drawn band of each row has of each label, the last bar of all left out."""
    drawn = payload(root / run / "report.html")["charts"]["equity"]["data"]
    frame = admf_ray.load_run(root / run).equity
    times = frame["time"].unique(maintain_order=True).to_numpy().astype("datetime64[ns]").astype("datetime64[D]")
    found = {}
    for strip in (trace for trace in drawn if trace["type"] == "heatmap"):
        edges = np.array(strip["x"], dtype="datetime64[D]")
        labels = strip["text"][0]
        place = np.searchsorted(edges, times[:-1], side="right") - 1
        of_bars = [labels[index] for index in place.tolist()]
        found[strip["name"]] = {label: of_bars.count(label) for label in set(of_bars)}
    return found


def test_bands_have_as_many_bars_of_each_label_as_the_table(root: Path, books: RunResult) -> None:
    drawn = band_labels(root, "books")
    assert [*drawn] == ["trend", "calm"]
    for book, counts in drawn.items():
        rows = books.tables["regimes"].filter(pl.col("book") == book)
        expected = dict(rows.select("label", "bars").rows())
        # The first return has no bar before it.
        expected["unknown"] -= 1
        assert counts == {label: bars for label, bars in expected.items() if bars}


def test_bands_of_a_walk_forward_leave_out_windows_in_cash(root: Path) -> None:
    run = admf_ray.load_run(root / "walked")
    cash = run.windows.filter(pl.col("candidate").is_null())["window"].to_list()
    assert 0 < len(cash) < len(run.windows)
    (counts,) = band_labels(root, "walked").values()
    tested = run.equity.filter(~pl.col("window").is_in(cash)).group_by("window").len()["len"]
    # Of each window the last bar ends its last interval.
    assert sum(bars for label, bars in counts.items() if label) == sum(tested) - len(tested)
    assert f"classifier {len(run.tables['switches']):,} times" in page(root, "walked")


def test_fitted_numbers_are_shown_to_the_last_bit(root: Path, books: RunResult) -> None:
    (calm,) = books.summary["fitted"]["calm"]
    text = page(root, "books")
    assert f"<code>{', '.join(calm['numbers'])}</code>" in text
    assert ", ".join(f"{float.fromhex(number):.6g}" for number in calm["numbers"]) in text
    walked = admf_ray.load_run(root / "walked").summary["fitted"]
    assert len(walked) > 1
    assert all(", ".join(one["numbers"]) in page(root, "walked") for one in walked)


def test_containers_stand_in_the_run_directory_and_on_the_page(root: Path) -> None:
    held = json.loads((root / "books/containers.json").read_text())
    assert [child["container_id"] for child in held["children"]] == [
        f"backtest.{book}" for book in ("always", "trend", "calm", "both")
    ]
    text = page(root, "books")
    for drawn in (text_tree(held), mermaid(held)):
        shown = drawn.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
        assert f"<pre>{shown}</pre>" in text
    # A container for the market, each book, each classifier's risk, and each strategy.
    assert text.count('<div class="box">') == 1 + 4 + 2 + 5
    assert not (root / "walked/containers.json").exists()
    assert 'id="containers"' not in page(root, "walked")


def test_metrics_of_each_book_stand_in_its_container(root: Path, books: RunResult) -> None:
    for book in books.summary["books"]:
        assert json.loads((root / f"books/containers/{book['book']}/metrics.json").read_text()) == book["metrics"]


def test_a_page_of_books_is_drawn_anew_as_it_was(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = page(root, "books")
    (root / "books/report.html").unlink()
    assert main(["+experiment=report", f"run={root / 'books'}"]) == 0
    assert page(root, "books") == before
    capsys.readouterr()


def test_books_stand_beside_another_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=compare", f"runs=[{root / 'books'},{root / 'walked'}]", f"run_root={root}"]) == 0
    assert "books (books always, trend, calm, both)" in (root / "compare-books-walked.html").read_text()
    capsys.readouterr()


def test_very_many_regimes_are_drawn_as_some() -> None:
    edges = np.arange(50_001) * 3_600 * 10**9
    band = Band(None, "fast", edges, tuple("ab"[index % 2] for index in range(50_000)), 50_000)
    chart = Chart("equity", "", "", [], {"height": 430, "yaxis": {}})
    (strip,) = (trace for trace in banded(chart, [band], edges).traces if trace["type"] == "heatmap")
    assert len(strip["x"]) - 1 == len(strip["z"][0]) == 4_000
    assert (strip["x"][0], strip["x"][-1]) == ("1970-01-01T00:00:00", "1975-09-15T08:00:00")


def test_some_bars_are_written_as_all_of_them_are() -> None:
    hours = np.arange(1, 49) * 3_600 * 10**9
    assert times(hours[[0, 30]], hours) == ["1970-01-01T01:00:00", "1970-01-02T07:00:00"]
    assert times(hours[[0, 30]]) == ["1970-01-01", "1970-01-02"]


@pytest.mark.parametrize("terminal", [False, True])
def test_books_fit_a_narrow_terminal(books: RunResult, terminal: bool) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None)
    print_books(console, books)
    text = console.file.getvalue()
    assert "…" not in text
    for book in books.summary["books"]:
        line = next(line for line in text.splitlines() if f"{book['metrics']['final_equity']:,.2f}" in line)
        assert book["book"] in line
        assert f"{book['metrics']['sharpe']:.2f}" in line
    assert "certified: 4/4 books come out bit for bit" in text
    assert "A return belongs to the regime known at the bar before" in text


def test_regimes_of_a_backtest_are_printed(sp500) -> None:
    found = admf_ray.backtest(sp500, "sma_cross", classifier={"name": "trend"})
    console = Console(file=io.StringIO(), width=80)
    print_backtest(console, found)
    for row in found.tables["regimes"].iter_rows(named=True):
        assert f"{row['label']}" in console.file.getvalue()
        assert f"{row['bars']:,}" in console.file.getvalue()


@needs_chromium
def test_books_draw_without_a_word_on_the_console(root: Path, books: RunResult) -> None:
    with opened(root / "books/report.html", scheme="dark") as shown:
        charts = shown.locator("[data-chart]")
        assert charts.count() == 3
        for index in range(charts.count()):
            assert charts.nth(index).locator(".trace, .hm").count() >= 1
        assert shown.locator("[data-chart=equity] .heatmaplayer image").count() == 2
        sharpes = shown.locator("#figures tbody tr", has_text="Sharpe").locator("td.number").evaluate_all(NUMBERS)
        assert sharpes[:4] == [book["metrics"]["sharpe"] for book in books.summary["books"]]
        net = shown.locator("#members tbody tr td:last-child").evaluate_all(NUMBERS)
        owned = books.trades.filter((pl.col("book") == "both") & (pl.col("strategies") != ""))
        assert sum(net) == pytest.approx(owned["net"].sum())
        box = shown.locator(".box", has_text="calm").last
        assert box.bounding_box()["width"] > 150
        code = shown.locator("#fitted code").first
        assert not code.is_visible()
        shown.locator("#fitted summary", has_text="0.").first.click()
        assert code.is_visible()
        definition = shown.locator("#figures .meanings dl")
        assert not definition.is_visible()
        shown.locator("#figures .meanings summary").click()
        assert "Compounded growth a year" in definition.inner_text()
        lines = shown.locator("[data-chart=equity] .scatterlayer .trace path.js-line")
        assert lines.count() == 5
        shown.locator("[data-chart=equity] .legendtoggle").first.click()
        expect(lines).to_have_count(4)
        shown.set_viewport_size({"width": WIDTHS["phone"], "height": 900})
        shown.click("#theme")
        assert shown.evaluate("document.documentElement.scrollWidth") <= WIDTHS["phone"]
