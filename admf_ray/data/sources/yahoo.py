"""Bars that Yahoo Finance serves, by the optional package yfinance: downloaded once, kept as a Parquet file."""

import contextlib
import io
import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from admf_ray.core.sessions import timeframe_length
from admf_ray.data.catalog import whole_file
from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.csv import READ_ERRORS
from admf_ray.data.sources.source import Source, no_path
from admf_ray.errors import ConfigError, DataError, first_line
from admf_ray.fingerprint import cache_directory, fingerprint_value

__all__ = ["YFINANCE"]

_INTERVALS = {"1min": "1m", "5min": "5m", "15min": "15m", "30min": "30m", "1h": "1h", "1d": "1d"}


def _locate(request: DataRequest) -> Path:
    """Give the file of the download, made now where there is none: later loads read the same bars."""
    no_path(request)
    symbols = (request.symbol,) if request.symbol is not None else request.symbols
    if not symbols:
        raise DataError(
            "data.symbol: source yfinance needs to know which; allowed: data.symbol=SPY, data.symbols=[A,B]"
        )
    if request.adjust == "none":
        raise DataError(
            "data.adjust: Yahoo serves no unadjusted prices; allowed: splits (as it serves them), total_return"
        )
    timeframe = request.timeframe or "1d"
    if timeframe not in _INTERVALS:
        raise ConfigError(f"data.timeframe: '{timeframe}' is not served by Yahoo; allowed: {', '.join(_INTERVALS)}")
    if timeframe != "1d" and request.stamp != "open":
        raise ConfigError("data.stamp: Yahoo stamps bars at their open; allowed: data.stamp=open")
    for name in ("start", "stop"):
        value = getattr(request, name)
        if value is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(value)):
            raise ConfigError(f"data.{name}: '{value}' is no date; allowed: 2018-12-31")
    asked = [symbols, timeframe, request.adjust, request.start, request.stop]
    name = re.sub(r"[^\w.-]", "_", "-".join(symbols))[:60]
    path = cache_directory() / "downloads" / f"{name}-{fingerprint_value(asked)[:12]}.parquet"
    if not path.is_file():
        frame = pl.concat([_download(symbol, _INTERVALS[timeframe], request) for symbol in symbols])
        with whole_file(path) as partial:
            frame.write_parquet(partial)
    return path


def _download(symbol: str, interval: str, request: DataRequest) -> pl.DataFrame:
    if find_spec("yfinance") is None:
        raise DataError("data.source: yfinance is not installed; allowed: pip install 'admf-ray[yfinance]'")
    import yfinance

    asked = {"start": request.start, "end": request.stop} if request.start or request.stop else {"period": "max"}
    yfinance.config.debug.hide_exceptions = False
    try:
        # It warns of its own libraries, and prints what it could not reach, which the error says.
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stderr(io.StringIO()):
            frame: Any = yfinance.Ticker(symbol).history(
                interval=interval, auto_adjust=request.adjust == "total_return", actions=False, **asked
            )
    except Exception as error:  # whatever the package or the network raises
        raise DataError(
            f"yfinance: {symbol} could not be downloaded ({type(error).__name__}: {first_line(error)}); "
            "the network, the symbol or the dates may be wrong"
        ) from error
    if frame.empty:
        raise DataError(f"yfinance: Yahoo has no bars of {symbol} for these dates and this data.timeframe")
    table = pl.from_pandas(frame.reset_index())
    moments = pl.col(table.columns[0])
    if interval == "1d":
        # Days of the exchange's zone; today's is not over.
        table = table.with_columns(moments.dt.replace_time_zone(None).dt.date())
        table = table.filter(moments < datetime.now(frame.index.tz).date())
    else:
        length = timedelta(microseconds=timeframe_length(request.timeframe or "1d", "data.timeframe") // 1_000)
        table = table.with_columns(moments.dt.convert_time_zone("UTC"))
        table = table.filter(moments + length <= datetime.now(UTC))
    known = {name.lower(): name for name in table.columns}
    columns = {
        "datetime": table.columns[0],
        **{name: known[name] for name in ("open", "high", "low", "close", "volume")},
    }
    bars: pl.DataFrame = table.select(pl.col(column).alias(name) for name, column in columns.items())
    return bars.with_columns(pl.col("volume").cast(pl.Float64), symbol=pl.lit(symbol))


def _read(path: Path | None, request: DataRequest) -> Sequence[Table]:
    assert path is not None
    when = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    try:
        frame = pl.read_parquet(path, glob=False)
    except READ_ERRORS:
        raise DataError(f"yfinance: '{path}' is damaged; remove it to download again") from None
    return [Table(path.name, frame, request.symbol or "", {"downloaded": f"{when:%Y-%m-%d}, {path}"})]


YFINANCE = Source(name="yfinance", locate=_locate, read=_read, downloads=True)
