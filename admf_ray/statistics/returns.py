"""Returns of an equity path: by month and year, in rolling windows, and beside a benchmark."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "CalendarReturns",
    "calendar_returns",
    "drawdown",
    "per_bar_returns",
    "relative",
    "rolling_sharpe",
    "volatility_matched",
]

Array = npt.NDArray[np.float64]


def per_bar_returns(equity: Array, initial: float) -> Array:
    """Give equity / previous equity - 1, the first from the initial equity; 0 once all is lost.

    Parameters
    ----------
    equity : float64 array, shape [bar]
        In money.
    initial : float
        Before the first bar.

    Returns
    -------
    float64 array, shape [bar]

    Examples
    --------
    >>> per_bar_returns(np.array([110.0, 99.0]), 100.0).round(12).tolist()
    [0.1, -0.1]
    """
    before = np.append(initial, equity[:-1])
    growth: Array = np.divide(equity, before, out=np.ones_like(equity), where=before > 0.0)
    return growth - 1.0


def drawdown(equity: Array, initial: float) -> Array:
    """Give equity / running peak - 1, at most 0; the peak starts at the initial equity.

    Parameters
    ----------
    equity : float64 array, shape [bar]
        In money.
    initial : float
        Before the first bar.

    Returns
    -------
    float64 array, shape [bar]
    """
    return np.asarray(equity / np.maximum.accumulate(np.maximum(equity, initial)) - 1.0)


@dataclass(frozen=True, slots=True)
class CalendarReturns:
    """Compounded returns of calendar months or years.

    Attributes
    ----------
    starts : datetime64[D] array, shape [period]
        First day of each.
    returns : float64 array, shape [period]
    """

    starts: npt.NDArray[np.datetime64]
    returns: Array


def calendar_returns(
    known_at: npt.NDArray[np.int64], equity: Array, initial: float, unit: Literal["M", "Y"]
) -> CalendarReturns:
    """Give the return of every calendar month or year (UTC) that has bars.

    Parameters
    ----------
    known_at : int64 array, shape [bar]
        Nanoseconds UTC. A bar that ends at midnight belongs to the day that ends then.
    equity : float64 array, shape [bar]
    initial : float
        Equity before the first bar.
    unit : {"M", "Y"}

    Examples
    --------
    >>> days = np.array(["2020-01-31T21", "2020-02-28T21"], dtype="datetime64[ns]").astype(np.int64)
    >>> calendar_returns(days, np.array([110.0, 99.0]), 100.0, "M").returns.round(12).tolist()
    [0.1, -0.1]
    """
    periods = (known_at - 1).astype("datetime64[ns]").astype(f"datetime64[{unit}]")
    last = np.append(np.flatnonzero(periods[1:] != periods[:-1]), len(periods) - 1)
    return CalendarReturns(periods[last].astype("datetime64[D]"), per_bar_returns(equity[last], initial))


def rolling_sharpe(returns: Array, bars: int, periods: float, risk_free: float) -> tuple[Array, Array]:
    """Give Sharpe ratio and volatility, both a year, of the newest ``bars`` returns; NaN before there are so many.

    Parameters
    ----------
    returns : float64 array, shape [bar]
    bars : int
        At least 2.
    periods : float
        Bars per year.
    risk_free : float
        Per bar.

    Returns
    -------
    sharpe, volatility : float64 arrays, shape [bar]
        Definitions as in `admf_ray.portfolio.metrics.measure`; the Sharpe ratio of equal returns is NaN.
    """
    sharpe, volatility = np.full(len(returns), math.nan), np.full(len(returns), math.nan)
    if len(returns) < bars:
        return sharpe, volatility
    sums = np.concatenate([[0.0], np.cumsum(returns)])
    raw_sums = np.concatenate([[0.0], np.cumsum(returns * returns)])
    total, raw = sums[bars:] - sums[:-bars], raw_sums[bars:] - raw_sums[:-bars]
    deviation = np.sqrt(_centred(total, raw, bars) / (bars - 1))
    volatility[bars - 1 :] = deviation * math.sqrt(periods)
    mean = total / bars - risk_free
    annual = math.sqrt(periods)
    np.divide(mean * annual, deviation, out=sharpe[bars - 1 :], where=deviation > 0.0)
    return sharpe, volatility


def _centred(total: Any, raw: Any, count: int) -> Any:
    """Give the sum of squares around the mean; 0 where it is at most 1e-12 of that around 0 (SEMANTICS 5).

    Parameters
    ----------
    total, raw : float or float64 array
        Sum and sum of squares of ``count`` values.
    """
    centred = raw - total * total / count
    return np.where(centred > 1e-12 * raw, centred, 0.0)


def _spread(values: Array) -> float:
    """Give the sum of squares around the mean, 0 for values that do not move."""
    return float(_centred(values.sum(), values @ values, len(values)))


def volatility_matched(returns: Array, benchmark: Array, risk_free: float) -> Array:
    """Give the benchmark's returns, levered or diluted with cash to the deviation of ``returns``.

    Modigliani and Modigliani, Risk-Adjusted Performance, Journal of Portfolio Management 23 (1997), with the roles
    exchanged: it is the benchmark that is brought to the risk of the strategy.

    Parameters
    ----------
    returns, benchmark : float64 arrays, shape [bar]
    risk_free : float
        Per bar; what the cash earns and the leverage costs.

    Returns
    -------
    float64 array, shape [bar]
        NaN where the benchmark does not move; 0 once leverage has lost everything.
    """
    moves = _spread(benchmark) if len(benchmark) > 1 else 0.0
    if moves == 0.0:
        return np.full(len(returns), math.nan)
    matched = risk_free + math.sqrt(_spread(returns) / moves) * (benchmark - risk_free)
    lost = np.flatnonzero(matched <= -1.0)
    if len(lost):
        matched[lost[0]] = -1.0
        matched[lost[0] + 1 :] = 0.0
    return np.asarray(matched)


def relative(returns: Array, benchmark: Array, periods: float, risk_free: float) -> dict[str, float]:
    r"""Compare returns with those of a benchmark over the same bars.

    Parameters
    ----------
    returns, benchmark : float64 arrays, shape [bar]
    periods : float
        Bars per year.
    risk_free : float
        Per bar.

    Returns
    -------
    dict of str to float
        alpha, beta
            :math:`r - r_f = \alpha + \beta (b - r_f) + \epsilon` by least squares; alpha times ``periods``. Jensen, The
            Performance of Mutual Funds, Journal of Finance 23 (1968), eq. 8.
        correlation
            Of the returns.
        tracking_error
            Deviation (ddof 1) of :math:`r - b` a year.
        information_ratio
            Mean of :math:`r - b` over its deviation, a year. Goodwin, The Information Ratio, Financial Analysts
            Journal 54 (1998), eq. 1 and 3.
        matched_cagr, matched_excess
            Growth a year of `volatility_matched`, and the growth of the strategy above it.

        NaN where a figure is undefined.
    """
    names = ("alpha", "beta", "correlation", "tracking_error", "information_ratio", "matched_cagr", "matched_excess")
    found = dict.fromkeys(names, math.nan)
    if len(returns) < 2:
        return found
    own, other = returns - risk_free, benchmark - risk_free
    moves, own_moves = _spread(benchmark), _spread(returns)
    if moves > 0.0:
        together = float((other - other.mean()) @ (own - own.mean()))
        found["beta"] = together / moves
        found["alpha"] = float(own.mean() - found["beta"] * other.mean()) * periods
        if own_moves > 0.0:
            found["correlation"] = together / math.sqrt(moves * own_moves)
    active = returns - benchmark
    found["tracking_error"] = math.sqrt(_spread(active) / (len(active) - 1) * periods)
    if found["tracking_error"] > 0.0:
        found["information_ratio"] = float(active.mean()) * periods / found["tracking_error"]
    found["matched_cagr"] = _growth(volatility_matched(returns, benchmark, risk_free), periods)
    found["matched_excess"] = _growth(returns, periods) - found["matched_cagr"]
    return found


def _growth(returns: Array, periods: float) -> float:
    """Give the compounded growth a year."""
    return float(np.prod(1.0 + returns) ** (periods / len(returns))) - 1.0
