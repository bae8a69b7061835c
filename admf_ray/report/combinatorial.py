"""Combinatorial purged cross-validation on the page: its paths, its splits, and what became of the training."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.report.definitions import FIGURES, figure_number, figure_text, shown_metric, survived_text
from admf_ray.report.page import Chart, Section, Table, extremes, plain_numbers, times
from admf_ray.report.path_charts import COLOURS, path_line
from admf_ray.report.window_charts import stability_charts, windows_table
from admf_ray.workflow import RunResult

__all__ = ["combinatorial_sections", "combinatorial_verdict"]

_POINTS = 600
_DRAWN = 80
_PARTS = {"train": "#f0b27a", "purged": "#af7ac5", "embargo": "#d4d9de", "test": "#2e86c1"}
_TRAIN, _PURGED, _EMBARGO, _TEST = range(len(_PARTS))
_SPREAD = ("mean", "median", "min", "max")


def combinatorial_verdict(summary: dict[str, Any]) -> str:
    """Say in words how the Sharpe ratio is spread over the paths, and what was left of the training."""
    spread = summary["paths"]["sharpe"]
    mean, median, low, high = (figure_text("sharpe", spread[name]) for name in _SPREAD)
    before, after = (figure_text("sharpe", summary[f"sharpe_{name}"]) for name in ("in_sample", "out_of_sample"))
    return (
        f"Sharpe of {summary['separation']['paths']:,} paths: mean {mean} (the declared result), median {median}, from "
        f"{low} to {high}; above that of buy and hold ({figure_text('sharpe', summary['benchmark']['sharpe'])}) in "
        f"{spread['above_benchmark']:.0%} of them. Of the chosen sets, mean of {summary['windows']:,} tests: {before} "
        f"in training, {after} in the tests: {survived_text(summary['sharpe_survived'])}. Chosen out of "
        f"{summary['sets']:,} sets a split. Most splits are trained on later bars than they test: this says how "
        "much a result depends on the stretch of history it was made on, not what was to be earned at the time."
    )


def combinatorial_sections(result: RunResult, series: dict[str, Any]) -> list[Section]:
    """Give charts and tables of paths and splits; put the times that charts share into ``series``."""
    return [
        _paths_chart(result, series),
        _sharpe_chart(result),
        _spread_table(result),
        _paths_table(result.paths),
        _splits_chart(result),
        _decay_chart(result),
        windows_table(result),
        *stability_charts(result),
    ]


def _paths_chart(result: RunResult, series: dict[str, Any]) -> Chart:
    paths = [own for _, own in result.equity.sort("path", "time").group_by("path", maintain_order=True)]
    equity = np.stack([own["equity"].to_numpy() for own in paths])
    benchmark, moments = paths[0]["benchmark"].to_numpy(), paths[0]["time"].to_numpy()
    # Of very many bars the extremes of the fan and of buy and hold.
    drawn = (equity.min(axis=0), equity.max(axis=0), benchmark)
    shown = np.unique(np.concatenate([extremes(values, _POINTS) for values in drawn]))
    series["time"] = times(moments[shown], moments)
    fan = [
        {
            **path_line(f"path {number}", own[shown], COLOURS["own"], 1.1),
            "opacity": 0.55 if len(equity) <= _DRAWN // 4 else 0.25,
            "showlegend": False,
        }
        for number, own in enumerate(equity[:_DRAWN])
    ]
    some = f" The first {_DRAWN} of {len(equity):,}." if len(equity) > _DRAWN else ""
    return Chart(
        "equity",
        "Paths",
        "Each path tests every bar once: its groups are chained, each tested by the winner of a split that was not "
        "trained on it. Beside one position bought at the first bar and sold at the last, at the same costs; "
        f"logarithmic.{some}",
        [
            *fan,
            {**path_line("paths", [None], COLOURS["own"], 1.8), "x": [None], "y": [None]},
            path_line("buy and hold", benchmark[shown], COLOURS["benchmark"], 1.8),
        ],
        {"height": 430, "hovermode": "closest", "yaxis": {"type": "log", "title": {"text": "money"}}},
    )


def _sharpe_chart(result: RunResult) -> Chart:
    sharpe, held = result.paths["sharpe"].fill_nan(0.0).to_numpy(), result.summary["benchmark"]["sharpe"]
    return Chart(
        "path_sharpe",
        "Sharpe of the paths",
        "Box: quartiles and median; dashed: the mean, which is the declared result; every dot is a path; the vertical "
        "line is buy and hold. A path that never traded counts as 0.",
        [
            {
                "type": "box",
                "orientation": "h",
                "name": "paths",
                "x": plain_numbers(sharpe),
                "text": [f"path {number}" for number in range(len(sharpe))],
                "boxpoints": "all",
                "jitter": 0.6,
                "pointpos": 0,
                "boxmean": True,
                "marker": {"color": COLOURS["own"], "size": 7, "opacity": 0.8},
                "line": {"width": 1.4},
                "showlegend": False,
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": "buy and hold",
                "x": plain_numbers([held, held]),
                "y": ["paths", "paths"],
                "line": {"color": COLOURS["benchmark"], "width": 2},
            },
        ],
        {
            "height": 230,
            "hovermode": "closest",
            "xaxis": {"title": {"text": "Sharpe"}},
            "yaxis": {"showticklabels": False},
            "shapes": [
                {
                    "type": "line",
                    "xref": "x",
                    "yref": "paper",
                    "x0": value,
                    "x1": value,
                    "y0": 0,
                    "y1": 1,
                    "line": {"color": COLOURS["benchmark"], "width": 2},
                }
                for value in plain_numbers([held])
                if value is not None
            ],
        },
    )


def _spread_table(result: RunResult) -> Table:
    benchmark, spread = result.summary["benchmark"], result.summary["paths"]
    rows = [
        [
            FIGURES[name].label,
            *(figure_number(name, own[part]) for part in _SPREAD),
            (f"{own['above_benchmark']:.0%}", own["above_benchmark"]),
            figure_number(name, benchmark[name]),
            FIGURES[name].meaning,
        ]
        for name, own in spread.items()
    ]
    return Table(
        "spread",
        "Figures over the paths",
        "Above: share of the paths whose figure is above that of buy and hold. Paths share parts of their history, so "
        "they are no independent draws.",
        ["figure", *_SPREAD, "above", "buy and hold", "definition"],
        rows,
    )


def _paths_table(paths: pl.DataFrame) -> Table:
    names = [name for name in paths.columns if name != "path"]
    rows = [
        [(str(row["path"]), row["path"]), *(figure_number(name, row[name]) for name in names)]
        for row in paths.iter_rows(named=True)
    ]
    head = ["path", *(FIGURES[name].label for name in names)]
    return Table("paths", "Figures of each path", "Out of sample, chained; after costs.", head, rows)


def _splits_chart(result: RunResult) -> Chart:
    """Draw what each split does with which bars: a row a split, columns as wide as they last."""
    splits = [own for _, own in result.windows.group_by("split", maintain_order=True)][:_DRAWN]
    spans = [_spans(own) for own in splits]
    edges = np.unique([edge for own in spans for part in own for edge in part])
    rows = [_parts(edges, *own) for own in spans]
    labels = [f"{split['split'][0]}: {', '.join(map(str, split['group']))}" for split in splits]
    steps = [[(index + side) / len(_PARTS), colour] for index, colour in enumerate(_PARTS.values()) for side in (0, 1)]
    names = list(_PARTS)
    some = f" The first {_DRAWN} of {result.summary['splits']:,}." if result.summary["splits"] > _DRAWN else ""
    return Chart(
        "splits",
        "Splits",
        "What each split trains on and tests; its groups that are tested stand beside it. Purged: "
        f"{result.summary['gap']} before a test; embargo: {result.summary['embargo']} after it.{some}",
        [
            {
                "type": "heatmap",
                "x": times(edges),
                "y": labels,
                "z": [row.tolist() for row in rows],
                "text": [[names[part] for part in row] for row in rows],
                "colorscale": steps,
                "zmin": -0.5,
                "zmax": len(_PARTS) - 0.5,
                "showscale": False,
                "ygap": 2,
                "hovertemplate": "split %{y}, from %{x}: %{text}<extra></extra>",
            },
            *(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "x": [None],
                    "y": [None],
                    "marker": {"symbol": "square", "size": 12, "color": colour},
                }
                for index, (name, colour) in enumerate(_PARTS.items())
                if any((row == index).any() for row in rows)
            ),
        ],
        {
            "height": 130 + 20 * len(splits),
            "hovermode": "closest",
            "yaxis": {"type": "category", "autorange": "reversed"},
        },
    )


def _spans(split: pl.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give the pieces and the tests of a split, ns UTC."""
    pieces = [list(map(int, piece.split(":"))) for piece in split["train_pieces"][0].split()]
    return np.array(pieces, dtype=np.int64), split.select("test_start", "test_stop").to_numpy()


def _parts(
    edges: npt.NDArray[np.int64], pieces: npt.NDArray[np.int64], tests: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Say of each stretch between edges what it is: dropped bars between a train piece and a test are purged."""
    starts = edges[:-1]
    trained, tested = (
        ((starts[:, np.newaxis] >= spans[:, 0]) & (starts[:, np.newaxis] < spans[:, 1])).any(axis=1)
        for spans in (pieces, tests)
    )
    parts = np.where(tested, _TEST, np.where(trained, _TRAIN, _EMBARGO))
    for column in np.flatnonzero(parts == _EMBARGO).tolist():
        if column and parts[column - 1] in {_TRAIN, _PURGED}:
            parts[column] = _PURGED
    return parts


def _decay_chart(result: RunResult) -> Chart:
    objective = shown_metric(result.summary["objective"])
    label, windows = FIGURES[objective].label, result.windows
    train, test = (plain_numbers(windows[f"{part}_{objective}"].fill_null(float("nan"))) for part in ("train", "test"))
    names = [f"split {split}, group {group}" for split, group in windows.select("split", "group").rows()]
    ends = [value for value in (*train, *test) if value is not None] or [0.0]
    return Chart(
        "decay",
        "What is left of the training",
        f"{label} of the chosen set of each split in training, and in each of its tests. On the dotted line nothing "
        "was lost.",
        [
            {
                "type": "scatter",
                "mode": "markers",
                "name": "tests",
                "x": train,
                "y": test,
                "text": names,
                "marker": {"color": _PARTS["test"], "size": 8, "opacity": 0.75},
                "hovertemplate": "%{text}: %{x} in training, %{y} in the test<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "lines",
                "name": "the same",
                "x": [min(ends), max(ends)],
                "y": [min(ends), max(ends)],
                "line": {"color": COLOURS["benchmark"], "dash": "dot"},
                "hoverinfo": "skip",
            },
        ],
        {
            "hovermode": "closest",
            "xaxis": {"title": {"text": f"{label}, train"}},
            "yaxis": {"title": {"text": f"{label}, test"}},
        },
    )
