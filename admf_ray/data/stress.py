"""Stress: how turbulent the market was in a span of bars, so that a search shows whether it saw calm and turmoil."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.core.bars import Bars
from admf_ray.data.spans import Stretch, pieces_of

__all__ = ["Stress", "check_stress", "stress_by_year", "stress_of"]

_VOLATILITY_BARS = 21
_DECILES = 10
_DRAWDOWN = 0.2
_LEAST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Stress:
    """What a span went through; of several symbols, the mean over them.

    A bar is in stress if its volatility lies in the highest of the series' ten deciles, or if the close is 20% or more
    below its highest of the last year (a bear market). Volatility is the standard deviation of the last 21 returns;
    the deciles are those of the whole series, so this describes data and never enters a decision.

    Attributes
    ----------
    share : float
        Of the bars that are in stress.
    worst_drawdown : float
        Lowest close below the highest one before it, inside the span, as a negative fraction.
    volatility_decile : float
        Decile (1 calmest to 10) of the bars' volatility, in the mean of the bars.
    """

    share: float
    worst_drawdown: float
    volatility_decile: float


def stress_of(bars: Bars, spans: Sequence[Stretch]) -> list[Stress]:
    """Measure spans of a series.

    Parameters
    ----------
    bars : Bars
    spans : sequence of (start, stop), or of such pieces
        Half-open, in bars. A drawdown lies within a piece.

    Returns
    -------
    list of Stress
        One a span; NaN where a span has no price.

    Examples
    --------
    >>> from admf_ray import load_bars
    >>> crisis, calm = stress_of(load_bars("sp500"), [(2263, 2768), (4529, 4780)])
    >>> f"{crisis.share:.0%} {crisis.worst_drawdown:.0%}, {calm.share:.0%} {calm.worst_drawdown:.0%}"
    '55% -53%, 0% -3%'
    """
    measured = np.full((len(bars.symbols), len(spans), 3), np.nan)
    for symbol, row in enumerate(bars.close):
        there = np.flatnonzero(~np.isnan(row))
        close = row[there]
        decile, in_stress = _stressed(close, round(bars.periods_per_year))
        for index, span in enumerate(spans):
            places = [np.arange(*np.searchsorted(there, piece)) for piece in pieces_of(span)]
            inside = np.concatenate(places)
            if len(inside):
                drawdown = min(
                    float((close[part] / np.maximum.accumulate(close[part]) - 1).min()) for part in places if len(part)
                )
                measured[symbol, index] = in_stress[inside].mean(), drawdown, decile[inside].mean()
    known = np.isfinite(measured)
    means = np.where(known, measured, 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return [Stress(*map(float, values)) for values in means]


def stress_by_year(bars: Bars) -> list[tuple[int, int, Stress]]:
    """Measure the calendar years (UTC) of a series: year, number of bars, stress."""
    years = (bars.known_at - 1).astype("datetime64[ns]").astype("datetime64[Y]").astype(int) + 1970
    found, starts = np.unique(years, return_index=True)
    stops = [*starts[1:].tolist(), len(bars)]
    spans = list(zip(starts.tolist(), stops, strict=True))
    measured = stress_of(bars, spans)
    return [(int(year), stop - start, one) for year, (start, stop), one in zip(found, spans, measured, strict=True)]


def check_stress(bars: Bars, spans: Sequence[tuple[str, int, int]]) -> str | None:
    """Say which spans lack stress or calm, None where none does.

    Parameters
    ----------
    bars : Bars
    spans : sequence of (name, start, stop)
        Those of one name count as one.
    """
    measured = stress_of(bars, [(start, stop) for _, start, stop in spans])
    stressed: dict[str, tuple[float, int]] = {}
    for (name, start, stop), one in zip(spans, measured, strict=True):
        before, length = stressed.get(name, (0.0, 0))
        stressed[name] = before + one.share * (stop - start), length + stop - start
    shares = {name: count / length for name, (count, length) in stressed.items()}
    low, high = _LEAST_SHARE, 1 - _LEAST_SHARE
    lacking = [f"{name} ({share:.0%})" for name, share in shares.items() if not low <= share <= high]
    if not lacking:
        return None
    return (
        f"windows.require_stress: spans whose share of bars in stress is not between {low:.0%} and {high:.0%}: "
        f"{', '.join(lacking)}"
    )


def _stressed(close: npt.NDArray[np.float64], year: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Give each bar's volatility decile, and whether it is in stress."""
    count = len(close)
    fallen = close / pl.Series(close).rolling_max(max(year, 1), min_samples=1).to_numpy() - 1 <= -_DRAWDOWN
    if count <= _VOLATILITY_BARS:
        return np.full(count, np.nan), fallen
    returns = pl.Series(close[1:] / close[:-1] - 1)
    volatility = np.append(np.nan, returns.rolling_std(_VOLATILITY_BARS).to_numpy())
    # Bars before the first full window count with it.
    volatility[:_VOLATILITY_BARS] = volatility[_VOLATILITY_BARS]
    edges = np.quantile(volatility, np.arange(1, _DECILES) / _DECILES)
    decile = np.searchsorted(edges, volatility).astype(np.float64) + 1.0
    return decile, np.asarray((decile == _DECILES) | fallen)
