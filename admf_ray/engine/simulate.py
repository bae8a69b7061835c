"""The compiled simulation: targets in, account out, in the order of things that SEMANTICS 3 lays down."""

import math
from typing import Any

from numba import types

from admf_ray.core.kernels import READ_F8_2D, SIZING, compiled, records, shared
from admf_ray.core.records import ACCOUNT, FILL, HOLDING, RULES, Boundary, FillPolicy, Limit, Reason
from admf_ray.execution.cash import affordable
from admf_ray.execution.costs import commission, fill_price
from admf_ray.portfolio.account import apply_fill, mark
from admf_ray.portfolio.metrics import load_sums, observe, store_sums
from admf_ray.risk.sizing import whole_lots

__all__ = ["simulate", "withhold"]

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
def withhold(targets: Any, begins: Any) -> None:
    """Take away the targets of bars at which a symbol has not had the history that the data asks for.

    Parameters
    ----------
    targets : float64 array, shape [symbol, time]
    begins : int64 array, shape [symbol]
        First bars that may have a target.
    """
    for s in range(targets.shape[0]):
        for t in range(min(begins[s], targets.shape[1])):
            targets[s, t] = math.nan


@shared
def _is_new(target: float, emitted: float) -> bool:
    """Say whether a target is finite and not the one last emitted."""
    return target - target == 0.0 and target != emitted


@shared
def _write_path(path: Any, column: int, equity: float, holdings: Any) -> None:
    path[0, column] = equity
    for s in range(holdings.shape[0]):
        path[1 + s, column] = holdings[s].quantity


@shared
def _fill(
    account: Any,
    holding: Any,
    rules: Any,
    quantity: float,
    reference: float,
    bar: int,
    symbol: int,
    reason: int,
    row: Any,
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
def _decide(account: Any, holding: Any, rules: Any, sizing: Any, target: float, close: float, equity: float) -> None:
    """Turn a new target into a signal and an order, which replaces a pending one.

    Where the sizing gives no number there is no signal, and the next bar tries again.
    """
    wanted = sizing(max(target, 0.0), rules.size, close, equity)
    if math.isnan(wanted):
        return
    account.signals += 1
    holding.signal = account.signals
    holding.target = target
    holding.limits = 0
    if target < 0.0:
        holding.limits = _NO_SHORT
    holding.pending = whole_lots(wanted, rules.lot) - holding.quantity
    if holding.pending != 0.0:
        account.orders += 1
        holding.order = account.orders


@shared
def _flatten(account: Any, holding: Any, rules: Any, bar: int, symbol: int, row: Any) -> None:
    """Close a position at the newest close, with the costs of any order."""
    account.orders += 1
    holding.order = account.orders
    holding.limits = 0
    _fill(account, holding, rules, -holding.quantity, holding.price, bar, symbol, _BY_BOUNDARY, row)


@compiled(
    types.void(
        types.FunctionType(SIZING),
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
    sizing: Any,
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
    sizing : kernel of the signature `SIZING`
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
    ledger : `FILL` array, shape [at least 1]
        Receives the fills; one row for each bar and symbol, and one more each, hold them all. Where they do not fit,
        the last row holds the last fill.
    """
    rules = rules_record[0]
    account = account_record[0]
    symbols = holdings.shape[0]
    at_close = rules.fill == _AT_CLOSE
    flatten = rules.boundary == _FLATTEN
    risk_free = rules.risk_free
    first = segment_stop - path.shape[1]
    last_row = ledger.shape[0] - 1
    quiet_stop = min(stop, segment_stop - 1) if flatten else stop
    sums = load_sums(account)
    t = start
    while t < stop:
        # A stretch on which nothing but prices can change: no order waits and no target is new.
        quiet = True
        exposed = False
        for s in range(symbols):
            quiet &= holdings[s].pending == 0.0
            exposed |= holdings[s].quantity != 0.0
        while quiet and t < quiet_stop:
            equity = account.cash
            for s in range(symbols):
                holding = holdings[s]
                quiet &= not _is_new(targets[s, t], holding.target)
                equity += mark(holding, matrix[_RAW_ROWS * s + _CLOSE_ROW, t])
            if quiet:
                sums = observe(sums, equity, exposed, risk_free)
                if path.shape[1] > 0:
                    _write_path(path, t - first, equity, holdings)
                t += 1
        if t == stop:
            break
        for s in range(symbols):
            holding = holdings[s]
            reference = matrix[_RAW_ROWS * s + _OPEN_ROW, t]
            if holding.pending != 0.0 and reference == reference:
                row = ledger[min(account.fills, last_row)]
                _fill(account, holding, rules, holding.pending, reference, t, s, _BY_SIGNAL, row)
                holding.pending = 0.0
        equity = account.cash
        for s in range(symbols):
            equity += mark(holdings[s], matrix[_RAW_ROWS * s + _CLOSE_ROW, t])
        if flatten and t == segment_stop - 1:
            for s in range(symbols):
                if holdings[s].quantity != 0.0:
                    _flatten(account, holdings[s], rules, t, s, ledger[min(account.fills, last_row)])
        else:
            for s in range(symbols):
                holding = holdings[s]
                close = matrix[_RAW_ROWS * s + _CLOSE_ROW, t]
                # A missing bar is not tradable: its target is taken up on the next bar that is there.
                if _is_new(targets[s, t], holding.target) and close == close:
                    _decide(account, holding, rules, sizing, targets[s, t], close, equity)
                    if at_close and holding.pending != 0.0:
                        row = ledger[min(account.fills, last_row)]
                        _fill(account, holding, rules, holding.pending, close, t, s, _BY_SIGNAL, row)
                        holding.pending = 0.0
        equity = account.cash
        exposed = False
        for s in range(symbols):
            equity += holdings[s].quantity * holdings[s].price
            exposed |= holdings[s].quantity != 0.0
        sums = observe(sums, equity, exposed, risk_free)
        if path.shape[1] > 0:
            _write_path(path, t - first, equity, holdings)
        t += 1
    store_sums(account, sums)
