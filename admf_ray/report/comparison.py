"""Runs side by side: figures, equity, and the options in which they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as ConsoleTable

from admf_ray.report.definitions import FIGURES, figure_number, figure_text
from admf_ray.report.page import PALETTE, Chart, Section, Table, extremes, plain_numbers, render, times
from admf_ray.report.tearsheet import headline, what_trades
from admf_ray.workflow.performance import Performance

__all__ = ["Compared", "compare_page", "print_comparison"]

_POINTS = 2_000
_FIGURES = tuple(FIGURES)


@dataclass(frozen=True, slots=True)
class Compared:
    """Runs and what tells them apart.

    Attributes
    ----------
    names : tuple of str
        Of the runs; directories of one name are numbered.
    performances : tuple of Performance
    figures : dict of str to list of float or None
        By the name of the figure, one for each run; None where a run has none.
    differences : mapping of str to list of str
        Options that are not the same in all runs.
    same_tables : list of str
        Tables that are the same in all runs, to the last bit.
    """

    names: tuple[str, ...]
    performances: tuple[Performance, ...]
    figures: dict[str, list[float | None]]
    differences: Mapping[str, Sequence[str]]
    same_tables: list[str]

    @classmethod
    def of(cls, performances: Sequence[Performance], differences: Mapping[str, Sequence[str]]) -> Self:
        """Collect the figures of runs."""
        plain = [one.result.directory.name if one.result.directory else "" for one in performances]
        unique = len(set(plain)) == len(plain)
        names = plain if unique else [f"{name}-{index + 1}" for index, name in enumerate(plain)]
        known = [
            {**(headline(one.result.summary) or {}), **one.result.summary.get("relative", {})} for one in performances
        ]
        figures = {name: [row.get(name) for row in known] for name in _FIGURES}
        prints = [one.result.fingerprints() for one in performances]
        same = [name for name in prints[0] if len({row.get(name) for row in prints}) == 1]
        return cls(tuple(names), tuple(performances), figures, differences, same)

    @property
    def verdict(self) -> str:
        """What is the same, in a sentence; before it which figures each run has, where they are not of one kind."""
        kinds = [one.result.summary["headline"] for one in self.performances]
        said = ""
        if len(set(kinds)) > 1:
            each = "; ".join(f"{name}: {kind}" for name, kind in zip(self.names, kinds, strict=True))
            said = f"The figures are not of one kind: {each}. "
        if self.same_tables:
            return f"{said}The same to the last bit in all runs: {', '.join(self.same_tables)}."
        return f"{said}No table is the same in all runs."


def print_comparison(console: Console, compared: Compared) -> None:
    """Print figures and differing options, a column for each run."""
    for head, rows in (
        ("", {FIGURES[name].label: [figure_text(name, one) for one in row] for name, row in compared.figures.items()}),
        ("option", compared.differences),
    ):
        if rows:
            table = ConsoleTable(head, box=SIMPLE_HEAD)
            for name in compared.names:
                table.add_column(name, justify="right", overflow="fold")
            for label, values in rows.items():
                table.add_row(label, *values)
            console.print(table)
    console.print(compared.verdict, highlight=False)


def compare_page(compared: Compared) -> str:
    """Draw runs over each other, with their figures and differing options."""
    traces = []
    for index, (name, one) in enumerate(zip(compared.names, compared.performances, strict=True)):
        if one.paths is not None:
            equity = one.paths.own.equity
            shown = extremes(equity, _POINTS)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": times(one.result.equity["time"].to_numpy()[shown]),
                    "y": plain_numbers(equity[shown]),
                    "line": {"width": 1.5, "color": PALETTE[index % len(PALETTE)]},
                }
            )
    rows = [
        [FIGURES[name].label, *(figure_number(name, one) for one in row), FIGURES[name].meaning]
        for name, row in compared.figures.items()
    ]
    sections: list[Section] = []
    if traces:
        layout = {"height": 440, "yaxis": {"type": "log", "title": {"text": "money"}}}
        sections.append(Chart("equity", "Equity", "Of each run; logarithmic.", traces, layout))
    sections.append(Table("figures", "Figures", "", ["figure", *compared.names, "definition"], rows))
    differences = [[name, *values] for name, values in compared.differences.items()]
    sections.append(Table("differences", "Options that differ", "", ["option", *compared.names], differences))
    described = " beside ".join(
        f"{name} ({what_trades(one.result.summary)})"
        for name, one in zip(compared.names, compared.performances, strict=True)
    )
    return render("Runs side by side", described, sections, verdict=compared.verdict)
