"""The page of a run: headline figures, paths, windows, surfaces, returns, trades, configuration."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.report.definitions import FIGURES, certified_text, figure_number, figure_text, survived_text
from admf_ray.report.page import Card, Chart, Table, plain_numbers, render
from admf_ray.report.path_charts import COLOURS, path_charts, return_charts
from admf_ray.report.window_charts import WINDOW_FIGURES, surface_chart, window_sections
from admf_ray.workflow import RunResult
from admf_ray.workflow.causes import cause_line
from admf_ray.workflow.performance import Performance

__all__ = ["headline", "run_page"]

_ROWS = 1_000
_BESIDE = (
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "calmar",
    "volatility",
    "max_drawdown",
    "trades",
    "win_rate",
    "profit_factor",
    "exposure",
    "commission",
    "final_equity",
)
_RELATIVE = {
    "alpha": "a year, to buy and hold",
    "beta": "to buy and hold",
    "correlation": "with buy and hold",
    "tracking_error": "a year, to buy and hold",
    "information_ratio": "to buy and hold",
    "matched_cagr": "buy and hold at the same volatility",
    "matched_excess": "CAGR above buy and hold at the same volatility",
}


def run_page(performance: Performance) -> str:
    """Draw a run.

    Parameters
    ----------
    performance : Performance
        See `admf_ray.workflow.performance.performance`.

    Returns
    -------
    str
        One HTML page that needs no network.
    """
    result, summary = performance.result, performance.result.summary
    series: dict[str, Any] = {}
    sections: list[Chart | Table] = []
    paths = performance.paths
    if paths is not None:
        sections += path_charts(paths, result.equity, series)
    if "windows" in result.tables:
        sections += window_sections(result)
    if performance.surface is not None:
        chart, series["surface"] = surface_chart(performance.surface, result)
        sections.append(chart)
    if "best" in summary:
        sections.append(_best_table(result))
    if paths is not None:
        sections += return_charts(paths.own, paths.benchmark)
        sections += _trade_sections(result, paths.trade_returns)
    sections += [_data_table(performance), _work_table(result)]
    data = performance.manifest["data"]
    first, last = (str(np.datetime64(data[name], "ns"))[:10] for name in ("first_known_at", "last_known_at"))
    return render(
        f"{summary['strategy']}: {'sweep, in sample' if 'best' in summary else summary['headline']}",
        f"{', '.join(data['symbols'])}, {data['bars']:,} bars from {first} to {last}, calendar "
        f"{data['calendar'] or 'none'}, {data['periods_per_year']:g} bars a year, adjustment {data['adjustment']}",
        sections,
        verdict=_verdict(summary),
        warnings=[f"Warning: {warning}" for warning in summary["warnings"]],
        cards=_cards(summary),
        texts=[("Configuration of this run", performance.config)],
        series=series,
    )


def headline(summary: dict[str, Any]) -> dict[str, float] | None:
    """Give the figures that a run is judged by: those out of sample, or of a backtest; a sweep has none."""
    found: dict[str, float] | None = summary.get("out_of_sample") or summary.get("metrics")
    return found


def _verdict(summary: dict[str, Any]) -> str:
    if "out_of_sample" in summary:
        share = survived_text(summary["sharpe_survived"])
        return (
            f"Sharpe of the chosen sets, mean of {summary['windows']} windows: "
            f"{figure_text('sharpe', summary['sharpe_in_sample'])} in training, "
            f"{figure_text('sharpe', summary['sharpe_out_of_sample'])} in the tests: {share}. Chosen out of "
            f"{summary['candidates']:,} sets a window; every figure below that is not called train is of bars that "
            "no choice has seen."
        )
    if "best" in summary:
        return "A sweep: its best set was chosen on the bars that it is shown on, so its figures are too good."
    return "One backtest of one parameter set: nothing was searched here, but was the set chosen on these bars?"


def _cards(summary: dict[str, Any]) -> list[Card]:
    figures = headline(summary)
    if figures is None:
        return []
    benchmark, next_open = summary["benchmark"], summary.get("next_open")
    cards = []
    for name in _BESIDE:
        beside = f"buy and hold {figure_text(name, benchmark[name])}"
        if next_open:
            beside += f"; at next open {figure_text(name, next_open[name])}"
        cards.append(_card(name, figures[name], beside))
    return [*cards, *(_card(name, summary["relative"][name], _RELATIVE[name]) for name in _RELATIVE)]


def _card(name: str, value: float | None, beside: str) -> Card:
    return Card(name, FIGURES[name].label, figure_text(name, value), beside, FIGURES[name].meaning)


def _best_table(result: RunResult) -> Table:
    """List the best sets of a sweep."""
    names = [name for name in result.candidates.columns if name != "candidate"]
    rows = [
        [
            (str(row["candidate"]), row["candidate"]),
            *((f"{row[name]:g}", row[name]) for name in names),
            *(figure_number(name, row[name]) for name in WINDOW_FIGURES),
        ]
        for row in result.best(_ROWS).iter_rows(named=True)
    ]
    head = ["candidate", *names, *(FIGURES[name].label for name in WINDOW_FIGURES)]
    return Table("best", "Best sets", "In sample, so too good.", head, rows, filtered=True)


def _trade_sections(result: RunResult, returns: npt.NDArray[np.float64]) -> list[Chart | Table]:
    trades = result.trades.with_columns(share=returns)
    head = ["entry", "exit", "symbol", "window", "quantity", "entry price", "exit price", "net", "return", "costs"]
    head += ["bars", "worst", "best", "exit reason"]
    rows: list[list[Any]] = [
        [
            _moment(row["entry_time"]),
            _moment(row["exit_time"]),
            row["symbol"],
            (str(row["window"]), row["window"]),
            *((f"{row[name]:,.6g}", row[name]) for name in ("quantity", "entry_price", "exit_price")),
            (f"{row['net']:,.2f}", row["net"]),
            (f"{row['share']:+.2%}", row["share"]),
            (f"{row['costs']:,.2f}", row["costs"]),
            (f"{row['bars']:,}", row["bars"]),
            (f"{row['mae']:.2%}", row["mae"]),
            (f"{row['mfe']:.2%}", row["mfe"]),
            row["exit_reason"],
        ]
        for row in trades.tail(_ROWS).iter_rows(named=True)
    ]
    some = "" if len(trades) <= _ROWS else f" The newest {_ROWS:,} of {len(trades):,}; all are in trades.parquet."
    table = Table(
        "trades",
        "Trades",
        "Flat to flat. Worst and best: furthest move against and for the position while it was held, of the entry "
        f"price. Click on a head to sort.{some}",
        head,
        rows,
        filtered=True,
    )
    if not len(trades):
        return [table]
    chart = Chart(
        "distribution",
        "Distribution of trades",
        "Net result of each trade as a share of what was put in, after costs.",
        [
            {
                "type": "histogram",
                "x": plain_numbers(returns),
                "nbinsx": 40,
                "name": "trades",
                "marker": {"color": COLOURS["own"]},
            }
        ],
        {"height": 280, "bargap": 0.04, "xaxis": {"tickformat": ".0%"}, "yaxis": {"title": {"text": "trades"}}},
    )
    return [chart, table]


def _data_table(performance: Performance) -> Table:
    """List what was found in the data, repairs first."""
    data, report = performance.manifest["data"], performance.data_report
    rows = [["repaired", line] for line in data["repairs"]]
    rows += [
        [outcome, f"{rule}: {count:,}"]
        for outcome, rules in data["findings"].items()
        if outcome != "repaired"
        for rule, count in rules.items()
    ]
    rows += [["", f"{name}: {value}"] for name, value in report.get("reading", {}).items()]
    rows.append(["", f"content {data['fingerprint']}"])
    note = "What checks found and repaired, and how the bars were read; every finding stands in data_report.json."
    return Table("data", "Data", note, ["", "what"], rows, coloured=True)


def _work_table(result: RunResult) -> Table:
    """List counters and timings."""
    summary = result.summary
    rows = [["backtests", f"{summary['backtests']:,}"]]
    rows += [[f"indicators {name.replace('_', ' ')}", f"{value:,.6g}"] for name, value in summary["hub"].items()]
    rows += [["cause", cause_line(cause)] for cause in summary["causes"]]
    if checked := summary.get("audited"):
        rows.append(["audit", f"{checked['fills']:,} fills of {checked['ledgers']:,} account(s) replayed"])
    if certified := summary.get("certified"):
        rows.append(["certified", certified_text(certified)])
    if computing := result.computing():
        rows.append(["computing", f"{computing[0]:.2f} s, {computing[1]:.1f} ns per bar and set"])
        hosts = result.timings.group_by("host").agg(pl.len(), pl.col("seconds").sum()).sort("host")
        rows += [[host, f"{chunks:,} chunks, {busy:.2f} s"] for host, chunks, busy in hosts.rows()]
    return Table("work", "Counters and timings", "", ["what", "how much"], rows)


def _moment(nanoseconds: int) -> str:
    return str(np.datetime64(nanoseconds, "ns"))[:16].replace("T", " ")
