"""The account: what fills and prices do to cash, positions and trades."""

from typing import Any

import numpy.typing as npt

from admf_ray.core.kernels import shared

__all__ = ["apply_fill", "mark", "open_account"]


@shared
def open_account(account: Any, holdings: npt.NDArray[Any], cash: float) -> None:
    """Start a segment anew: initial cash, no position, no order, last emitted target 0.

    Parameters
    ----------
    account : record of `ACCOUNT`
    holdings : array of `HOLDING`, shape [symbol]
    cash : float
        Initial cash.
    """
    account.initial = cash
    account.cash = cash
    account.equity = cash
    account.peak = cash
    account.drawdown = 0.0
    account.sum_returns = 0.0
    account.sum_squares = 0.0
    account.sum_negative_squares = 0.0
    account.gross_profit = 0.0
    account.gross_loss = 0.0
    account.commission = 0.0
    account.bars = 0
    account.exposed = 0
    account.trades = 0
    account.wins = 0
    account.signals = 0
    account.orders = 0
    account.fills = 0
    for symbol in range(holdings.shape[0]):
        holding = holdings[symbol]
        holding.quantity = 0.0
        holding.price = 0.0
        holding.target = 0.0
        holding.pending = 0.0
        holding.trade_cash = 0.0
        holding.limits = 0
        holding.order = 0
        holding.signal = 0


@shared
def apply_fill(account: Any, holding: Any, quantity: float, price: float, commission: float) -> None:
    """Book one fill: cash, position, and the trade's result once it is flat again.

    Parameters
    ----------
    account : record of `ACCOUNT`
    holding : record of `HOLDING`
    quantity : float
        Signed; never through zero.
    price, commission : float
        Of the fill.
    """
    # In the same order as the check of what can be paid, so that what was found affordable never overdraws.
    account.cash = account.cash - quantity * price - commission
    account.commission += commission
    account.fills += 1
    holding.trade_cash = holding.trade_cash - quantity * price - commission
    holding.quantity += quantity
    if holding.quantity == 0.0:
        account.trades += 1
        if holding.trade_cash > 0.0:
            account.wins += 1
            account.gross_profit += holding.trade_cash
        else:
            account.gross_loss -= holding.trade_cash
        holding.trade_cash = 0.0


@shared
def mark(holding: Any, close: float) -> float:
    """Take in the newest close, where there is one, and give the value of the position at it.

    Parameters
    ----------
    holding : record of `HOLDING`
    close : float
        NaN on a missing bar: the position stays at its last close.
    """
    if close == close:
        holding.price = close
    value: float = holding.quantity * holding.price
    return value
