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

__all__ = ["ROWS", "Row", "row", "run_rows"]

FOLDER = Path(".benchmarks")


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes
    ----------
    name : str
    figure : float
        Median of the runs.
    unit : str
    reference : str or None
        What it is compared with.
    bar : float or None
        What was promised: at most so much.
    holds : bool
    runs : int
    spread : tuple of float
        Lowest and highest run.
    command : str
        That measures it again.
    """

    name: str
    figure: float
    unit: str
    reference: str | None
    bar: float | None
    holds: bool
    runs: int
    spread: tuple[float, float]
    command: str


ROWS: dict[str, Callable[[], Row]] = {}


def row(
    name: str, unit: str, *, runs: int, bar: float | None = None, reference: str | None = None
) -> Callable[[Callable[[], Callable[[], float]]], None]:
    """Register a row: the function prepares and gives what is called once for each run and returns its figure."""

    def register(prepare: Callable[[], Callable[[], float]]) -> None:
        def measure() -> Row:
            once = prepare()
            figures = [once() for _ in range(runs)]
            figure = statistics.median(figures)
            holds = bar is None or figure <= bar
            spread = (min(figures), max(figures))
            return Row(name, figure, unit, reference, bar, holds, runs, spread, f'make benchmark ONLY="{name}"')

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
    bar = "-" if values["bar"] is None else f"at most {values['bar']:g}"
    spread = f"{values['spread'][0]:.3g} to {values['spread'][1]:.3g} ({values['runs']} runs)"
    holds = "yes" if values["holds"] else "NO"
    return [values["name"], f"{values['figure']:.3g} {values['unit']}", bar, holds, spread]


COLUMNS = ("row", "median", "bar", "holds", "spread")


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [" | ".join(cells) for cells in (COLUMNS, ["---"] * len(COLUMNS), *map(texts, rows))]
    return "".join(f"| {line} |\n" for line in lines)


def table(rows: Sequence[Row]) -> Table:
    printed = Table(*COLUMNS)
    for measured in rows:
        printed.add_row(*texts(asdict(measured)))
    return printed
