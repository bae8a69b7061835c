"""Charts of equity paths: equity, drawdown, rolling figures, exposure, calendar returns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from admf_ray.report.definitions import FIGURES
from admf_ray.report.page import SIGNED, Chart, extremes, plain_numbers, times
from admf_ray.workflow.performance import EquityPath, Paths

__all__ = ["COLOURS", "drawdown_chart", "equity_chart", "path_charts", "path_line", "return_charts"]

COLOURS = {"own": "#2e86c1", "benchmark": "#95a5a6", "matched": "#af7ac5"}
_POINTS = 1_500
_CHANGES = 3_000


def path_charts(paths: Paths, equity: pl.DataFrame, series: dict[str, Any]) -> list[Chart]:
    """Draw a path beside buy and hold; put the times that the charts share into ``series``.

    Parameters
    ----------
    paths : Paths
    equity : polars.DataFrame
        The table of the run.
    series : dict
        Receives ``time``, and ``position_time`` of the bars at which the position changed.
    """
    own, benchmark = paths.own, paths.benchmark
    moments = equity["time"].to_numpy()
    # Of very many bars the extremes of each path and drawdown, so that no peak is lost.
    drawn = (own.equity, benchmark.equity, own.drawdown, benchmark.drawdown)
    shown = np.unique(np.concatenate([extremes(values, _POINTS) for values in drawn]))
    series["time"] = times(moments[shown], moments)
    borders = times(moments[np.flatnonzero(np.diff(equity["window"].to_numpy())) + 1], moments)
    rolling = f"{paths.bars:,} bars"
    position = equity["position"].to_numpy()
    changes = np.unique([0, *(np.flatnonzero(np.diff(position)) + 1), len(position) - 1])
    changes = changes[extremes(position[changes], _CHANGES)]
    series["position_time"] = times(moments[changes], moments)
    return [
        equity_chart(
            [
                ("strategy", own.equity[shown], COLOURS["own"], 1.8),
                ("buy and hold", benchmark.equity[shown], COLOURS["benchmark"], 1.3),
                ("buy and hold at the same volatility", paths.matched[shown], COLOURS["matched"], 1.1),
            ],
            borders,
        ),
        drawdown_chart(
            [
                {**path_line("strategy", own.drawdown[shown], COLOURS["own"]), "fill": "tozeroy"},
                path_line("buy and hold", benchmark.drawdown[shown], COLOURS["benchmark"]),
            ]
        ),
        Chart(
            "rolling",
            "Rolling Sharpe and volatility",
            f"Of the newest {rolling}, a year.",
            [
                *_pair(own, benchmark, "rolling_sharpe", shown),
                *_pair(own, benchmark, "rolling_volatility", shown, axis="y2"),
            ],
            {
                "height": 420,
                "yaxis": {"title": {"text": "Sharpe"}, "domain": [0.54, 1.0]},
                "yaxis2": {"title": {"text": "volatility"}, "domain": [0.0, 0.46], "tickformat": ".0%"},
                "xaxis": {"anchor": "y2"},
            },
        ),
        Chart(
            "exposure",
            "Exposure",
            "Quantity held at each close (of several symbols the sum of their sizes), and the share of the newest "
            f"{rolling} that closed with a position.",
            [
                {
                    **path_line("position", position[changes], COLOURS["benchmark"]),
                    "x": "@position_time",
                    "line": {"shape": "hv", "width": 1, "color": COLOURS["benchmark"]},
                },
                {**path_line("share of bars", paths.exposure[shown], COLOURS["own"]), "yaxis": "y2"},
            ],
            {
                "height": 280,
                "yaxis": {"title": {"text": "position"}},
                "yaxis2": {
                    "overlaying": "y",
                    "side": "right",
                    "range": [0, 1.04],
                    "dtick": 0.25,
                    "tickformat": ".0%",
                    "showgrid": False,
                },
            },
        ),
    ]


def drawdown_chart(lines: list[dict[str, Any]]) -> Chart:
    """Draw drawdowns over the shared time."""
    return Chart(
        "drawdown",
        "Drawdown",
        FIGURES["max_drawdown"].meaning,
        lines,
        {"height": 240, "yaxis": {"tickformat": ".0%"}},
    )


def equity_chart(paths: Sequence[tuple[str, Any, str, float]], borders: Sequence[str] = ()) -> Chart:
    """Draw equity paths over the shared time, on a logarithmic axis, with borders of windows.

    Parameters
    ----------
    paths : sequence of (name, equity, colour, width)
    borders : sequence of str, optional
        First bars of the windows after the first.
    """
    return Chart(
        "equity",
        "Equity",
        "Beside one position bought at the first bar and sold at the last, at the same costs; logarithmic."
        + (" The tests are chained; vertical lines are borders of windows." if borders else ""),
        [path_line(name, values, colour, width) for name, values, colour, width in paths],
        {
            "height": 430,
            "yaxis": {"type": "log", "title": {"text": "money"}},
            "shapes": [
                {
                    "type": "line",
                    "xref": "x",
                    "yref": "paper",
                    "x0": border,
                    "x1": border,
                    "y0": 0,
                    "y1": 1,
                    "line": {"color": "css:--line", "width": 1, "dash": "dot"},
                }
                for border in borders
            ],
        },
    )


def path_line(name: str, values: Any, colour: str, width: float = 1.4) -> dict[str, Any]:
    """Give a line over the shared time."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": "@time",
        "y": plain_numbers(values),
        "line": {"color": colour, "width": width},
    }


def _pair(own: EquityPath, benchmark: EquityPath, name: str, shown: Any, axis: str = "y") -> list[dict[str, Any]]:
    return [
        {**path_line(label, getattr(path, name)[shown], COLOURS[colour]), "yaxis": axis, "showlegend": axis == "y"}
        for label, path, colour in (("strategy", own, "own"), ("buy and hold", benchmark, "benchmark"))
    ]


def return_charts(own: EquityPath, benchmark: EquityPath) -> list[Chart]:
    """Draw the returns of months and years."""
    months = own.monthly.starts.astype("datetime64[M]").astype(np.int64)
    years = sorted({1970 + month // 12 for month in months.tolist()}, reverse=True)
    grid: list[list[float | None]] = [[None] * 12 for _ in years]
    for month, value in zip(months.tolist(), plain_numbers(own.monthly.returns), strict=True):
        grid[years.index(1970 + month // 12)][month % 12] = value
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    largest = float(np.nanmax(np.abs(own.monthly.returns), initial=1e-9))
    return [
        Chart(
            "monthly",
            "Monthly returns",
            "Compounded, by the calendar (UTC).",
            [
                {
                    "type": "heatmap",
                    "x": names,
                    "y": [str(year) for year in years],
                    "z": grid,
                    "text": [["" if value is None else f"{value:.1%}" for value in row] for row in grid],
                    "texttemplate": "%{text}",
                    "colorscale": SIGNED,
                    "zmin": -largest,
                    "zmax": largest,
                    "zmid": 0,
                    "textfont": {"size": 10, "color": "#1c2833"},
                    "showscale": False,
                    "hovertemplate": "%{y} %{x}: %{text}<extra></extra>",
                }
            ],
            {
                "height": 120 + 24 * len(years),
                "hovermode": "closest",
                "yaxis": {"type": "category", "autorange": "reversed"},
                "xaxis": {"side": "top", "fixedrange": True},
            },
        ),
        Chart(
            "annual",
            "Annual returns",
            "Compounded, by the calendar (UTC).",
            [
                {
                    "type": "bar",
                    "name": label,
                    "x": [str(start)[:4] for start in path.annual.starts],
                    "y": plain_numbers(path.annual.returns),
                    "marker": {"color": COLOURS[colour]},
                }
                for label, path, colour in (("strategy", own, "own"), ("buy and hold", benchmark, "benchmark"))
            ],
            {"barmode": "group", "xaxis": {"type": "category"}, "yaxis": {"tickformat": ".0%"}},
        ),
    ]
