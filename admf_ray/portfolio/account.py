"""The account: what fills, prices and time do to cash, positions and trades."""

from typing import Any

import numpy.typing as npt

from admf_ray.core.kernels import shared
from admf_ray.core.signs import opposes

__all__ = ["accrue", "apply_fill", "borrowing_cost", "mark", "open_account", "reopen_account"]


@shared
def open_account(account: Any, holdings: npt.NDArray[Any], template: npt.NDArray[Any], cash: float) -> None:
    """Start a segment anew: initial cash, no position, no order, last emitted target 0.

    Parameters
    ----------
    account : record of `ACCOUNT`
    holdings : array of `HOLDING`, shape [symbol]
    template : array of `HOLDING`, shape [symbol]
        See `admf_ray.engine.inputs.new_holdings`.
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
    account.interest = 0.0
    account.session_equity = cash
    account.halt_peak = cash
    account.bars = 0
    account.exposed = 0
    account.trades = 0
    account.wins = 0
    account.signals = 0
    account.orders = 0
    account.fills = 0
    account.halt = 0
    account.halted_at = 0
    for symbol in range(holdings.shape[0]):
        holdings[symbol] = template[symbol]


@shared
def reopen_account(account: Any, holdings: npt.NDArray[Any], template: npt.NDArray[Any]) -> None:
    """Start another piece of the same path: flat, in cash worth its equity, with neither orders nor halts.

    What metrics are made of is kept, but for the bars: they are counted anew in each piece, whose first bar is treated
    as that of any segment, and are for the caller to add up. So are signals, orders and fills: a piece has a ledger of
    its own. `open_account` does not call it: the sweep inlines that, and a call within it would cost short spans time.

    Parameters
    ----------
    account : record of `ACCOUNT`
    holdings, template : array of `HOLDING`, shape [symbol]
        As in `open_account`.
    """
    account.cash = account.equity
    account.session_equity = account.equity
    account.halt_peak = account.equity
    account.bars = 0
    account.signals = 0
    account.orders = 0
    account.fills = 0
    account.halt = 0
    account.halted_at = 0
    for symbol in range(holdings.shape[0]):
        holdings[symbol] = template[symbol]


@shared
def _close_trade(account: Any, holding: Any) -> None:
    account.trades += 1
    if holding.trade_cash > 0.0:
        account.wins += 1
        account.gross_profit += holding.trade_cash
    else:
        account.gross_loss -= holding.trade_cash
    holding.trade_cash = 0.0


@shared
def _open_position(holding: Any, price: float, since: int) -> None:
    holding.entry = price
    holding.best = price
    holding.atr = holding.order_atr
    holding.since = since
    holding.held = 0


@shared
def apply_fill(
    account: Any, holding: Any, quantity: float, price: float, paid: float, commission: float, since: int
) -> None:
    """Book one fill: cash, position, and the trade's result once it is flat again.

    A fill through zero closes one trade and opens the next; its commission is shared by quantity.

    Parameters
    ----------
    account : record of `ACCOUNT`
    holding : record of `HOLDING`
    quantity : float
        Signed.
    price, paid, commission : float
        Of the fill; ``paid`` is the money a unit, price x multiplier.
    since : int
        First bar that belongs, from open to close, to a position that this fill opens.
    """
    # In the same order as the check of what can be paid, so that what was found affordable never overdraws.
    account.cash = account.cash - quantity * paid - commission
    account.commission += commission
    account.fills += 1
    held = holding.quantity
    if held == 0.0:
        _open_position(holding, price, since)
    elif not opposes(held, quantity):
        holding.entry = (holding.entry * abs(held) + price * abs(quantity)) / (abs(held) + abs(quantity))
    if opposes(held, quantity) and abs(quantity) > abs(held):
        share = commission * (abs(held) / abs(quantity))
        holding.trade_cash = holding.trade_cash + held * paid - share
        _close_trade(account, holding)
        holding.quantity += quantity
        holding.trade_cash = 0.0 - holding.quantity * paid - (commission - share)
        _open_position(holding, price, since)
        return
    holding.trade_cash = holding.trade_cash - quantity * paid - commission
    holding.quantity += quantity
    if holding.quantity == 0.0:
        _close_trade(account, holding)


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
    value: float = holding.quantity * holding.price * holding.multiplier
    return value


@shared
def borrowing_cost(quantity: float, price: float, multiplier: float, rules: Any) -> float:
    """Give what a bar of holding a position costs for borrowing it; nothing for a long one."""
    if quantity < 0.0:
        cost: float = -quantity * price * multiplier * rules.borrow_rate
        return cost
    return 0.0


@shared
def accrue(cash: float, shorts: float, rules: Any) -> float:
    """Give the interest of one bar: earned on cash beyond the value of shorts, paid on a loan."""
    free = cash - shorts
    if free > 0.0:
        earned: float = free * rules.interest
        return earned
    if cash < 0.0:
        owed: float = cash * rules.loan_rate
        return owed
    return 0.0
