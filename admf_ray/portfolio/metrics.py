"""Metrics of one segment, from sums that are kept while it runs (SEMANTICS 5)."""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from admf_ray.core.kernels import shared
from admf_ray.core.records import ACCOUNT, HOLDING
from admf_ray.portfolio.account import open_account

__all__ = [
    "METRICS",
    "Sums",
    "add_to_groups",
    "load_sums",
    "measure",
    "observe",
    "observe_flat",
    "path_metrics",
    "store_sums",
]

METRICS = (
    "sharpe",
    "sortino",
    "calmar",
    "total_return",
    "cagr",
    "volatility",
    "max_drawdown",
    "profit_factor",
    "win_rate",
    "trades",
    "exposure",
    "commission",
    "final_equity",
)
"""Names of the metrics, in the order in which `measure` writes them."""


class Sums(NamedTuple):
    """The running part of an account's metrics, as a value that stays in registers; see `ACCOUNT`."""

    equity: float
    peak: float
    drawdown: float
    returns: float
    squares: float
    negative_squares: float
    bars: int
    exposed: int


@shared
def load_sums(account: Any) -> Sums:
    """Take the sums out of an account."""
    return Sums(
        account.equity,
        account.peak,
        account.drawdown,
        account.sum_returns,
        account.sum_squares,
        account.sum_negative_squares,
        account.bars,
        account.exposed,
    )


@shared
def store_sums(account: Any, sums: Sums) -> None:
    """Put the sums back into an account."""
    account.equity = sums.equity
    account.peak = sums.peak
    account.drawdown = sums.drawdown
    account.sum_returns = sums.returns
    account.sum_squares = sums.squares
    account.sum_negative_squares = sums.negative_squares
    account.bars = sums.bars
    account.exposed = sums.exposed


@shared
def observe(sums: Sums, equity: float, exposed: bool, risk_free: float) -> Sums:
    """Take one closed bar into the sums.

    The bar's return is ``equity / previous equity - 1``; the first one is relative to the initial equity. Once all
    is lost, every further return is 0.

    Parameters
    ----------
    sums : Sums
    equity : float
        At the bar's close, after everything that the bar did.
    exposed : bool
        Whether a position was held at the close.
    risk_free : float
        Per bar.
    """
    change = equity / sums.equity - 1.0 if sums.equity > 0.0 else 0.0
    below = min(change - risk_free, 0.0)
    peak = max(sums.peak, equity)
    return Sums(
        equity,
        peak,
        min(sums.drawdown, equity / peak - 1.0),
        sums.returns + change,
        sums.squares + change * change,
        sums.negative_squares + below * below,
        sums.bars + 1,
        sums.exposed + exposed,
    )


@shared
def observe_flat(sums: Sums, bars: int, risk_free: float) -> Sums:
    """Take bars into the sums that closed without a position, at the same equity as the one before them."""
    below = min(0.0 - risk_free, 0.0)
    negative_squares = sums.negative_squares
    if below != 0.0:
        for _ in range(bars):
            negative_squares += below * below
    return Sums(
        sums.equity,
        sums.peak,
        sums.drawdown,
        sums.returns,
        sums.squares,
        negative_squares,
        sums.bars + bars,
        sums.exposed,
    )


@shared
def add_to_groups(groups: Any, labels: Any, bar: int, equity: float, before: float, risk_free: float) -> None:
    """Add the return of a bar to the sums of its groups, such as regimes and blocks.

    Parameters
    ----------
    groups : float64 array, shape [kind, group, 4]
        Bars, and sums of returns, of their squares and of the squares below the risk-free rate.
    labels : int64 array, shape [kind, time]
        Group of the return of each bar; -1 for none.
    bar : int
    equity, before : float
        At this bar's close and at the close before.
    risk_free : float
        Per bar.
    """
    change = equity / before - 1.0 if before > 0.0 else 0.0
    below = min(change - risk_free, 0.0)
    for kind in range(labels.shape[0]):
        group = labels[kind, bar]
        if group >= 0:
            groups[kind, group, 0] += 1.0
            groups[kind, group, 1] += change
            groups[kind, group, 2] += change * change
            groups[kind, group, 3] += below * below


@shared
def measure(account: Any, rules: Any, out: Any) -> None:
    r"""Write the metrics of a finished segment.

    Parameters
    ----------
    account : record of `ACCOUNT`
    rules : record of `RULES`
        ``risk_free`` (per bar) and ``periods`` (bars per year) are used.
    out : float64 array, shape [len(METRICS)]
        Receives, in the order of `METRICS`:

        sharpe
            :math:`(\bar r - r_f) / s \cdot \sqrt{P}` with the sample deviation s (ddof 1); Sharpe (1994), eq. 3.
            NaN with fewer than 2 bars or where the centred sum of squares is at most 1e-12 of the raw one.
        sortino
            :math:`(\bar r - r_f) / \sqrt{\sum \min(r - r_f, 0)^2 / n} \cdot \sqrt{P}`; Sortino and Price (1994).
        calmar
            cagr / \|max_drawdown\|; Young (1991).
        total_return
            Final equity / initial equity - 1.
        cagr
            :math:`(1 + total\_return)^{P / n} - 1`; -1 where all was lost, or more.
        volatility
            :math:`s \sqrt{P}`.
        max_drawdown
            Worst equity / running peak - 1, at most 0; the peak starts at the initial equity.
        profit_factor
            Net profit of the winning trades / net loss of the others.
        win_rate
            Winning trades / trades.
        trades
            Closed trades, flat to flat.
        exposure
            Share of bars that closed with a position.
        commission
            Paid in all, in money.
        final_equity
            In money.
    """
    bars = float(account.bars)
    periods = rules.periods
    growth = account.equity / account.initial
    out[0] = math.nan
    out[1] = math.nan
    out[2] = math.nan
    out[3] = growth - 1.0
    out[4] = growth ** (periods / bars) - 1.0 if growth > 0.0 else -1.0
    out[5] = math.nan
    excess = account.sum_returns / bars - rules.risk_free
    if account.bars >= 2:
        centred = account.sum_squares - account.sum_returns * account.sum_returns / bars
        if centred > 1e-12 * account.sum_squares:
            deviation = math.sqrt(centred / (bars - 1.0))
            out[0] = excess / deviation * math.sqrt(periods)
            out[5] = deviation * math.sqrt(periods)
    if account.sum_negative_squares > 0.0:
        out[1] = excess / math.sqrt(account.sum_negative_squares / bars) * math.sqrt(periods)
    if account.drawdown < 0.0:
        out[2] = out[4] / -account.drawdown
    out[6] = account.drawdown
    out[7] = account.gross_profit / account.gross_loss if account.gross_loss > 0.0 else math.nan
    out[8] = account.wins / account.trades if account.trades > 0 else math.nan
    out[9] = float(account.trades)
    out[10] = account.exposed / bars
    out[11] = account.commission
    out[12] = account.equity


@shared
def _observe_path(account: Any, equity: Any, exposed: Any, risk_free: float) -> None:
    sums = load_sums(account)
    for t in range(equity.shape[0]):
        sums = observe(sums, equity[t], exposed[t], risk_free)
    store_sums(account, sums)


def path_metrics(
    equity: npt.NDArray[np.float64],
    exposed: npt.NDArray[np.bool_],
    nets: npt.NDArray[np.float64],
    commission: float,
    rules: npt.NDArray[Any],
) -> dict[str, float]:
    """Give the metrics of an equity path that no single account produced, such as a chained one.

    Parameters
    ----------
    equity : float64 array, shape [bar]
    exposed : bool array, shape [bar]
    nets : float64 array, shape [trade]
        Net results of the trades.
    commission : float
        Paid in all.
    rules : `RULES` array, shape [1]
        Its cash is the equity before the first bar.

    Returns
    -------
    dict of str to float
        By the names of `METRICS`.
    """
    account = np.zeros(1, dtype=ACCOUNT)
    none = np.empty(0, dtype=HOLDING)
    open_account(account[0], none, none, rules["cash"][0])
    _observe_path(account[0], equity, exposed, rules["risk_free"][0])
    account["trades"] = len(nets)
    account["wins"] = np.count_nonzero(nets > 0.0)
    account["gross_profit"] = nets[nets > 0.0].sum()
    account["gross_loss"] = -nets[nets <= 0.0].sum()
    account["commission"] = commission
    metrics = np.empty(len(METRICS))
    measure(account[0], rules[0], metrics)
    return dict(zip(METRICS, metrics.tolist(), strict=True))
