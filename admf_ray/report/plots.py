"""Plots as HTML pages that need no network: the drawing library is inside."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.core.findings import DataReport, Finding, Outcome
from admf_ray.data import RULES, Stress

__all__ = ["data_page"]

_SYMBOLS = 12
_POINTS = 4_000
_MARKS = 2_000
_ROWS = 1_000
_COLOURS: dict[Outcome, str] = {"refused": "#c0392b", "repaired": "#d68910", "warned": "#2471a3"}
_MARKERS: dict[Outcome, str] = {"refused": "x", "repaired": "diamond", "warned": "circle-open"}
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2833; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #aeb6bf; } tr + tr td { border-top: 1px solid #eaecee; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.refused { color: #c0392b; } .repaired { color: #b9770e; } .warned { color: #2471a3; } .muted { color: #5d6d7e; }
"""


def data_page(
    report: DataReport, bars: Bars | None, years: Sequence[tuple[int, int, Stress]], refusal: str | None
) -> str:
    """Draw prices with findings marked, and list what was checked and found.

    Parameters
    ----------
    report : DataReport
    bars : Bars or None
        None where no bars could be made.
    years : sequence of (year, bars, Stress)
    refusal : str or None
        Why the bars cannot be used.

    Returns
    -------
    str
        One HTML page; of very many symbols or findings the first are shown, and it says so.
    """
    counts = report.counts()
    verdict = "refused" if refusal is not None else "accepted"
    totals = ", ".join(f"{sum(rules.values()):,} {outcome}" for outcome, rules in counts.items()) or "nothing found"
    return "".join(
        (
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            f"<title>data check: {escape(report.origin)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(report.origin)}: {verdict}</h1><p class='muted'>{totals}</p>",
            f"<p class='refused'>{escape(refusal)}</p>" if refusal is not None else "",
            _charts(report, bars) if bars is not None else "<p>No bars could be made of it, so there is no chart.</p>",
            "<h2>Rules</h2>",
            _table(
                ("rule", "meaning", *_COLOURS),
                [
                    (rule, meaning, *(counts.get(one, {}).get(rule, 0) or "-" for one in _COLOURS))
                    for rule, meaning in RULES.items()
                ],
                numbers_from=2,
            ),
            _finding_table(report),
            "<h2>How it was read</h2>",
            _table(("", ""), [*report.reading.items(), *report.checks.items()]),
            _year_table(years),
            "</body></html>",
        )
    )


def _charts(report: DataReport, bars: Bars) -> str:
    """Draw one chart a symbol, those with most findings first."""
    # The library takes a second to load; only pages need it.
    import plotly.graph_objects as go
    from plotly.offline import get_plotlyjs

    by_symbol: dict[str, list[Finding]] = {symbol: [] for symbol in bars.symbols}
    for finding in report.findings:
        by_symbol.get(finding.symbol or bars.symbols[0], []).append(finding)
    order = sorted(bars.symbols, key=lambda symbol: -len(by_symbol[symbol]))[:_SYMBOLS]
    parts = [f"<script>{get_plotlyjs()}</script>"]
    if len(order) < len(bars.symbols):
        parts.append(f"<p class='muted'>{len(order)} of {len(bars.symbols):,} symbols: those with most findings.</p>")
    for symbol in order:
        row = bars.symbols.index(symbol)
        figure = go.Figure()
        shown = _thinned(bars.close[row])
        figure.add_scatter(
            x=_times(bars.known_at[shown]),
            y=bars.close[row][shown],
            mode="lines",
            name="close",
            line={"color": "#34495e", "width": 1.2},
        )
        for outcome in _COLOURS:
            _mark(figure, bars, row, [one for one in by_symbol[symbol] if one.outcome == outcome], outcome)
        figure.update_layout(
            title={"text": escape(symbol), "x": 0.01},
            height=420,
            margin={"l": 60, "r": 20, "t": 50, "b": 40},
            template="plotly_white",
            legend={"orientation": "h", "y": 1.12, "x": 0.2},
            yaxis={"title": "price", "type": "log" if _spans_much(bars.close[row]) else "linear"},
            hovermode="closest",
        )
        parts.append(figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False}))
    return "".join(parts)


def _mark(figure: Any, bars: Bars, row: int, findings: Sequence[Finding], outcome: Outcome) -> None:
    """Mark findings that have a moment at the last close known then."""
    placed = [(one.known_at, f"{one.rule}: {one}") for one in findings if one.known_at is not None][:_MARKS]
    if not placed:
        return
    moments = np.array([moment for moment, _ in placed], dtype=np.int64)
    at = np.clip(np.searchsorted(bars.known_at, moments, side="right") - 1, 0, len(bars) - 1)
    figure.add_scatter(
        x=_times(moments),
        y=_last_known(bars.close[row])[at],
        mode="markers",
        name=f"{outcome} ({len(placed):,} of {len(findings):,} marked)",
        text=[escape(text) for _, text in placed],
        hoverinfo="text+x",
        marker={"color": _COLOURS[outcome], "symbol": _MARKERS[outcome], "size": 9, "line": {"width": 1.5}},
    )


def _thinned(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Give the bars to draw: of very many the lowest and highest of each stretch, so that no peak is lost."""
    if len(values) <= 2 * _POINTS:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), _POINTS + 1).astype(np.int64)
    low, high = np.where(np.isnan(values), np.inf, values), np.where(np.isnan(values), -np.inf, values)
    chosen = [
        (start + int(low[start:stop].argmin()), start + int(high[start:stop].argmax()))
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    return np.unique(chosen)


def _last_known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Carry each value over the missing ones after it; those before the first take the first."""
    known = ~np.isnan(values)
    if not known.any():
        return values
    last = np.maximum.accumulate(np.where(known, np.arange(len(values)), 0))
    return np.where(np.isnan(values[last]), values[np.argmax(known)], values[last])


def _spans_much(values: npt.NDArray[np.float64]) -> bool:
    known = values[~np.isnan(values)]
    return bool(len(known) and known.max() > 5 * known.min())


def _times(moments: npt.NDArray[np.int64]) -> list[str]:
    return [str(moment) for moment in moments.astype("datetime64[ns]").astype("datetime64[s]")]


def _finding_table(report: DataReport) -> str:
    rows = [
        (
            f"<span class='{one.outcome}'>{one.outcome}</span>",
            escape(one.rule),
            escape(one.symbol or one.origin),
            escape(one.time),
            one.row or "",
            escape(one.what),
            "" if one.value is None else escape(f"{one.value:g}" if isinstance(one.value, float) else one.value),
        )
        for one in report.findings[:_ROWS]
    ]
    if not rows:
        return ""
    some = len(rows) < len(report.findings)
    more = f"<p class='muted'>The first {len(rows):,} of {len(report.findings):,}.</p>" if some else ""
    head = ("outcome", "rule", "symbol", "bar", "row", "what", "value")
    return f"<h2>Findings</h2>{more}{_table(head, rows, escaped=True)}"


def _year_table(years: Sequence[tuple[int, int, Stress]]) -> str:
    if not years:
        return ""
    rows = [
        (year, f"{bars:,}", f"{one.share:.0%}", f"{one.worst_drawdown:.1%}", f"{one.volatility_decile:.1f}")
        for year, bars, one in years
    ]
    about = (
        "In stress: 21-bar volatility in the highest decile of the series, or 20% and more below the highest close of "
        "the last year. Volatility deciles go from 1 (calmest) to 10."
    )
    head = ("year", "bars", "in stress", "worst drawdown", "volatility decile")
    return f"<h2>Stress</h2><p class='muted'>{about}</p>{_table(head, rows, numbers_from=1)}"


def _table(
    head: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers_from: int | None = None, escaped: bool = False
) -> str:
    def cells(tag: str, values: Sequence[Any], plain: bool) -> str:
        parts = []
        for index, value in enumerate(values):
            kind = " class='number'" if numbers_from is not None and index >= numbers_from else ""
            parts.append(f"<{tag}{kind}>{value if plain else escape(str(value))}</{tag}>")
        return f"<tr>{''.join(parts)}</tr>"

    body = "".join(cells("td", row, escaped) for row in rows)
    return f"<table>{cells('th', head, False)}{body}</table>"
