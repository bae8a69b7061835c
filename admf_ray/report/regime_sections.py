"""Regimes and members: which held when, what was earned in each, what classifiers were fitted to, who had a share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.report.definitions import FIGURES, REGIMES_NOTE, day_text, figure_number, fitted_text
from admf_ray.report.page import Chart, Folded, Section, Table, times
from admf_ray.workflow import RunResult
from admf_ray.workflow.attribution import Band
from admf_ray.workflow.performance import Performance

__all__ = ["banded", "regime_sections"]

_GREEN, _AMBER, _RED, _GREY = "#82c09a", "#ecc06c", "#d98880", "#b8c1c9"
_COLOURS = {
    **dict.fromkeys(("up", "trend", "low", "breakout_up"), _GREEN),
    **dict.fromkeys(("chop", "medium", "range"), _AMBER),
    **dict.fromkeys(("down", "volatile", "high", "breakout_down"), _RED),
    "lowest": "#5aa97c",
    "highest": "#c0625a",
    "unknown": _GREY,
}
_OTHERS = ("#7fb3d5", "#bb9fd1", "#76c7c0", "#c8a98f", "#e3a6c2", "#a9b665")
_ROW = 24
_INTERVALS = 4_000
_DIGITS = 6


def banded(chart: Chart, bands: Sequence[Band], moments: npt.NDArray[np.int64]) -> Chart:
    """Put a band for each classifier under a chart of equity, on the same time.

    Parameters
    ----------
    chart : Chart
    bands : sequence of Band
        None leave the chart as it is.
    moments : int64 array, shape [bar]
        The bars that the chart is of.
    """
    if not bands:
        return chart
    labels = list(dict.fromkeys(label for band in bands for label in band.labels if label is not None))
    colours = _label_colours(labels)
    height = chart.layout["height"] + _ROW * len(bands) + 40
    share = _ROW * len(bands) / (height - 110)
    shared = {colour: [label for label in colours if colours[label] == colour] for colour in colours.values()}
    traces = [*chart.traces, *(_legend_entry(", ".join(names), colour) for colour, names in shared.items())]
    traces += [_strip(band, len(bands) - 1 - row, labels, colours, moments) for row, band in enumerate(bands)]
    layout = {
        **chart.layout,
        "height": height,
        "yaxis": {**chart.layout["yaxis"], "domain": [share + 0.04, 1.0]},
        "yaxis2": {
            "domain": [0.0, share],
            "range": [0, len(bands)],
            "tickvals": [row + 0.5 for row in range(len(bands))],
            "ticktext": [_named(band) for band in reversed(bands)],
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        # Beside a heat map the days of a hover are left out.
        "xaxis": {"anchor": "y2", "hoverformat": "%Y-%m-%d" if _is_daily(moments) else "%Y-%m-%d %H:%M"},
        "legend2": {
            "orientation": "h",
            "x": 0,
            "y": -40 / (height - 110),
            "yanchor": "top",
            "itemclick": False,
            "itemdoubleclick": False,
        },
    }
    note = f"{chart.note} Below it: the regime that was known at each bar."
    return replace(chart, note=note, traces=traces, layout=layout)


def _is_daily(moments: npt.NDArray[np.int64]) -> bool:
    return len(times(moments[:1], moments)[0]) == len("2000-01-01")


def _label_colours(labels: Sequence[str]) -> dict[str, str]:
    others = [label for label in labels if label not in _COLOURS]
    return {
        label: _COLOURS.get(label) or _OTHERS[others.index(label) % len(_OTHERS)]
        for label in sorted(labels, key="unknown".__eq__)
    }


def _legend_entry(label: str, colour: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": [None],
        "y": [None],
        "yaxis": "y2",
        "legend": "legend2",
        "hoverinfo": "skip",
        "marker": {"symbol": "square", "size": 12, "color": colour},
    }


def _strip(
    band: Band, row: int, labels: Sequence[str], colours: Mapping[str, str], moments: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """Draw the intervals of a band as one row of a heat map, whose columns are as wide as they lasted."""
    # Of very many intervals, narrower than a point of a screen, each of some stretches has the label of its first.
    count = len(band.labels)
    shown = np.unique(np.linspace(0, count, min(count, _INTERVALS) + 1).astype(np.int64))
    drawn = [band.labels[index] for index in shown[:-1].tolist()]
    numbers = {label: index for index, label in enumerate(labels)}
    steps = [[(index + side) / len(labels), colours[label]] for label, index in numbers.items() for side in (0, 1)]
    named = _named(band)
    return {
        "type": "heatmap",
        "name": named,
        "x": times(band.edges[shown], moments),
        "y": [row + 0.12, row + 0.88],
        "z": [[None if label is None else numbers[label] for label in drawn]],
        "text": [["" if label is None else label for label in drawn]],
        "yaxis": "y2",
        "colorscale": steps,
        "zmin": -0.5,
        "zmax": len(labels) - 0.5,
        "showscale": False,
        "hoverongaps": False,
        "hovertemplate": f"{named}: %{{text}}<extra></extra>",
    }


def _named(band: Band) -> str:
    return band.classifier if band.book is None else band.book


def regime_sections(performance: Performance) -> list[Section]:
    """Give what was earned in which regime, fitted numbers, and the members of an ensemble: those that there are."""
    result = performance.result
    found: list[Section] = []
    if "regimes" in result.tables:
        found.append(_regimes_table(result, performance.bands))
    if fitted := _fitted(result):
        found.append(_fitted_table(fitted, result.summary))
    if len(performance.members):
        found.append(_members_table(performance))
    return found


def _regimes_table(result: RunResult, bands: Sequence[Band]) -> Table:
    regimes = result.tables["regimes"]
    owner = ["book"] if "book" in regimes.columns else []
    changes = ", ".join(
        f"{f'{band.book}: ' if band.book else ''}{band.classifier} {band.changes:,} times" for band in bands
    )
    said = f"The label changed, the first one that is known included: {changes or 'never'}."
    if "paths" in result.tables:
        said = "All tests of all paths are counted together."
    rows = [
        [
            *(row[name] for name in (*owner, "label")),
            (f"{row['bars']:,}", row["bars"]),
            figure_number("total_return", row["total_return"]),
            figure_number("sharpe", row["sharpe"]),
            (f"{row['trades']:,}", row["trades"]),
            (f"{row['net']:,.2f}", row["net"]),
        ]
        for row in regimes.iter_rows(named=True)
    ]
    return Table(
        "regimes",
        "Regimes",
        f"{REGIMES_NOTE} {said}",
        [*owner, "label", "bars", "return", "Sharpe", "trades", "net"],
        rows,
        meanings=[
            ("bars", "Bars whose return belongs to the regime: the bars after those at which it was known."),
            ("return", "Product of (1 + return) of these bars - 1."),
            ("Sharpe", f"{FIGURES['sharpe'].meaning} Of these bars alone."),
            ("trades", "Closed trades, flat to flat, whose entry was decided in the regime."),
            ("net", "Sum of their results after costs, in money."),
            ("unknown", "Before a classifier knows anything, and the first bar of each span: no bar is before it."),
        ],
    )


def _fitted(result: RunResult) -> list[tuple[str | None, dict[str, Any]]]:
    """Give book and record of each fit."""
    fitted = result.summary.get("fitted", [])
    if isinstance(fitted, Mapping):
        return [(book, one) for book, records in fitted.items() for one in records]
    return [(None, one) for one in fitted]


def _fitted_table(fitted: Sequence[tuple[str | None, dict[str, Any]]], summary: Mapping[str, Any]) -> Table:
    kinds: dict[str, str] = {}
    for owner in summary.get("books", [summary]):
        for watch in owner["composition"]["classifiers"]:
            if watch["name"] in {one["classifier"] for book, one in fitted if book in {None, owner.get("book")}}:
                kinds[watch["classifier"]] = fitted_text(watch["classifier"])
    rows: list[list[Any]] = []
    for book, one in fitted:
        numbers = [float.fromhex(number) for number in one["numbers"]]
        shown = ", ".join(f"{number:.{_DIGITS}g}" for number in numbers)
        first, last = map(day_text, one["bars"])
        owner = book if book is not None else (str(one["window"]), one["window"])
        rows.append([owner, one["classifier"], first, last, Folded(shown, ", ".join(one["numbers"]))])
    return Table(
        "fitted",
        "Fitted numbers",
        f"What classifiers were fitted to, to {_DIGITS} digits; click on them for every bit, in hexadecimal. From and "
        "to are the first and the last bar of what they were fitted on.",
        ["window" if fitted[0][0] is None else "book", "classifier", "from", "to", "numbers"],
        rows,
        meanings=sorted(kinds.items()),
    )


def _members_table(performance: Performance) -> Table:
    members = performance.members
    has_books = bool(performance.books)
    rows = [
        [
            *([row["book"]] if has_books else []),
            row["member"],
            (f"{row['trades']:,}", row["trades"]),
            (f"{row['net']:,.2f}", row["net"]),
        ]
        for row in members.iter_rows(named=True)
    ]
    return Table(
        "members",
        "Members",
        "What each strategy of the ensemble had a share in. Trades: closed ones of which it wanted some when their "
        "entry was decided; several may have wanted the same. Net: results of these trades after costs, in money, each "
        "times the size of its strength / the sum of the sizes of all strengths in that trade.",
        [*(["book"] if has_books else []), "member", "trades", "net"],
        rows,
    )
