"""Data sources: from a name and a request to bars."""

import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl
import pyarrow as pa

from admf_ray.core.bars import Bars
from admf_ray.core.registry import Registry, unknown_name
from admf_ray.data.catalog import prepared
from admf_ray.data.columns import Table
from admf_ray.data.panel import bars_of
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.csv import CSV, READ_ERRORS
from admf_ray.data.sources.indices import INDICES, NASDAQ, SP500
from admf_ray.data.sources.parquet import PARQUET
from admf_ray.data.sources.source import Source
from admf_ray.data.sources.synthetic import SYNTHETIC
from admf_ray.data.sources.yahoo import YFINANCE
from admf_ray.errors import ConfigError, DataError, first_line
from admf_ray.fingerprint import code_fingerprint, fingerprint_file, fingerprint_value

__all__ = ["HANDED_OVER", "SOURCES", "Source", "load_bars", "request_bars"]

HANDED_OVER = "python"
"""What configurations say of bars that a Python caller brought: no source can load them again."""

SOURCES: Registry[Source] = Registry("data source")
for _source in (CSV, INDICES, NASDAQ, PARQUET, SP500, SYNTHETIC, YFINANCE):
    SOURCES.add(_source)

if TYPE_CHECKING:
    import pandas as pd

_MADE_WITH = ("exchange_calendars", "numpy", "polars")
"""Packages whose version may change what is made of the same content."""

Frame: TypeAlias = "pd.DataFrame | pl.DataFrame | pa.Table"


def request_bars(request: DataRequest) -> Bars:
    """Load the bars of a request, through the catalog.

    Raises
    ------
    ConfigError
        Where no source has the name.
    DataError
        Where the file is missing or not what it must be.
    """
    if request.source == HANDED_OVER:
        raise DataError(
            "data.source: these bars were handed over in Python and are not kept; "
            f"allowed: data.source=NAME [data.path=FILE], with one of: {', '.join(SOURCES.names())}"
        )
    source = SOURCES[request.source]
    path = source.locate(request)
    named = request.symbol is not None or request.symbols is not None
    request = replace(
        request,
        symbol=request.symbol if named else source.symbol,
        calendar=request.calendar or source.calendar,
    )
    asked = {name: value for name, value in request.plain().items() if name != "path"}
    for name in ("start", "stop"):
        if getattr(request, name) is not None and not source.downloads:
            raise DataError(f"data.{name}: source {source.name} downloads nothing; allowed: span.{name} for a backtest")
    files = _files(path)
    before = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    content = [
        [file.name if file == path else str(file.relative_to(path or file)), fingerprint_file(file)] for file in files
    ]
    versions = {name: version(name) for name in _MADE_WITH}
    key = fingerprint_value([code_fingerprint(), versions, content, asked])

    def keep(bars: Bars) -> bool:
        """Say no where a file changed while it was read, or a bar is only too young today."""
        unchanged = before == [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        findings = bars.report.findings if bars.report else ()
        return unchanged and not any(finding.rule == "future" for finding in findings)

    return prepared(key, lambda: bars_of(source.read(path, request), request, path.name if path else source.name), keep)


def _files(path: Path | None) -> list[Path]:
    """Give a file itself, or every file of a folder."""
    if path is None:
        return []
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def load_bars(source: "str | Frame", path: str | Path | None = None, **options: Any) -> Bars:
    """Load bars.

    Parameters
    ----------
    source : str, or pandas.DataFrame, polars.DataFrame, pyarrow.Table
        ``sp500``, ``nasdaq`` and ``indices``, both of them (daily, 1999 to 2018, carried by the arch package),
        ``csv``, ``parquet``,
        ``synthetic``, ``yfinance``; or a table of bars itself.
    path : str or Path, optional
        File or folder, for csv and parquet.
    **options
        Further fields of `admf_ray.data.request.DataRequest`: symbol, calendar, timezone, stamp, adjust,
        periods_per_year, sanity, ...

    Returns
    -------
    Bars
        ``report`` says how they were read, what was found and what was repaired.

    Examples
    --------
    >>> len(load_bars("sp500"))
    5031
    >>> import polars as pl
    >>> days = pl.DataFrame({"date": ["2020-01-02", "2020-01-03"], "close": [10.0, 11.0]})
    >>> bars = load_bars(days, symbol="ABC", calendar="XNYS", ohl_from_close=True, min_history_bars=0)
    >>> bars.symbols, bars.open.tolist()
    (('ABC',), [[10.0, 11.0]])
    """
    allowed = [one.name for one in fields(DataRequest) if one.name not in {"source", "path"}]
    for name in options:
        if name not in allowed:
            raise ConfigError(f"load_bars: {unknown_name('option', name, allowed)}")
    if isinstance(source, str):
        return request_bars(DataRequest(source=source, path=str(path) if path else None, **options))
    if path is not None:
        raise DataError(f"load_bars: a table and a path '{path}' are both given; allowed: one of them")
    request = DataRequest(source=HANDED_OVER, **options)
    return bars_of(_tables(source, request), request, "frame")


def _tables(frame: "Frame", request: DataRequest) -> Sequence[Table]:
    """Take a frame of any of the three libraries as a table."""
    try:
        # Whoever brings a frame of pandas has loaded it; others do without the second that this takes.
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(frame, pandas.DataFrame):
            if frame.columns.nlevels > 1:
                raise DataError("frame: its columns have several levels; allowed: one, with a column symbol")
            is_counted = isinstance(frame.index, pandas.RangeIndex)
            frame = pl.from_pandas(frame if is_counted else frame.reset_index())
        elif isinstance(frame, pa.Table):
            converted = pl.from_arrow(frame)
            assert isinstance(converted, pl.DataFrame)
            frame = converted
    except (*READ_ERRORS, pa.ArrowException, ValueError) as error:
        raise DataError(f"frame: cannot be taken over: {first_line(error)}") from None
    if not isinstance(frame, pl.DataFrame):
        raise DataError(
            f"load_bars: {type(frame).__name__} is not allowed; allowed: the name of a source, or a pandas, "
            "polars or Arrow table"
        )
    return [Table("frame", frame, request.symbol or "frame")]
