"""The compiled simulation: targets in, account out, in the order of things that SEMANTICS 3 lays down."""

from typing import Any

from numba import types

from admf_ray.core.kernels import READ_F8_2D, compiled, records, shared
from admf_ray.core.records import ACCOUNT, FILL, HOLDING, RULES, Boundary, FillPolicy, Limit, Reason
from admf_ray.execution.cash import affordable
from admf_ray.execution.costs import commission, fill_price
from admf_ray.portfolio.account import apply_fill, mark
from admf_ray.portfolio.metrics import observe
from admf_ray.risk.sizing import desired_quantity

__all__ = ["simulate"]

# Kernels take plain integers: numba freezes these at compile time.
_AT_CLOSE = int(FillPolicy.CLOSE)
_FLATTEN = int(Boundary.FLATTEN)
_BY_SIGNAL = int(Reason.SIGNAL)
_BY_BOUNDARY = int(Reason.FLATTEN)
_CASH = int(Limit.CASH)
_NO_SHORT = int(Limit.NO_SHORT)
_OPEN_ROW = 0
_CLOSE_ROW = 3
_RAW_ROWS = 5


@shared
def _fill(
    account: Any, holding: Any, rules: Any, quantity: float, reference: float, bar: int, symbol: int, reason: int,
    ledger: Any,
) -> None:
    """Trade an order at a reference price: cut it to the cash, charge it, book it, write it down."""
    price = fill_price(quantity, reference, rules)
    limits = holding.limits
    if quantity > 0.0:
        paid = affordable(quantity, price, account.cash, rules)
        if paid < quantity:
            quantity = paid
            limits |= _CASH
    if quantity == 0.0:
        return
    fee = commission(quantity, price, rules)
    if quantity < 0.0:
        # A sale that brings less than its minimum commission takes what cash there is: never more.
        fee = min(fee, account.cash - quantity * price)
    apply_fill(account, holding, quantity, price, fee)
    if ledger.shape[0] > 0:
        row = ledger[account.fills - 1]
        row.bar = bar
        row.symbol = symbol
        row.quantity = quantity
        row.price = price
        row.commission = fee
        row.position = holding.quantity
        row.cash = account.cash
        row.order = holding.order
        row.signal = holding.signal
        row.reason = reason
        row.limits = limits


@shared
def _decide(account: Any, holding: Any, rules: Any, target: float, close: float, equity: float) -> None:
    """Turn a new target into a signal and an order, which replaces a pending one."""
    account.signals += 1
    holding.signal = account.signals
    holding.target = target
    holding.limits = 0
    if target < 0.0:
        target = 0.0
        holding.limits = _NO_SHORT
    desired = desired_quantity(rules.sizing, rules.size, rules.lot, target, close, equity)
    holding.pending = desired - holding.quantity
    if holding.pending != 0.0:
        account.orders += 1
        holding.order = account.orders


@shared
def _flatten(account: Any, holding: Any, rules: Any, bar: int, symbol: int, ledger: Any) -> None:
    """Close a position at the newest close, with the costs of any order."""
    account.orders += 1
    holding.order = account.orders
    holding.limits = 0
    _fill(account, holding, rules, -holding.quantity, holding.price, bar, symbol, _BY_BOUNDARY, ledger)


@compiled(
    types.void(
        READ_F8_2D,
        READ_F8_2D,
        records(RULES, readonly=True),
        types.int64,
        types.int64,
        types.int64,
        records(ACCOUNT),
        records(HOLDING),
        types.float64[:, ::1],
        records(FILL),
    )
)
def simulate(
    matrix: Any,
    targets: Any,
    rules_record: Any,
    start: int,
    stop: int,
    segment_stop: int,
    account_record: Any,
    holdings: Any,
    path: Any,
    ledger: Any,
) -> None:
    """Process bars ``[start, stop)`` of a segment that ends before ``segment_stop``.

    Calling it bar by bar, in any chunks, or once over the segment gives the same bits.

    Parameters
    ----------
    matrix : float64 array, shape [key, time]
        The hub; five raw rows a symbol first.
    targets : float64 array, shape [symbol, time]
    rules_record : `RULES` array, shape [1]
    start, stop, segment_stop : int
    account_record : `ACCOUNT` array, shape [1]
        State; made by `admf_ray.portfolio.account.open_account`.
    holdings : `HOLDING` array, shape [symbol]
        State.
    path : float64 array, shape [1 + symbol, bar of the segment] or [., 0]
        Receives the equity and each position at every close; nothing where it has no columns.
    ledger : `FILL` array
        Receives the fills; nothing where it is empty. One row for each bar and symbol and one more each suffice.
    """
    rules = rules_record[0]
    account = account_record[0]
    symbols = holdings.shape[0]
    at_close = rules.fill == _AT_CLOSE
    flatten = rules.boundary == _FLATTEN
    risk_free = rules.risk_free
    first = segment_stop - path.shape[1]
    for t in range(start, stop):
        for s in range(symbols):
            holding = holdings[s]
            if holding.pending != 0.0:
                reference = matrix[_RAW_ROWS * s + _OPEN_ROW, t]
                if reference == reference:
                    _fill(account, holding, rules, holding.pending, reference, t, s, _BY_SIGNAL, ledger)
                    holding.pending = 0.0
            close = matrix[_RAW_ROWS * s + _CLOSE_ROW, t]
            if close == close:
                holding.price = close
        equity = mark(account, holdings)
        traded = False
        if flatten and t == segment_stop - 1:
            for s in range(symbols):
                if holdings[s].quantity != 0.0:
                    _flatten(account, holdings[s], rules, t, s, ledger)
                    traded = True
        else:
            for s in range(symbols):
                holding = holdings[s]
                target = targets[s, t]
                close = matrix[_RAW_ROWS * s + _CLOSE_ROW, t]
                # A missing bar is not tradable: its target is taken up on the next bar that is there.
                if target == target and target != holding.target and close == close:
                    _decide(account, holding, rules, target, close, equity)
                    if at_close and holding.pending != 0.0:
                        _fill(account, holding, rules, holding.pending, close, t, s, _BY_SIGNAL, ledger)
                        holding.pending = 0.0
                        traded = True
        if traded:
            equity = mark(account, holdings)
        exposed = False
        for s in range(symbols):
            exposed |= holdings[s].quantity != 0.0
        observe(account, equity, exposed, risk_free)
        if path.shape[1] > 0:
            path[0, t - first] = equity
            for s in range(symbols):
                path[1 + s, t - first] = holdings[s].quantity
