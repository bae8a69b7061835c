"""Benchmark rows: what is measured, how often, and what it is held against."""

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import psutil
import ray
from rich.console import Console
from rich.table import Table

__all__ = ["ROWS", "Once", "Points", "Reading", "Row", "Unmeasured", "row", "run_rows"]

FOLDER = Path(".benchmarks")


class Unmeasured(Exception):  # noqa: N818  (says what the row then is)
    """Why a figure cannot be measured here."""


@dataclass(frozen=True)
class Points:
    """The measurements behind a figure, to be drawn.

    Attributes
    ----------
    axis, unit : str
        Of the first and the second number of each point.
    values : list of (float, float)
    """

    axis: str
    unit: str
    values: list[tuple[float, float]]


@dataclass(frozen=True)
class Reading:
    """What a run gives that has more to tell than its figure."""

    figure: float
    reference: str | None = None
    points: Points | None = None


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes
    ----------
    name : str
    figure : float or None
        Median of the runs; None where it cannot be measured here.
    unit : str
    reference : str or None
        What it is compared with; why it cannot be measured.
    bar : float or None
        What was promised.
    holds : bool
        A promise that is not measured does not hold.
    runs : int
    spread : tuple of float, or None
        Lowest and highest run.
    command : str
        That measures it again.
    at_least : bool
        Whether the bar is a lower one.
    points : Points or None
        Of the last run.
    """

    name: str
    figure: float | None
    unit: str
    reference: str | None
    bar: float | None
    holds: bool
    runs: int
    spread: tuple[float, float] | None
    command: str
    at_least: bool = False
    points: Points | None = None


ROWS: dict[str, Callable[[], Row]] = {}


Once = Callable[[], float | Reading]


def row(
    name: str,
    unit: str,
    *,
    runs: int,
    bar: float | None = None,
    at_least: bool = False,
    reference: str | None = None,
) -> Callable[[Callable[[], Once]], None]:
    """Register a row: the function prepares and gives what is called once for each run and returns its figure."""

    def register(prepare: Callable[[], Once]) -> None:
        def measure() -> Row:
            command = f'make benchmark ONLY="{name}"'
            try:
                once = prepare()
                taken = [once() for _ in range(runs)]
            except Unmeasured as why:
                return Row(name, None, unit, str(why), bar, bar is None, 0, None, command, at_least)
            readings = [one if isinstance(one, Reading) else Reading(one, reference) for one in taken]
            figures = [reading.figure for reading in readings]
            figure = statistics.median(figures)
            holds = bar is None or (figure >= bar if at_least else figure <= bar)
            spread = (min(figures), max(figures))
            told = readings[-1].reference
            return Row(name, figure, unit, told, bar, holds, runs, spread, command, at_least, readings[-1].points)

        ROWS[name] = measure

    return register


def run_rows(only: str | None) -> Sequence[Row]:
    """Measure the rows whose name contains ``only``, print them, and merge them into the files by name."""
    console = Console()
    measured = []
    for name, measure in ROWS.items():
        if only is None or only in name:
            console.print(f"measuring {name} ...", highlight=False)
            measured.append(measure())
    FOLDER.mkdir(exist_ok=True)
    latest = FOLDER / "latest.json"
    before = json.loads(latest.read_text())["rows"] if latest.is_file() else []
    rows: dict[str, dict[str, Any]] = {old["name"]: old for old in before} | {new.name: asdict(new) for new in measured}
    latest.write_text(json.dumps({"schema": 1, "machine": machine(), "rows": list(rows.values())}, indent=2) + "\n")
    (FOLDER / "latest.md").write_text(markdown(list(rows.values())))
    console.print(table(measured))
    for new in measured:
        if new.reference:
            console.print(f"{new.name}: {new.reference}", highlight=False, markup=False)
    return measured


def machine() -> dict[str, Any]:
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "ray": ray.__version__,
    }


def texts(values: dict[str, Any]) -> list[str]:
    bar = "-"
    if values["bar"] is not None:
        bar = f"{'at least' if values.get('at_least') else 'at most'} {values['bar']:g}"
    figure, spread = "not measured", "-"
    if values["figure"] is not None:
        figure = f"{values['figure']:.3g} {values['unit']}"
        spread = f"{values['spread'][0]:.3g} to {values['spread'][1]:.3g} ({values['runs']} runs)"
    holds = "yes" if values["holds"] else "NO"
    return [values["name"], figure, bar, holds, spread]


COLUMNS = ("row", "median", "bar", "holds", "spread")


def markdown(rows: list[dict[str, Any]]) -> str:
    cells = [[*texts(values), values["reference"] or ""] for values in rows]
    lines = map(" | ".join, ([*COLUMNS, "beside"], ["---"] * (len(COLUMNS) + 1), *cells))
    charts = [chart(values["name"], values["points"]) for values in rows if values.get("points")]
    return "".join(f"| {line} |\n" for line in lines) + "".join(charts)


def chart(name: str, points: dict[str, Any]) -> str:
    """Draw points as text that Markdown viewers turn into a line."""
    heights = [y for _, y in points["values"]]
    places = ", ".join(f'"{x:,.0f}"' for x, _ in points["values"])
    lines = (
        "xychart-beta",
        f'    title "{name}"',
        f'    x-axis "{points["axis"]}" [{places}]',
        f'    y-axis "{points["unit"]}" 0 --> {1.2 * max(heights):.3g}',
        f"    line [{', '.join(f'{y:.3g}' for y in heights)}]",
    )
    return "\n```mermaid\n" + "\n".join(lines) + "\n```\n"


def table(rows: Sequence[Row]) -> Table:
    printed = Table(*COLUMNS)
    for measured in rows:
        printed.add_row(*texts(asdict(measured)))
    return printed
