"""What a phase gives: tables, a summary, and variants that run by themselves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from admf_ray.workflow.stored import Tables

__all__ = ["PhaseResult", "Variant"]


@dataclass(frozen=True, slots=True)
class Variant:
    """Parameters with the span over which a result was made.

    Attributes
    ----------
    name : str
    parameters : dict of str to float
    start, stop : int or None
        Bars known after ``start`` and up to ``stop`` (ns UTC); None leaves the end open.
    fit : (int or None, int or None), optional
        Bars on which classifiers are fitted, the same way; None where nothing is.
    members : tuple of str
        Names of further members of the same strategy, where several sets trade together with equal weights.
    options : dict of str to float
        Of the account, by their paths.
    member : str or None
        That trades alone, of the strategies of the run; None where nothing was chosen among them.
    """

    name: str
    parameters: dict[str, float]
    start: int | None
    stop: int | None
    fit: tuple[int | None, int | None] | None = None
    members: tuple[str, ...] = ()
    options: dict[str, float] = field(default_factory=dict)
    member: str | None = None


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """Results of one phase.

    Attributes
    ----------
    name : str
    tables : Tables
        By the names of the files in the run directory; stored ones are in their place already.
    summary : dict
        Plain values.
    variants : list of Variant
    forget : callable
        Removes what was kept to go on with the phase; to be called once all else but the
        summary is written.
    """

    name: str
    tables: Tables
    summary: dict[str, Any]
    variants: list[Variant] = field(default_factory=list)
    forget: Callable[[], None] = lambda: None
