"""What a data source is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

__all__ = ["Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A way to get a table of bars.

    Attributes
    ----------
    name : str
    read : callable of (path) -> polars.DataFrame
    path : callable of () -> Path, or None
        Where the source's own file is; None where the request names one.
    symbol, calendar : str or None
        Declared by the source, used where the request says nothing.
    """

    name: str
    read: Callable[[Path], pl.DataFrame]
    path: Callable[[], Path] | None = None
    symbol: str | None = None
    calendar: str | None = None
