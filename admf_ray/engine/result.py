"""The result of one simulated segment, with everything that happened in it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.core.records import ACCOUNT, FILL, HOLDING
from admf_ray.engine.simulate import RECORDED, simulation, withhold
from admf_ray.engine.spec import AccountRules
from admf_ray.portfolio.account import open_account
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.portfolio.trades import round_trips
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import Strategy

__all__ = ["Segment", "run_segment", "run_strategy", "segment_of"]


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
    account : record of `ACCOUNT`
        At the end.
    holdings : `HOLDING` array, shape [symbol]
        At the end, with the orders that wait.
    fills : `FILL` array
    trades : `TRADE` array
    groups : float64 array, shape [kind, group, 4]
        Sums over groups of bars; see `admf_ray.portfolio.metrics.add_to_groups`.
    """

    start: int
    stop: int
    metrics: dict[str, float]
    equity: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]
    account: Any
    holdings: npt.NDArray[Any]
    fills: npt.NDArray[Any]
    trades: npt.NDArray[Any]
    groups: npt.NDArray[np.float64]

    @property
    def size(self) -> npt.NDArray[np.float64]:
        """What was held at each close: the quantity of a single symbol, the sum of the sizes of several."""
        of_all: npt.NDArray[np.float64] = np.abs(self.position).sum(axis=0)
        return of_all if len(self.position) > 1 else self.position.reshape(-1)


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
    strategy.stage(bars, matrix, rows, params).advance(0, stop, targets)
    withhold(targets, strategy.begins(bars))
    return targets


def run_segment(
    bars: Bars,
    matrix: npt.NDArray[np.float64],
    strategy: Strategy,
    rows: npt.NDArray[np.int64],
    params: npt.NDArray[np.float64],
    rules: AccountRules,
    flat: npt.NDArray[Any],
    start: int,
    stop: int,
    labels: npt.NDArray[np.int64] | None = None,
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
    flat : `HOLDING` array, shape [symbol]
        What ``rules.holdings`` gave for these bars and this hub.
    start, stop : int
        Half-open, in bars.
    labels : int64 array, shape [kind, time], optional
        Groups of bars, from 0 on, -1 for none; a return belongs to the group of its bar.
    """
    targets = run_strategy(bars, matrix, strategy, rows, params, stop)
    symbols = len(bars.symbols)
    record = rules.record(bars.periods_per_year)
    limits = rules.limit_records(bars.symbols)
    account = np.empty(1, dtype=ACCOUNT)
    holdings = np.empty(symbols, dtype=HOLDING)
    path = np.empty((1 + symbols, stop - start))
    if labels is None:
        labels = np.empty((0, stop), dtype=np.int64)
    kernel = simulation(RECORDED)
    sizing = SIZINGS[rules.sizing].kernel

    def simulated(ledger: npt.NDArray[Any], groups: npt.NDArray[np.float64]) -> None:
        open_account(account[0], holdings, flat, rules.cash)
        kernel(
            sizing,
            matrix,
            bars.session,
            targets,
            limits,
            record,
            start,
            stop,
            stop,
            account,
            holdings,
            *RECORDED.flags,
            path,
            ledger,
            labels,
            groups,
            None,
        )

    # How many fills there are is known only afterwards; where they do not fit, the same is done again with room.
    groups = np.zeros((len(labels), int(labels.max(initial=-1)) + 1, 4))
    ledger = np.empty(max(64, stop - start), dtype=FILL)
    simulated(ledger, groups)
    if account["fills"][0] > len(ledger):
        groups[:] = 0.0
        ledger = np.empty(account["fills"][0], dtype=FILL)
        simulated(ledger, groups)
    fills = ledger[: int(account["fills"][0])]
    return segment_of(bars, flat, start, stop, account, holdings, path, fills, record, groups)


def segment_of(
    bars: Bars,
    flat: npt.NDArray[Any],
    start: int,
    stop: int,
    account: npt.NDArray[Any],
    holdings: npt.NDArray[Any],
    path: npt.NDArray[np.float64],
    fills: npt.NDArray[Any],
    record: npt.NDArray[Any],
    groups: npt.NDArray[np.float64] | None = None,
) -> Segment:
    """Give the result of a segment that has been simulated, whichever engine did.

    Parameters
    ----------
    bars : Bars
    flat : `HOLDING` array, shape [symbol]
        From which it started.
    start, stop : int
    account : `ACCOUNT` array, shape [1]
    holdings : `HOLDING` array, shape [symbol]
    path : float64 array, shape [1 + symbol, bar]
    fills : `FILL` array
    record : `RULES` array, shape [1]
    groups : float64 array, shape [kind, group, 4], optional
    """
    metrics = np.empty(len(METRICS))
    measure(account[0], record[0], metrics)
    kept = fills.copy()
    return Segment(
        start=start,
        stop=stop,
        metrics=dict(zip(METRICS, metrics.tolist(), strict=True)),
        equity=path[0],
        position=path[1:],
        account=account[0],
        holdings=holdings,
        fills=kept,
        trades=round_trips(kept, bars, flat["multiplier"]),
        groups=np.empty((0, 0, 4)) if groups is None else groups,
    )
