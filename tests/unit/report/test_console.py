import io

import pytest
from rich.console import Console

import admf_ray
from admf_ray.report import ProgressView, print_backtest, print_data, print_sweep, print_walk_forward

SPACE = {"fast": [10, 20], "slow": [50, 100]}


def printed(show, *arguments, width: int = 130, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal)
    show(console, *arguments)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def walked(sp500):
    return admf_ray.walk_forward(sp500, "sma_cross", SPACE)


def test_chunks_that_are_no_whole_set_yet_are_told_of_once_they_are(monkeypatch) -> None:
    monkeypatch.setattr("admf_ray.report.progress._LINE_EVERY", 0.0)
    console = Console(file=io.StringIO(), width=130)
    with ProgressView(console) as progress:
        progress("PHASE", {"phase": "discovery", "sets": 2, "spans": 2, "workers": 1})
        for share in (0, 1, 0, 1):
            progress("CHUNK", {"sets": share, "of": 2})
    said = [line.split()[1] for line in console.file.getvalue().splitlines() if line.startswith("sweep")]
    assert said == ["1/2", "1/2", "2/2"]


def test_a_walk_forward_shows_windows_benchmark_and_what_survived(walked) -> None:
    text = printed(print_walk_forward, walked)
    for window in walked.windows.iter_rows(named=True):
        assert f"{window['test_sharpe']:.2f}" in text
    assert "buy and hold" in text
    assert f"{walked.summary['out_of_sample']['final_equity']:,.2f}" in text
    assert f"{walked.summary['benchmark']['final_equity']:,.2f}" in text
    assert "survived" in text
    assert "backtests: 80; indicators: 8 asked for, 4 computed" in text


def test_a_window_in_cash_is_called_so(sp500) -> None:
    text = printed(print_walk_forward, admf_ray.walk_forward(sp500, "sma_cross", SPACE, search={"min_trades": 999}))
    assert sum(line.split()[-1] == "cash" for line in text.splitlines() if " train " in line) == 16
    assert "note: 16 of 16 windows were spent in cash: no candidate could win" in text
    assert "note: 64 of 64 trials made fewer trades than search.min_trades" in text
    assert "nothing to survive" in text


def test_a_narrow_terminal_loses_no_figure(walked) -> None:
    text = printed(print_walk_forward, walked, width=80)
    for window in walked.windows.iter_rows(named=True):
        assert f"{window['test_total_return']:+.1%}" in text
    assert "…" not in text


def test_a_sweep_says_that_its_best_is_in_sample(sp500) -> None:
    text = printed(print_sweep, admf_ray.sweep(sp500, "sma_cross", SPACE))
    assert "in sample, so too good" in text


def test_a_backtest_stands_beside_buy_and_hold(sp500) -> None:
    text = printed(print_backtest, admf_ray.backtest(sp500, "sma_cross"))
    assert "sma_cross fast=50, slow=200" in text
    assert "buy and hold" in text


def test_what_the_source_declares_is_printed(sp500) -> None:
    text = printed(print_data, sp500)
    assert "SPX, 5,031 bars from 1999-01-04 to 2018-12-31, calendar XNYS, 252 bars a year, adjustment none" in text


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_shows_sets_throughput_and_time_left(terminal: bool) -> None:
    def show(console: Console) -> None:
        with ProgressView(console) as view:
            view("PHASE", {"phase": "discovery", "sets": 100, "spans": 16, "workers": 2})
            view("CHUNK", {"sets": 60, "of": 100})
            view("CHUNK", {"sets": 40, "of": 100})

    text = printed(show, terminal=terminal)
    assert "discovery: 100 parameter sets x 16 span(s) on 2 worker(s)" in text
    assert "100/100" in text
    assert "sets/s" in text
    assert ("\x1b[" in text) == terminal


@pytest.mark.parametrize(
    ("compute", "show", "more"),
    [
        (admf_ray.walk_forward, print_walk_forward, {"space": SPACE}),
        (admf_ray.sweep, print_sweep, {"space": SPACE}),
        (admf_ray.backtest, print_backtest, {}),
    ],
)
def test_figures_filled_at_the_close_stand_beside_those_of_the_next_open(sp500, compute, show, more) -> None:
    optimistic = compute(sp500, "sma_cross", execution={"fill": "close"}, **more)
    pessimistic = compute(sp500, "sma_cross", execution={"fill": "next_open"}, **more)
    assert "next_open" not in pessimistic.summary
    text = printed(show, optimistic)
    assert "next open" in text
    assert f"{optimistic.summary['next_open']['sharpe']:.2f}" in text
    if compute is admf_ray.backtest:
        assert optimistic.summary["next_open"] == pessimistic.summary["metrics"]


def test_whole_lots_on_adjusted_prices_are_warned_of(tmp_path) -> None:
    (tmp_path / "p.csv").write_text("date,open,high,low,close\n2020-01-02,1,1,1,1\n2020-01-03,1,1,1,1\n")
    bars = admf_ray.load_bars("csv", tmp_path / "p.csv", calendar="XNYS", adjust="total_return", min_history_bars=0)
    found = admf_ray.backtest(bars, "buy_and_hold")
    assert "warning: prices are adjusted (total_return): whole lots (risk.lot=1)" in printed(print_backtest, found)
    fractional = admf_ray.backtest(bars, "buy_and_hold", risk={"lot": 0}, execution={"half_spread": 0.01})
    assert "half_spread are not in proportion" in printed(print_backtest, fractional)
    assert admf_ray.backtest(bars, "buy_and_hold", risk={"lot": 0}).summary["warnings"] == []
