"""The page of a run: headline figures, paths, regimes, windows, surfaces, returns, trades, configuration."""

from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.report.books_page import books_page
from admf_ray.report.combinatorial import combinatorial_sections, combinatorial_verdict
from admf_ray.report.container_boxes import container_boxes
from admf_ray.report.definitions import FIGURES, figure_number, figure_text, parameter_number, survived_text
from admf_ray.report.front_chart import front_sections
from admf_ray.report.page import Card, Chart, Section, Table, plain_numbers, render
from admf_ray.report.path_charts import COLOURS, path_charts, return_charts
from admf_ray.report.regime_sections import banded, regime_sections
from admf_ray.report.resources_table import resources_table
from admf_ray.report.run_tables import data_table, data_text, failures_table, trades_table, with_tries, work_table
from admf_ray.report.window_charts import WINDOW_FIGURES, surface_chart, window_sections
from admf_ray.workflow import RunResult
from admf_ray.workflow.performance import Performance

__all__ = ["headline", "run_page", "what_trades"]

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
    if performance.books:
        return books_page(performance)
    result, summary = performance.result, performance.result.summary
    series: dict[str, Any] = {}
    sections: list[Section] = []
    paths = performance.paths
    if paths is not None:
        equity, *others = path_charts(paths, result.equity, series)
        sections += [banded(equity, performance.bands, result.equity["time"].to_numpy()), *others]
        sections += regime_sections(performance)
    if "paths" in result.tables:
        sections += [*combinatorial_sections(result, series), *regime_sections(performance)]
    elif "windows" in result.tables:
        sections += window_sections(result)
    sections += front_sections(performance)
    if performance.surface is not None:
        chart, series["surface"] = surface_chart(performance.surface, result)
        sections.append(chart)
    if "best" in summary:
        sections.append(_best_table(result))
    if paths is not None:
        sections += return_charts(paths.own, paths.benchmark)
        sections += [*_distribution(paths.trade_returns), trades_table(result.trades, paths.trade_returns)]
    if "failures" in result.tables:
        sections.append(failures_table(result))
    if performance.containers is not None:
        sections.append(container_boxes(performance.containers))
    sections += [data_table(performance), work_table(result), *resources_table(summary)]
    return render(
        f"{summary['strategy']}: {'sweep, in sample' if 'best' in summary else summary['headline']}",
        data_text(performance),
        sections,
        verdict=with_tries(_verdict(summary), summary),
        warnings=[f"Warning: {warning}" for warning in summary["warnings"]],
        cards=_cards(summary),
        texts=[("Configuration of this run", performance.config)],
        series=series,
    )


def headline(summary: dict[str, Any]) -> dict[str, float] | None:
    """Give the figures that a run is judged by: those out of sample, or of a backtest; a sweep has none."""
    found: dict[str, float] | None = summary.get("out_of_sample") or summary.get("metrics")
    return found


def what_trades(summary: dict[str, Any]) -> str:
    """Name the strategy of a run, or its books."""
    if "books" in summary:
        return f"books {', '.join(book['book'] for book in summary['books'])}"
    return str(summary["strategy"])


def _verdict(summary: dict[str, Any]) -> str:
    if "paths" in summary:
        return combinatorial_verdict(summary)
    if "out_of_sample" in summary:
        share = survived_text(summary["sharpe_survived"])
        return (
            f"Sharpe of the chosen sets, mean of {summary['windows']} windows: "
            f"{figure_text('sharpe', summary['sharpe_in_sample'])} in training, "
            f"{figure_text('sharpe', summary['sharpe_out_of_sample'])} in the tests: {share}. Chosen out of "
            f"{summary['sets']:,} sets a window; every figure below that is not called train is of bars that "
            "no choice has seen."
        )
    if "best" in summary:
        return "A sweep: its best set was chosen on the bars that it is shown on, so its figures are too good."
    return "One backtest of one parameter set: nothing was searched here, but was the set chosen on these bars?"


def _cards(summary: dict[str, Any]) -> list[Card]:
    figures = headline(summary)
    if figures is None:
        return []
    benchmark, next_open, paths = summary["benchmark"], summary.get("next_open"), summary.get("paths")
    cards = []
    for name in _BESIDE:
        beside = f"buy and hold {figure_text(name, benchmark[name])}"
        if paths:
            low, high = (figure_text(name, paths[name][end]) for end in ("min", "max"))
            beside = f"mean of the paths, {low} to {high}; {beside}"
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
            *(parameter_number(result.summary["composition"], name, row[name]) for name in names),
            *(figure_number(name, row[name]) for name in WINDOW_FIGURES),
        ]
        for row in result.best(_ROWS).iter_rows(named=True)
    ]
    head = ["candidate", *names, *(FIGURES[name].label for name in WINDOW_FIGURES)]
    return Table("best", "Best sets", "In sample, so too good.", head, rows, filtered=True)


def _distribution(returns: npt.NDArray[np.float64]) -> list[Chart]:
    """Draw how results of trades are distributed; nothing where there are none."""
    if not len(returns):
        return []
    return [
        Chart(
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
    ]
