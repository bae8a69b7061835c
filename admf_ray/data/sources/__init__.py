"""Data sources: from a name and a request to bars."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from admf_ray.core.bars import Bars
from admf_ray.core.registry import Registry
from admf_ray.data.catalog import prepared
from admf_ray.data.frame import bars_from_frame
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.files import CSV, PARQUET
from admf_ray.data.sources.indices import NASDAQ, SP500
from admf_ray.data.sources.source import Source
from admf_ray.errors import DataError
from admf_ray.fingerprint import code_fingerprint, fingerprint_file, fingerprint_value

__all__ = ["HANDED_OVER", "SOURCES", "Source", "load_bars", "request_bars"]

HANDED_OVER = "python"
"""What configurations say of bars that a Python caller brought: no source can load them again."""

SOURCES: Registry[Source] = Registry("data source")
for _source in (CSV, NASDAQ, PARQUET, SP500):
    SOURCES.add(_source)


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
    if source.path is not None:
        if request.path:
            raise DataError(f"data.path: source {source.name} brings its own file; leave data.path empty")
        path = source.path()
    elif request.path:
        path = Path(request.path).expanduser().absolute()
    else:
        raise DataError(f"data.path: source {source.name} needs the path of a file")
    if not path.is_file():
        raise DataError(f"data.path: there is no file '{path}'")
    request = replace(request, symbol=request.symbol or source.symbol, calendar=request.calendar or source.calendar)
    asked = {name: getattr(request, name) for name in DataRequest.__dataclass_fields__ if name != "path"}
    key = fingerprint_value([code_fingerprint(), fingerprint_file(path), path.name, asked])
    return prepared(key, lambda: bars_from_frame(source.read(path), request, path.name))


def load_bars(source: str, path: str | Path | None = None, **options: Any) -> Bars:
    """Load bars.

    Parameters
    ----------
    source : str
        ``sp500`` and ``nasdaq`` (daily, 1999 to 2018, carried by the arch package), ``csv`` or ``parquet``.
    path : str or Path, optional
        File, for csv and parquet.
    **options
        Further fields of `admf_ray.data.request.DataRequest`: symbol, calendar, timezone, stamp, adjust,
        periods_per_year.

    Returns
    -------
    Bars

    Examples
    --------
    >>> len(load_bars("sp500"))
    5031
    """
    return request_bars(DataRequest(source=source, path=str(path) if path else None, **options))
