"""Pareto fronts of a search for several objectives."""

from typing import Any

from admf_ray.report.definitions import FIGURES, fronts_text, parameters_text
from admf_ray.report.page import PALETTE, Chart, plain_numbers
from admf_ray.report.window_charts import window_labels
from admf_ray.workflow.fronts import DrawnFront
from admf_ray.workflow.performance import Performance

__all__ = ["front_sections"]

_DIGITS = 4


def front_sections(performance: Performance) -> list[Chart]:
    """Draw the fronts of all windows, the newest one shown; nothing where there was one objective."""
    if not performance.fronts:
        return []
    summary = performance.result.summary
    labels = [_label(name) for name in summary["front"]["objectives"]]
    drawn = zip(window_labels(performance.result), performance.fronts, strict=True)
    traces = [trace for place, (name, one) in enumerate(drawn) for trace in _traces(place, name, one, labels)]
    for trace in traces:
        trace["visible"] = True if trace["legendgroup"] == str(len(performance.fronts) - 1) else "legendonly"
    more = f" Beyond these two: {', '.join(labels[2:])}." if len(labels) > 2 else ""
    note = (
        f"{fronts_text(summary)} Each point of the line is a set that no other is better than in every objective, in "
        f"training; dots are trials that could win, the star is the set that was chosen.{more} Click on a window to "
        "show or hide it."
    )
    axes = {f"{axis}axis": {"title": {"text": label}} for axis, label in zip("xy", labels, strict=False)}
    return [Chart("front", "Pareto fronts", note, traces, {"height": 460, "hovermode": "closest", **axes})]


def _label(objective: str) -> str:
    return FIGURES[objective].label if objective in FIGURES else objective


def _traces(place: int, name: str, front: DrawnFront, labels: list[str]) -> list[dict[str, Any]]:
    """Give the trials, the front and the winner of one window."""
    colour = PALETTE[place % len(PALETTE)]
    common = {"type": "scatter", "legendgroup": str(place)}
    texts = [parameters_text(parameters) for parameters in front.parameters]
    hover = f"%{{text}}<br>{labels[0]} %{{x}}, {labels[1]} %{{y}}<extra>{name}</extra>"
    x, y = (plain_numbers(values, _DIGITS) for values in front.points.T)
    trials_x, trials_y = (plain_numbers(values, _DIGITS) for values in front.trials.T)
    traces: list[dict[str, Any]] = [
        {
            **common,
            "mode": "markers",
            "name": f"{name}, trials",
            "showlegend": False,
            "x": trials_x,
            "y": trials_y,
            "marker": {"size": 3, "color": "#99a3a4", "opacity": 0.5},
            "hoverinfo": "skip",
        },
        {
            **common,
            "mode": "lines+markers",
            "name": name,
            "x": x,
            "y": y,
            "text": texts,
            "line": {"color": colour, "width": 1.2},
            "hovertemplate": hover,
        },
    ]
    if front.chosen is not None:
        traces.append(
            {
                **common,
                "mode": "markers",
                "name": f"{name}, chosen",
                "showlegend": False,
                "x": [x[front.chosen]],
                "y": [y[front.chosen]],
                "text": [texts[front.chosen]],
                "marker": {"symbol": "star", "size": 14, "color": "#f4d03f", "line": {"color": "#1c2833", "width": 1}},
                "hovertemplate": hover,
            }
        )
    return traces
