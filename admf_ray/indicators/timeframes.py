"""Higher timeframes: bars gathered into buckets, and values laid back onto the bars as of each bucket's close."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars

__all__ = ["Frame", "aggregate"]


@dataclass(frozen=True, slots=True)
class Frame:
    """Buckets of a timeframe that are complete by the end of a series.

    Attributes
    ----------
    bars : Bars
        One for each bucket, known when the bucket closes: at the end that the calendar gives it, or its nominal one,
        and never because the next bar is late or absent.
    newest : int64 array, shape [time]
        For each bar of the series the newest bucket that is complete when it is known, -1 before the first.
    """

    bars: Bars
    newest: npt.NDArray[np.int64]


def aggregate(bars: Bars, timeframe: str) -> Frame | None:
    """Gather bars into buckets: first open, highest high, lowest low, last close, sum of volumes of the known bars.

    A bucket without a known bar is a missing bar; without any known volume its volume is NaN.

    Parameters
    ----------
    bars : Bars
        That know their sessions; see `Bars.bucket_closes`.
    timeframe : str

    Returns
    -------
    Frame or None
        None while no bucket is complete.

    Raises
    ------
    ConfigError, DataError
        Where the text is no timeframe, or sessions are not known.
    """
    closes = bars.bucket_closes(timeframe)
    first = np.flatnonzero(np.append(True, closes[1:] != closes[:-1]))
    complete = int(np.searchsorted(closes[first], bars.known_at[-1], side="right"))
    if complete == 0:
        return None
    moments = closes[first[:complete]]
    stop = int(first[complete]) if complete < len(first) else len(bars)
    edges = first[:complete]
    known = ~np.isnan(bars.close[:, :stop])
    fields: dict[str, Any] = {
        "high": _reduced(np.fmax, bars.high[:, :stop], edges),
        "low": _reduced(np.fmin, bars.low[:, :stop], edges),
        "volume": _summed(np.where(known, bars.volume[:, :stop], np.nan), edges),
    }
    positions = np.arange(stop)
    earliest = np.minimum.reduceat(np.where(known, positions, stop), edges, axis=1)
    latest = np.maximum.reduceat(np.where(known, positions, -1), edges, axis=1)
    there = latest >= 0
    rows = np.arange(len(bars.symbols))[:, np.newaxis]
    fields["open"] = np.where(there, bars.open[rows, np.minimum(earliest, stop - 1)], np.nan)
    fields["close"] = np.where(there, bars.close[rows, np.maximum(latest, 0)], np.nan)
    lasts = np.append(edges[1:], stop) - 1
    gathered = Bars(
        symbols=bars.symbols,
        known_at=moments,
        session=bars.session[lasts],
        covers_until=max(int(moments[-1]) + 1, bars.covers_until),
        periods_per_year=bars.periods_per_year * len(moments) / stop,
        adjustment=bars.adjustment,
        calendar=bars.calendar,
        **fields,
    )
    return Frame(gathered, np.searchsorted(moments, bars.known_at, side="right").astype(np.int64) - 1)


def _reduced(function: Any, values: npt.NDArray[np.float64], edges: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Reduce each bucket, NaN only where all of it is."""
    return np.asarray(function.reduceat(values, edges, axis=1))


def _summed(values: npt.NDArray[np.float64], edges: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    known = ~np.isnan(values)
    sums = np.add.reduceat(np.where(known, values, 0.0), edges, axis=1)
    return np.where(np.logical_or.reduceat(known, edges, axis=1), sums, np.nan)
