"""Bars and backtests that tests build by hand."""

from typing import Any

import numpy as np

from admf_ray.core.bars import Bars
from admf_ray.engine.result import Segment
from admf_ray.engine.spec import AccountRules
from admf_ray.indicators import INDICATORS
from admf_ray.optimize import Candidates, Search, plan_search
from admf_ray.strategies import STRATEGIES

DAY = 86_400 * 10**9


def daily_bars(
    close: Any,
    *,
    open: Any = None,  # noqa: A002
    high: Any = None,
    low: Any = None,
    volume: Any = None,
    symbol: str = "X",
) -> Bars:
    """One bar a day from 1970-01-02 on; what is not given equals the close."""
    close = np.atleast_1d(np.asarray(close, dtype=float))
    count = len(close)
    fields = {"open": open, "high": high, "low": low, "close": close, "volume": volume}
    rows = {
        name: (close if values is None else np.asarray(values, float))[np.newaxis] for name, values in fields.items()
    }
    return Bars(
        symbols=(symbol,),
        known_at=(np.arange(count) + 1) * DAY,
        session=np.arange(count),
        covers_until=(count + 1) * DAY,
        periods_per_year=252,
        **rows,
    )


def single_search(bars: Bars, strategy: str, params: dict[str, float], **rules: Any) -> Search:
    """The search with one candidate."""
    entry = STRATEGIES[strategy]
    return plan_search(bars, entry, Candidates.single(entry.complete(params)), AccountRules(**rules))


def run_single(bars: Bars, strategy: str, params: dict[str, float], **rules: Any) -> Segment:
    """Backtest one candidate over the whole series."""
    search = single_search(bars, strategy, params, **rules)
    return search.segment(search.hub(), 0, 0, len(bars))


def indicate(name: str, values: Any, *parameters: float) -> np.ndarray:
    """Compute the first output of an indicator over one series."""
    entry = INDICATORS[name]
    matrix = np.asarray(values, dtype=float)[np.newaxis]
    count = matrix.shape[1]
    out = np.empty((len(entry.outputs), count))
    state = np.zeros(entry.state_size(parameters))
    session = np.zeros(count, np.int32)
    entry.kernel(matrix, np.zeros(1, np.int64), session, np.array(parameters, float), state, 0, count, out)
    return out[0]
