"""Results as tables on the console; everything is read from results, nothing is computed here."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from admf_ray.core.bars import Bars
from admf_ray.core.findings import DataReport, Outcome
from admf_ray.data import RULES, Stress
from admf_ray.report.combinatorial import combinatorial_verdict
from admf_ray.report.definitions import (
    FIGURES,
    REGIMES_NOTE,
    certified_text,
    composition_lines,
    day_text,
    figure_text,
    fronts_text,
    holdout_text,
    parameter_number,
    parameters_text,
    reused_text,
    score_text,
    selection_rule,
    selection_text,
    survived_text,
    tried_text,
)
from admf_ray.report.resources_table import resources_lines
from admf_ray.workflow import RunResult
from admf_ray.workflow.causes import cause_line
from admf_ray.workflow.today import Standing, Today

__all__ = [
    "print_backtest",
    "print_books",
    "print_check",
    "print_combinatorial",
    "print_data",
    "print_findings",
    "print_holdout",
    "print_sweep",
    "print_today",
    "print_walk_forward",
]

_BESIDE = (
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "volatility",
    "max_drawdown",
    "trades",
    "exposure",
    "final_equity",
)
_OF_PATHS = ("sharpe", "total_return", "cagr", "volatility", "max_drawdown", "trades", "exposure")
_OF_BOOKS = ("total_return", "sharpe", "max_drawdown", "trades", "exposure", "final_equity")
_SCORES = ("objective", "selected_by")
_TOP = 10
_FINDINGS = 3
_LISTED = 20
_OUTCOMES: dict[Outcome, str] = {"refused": "refused", "repaired": "data repaired", "warned": "data warning"}


def print_data(console: Console, bars: Bars) -> None:
    """Say what is worked on, with everything that was declared and not measured."""
    first, last = day_text(int(bars.known_at[0])), day_text(int(bars.known_at[-1]))
    console.print(
        f"data: {', '.join(bars.symbols)}, {len(bars):,} bars from {first} to {last}, calendar "
        f"{bars.calendar or 'none'}, {bars.periods_per_year:g} bars a year, adjustment {bars.adjustment}",
        highlight=False,
    )


def print_holdout(console: Console, holdout: Mapping[str, Any]) -> None:
    """Say what is held out, if anything is."""
    if holdout["start"] is not None:
        console.print(f"holdout: {holdout_text(holdout)}", highlight=False)


def print_findings(console: Console, report: DataReport, shown: int = _FINDINGS) -> None:
    """Say what was refused, repaired and warned of in the data, at most ``shown`` lines for each rule."""
    for outcome, word in _OUTCOMES.items():
        for line in report.lines(outcome, shown):
            console.print(f"{word}: {line}", highlight=False, markup=False)


def print_check(console: Console, report: DataReport, years: Sequence[tuple[int, int, Stress]]) -> None:
    """Print every rule with what was found by it, the findings, and how turbulent each year was."""
    for what, value in report.reading.items():
        console.print(f"{what}: {value}", highlight=False, markup=False)
    counts = report.counts()
    table = Table("rule", "", box=SIMPLE_HEAD)
    for outcome in _OUTCOMES:
        table.add_column(outcome, justify="right")
    for rule, meaning in RULES.items():
        found = [counts.get(outcome, {}).get(rule, 0) for outcome in _OUTCOMES]
        table.add_row(rule, meaning, *(f"{count:,}" if count else "-" for count in found))
    console.print(table)
    if years:
        stress = Table("year", box=SIMPLE_HEAD, title="market: share of bars in stress, worst drawdown")
        for name in ("bars", "stress", "drawdown", "volatility decile"):
            stress.add_column(name, justify="right")
        for year, bars, one in years:
            figures = (f"{one.share:.0%}", f"{one.worst_drawdown:.1%}", f"{one.volatility_decile:.1f}")
            stress.add_row(str(year), f"{bars:,}", *figures)
        console.print(stress)
    print_findings(console, report, _LISTED)


def print_walk_forward(console: Console, result: RunResult) -> None:
    """Print windows, the chained result beside buy and hold, and what survived."""
    summary = result.summary
    console.print(_windows_table(result.windows))
    if selection_rule(summary) != "best":
        console.print(f"selected by {selection_text(summary)}", highlight=False)
    _emphasized(console, _beside(summary, "out_of_sample", "out of sample, chained"), "walk-forward")
    share = survived_text(summary["sharpe_survived"])
    console.print(
        f"Sharpe of the chosen sets, mean of windows: {figure_text('sharpe', summary['sharpe_in_sample'])} in sample, "
        f"{figure_text('sharpe', summary['sharpe_out_of_sample'])} out of sample: {share}",
        highlight=False,
    )
    _print_work(console, result)


def print_combinatorial(console: Console, result: RunResult) -> None:
    """Print paths, how their figures are spread beside buy and hold, and what survived."""
    summary = result.summary
    console.print(
        f"{summary['splits']:,} splits of {summary['groups']} groups, {summary['tests']} held out in each; gap "
        f"{summary['gap']}, embargo {summary['embargo']}",
        highlight=False,
    )
    paths = Table("path", box=SIMPLE_HEAD)
    for name in _OF_PATHS:
        paths.add_column(FIGURES[name].label, justify="right", no_wrap=True)
    for row in result.paths.head(_LISTED).iter_rows(named=True):
        paths.add_row(str(row["path"]), *(figure_text(name, row[name]) for name in _OF_PATHS))
    console.print(paths)
    if len(result.paths) > _LISTED:
        console.print(f"the first {_LISTED} of {len(result.paths):,} paths", highlight=False)
    spread = Table("", box=SIMPLE_HEAD)
    for name in ("mean", "median", "min", "max", "above b&h", "buy and hold"):
        spread.add_column(name, justify="right", no_wrap=True)
    for name in _OF_PATHS:
        own = summary["paths"][name]
        known = [figure_text(name, own[part]) for part in ("mean", "median", "min", "max")]
        above, held = f"{own['above_benchmark']:.0%}", figure_text(name, summary["benchmark"][name])
        spread.add_row(FIGURES[name].label, *known, above, held)
    _emphasized(console, spread, summary["headline"])
    console.print(combinatorial_verdict(summary), highlight=False)
    _print_work(console, result)


def print_sweep(console: Console, result: RunResult) -> None:
    """Print the best candidates of a sweep, and say that they are in sample."""
    parameters = [name for name in result.candidates.columns if name != "candidate"]
    metrics = ("sharpe", "total_return", "max_drawdown", "trades")
    table = Table(box=SIMPLE_HEAD, title=f"best {_TOP} by {result.summary['objective']}: in sample, so too good")
    for name in ("candidate", *parameters, *metrics):
        table.add_column(name.replace("_", " "), justify="right")
    for row in result.best(_TOP).iter_rows(named=True):
        table.add_row(
            str(row["candidate"]),
            *(parameter_number(result.summary["composition"], name, row[name])[0] for name in parameters),
            *(figure_text(name, row[name]) for name in metrics),
        )
    console.print(table)
    best = result.summary["best"]
    if best is not None and selection_rule(result.summary) != "best":
        console.print(f"selected by {selection_text(result.summary)}", highlight=False)
        chosen = f"candidate {best['candidate']}, {parameters_text(best['parameters'])}"
        console.print(f"selected: {chosen}, at {score_text(best['selected_by'])}", highlight=False)
    if next_open := result.summary.get("next_open"):
        figures = ", ".join(f"{name.replace('_', ' ')} {figure_text(name, next_open[name])}" for name in metrics)
        console.print(f"the best one filled at the next open: {figures}", highlight=False)
    _print_work(console, result)


def print_backtest(console: Console, result: RunResult) -> None:
    """Print one backtest beside buy and hold."""
    summary = result.summary
    begin, end = (day_text(moment) for moment in summary["span"])
    parameters = parameters_text(summary["parameters"], ", ")
    console.print(f"{summary['strategy']} {parameters}, from {begin} to before {end}", highlight=False)
    _emphasized(console, _beside(summary, "metrics", "backtest"), summary["strategy"])
    _print_regimes(console, result)
    _print_work(console, result)


def print_books(console: Console, result: RunResult) -> None:
    """Print what each book is, and the books side by side, a line for each and buy and hold last."""
    summary = result.summary
    begin, end = (day_text(moment) for moment in summary["span"])
    console.print(f"from {begin} to before {end}; none of these books was chosen", highlight=False)
    said = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for book in summary["books"]:
        lines = [*composition_lines(book["composition"]), parameters_text(book["parameters"])]
        said.add_row(Text(book["book"]), Text("; ".join(lines)))
    console.print(said)
    shown = {book["book"]: book["metrics"] for book in summary["books"]} | {"buy and hold": summary["benchmark"]}
    table = Table("book", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in _OF_BOOKS:
        table.add_column(FIGURES[name].label, justify="right", no_wrap=True)
    for book, metrics in shown.items():
        table.add_row(Text(book), *(figure_text(name, metrics[name]) for name in _OF_BOOKS))
    _emphasized(console, table, "books side by side")
    _print_regimes(console, result)
    _print_work(console, result)


def _print_regimes(console: Console, result: RunResult) -> None:
    """Print what was earned in which regime, where there are regimes; of several books a block for each."""
    if "regimes" not in result.tables:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    has_books = "books" in result.tables
    for name in (*(["book"] if has_books else []), "regime"):
        table.add_column(name)
    for name in ("bars", "return", "Sharpe", "trades", "net"):
        table.add_column(name, justify="right", no_wrap=True)
    for book, tables in result.accounts("regimes").items():
        rows = tables["regimes"]
        for place, row in enumerate(rows.iter_rows(named=True), 1):
            first = [Text(str(book) if place == 1 else "")] if has_books else []
            figures = (figure_text(name, row[name]) for name in ("total_return", "sharpe"))
            cells = (f"{row['bars']:,}", *figures, f"{row['trades']:,}", f"{row['net']:,.2f}")
            table.add_row(*first, row["label"], *cells, end_section=place == len(rows))
    console.print(table)
    console.print(REGIMES_NOTE, highlight=False)
    console.print(f"regimes changed {len(result.tables['switches']):,} times: table switches", highlight=False)


def print_today(console: Console, strategy: str, today: Today) -> None:
    """Print what the newest window says: the chosen set, the target since when, and the order that follows."""
    when = f"{datetime.fromtimestamp(today.as_of // 10**9, UTC):%Y-%m-%d %H:%M} UTC"
    chosen = "cash: no set could win" if today.parameters is None else f"{strategy} {parameters_text(today.parameters)}"
    refitted = (
        f"window {today.window}, trained from {day_text(today.train_start)} to before {day_text(today.train_stop)}"
    )
    if today.train is not None:
        refitted += f" ({figure_text('sharpe', today.train['sharpe'])} Sharpe in training, so too good)"
    closed = ", ".join(f"{one.symbol} closed at {one.close:,.2f}" for one in today.standings)
    account = {
        "before": f"{today.equity:,.2f}, begins with the next bar: the first test bar of this window is still to come",
        "testing": f"{today.equity:,.2f}, begun with the test on {day_text(today.test_start)}",
        "after": f"{today.equity:,.2f}: the test of this window is over, the next window has not begun",
    }[today.state]
    if today.halt != "none":
        account += f"; halted ({today.halt.replace('_', ' ')}): nothing is entered"
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for label, text in (
        ("as of", f"{when}, {closed}"),
        ("refit", refitted),
        ("chosen", f"{chosen}, out of {today.candidates:,}"),
        *(line for standing in today.standings for line in _standing_lines(today, standing)),
        ("account", account),
    ):
        table.add_row(label, text)
    _emphasized(console, table, "today")


def _standing_lines(today: Today, standing: Standing) -> list[tuple[str, str]]:
    """Say what is wanted of a symbol, and the order that follows."""
    target = "none" if standing.since is None else f"{standing.target:g}, since {day_text(standing.since)}"
    if today.state != "testing":
        order = "none: an order is first decided at the close of the first test bar of a window"
    elif standing.order == 0.0:
        order = f"none, {standing.position:g} held"
    else:
        side, units = ("buy" if standing.order > 0 else "sell"), abs(standing.order)
        fills = "at the next open" if today.fill == "next_open" else "at this close"
        if standing.price is not None:
            fills = f"by a {standing.kind} order at {standing.price:,.2f}"
        value = f"about {units * standing.close:,.2f}"
        after = standing.position + (standing.order if today.fill == "next_open" else 0.0)
        then = "then" if standing.price is None else "if it fills,"
        order = f"{side} {units:g} {standing.symbol} {fills}, {value}; {then} {after:g} held"
    if standing.waiting:
        order += f"; {standing.waiting:+g} wait for the volume of the next close"
    if standing.is_blocked:
        order += "; after an exit or a halt, entered again once the target has been 0 or of the other sign"
    of = f" {standing.symbol}" if len(today.standings) > 1 else ""
    return [(f"target{of}", target), (f"order{of}", order)]


def _emphasized(console: Console, content: Table, title: str) -> None:
    """Print what matters most: in a panel on a terminal, plain elsewhere."""
    console.print(Panel(content, title=title, expand=False) if console.is_terminal else content)


def _windows_table(windows: pl.DataFrame) -> Table:
    """Give two lines a window, training above test: narrow enough for 80 columns."""
    metrics = ("sharpe", "total_return", "max_drawdown", "trades")
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", justify="right")
    for name in ("", "from", "before"):
        table.add_column(name, no_wrap=True)
    for name in metrics:
        table.add_column(FIGURES[name].label, justify="right", no_wrap=True)
    scores = [name for name in _SCORES if name in windows.columns]
    for name in scores:
        table.add_column(name.replace("_", " "), justify="right")
    table.add_column("best set, stress")
    for row in windows.iter_rows(named=True):
        parameters = "cash" if row["parameters"] is None else parameters_text(json.loads(row["parameters"]))
        stress = f"stress {row['train_stress_share']:.0%} / {row['test_stress_share']:.0%}"
        for part, first, last in (("train", str(row["window"]), parameters), ("test", "", stress)):
            span = (day_text(row[f"{part}_start"]), day_text(row[f"{part}_stop"]))
            figures = (figure_text(name, row[f"{part}_{name}"]) for name in metrics)
            chosen = (score_text(row[name]) if part == "train" else "" for name in scores)
            table.add_row(first, part, *span, *figures, *chosen, last, style="bold" if part == "test" else None)
    return table


def _beside(summary: Mapping[str, Any], part: str, title: str) -> Table:
    """Put figures beside buy and hold; figures that were filled at the close beside those of the next open."""
    columns = {
        title: summary[part],
        "filled at next open": summary.get("next_open"),
        "buy and hold": summary["benchmark"],
    }
    return _figures({name: metrics for name, metrics in columns.items() if metrics})


def _figures(shown: Mapping[str, Mapping[str, float]]) -> Table:
    """Give the main figures, a column for each of several sets of metrics."""
    table = Table("", box=SIMPLE_HEAD)
    for name in shown:
        table.add_column(name, justify="right")
    for name in _BESIDE:
        table.add_row(FIGURES[name].label, *(figure_text(name, metrics[name]) for metrics in shown.values()))
    return table


def _print_work(console: Console, result: RunResult) -> None:
    summary = result.summary
    if "front" in summary:
        console.print(fronts_text(summary), highlight=False)
    for warning in summary["warnings"]:
        console.print(f"warning: {warning}", highlight=False)
    for cause in summary["causes"]:
        console.print(f"note: {cause_line(cause)}", highlight=False)
    console.print(f"backtests: {summary['backtests']:,}; indicators: {_savings(summary['hub'])}", highlight=False)
    if checked := summary.get("audited"):
        console.print(
            f"audit: {checked['fills']:,} fills of {checked['ledgers']:,} account(s) replayed", highlight=False
        )
    if certified := summary.get("certified"):
        console.print(
            f"certified: {certified_text(certified, 'books' if 'books' in summary else 'winners')}", highlight=False
        )
    if (reused := summary.get("reused")) and reused["chunks"]:
        console.print(f"reused: {reused_text(reused)}", highlight=False)
    console.print(f"tried: {tried_text(summary['tried'])}", highlight=False, soft_wrap=True)
    if computing := result.computing():
        console.print(
            f"sweep: {computing[0]:.2f} s of computing, {computing[1]:.1f} ns per bar and set", highlight=False
        )
    for line in resources_lines(summary):
        console.print(f"resources: {line}", highlight=False)
    if result.directory:
        console.print(f"run: {result.directory}", highlight=False, soft_wrap=True)
        if (page := result.directory / "report.html").is_file():
            console.print(f"report: {page}", highlight=False, soft_wrap=True)


def _savings(hub: Mapping[str, float]) -> str:
    """Say how much work and memory sharing saved, beside every candidate computing its own."""
    text = f"{hub['requested']:,} asked for, {hub['computed']:,} computed"
    if not 0 < 1.5 * hub["computed"] <= hub["requested"]:
        return text
    memory = 1.0 - hub["bytes"] / hub["isolated_bytes"]
    less = f", {memory:.0%} less memory" if memory > 0 else ""
    return f"{text}: {hub['requested'] / hub['computed']:,.0f}x less work{less}"
