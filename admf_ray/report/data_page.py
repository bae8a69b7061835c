"""The page of a data check: prices with findings marked, and what was checked and found."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.core.findings import DataReport, Finding, Outcome
from admf_ray.data import RULES, Stress
from admf_ray.report.page import Chart, Table, extremes, plain_numbers, render, times

__all__ = ["data_page"]

_SYMBOLS = 12
_POINTS = 8_000
_MARKS = 2_000
_ROWS = 1_000
_COLOURS: dict[Outcome, str] = {"refused": "#e74c3c", "repaired": "#d68910", "warned": "#3498db"}
_MARKERS: dict[Outcome, str] = {"refused": "x", "repaired": "diamond", "warned": "circle-open"}


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
    totals = ", ".join(f"{sum(rules.values()):,} {outcome}" for outcome, rules in counts.items()) or "nothing found"
    notes = [refusal] if refusal is not None else []
    sections: list[Chart | Table] = []
    if bars is None:
        notes.append("No bars could be made of it, so there is no chart.")
    else:
        charts = _charts(report, bars)
        sections += charts
        if len(charts) < len(bars.symbols):
            notes.append(f"{len(charts)} of {len(bars.symbols):,} symbols are drawn: those with most findings.")
    sections.append(
        Table(
            "rules",
            "Rules",
            "",
            ["rule", "meaning", *_COLOURS],
            [
                [rule, meaning, *(_count(counts.get(one, {}).get(rule, 0)) for one in _COLOURS)]
                for rule, meaning in RULES.items()
            ],
        )
    )
    if report.findings:
        sections.append(_findings(report))
    reading = [[str(name), str(value)] for name, value in [*report.reading.items(), *report.checks.items()]]
    sections.append(Table("reading", "How it was read", "", ["option", "value"], reading))
    if years:
        sections.append(_years(years))
    verdict = "refused" if refusal is not None else "accepted"
    return render(f"{report.origin}: {verdict}", totals, sections, warnings=notes)


def _charts(report: DataReport, bars: Bars) -> list[Chart]:
    """Draw one chart a symbol, those with most findings first."""
    by_symbol: dict[str, list[Finding]] = {symbol: [] for symbol in bars.symbols}
    for finding in report.findings:
        by_symbol.get(finding.symbol or bars.symbols[0], []).append(finding)
    order = sorted(bars.symbols, key=lambda symbol: -len(by_symbol[symbol]))[:_SYMBOLS]
    charts = []
    for number, symbol in enumerate(order):
        row = bars.symbols.index(symbol)
        shown = extremes(bars.close[row], _POINTS)
        close = {
            "type": "scatter",
            "mode": "lines",
            "name": "close",
            "x": times(bars.known_at[shown]),
            "y": plain_numbers(bars.close[row][shown]),
            "line": {"color": "css:--muted", "width": 1.2},
        }
        marks = [
            _marks(bars, row, [one for one in by_symbol[symbol] if one.outcome == outcome], outcome)
            for outcome in _COLOURS
        ]
        layout = {
            "height": 420,
            "hovermode": "closest",
            "yaxis": {"title": {"text": "price"}, "type": "log" if _spans_much(bars.close[row]) else "linear"},
        }
        charts.append(Chart(f"prices-{number}", symbol, "", [close, *filter(None, marks)], layout))
    return charts


def _marks(bars: Bars, row: int, findings: Sequence[Finding], outcome: Outcome) -> dict[str, Any] | None:
    """Mark findings that have a moment at the last close known then."""
    placed = [(one.known_at, f"{one.rule}: {one}") for one in findings if one.known_at is not None][:_MARKS]
    if not placed:
        return None
    moments = np.array([moment for moment, _ in placed], dtype=np.int64)
    at = np.clip(np.searchsorted(bars.known_at, moments, side="right") - 1, 0, len(bars) - 1)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{outcome} ({len(placed):,} of {len(findings):,} marked)",
        "x": [str(moment) for moment in moments.astype("datetime64[ns]").astype("datetime64[s]")],
        "y": plain_numbers(_last_known(bars.close[row])[at]),
        "text": [text.replace("<", "&lt;") for _, text in placed],
        "hoverinfo": "text+x",
        "marker": {"color": _COLOURS[outcome], "symbol": _MARKERS[outcome], "size": 9, "line": {"width": 1.5}},
    }


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


def _findings(report: DataReport) -> Table:
    rows = [
        [
            one.outcome,
            one.rule,
            str(one.symbol or one.origin),
            str(one.time),
            (str(one.row or ""), one.row or None),
            one.what,
            "" if one.value is None else f"{one.value:g}" if isinstance(one.value, float) else str(one.value),
        ]
        for one in report.findings[:_ROWS]
    ]
    some = len(rows) < len(report.findings)
    more = f"The first {len(rows):,} of {len(report.findings):,}." if some else ""
    head = ["outcome", "rule", "symbol", "bar", "row", "what", "value"]
    return Table("findings", "Findings", more, head, rows, filtered=True, coloured=True)


def _years(years: Sequence[tuple[int, int, Stress]]) -> Table:
    rows = [
        [
            (str(year), year),
            (f"{bars:,}", bars),
            (f"{one.share:.0%}", one.share),
            (f"{one.worst_drawdown:.1%}", one.worst_drawdown),
            (f"{one.volatility_decile:.1f}", one.volatility_decile),
        ]
        for year, bars, one in years
    ]
    about = (
        "In stress: 21-bar volatility in the highest decile of the series, or 20% and more below the highest close of "
        "the last year. Volatility deciles go from 1 (calmest) to 10."
    )
    return Table("stress", "Stress", about, ["year", "bars", "in stress", "worst drawdown", "volatility decile"], rows)


def _count(count: int) -> tuple[str, int]:
    return (f"{count:,}" if count else "-", count)
