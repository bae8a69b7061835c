"""What happened in which regime: returns and trades by label, and every change of a label."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.engine.result import Segment
from admf_ray.indicators import Hub
from admf_ray.optimize import Search, Tested
from admf_ray.statistics import per_bar_returns

__all__ = ["Judged", "fitted_numbers", "regime_frames"]

Judged = tuple[int, Tested, Segment]
"""Window, what trades in it, and what it came to there."""

_UNKNOWN = "unknown"


def regime_frames(search: Search, hub: Hub, judged: Sequence[Judged]) -> dict[str, pl.DataFrame]:
    """Give the tables of regimes; none without a classifier.

    A return belongs to the regime that was known at the bar before, that of a segment's first bar to none; a trade to
    the regime in which its entry was decided (SEMANTICS 2).

    Parameters
    ----------
    search : Search
    hub : Hub
    judged : sequence of (window, tested, Segment)

    Returns
    -------
    dict of str to polars.DataFrame
        ``regimes``, a row a label that occurred: bars, total return and yearly Sharpe of the returns that belong to it,
        trades and their net result. ``switches``, a row a change: time, window, classifier, label before and after.
    """
    watches = search.composition.watches
    if not watches:
        return {}
    returns: dict[tuple[int, str], list[npt.NDArray[np.float64]]] = {}
    nets: dict[tuple[int, str], list[float]] = {}
    switches: list[tuple[Any, ...]] = []
    for window, tested, segment in judged:
        setup = search.setup(hub, tested)
        names = [(*setup.labels(watch), _UNKNOWN) for watch in range(len(watches))]
        own = per_bar_returns(segment.equity, search.rules.cash)
        before = np.concatenate([[-1], segment.regimes[0, :-1]])
        for regime in np.unique(before).tolist():
            returns.setdefault((regime, names[0][regime]), []).append(own[before == regime])
        for regime, net in zip(segment.trade_regimes.tolist(), segment.trades["net"].tolist(), strict=True):
            nets.setdefault((regime, names[0][regime]), []).append(net)
        for watch, known, labels in zip(watches, names, segment.regimes, strict=True):
            changes = np.concatenate([[-1], labels])
            for bar in np.flatnonzero(np.diff(changes)).tolist():
                moment = int(search.bars.known_at[segment.start + bar])
                switches.append((moment, window, watch.name, known[changes[bar]], known[changes[bar + 1]]))
    rows = [
        _row(search, *key, np.concatenate(returns.get(key, [np.empty(0)])), nets.get(key, []))
        for key in sorted({*returns, *nets})
    ]
    columns = {"time": pl.Int64, "window": pl.Int16, "classifier": pl.String, "before": pl.String, "after": pl.String}
    return {
        "regimes": pl.DataFrame(rows, schema_overrides={"regime": pl.Int8}),
        "switches": pl.DataFrame(switches, schema=columns, orient="row"),
    }


def _row(
    search: Search, regime: int, label: str, returns: npt.NDArray[np.float64], nets: Sequence[float]
) -> dict[str, Any]:
    periods = search.bars.periods_per_year
    excess = returns - search.rules.risk_free / periods
    deviation = float(excess.std(ddof=1)) if len(excess) > 1 else 0.0
    return {
        "regime": regime,
        "label": label,
        "bars": len(returns),
        "total_return": float(np.prod(1.0 + returns) - 1.0),
        "sharpe": float(excess.mean()) / deviation * math.sqrt(periods) if deviation > 0.0 else math.nan,
        "trades": len(nets),
        "net": float(sum(nets)),
    }


def fitted_numbers(
    search: Search, hub: Hub, fits: Sequence[tuple[int, Tested, tuple[int, int]]]
) -> list[dict[str, Any]]:
    """Give what classifiers were fitted to, each number in hexadecimal, so that not a bit of it is lost.

    Parameters
    ----------
    search : Search
    hub : Hub
    fits : sequence of (window, tested, bars)
        The span of bars that the search does not name itself.
    """
    found = []
    for window, tested, given in fits:
        span = search.fit or given
        setup = search.setup(hub, tested, span)
        for watch, numbers in zip(search.composition.watches, setup.fitted, strict=False):
            if len(numbers):
                bars = [int(search.bars.known_at[span[0]]), int(search.bars.known_at[span[1] - 1])]
                values = [number.hex() for number in numbers.tolist()]
                found.append({"window": window, "classifier": watch.name, "bars": bars, "numbers": values})
    return found
