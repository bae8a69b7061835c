"""The result of one simulated segment, with everything that happened in it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.records import ACCOUNT, FILL, HOLDING
from admf_ray.engine.setup import Setup, wanted_targets
from admf_ray.engine.simulate import RECORDED, simulation
from admf_ray.portfolio.account import open_account
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.portfolio.trades import round_trips
from admf_ray.risk.sizing import SIZINGS

__all__ = ["Segment", "run_segment", "segment_of"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One account over the bars ``[start, stop)``.

    Attributes
    ----------
    start, stop : int
    members : tuple of str
        Of the composition, in order.
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
    regimes : int8 array, shape [watch, bar]
        Labels of the composition's classifiers, -1 where the regime is unknown.
    shares : float64 array, shape [member, symbol, bar], or None
        Of the members of an ensemble in its target; None for a single strategy.
    groups : float64 array, shape [kind, group, 4]
        Sums over groups of bars; see `admf_ray.portfolio.metrics.add_to_groups`.
    """

    start: int
    stop: int
    members: tuple[str, ...]
    metrics: dict[str, float]
    equity: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]
    account: Any
    holdings: npt.NDArray[Any]
    fills: npt.NDArray[Any]
    trades: npt.NDArray[Any]
    regimes: npt.NDArray[np.int8]
    shares: npt.NDArray[np.float64] | None
    groups: npt.NDArray[np.float64]

    @property
    def trade_regimes(self) -> npt.NDArray[np.int8]:
        """The regime that was known when each trade's entry was decided; -1 without a classifier."""
        if not len(self.regimes):
            return np.full(len(self.trades), -1, dtype=np.int8)
        return np.asarray(self.regimes[0, self.trades["decided"] - self.start])

    @property
    def size(self) -> npt.NDArray[np.float64]:
        """What was held at each close: the quantity of a single symbol, the sum of the sizes of several."""
        of_all: npt.NDArray[np.float64] = np.abs(self.position).sum(axis=0)
        return of_all if len(self.position) > 1 else self.position.reshape(-1)


def run_segment(setup: Setup, start: int, stop: int, labels: npt.NDArray[np.int64] | None = None) -> Segment:
    """Simulate one candidate over one span and keep its path, fills and trades.

    Parameters
    ----------
    setup : Setup
    start, stop : int
        Half-open, in bars.
    labels : int64 array, shape [kind, time], optional
        Groups of bars, from 0 on, -1 for none; a return belongs to the group of its bar.
    """
    bars, rules = setup.bars, setup.rules
    wanted = wanted_targets(setup, stop)
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
        open_account(account[0], holdings, setup.flat, rules.cash)
        kernel(
            sizing,
            setup.matrix,
            bars.session,
            wanted.targets,
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
    regimes = wanted.regimes[:, start:]
    shares = None if wanted.shares is None else wanted.shares[:, :, start:]
    return segment_of(setup, (start, stop), account, holdings, path, fills, regimes, shares, groups)


def segment_of(
    setup: Setup,
    span: tuple[int, int],
    account: npt.NDArray[Any],
    holdings: npt.NDArray[Any],
    path: npt.NDArray[np.float64],
    fills: npt.NDArray[Any],
    regimes: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float64] | None = None,
    groups: npt.NDArray[np.float64] | None = None,
) -> Segment:
    """Give the result of a segment that has been simulated, whichever engine did.

    Parameters
    ----------
    setup : Setup
    span : (int, int)
    account : `ACCOUNT` array, shape [1]
    holdings : `HOLDING` array, shape [symbol]
    path : float64 array, shape [1 + symbol, bar]
    fills : `FILL` array
    regimes : int64 array, shape [watch, bar]
    shares : float64 array, shape [member, symbol, bar], optional
    groups : float64 array, shape [kind, group, 4], optional
    """
    metrics = np.empty(len(METRICS))
    measure(account[0], setup.rules.record(setup.bars.periods_per_year)[0], metrics)
    kept = fills.copy()
    start, stop = span
    return Segment(
        start=start,
        stop=stop,
        members=setup.composition.member_names,
        metrics=dict(zip(METRICS, metrics.tolist(), strict=True)),
        equity=path[0],
        position=path[1:],
        account=account[0],
        holdings=holdings,
        fills=kept,
        trades=round_trips(kept, setup.bars, setup.flat["multiplier"]),
        regimes=regimes.astype(np.int8),
        shares=None if shares is None else shares.copy(),
        groups=np.empty((0, 0, 4)) if groups is None else groups,
    )
