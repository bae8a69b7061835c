"""The result of one simulated segment, with everything that happened in it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.core.records import ACCOUNT, FILL, HOLDING
from admf_ray.engine.simulate import simulate, withhold
from admf_ray.engine.spec import AccountRules
from admf_ray.portfolio.account import open_account
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.portfolio.trades import round_trips
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import Strategy

__all__ = ["Segment", "run_segment", "run_strategy"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One account over the bars ``[start, stop)``.

    Attributes
    ----------
    start, stop : int
    metrics : dict of str to float
        See `admf_ray.portfolio.metrics.measure`.
    equity : float64 array, shape [bar]
        At each close.
    position : float64 array, shape [symbol, bar]
        Quantity at each close.
    pending : float64 array, shape [symbol]
        Signed quantity of the order that waits at the end, 0 for none.
    fills : `FILL` array
    trades : `TRADE` array
    """

    start: int
    stop: int
    metrics: dict[str, float]
    equity: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]
    pending: npt.NDArray[np.float64]
    fills: npt.NDArray[Any]
    trades: npt.NDArray[Any]


def run_strategy(
    bars: Bars,
    matrix: npt.NDArray[np.float64],
    strategy: Strategy,
    rows: npt.NDArray[np.int64],
    params: npt.NDArray[np.float64],
    stop: int,
) -> npt.NDArray[np.float64]:
    """Give the targets of one candidate for the bars ``[0, stop)``; parameters as in `run_segment`.

    Returns
    -------
    float64 array, shape [symbol, bar]
        NaN before the strategy knows, and before a symbol has had the history that the data asks for.
    """
    symbols = len(bars.symbols)
    targets = np.empty((symbols, stop))
    state = np.zeros(symbols * strategy.state_size(tuple(params.tolist())))
    strategy.kernel(matrix, rows, bars.session, params, state, 0, stop, targets)
    withhold(targets, bars.history_reached())
    return targets


def run_segment(
    bars: Bars,
    matrix: npt.NDArray[np.float64],
    strategy: Strategy,
    rows: npt.NDArray[np.int64],
    params: npt.NDArray[np.float64],
    rules: AccountRules,
    start: int,
    stop: int,
) -> Segment:
    """Simulate one candidate over one span and keep its path, fills and trades.

    Parameters
    ----------
    bars : Bars
    matrix : float64 array, shape [key, time]
        The hub of these bars.
    strategy : Strategy
    rows : int64 array, shape [symbol, slot]
    params : float64 array, shape [parameter]
    rules : AccountRules
    start, stop : int
        Half-open, in bars.
    """
    symbols = len(bars.symbols)
    targets = run_strategy(bars, matrix, strategy, rows, params, stop)
    record = rules.record(bars.periods_per_year)
    account = np.empty(1, dtype=ACCOUNT)
    holdings = np.empty(symbols, dtype=HOLDING)
    path = np.empty((1 + symbols, stop - start))
    ledger = np.empty((stop - start + 1) * symbols, dtype=FILL)
    open_account(account[0], holdings, rules.cash)
    simulate(SIZINGS[rules.sizing].kernel, matrix, targets, record, start, stop, stop, account, holdings, path, ledger)
    metrics = np.empty(len(METRICS))
    measure(account[0], record[0], metrics)
    fills = ledger[: int(account["fills"][0])].copy()
    return Segment(
        start=start,
        stop=stop,
        metrics=dict(zip(METRICS, metrics.tolist(), strict=True)),
        equity=path[0],
        position=path[1:],
        pending=holdings["pending"].copy(),
        fills=fills,
        trades=round_trips(fills, bars, rules.fill),
    )
