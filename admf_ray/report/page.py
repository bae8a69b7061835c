"""Pages as single HTML files that need no network: template, style, script and the drawing library are inside."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "PALETTE",
    "SIGNED",
    "Boxes",
    "Card",
    "Chart",
    "Folded",
    "Section",
    "Table",
    "extremes",
    "plain_numbers",
    "render",
    "times",
]

PALETTE = ("#2e86c1", "#e67e22", "#27ae60", "#af7ac5", "#c0392b", "#d4ac0d", "#16a085", "#8d6e63")
"""Colours of lines that stand side by side; grey is left to buy and hold."""


SIGNED = [[0, "#d9695f"], [0.5, "#f2f3f4"], [1, "#58a871"]]
"""Colours of a heat map from loss over 0 to gain."""

_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Chart:
    """One plotly figure.

    Attributes
    ----------
    name : str
        Identifies it in the page.
    title, note : str
        Above it; the note says what is to be seen, and how it is defined.
    traces : list of dict
        As plotly takes them. ``x: "@name"`` stands for a series that several traces share.
    layout : dict
        Colours of background, text and grid come from the page's theme; ``css:--name`` stands for one of its colours.
    selects : sequence of (label, options)
        Choices above it, for figures that the page's own script draws.
    """

    name: str
    title: str
    note: str
    traces: list[dict[str, Any]]
    layout: dict[str, Any] = field(default_factory=dict)
    selects: Sequence[tuple[str, Sequence[str]]] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table that can be sorted, and filtered by text.

    Attributes
    ----------
    name, title, note : str
    head : sequence of str
    rows : sequence of sequences
        Texts, (text, number to sort by) for what stands to the right, or `Folded`.
    meanings : sequence of (name, text), optional
        Definitions of what stands in it, shown when they are opened.
    filtered : bool
        Whether it has a field for a filter.
    coloured : bool
        Whether the first column names the colour of its text: good, bad, warn, refused, repaired, warned.
    """

    name: str
    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]
    filtered: bool = False
    coloured: bool = False
    meanings: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Folded:
    """A cell of a table that says more when it is opened."""

    text: str
    more: str


@dataclass(frozen=True, slots=True)
class Boxes:
    """Containers, drawn as boxes in boxes.

    Attributes
    ----------
    name, title, note : str
    held : mapping
        What `admf_ray.containers.describe` gave.
    texts : sequence of (title, text)
        Shown below it when they are opened.
    """

    name: str
    title: str
    note: str
    held: Mapping[str, Any]
    texts: Sequence[tuple[str, str]]


Section: TypeAlias = Chart | Table | Boxes
"""A part of a page."""


@dataclass(frozen=True, slots=True)
class Card:
    """One headline figure: its value, what stands beside it, and its definition."""

    name: str
    label: str
    value: str
    beside: str
    meaning: str


def render(
    title: str,
    subtitle: str,
    sections: Sequence[Section],
    *,
    verdict: str = "",
    warnings: Sequence[str] = (),
    cards: Sequence[Card] = (),
    texts: Sequence[tuple[str, str]] = (),
    series: Mapping[str, Any] | None = None,
) -> str:
    """Give a page.

    Parameters
    ----------
    title, subtitle : str
    sections : sequence of Chart, Table or Boxes
        In the order in which they stand.
    verdict : str
        The one sentence to read.
    warnings : sequence of str
    cards : sequence of Card
    texts : sequence of (title, text)
        Shown when they are opened.
    series : mapping, optional
        What traces share, and what the page's own script draws from.

    Returns
    -------
    str
        HTML; all text is escaped.
    """
    # It takes a while to load; only pages need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("admf_ray.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    drawn = {one.name: {"data": one.traces, "layout": one.layout} for one in sections if isinstance(one, Chart)}
    return environment.get_template("page.html").render(
        title=title,
        subtitle=subtitle,
        sections=sections,
        verdict=verdict,
        warnings=warnings,
        cards=cards,
        texts=texts,
        payload=_script_json({"charts": drawn, "series": dict(series or {})}),
        style=_asset("page.css"),
        script=_asset("page.js"),
        library=_plotly() if drawn else "",
    )


def _asset(name: str) -> str:
    return (files("admf_ray.report") / "templates" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    """Give the drawing library, from the file that the plotly package carries."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _script_json(value: Any) -> str:
    """Give JSON that can stand in a script element: no text in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plain_numbers(values: npt.ArrayLike, digits: int = _DIGITS) -> list[float | None]:
    """Give numbers for JSON, rounded to significant digits; None for what is not finite.

    Examples
    --------
    >>> plain_numbers([1 / 3, float("nan"), 2.0], 3)
    [0.333, None, 2.0]
    """
    return [
        float(f"{value:.{digits}g}") if math.isfinite(value) else None
        for value in np.asarray(values, dtype=np.float64).tolist()
    ]


def times(moments: npt.NDArray[np.int64], among: npt.NDArray[np.int64] | None = None) -> list[str]:
    """Give moments (ns UTC) as text: days where each falls on another day, else to the second.

    A bar that ends at midnight belongs to the day that ends then.

    Parameters
    ----------
    moments : int64 array, shape [moment]
    among : int64 array, shape [bar], optional
        The bars of which these are some, so that what is drawn together is written alike; themselves by default.
    """
    known = _days(moments if among is None else among)
    if len(known) == len(np.unique(known)):
        return [str(day) for day in _days(moments)]
    return [str(stamp) for stamp in moments.astype("datetime64[ns]").astype("datetime64[s]")]


def _days(moments: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    return (moments.astype("datetime64[ns]") - np.timedelta64(1, "ns")).astype("datetime64[D]")


def extremes(values: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.int64]:
    """Give the indices of at most about ``most`` points that draw as all would: lowest and highest of each stretch."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), most // 2 + 1).astype(np.int64)
    low, high = np.where(np.isnan(values), np.inf, values), np.where(np.isnan(values), -np.inf, values)
    chosen = [
        (start + int(low[start:stop].argmin()), start + int(high[start:stop].argmax()))
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    return np.unique([0, len(values) - 1, *np.ravel(chosen)])
