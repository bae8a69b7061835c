"""The page of several books: accounts of their own on the same bars, side by side and none of them chosen."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from admf_ray.report.container_boxes import container_boxes
from admf_ray.report.definitions import (
    FIGURES,
    composition_lines,
    day_text,
    figure_number,
    options_text,
    parameters_text,
)
from admf_ray.report.page import PALETTE, SIGNED, Chart, Section, Table, extremes, plain_numbers, render, times
from admf_ray.report.path_charts import COLOURS, drawdown_chart, equity_chart, path_line
from admf_ray.report.regime_sections import banded, regime_sections
from admf_ray.report.run_tables import data_table, data_text, trades_table, with_tries, work_table
from admf_ray.workflow.performance import EquityPath, Paths, Performance

__all__ = ["books_page"]

_POINTS = 6_000
_HELD = "buy and hold"


def books_page(performance: Performance) -> str:
    """Draw a run of several books; see `admf_ray.report.tearsheet.run_page`."""
    result, summary = performance.result, performance.result.summary
    series: dict[str, Any] = {}
    returns = [paths.trade_returns for paths in performance.books.values()]
    sections: list[Section] = [
        *_path_charts(performance, series),
        _figures_table(summary),
        _books_table(summary),
        *regime_sections(performance),
        _annual_chart(_side_by_side(performance)),
        trades_table(result.trades, np.concatenate(returns)),
    ]
    if performance.containers is not None:
        sections.append(container_boxes(performance.containers))
    sections += [data_table(performance), work_table(result)]
    begin, end = map(day_text, summary["span"])
    return render(
        f"{len(summary['books'])} books side by side",
        f"From {begin} to before {end}, out of {data_text(performance)}",
        sections,
        verdict=with_tries(
            "None of these books was chosen: each is an account of its own, with the same cash on the same bars. "
            "Whoever picks the best one now has chosen it on the bars that it is shown on.",
            summary,
        ),
        warnings=[f"Warning: {warning}" for warning in summary["warnings"]],
        texts=[("Configuration of this run", performance.config)],
        series=series,
    )


def _side_by_side(performance: Performance) -> list[tuple[str, EquityPath, str]]:
    """Give name, path and colour of each book, and of buy and hold, which is the same for all of them."""
    books: list[Paths] = list(performance.books.values())
    return [
        *(
            (name, paths.own, PALETTE[index % len(PALETTE)])
            for index, (name, paths) in enumerate(performance.books.items())
        ),
        (_HELD, books[0].benchmark, COLOURS["benchmark"]),
    ]


def _path_charts(performance: Performance, series: dict[str, Any]) -> list[Chart]:
    """Draw equity and drawdowns, with the regimes of each book; put the times that they share into ``series``."""
    lines = _side_by_side(performance)
    (first, *_) = performance.result.accounts("equity").values()
    moments = first["equity"]["time"].to_numpy()
    # Of very many bars the extremes of each path and drawdown, so that no peak is lost.
    most = _POINTS // len(lines)
    shown = np.unique(
        np.concatenate([extremes(values, most) for _, path, _ in lines for values in (path.equity, path.drawdown)])
    )
    series["time"] = times(moments[shown], moments)
    equity = equity_chart([(name, path.equity[shown], colour, 1.6) for name, path, colour in lines])
    drawdowns = drawdown_chart([path_line(name, path.drawdown[shown], colour, 1.3) for name, path, colour in lines])
    return [banded(equity, performance.bands, moments), drawdowns]


def _figures_table(summary: dict[str, Any]) -> Table:
    """Put the figures of the books beside each other, with their definitions."""
    books, benchmark = summary["books"], summary["benchmark"]
    rows: list[Sequence[Any]] = []
    for name, figure in FIGURES.items():
        if name in benchmark:
            values = [*(book["metrics"][name] for book in books), benchmark[name]]
        else:
            values = [*(summary["relative"][book["book"]][name] for book in books), None]
        rows.append([figure.label, *(figure_number(name, value) for value in values)])
    return Table(
        "figures",
        "Figures",
        "Of each account over the whole span, after costs.",
        ["figure", *(book["book"] for book in books), _HELD],
        rows,
        meanings=[(figure.label, figure.meaning) for figure in FIGURES.values()],
    )


def _books_table(summary: dict[str, Any]) -> Table:
    """Say what each book is."""
    given = summary["options"]
    rows = [
        [
            book["book"],
            "; ".join(composition_lines(book["composition"])),
            parameters_text(book["parameters"]),
            options_text(given[book["book"]]) or "none",
        ]
        for book in summary["books"]
    ]
    return Table(
        "books",
        "What each book is",
        "What decides, all of its parameters, and the options that only this book has; all others are those of the "
        "configuration at the end of the page.",
        ["book", "decides", "parameters", "options of its own"],
        rows,
    )


def _annual_chart(lines: Iterable[tuple[str, EquityPath, str]]) -> Chart:
    """Draw the returns of each year, a row for each book."""
    named = [(name, path.annual) for name, path, _ in lines]
    grid = [plain_numbers(annual.returns) for _, annual in named]
    largest = max(1e-9, *(abs(value) for row in grid for value in row if value is not None))
    return Chart(
        "annual",
        "Annual returns",
        "Compounded, by the calendar (UTC).",
        [
            {
                "type": "heatmap",
                "x": [str(start)[:4] for start in named[0][1].starts],
                "y": [name for name, _ in named],
                "z": grid,
                "text": [["" if value is None else f"{value:.1%}" for value in row] for row in grid],
                "texttemplate": "%{text}",
                "colorscale": SIGNED,
                "zmin": -largest,
                "zmax": largest,
                "zmid": 0,
                "xgap": 1,
                "ygap": 1,
                "textfont": {"size": 10, "color": "#1c2833"},
                "showscale": False,
                "hovertemplate": "%{y} %{x}: %{text}<extra></extra>",
            }
        ],
        {
            "height": 90 + 30 * len(named),
            "hovermode": "closest",
            "xaxis": {"type": "category", "side": "top", "fixedrange": True},
            "yaxis": {"type": "category", "autorange": "reversed"},
        },
    )
