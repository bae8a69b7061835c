"""Windows of a walk-forward: their table, what is left of the training, the chosen parameters."""

import json
from typing import Any

import polars as pl

from admf_ray.report.definitions import (
    FIGURES,
    day_text,
    figure_number,
    figure_text,
    parameters_text,
    score_text,
    selection_text,
    shown_metric,
)
from admf_ray.report.page import SIGNED, Chart, Table, plain_numbers
from admf_ray.workflow import RunResult
from admf_ray.workflow.surface import Surface, searched_windows

__all__ = [
    "WINDOW_FIGURES",
    "stability_charts",
    "surface_chart",
    "window_labels",
    "window_sections",
    "windows_table",
]

_SURFACE_DIGITS = 4
WINDOW_FIGURES = ("sharpe", "total_return", "max_drawdown", "trades")
_COLOURS = {"train": "#f0b27a", "test": "#2e86c1"}


def window_labels(result: RunResult) -> list[str]:
    """Name each window by its number and the day at which its test begins; each split by the groups that it tests."""
    if "windows" not in result.tables:
        return ["whole span"]
    if "split" in result.windows.columns:
        tested = result.windows.group_by("split", maintain_order=True).agg(pl.col("group"))
        return [f"{split}: tests {', '.join(map(str, groups))}" for split, groups in tested.rows()]
    return [f"{window}: {day_text(start)}" for window, start in result.windows.select("window", "test_start").rows()]


def window_sections(result: RunResult) -> list[Chart | Table]:
    """Give table and charts of the windows."""
    windows, objective = result.windows, shown_metric(result.summary["objective"])
    labels, label = window_labels(result), FIGURES[objective].label
    train, test = (plain_numbers(windows[f"{part}_{objective}"].fill_null(float("nan"))) for part in ("train", "test"))
    strategy = result.summary["strategy"]
    parts = [
        {"type": "bar", "name": name, "x": labels, "y": values, "marker": {"color": _COLOURS[name]}}
        for name, values in (("train", train), ("test", test))
    ]
    in_sample, out_of_sample = (result.summary[f"sharpe_{name}"] for name in ("in_sample", "out_of_sample"))
    return [
        windows_table(result),
        Chart(
            "decay",
            "What is left of the training",
            f"{label} of the chosen set in training and in the test after it. In the mean of the windows the "
            f"Sharpe ratio went from {figure_text('sharpe', in_sample)} to {figure_text('sharpe', out_of_sample)}.",
            parts,
            {"barmode": "group", "xaxis": {"type": "category"}, "yaxis": {"title": {"text": label}}},
        ),
        Chart(
            "heatmap",
            "Strategies and windows",
            f"{label} in each window; blank: cash.",
            [
                {
                    "type": "heatmap",
                    "x": labels,
                    "y": [f"{strategy}, test", f"{strategy}, train"],
                    "z": [test, train],
                    "text": [[figure_text(objective, value) for value in row] for row in (test, train)],
                    "texttemplate": "%{text}",
                    "colorscale": SIGNED,
                    "zmid": 0,
                    "textfont": {"color": "#1c2833"},
                    "hovertemplate": "%{y}, %{x}: %{z}<extra></extra>",
                }
            ],
            {"height": 230, "hovermode": "closest", "xaxis": {"type": "category"}},
        ),
        *stability_charts(result),
    ]


def stability_charts(result: RunResult) -> list[Chart | Table]:
    """Draw the chosen parameters over the windows, one under the other; nothing where there are no parameters."""
    labels = window_labels(result)
    texts = searched_windows(result)["parameters"].to_list()
    chosen = [{} if text is None else _by_strategy(json.loads(text)) for text in texts]
    names = list(dict.fromkeys(name for parameters in chosen for name in parameters))
    if not names:
        return []
    share = 1.0 / len(names)
    layout: dict[str, Any] = {
        "height": 120 + 150 * len(names),
        "showlegend": False,
        "xaxis": {"type": "category", "anchor": "y" if len(names) == 1 else f"y{len(names)}"},
    }
    traces = []
    for index, name in enumerate(names):
        axis = "" if index == 0 else str(index + 1)
        top = 1.0 - index * share
        layout[f"yaxis{axis}"] = {"title": {"text": name}, "domain": [max(top - 0.86 * share, 0.0), top]}
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name,
                "x": labels,
                "y": [parameters.get(name) for parameters in chosen],
                "yaxis": f"y{axis}",
                "line": {"color": _COLOURS["test"], "shape": "hvh", "width": 1.4},
            }
        )
    note = "The set chosen in each window. Sets that jump from window to window were chosen by noise."
    return [Chart("stability", "Parameter stability", note, traces, layout)]


def _by_strategy(parameters: dict[str, Any]) -> dict[str, Any]:
    """Name parameters by the strategy that they are of, where one of several was chosen; not options of the account."""
    strategy = parameters.get("strategy")
    if not isinstance(strategy, str):
        return parameters
    return {
        name if name == "strategy" or "." in name else f"{strategy} {name}": one for name, one in parameters.items()
    }


def windows_table(result: RunResult) -> Table:
    """List windows: their spans, figures in training and in the test, stress, the chosen set."""
    windows = result.windows
    scores = [name for name in ("objective", "selected_by") if name in windows.columns]
    parts = [name for name in ("split", "group", "path") if name in windows.columns]
    head = ["window", *parts, "train from", "train before", "test from", "test before"]
    head += [f"{part} {FIGURES[name].label}" for name in WINDOW_FIGURES for part in ("train", "test")]
    head += [*(name.replace("_", " ") for name in scores), "train stress", "test stress", "chosen set"]
    rows: list[list[Any]] = []
    for row in windows.iter_rows(named=True):
        spans = [day_text(row[name]) for name in ("train_start", "train_stop", "test_start", "test_stop")]
        figures = [figure_number(name, row[f"{part}_{name}"]) for name in WINDOW_FIGURES for part in ("train", "test")]
        chosen_by = [(score_text(row[name]), row[name]) for name in scores]
        stress = [(f"{row[f'{part}_stress_share']:.0%}", row[f"{part}_stress_share"]) for part in ("train", "test")]
        chosen = "cash" if row["parameters"] is None else parameters_text(json.loads(row["parameters"]))
        numbers = [(str(row[name]), row[name]) for name in ("window", *parts)]
        rows.append([*numbers, *spans, *figures, *chosen_by, *stress, chosen])
    return Table(
        "windows",
        "Windows",
        "Spans are half-open: from is in, before is not. Stress is the share of bars in turmoil: 21-bar volatility in "
        "the highest decile of the series, or 20% and more below the highest close of a year. The set was selected by "
        f"{selection_text(result.summary)}.",
        head,
        rows,
    )


def surface_chart(surface: Surface, result: RunResult) -> tuple[Chart, dict[str, Any]]:
    """Give the chart of the train surface, and what the page's script draws it from."""
    windows, label = window_labels(result), FIGURES[shown_metric(result.summary["objective"])].label
    chart = Chart(
        "surface",
        "Train surface",
        f"The best {label} in training over two parameters, the others at their best, for each window; the star is the "
        "set that was chosen. A lone peak is luck more often than a plateau is.",
        [],
        selects=[("window", windows), ("parameters", [" x ".join(pair.names) for pair in surface.pairs])],
    )
    pairs = [
        {
            "names": list(pair.names),
            "x": plain_numbers(pair.x),
            "y": plain_numbers(pair.y),
            "column": pair.column.tolist(),
            "row": pair.row.tolist(),
            "values": [plain_numbers(one, _SURFACE_DIGITS) for one in pair.best],
            "winners": [None if chosen is None else plain_numbers(chosen) for chosen in pair.chosen],
        }
        for pair in surface.pairs
    ]
    return chart, {"objective": label, "pairs": pairs}
