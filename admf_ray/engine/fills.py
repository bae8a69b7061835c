"""Orders and fills: what the simulation and the event-driven components do when an order is made or trades."""

from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.core.records import AccountKind, Limit, OrderKind, Reason, Reentry
from admf_ray.core.signs import sign
from admf_ray.execution.cash import affordable
from admf_ray.execution.costs import commission, maker_price, taker_price
from admf_ray.portfolio.account import apply_fill
from admf_ray.risk.sizing import whole_lots

__all__ = ["exit_position", "fill", "leave", "make_order"]

# Kernels take plain integers: numba freezes these at compile time.
_CASH_ACCOUNT = int(AccountKind.CASH)
_MARKET = int(OrderKind.MARKET)
_RESET = int(Reentry.RESET)
_BY_PROFIT = int(Reason.TAKE_PROFIT)
_CASH = int(Limit.CASH)
_PARTICIPATION = int(Limit.PARTICIPATION)


@shared
def _trade(
    account: Any,
    holding: Any,
    rules: Any,
    quantity: float,
    limits: int,
    price: float,
    since: int,
    bar: int,
    symbol: int,
    ledger: Any,
) -> bool:
    """Book a fill: cut it to the cash, charge it, write it down; say whether it was cut."""
    paid = price * holding.multiplier
    is_cut = False
    if rules.account == _CASH_ACCOUNT and quantity > 0.0:
        most = affordable(quantity, paid, account.cash, holding.lot, rules)
        if most < quantity:
            # What costs nothing at the bottom of the floats is no position.
            quantity = most if most * paid > 0.0 else 0.0
            limits |= _CASH
            is_cut = True
    if quantity == 0.0:
        return is_cut
    fee = commission(quantity, paid, rules)
    if rules.account == _CASH_ACCOUNT and quantity < 0.0:
        # A sale that brings less than its minimum commission takes what cash there is: never more.
        fee = min(fee, account.cash - quantity * paid)
    apply_fill(account, holding, quantity, price, paid, fee, since)
    if ledger is not None:
        row = ledger[min(account.fills, ledger.shape[0]) - 1]
        row.bar = bar
        row.symbol = symbol
        row.quantity = quantity
        row.price = price
        row.commission = fee
        row.borrowed = holding.borrowed
        row.position = holding.quantity
        row.cash = account.cash
        row.decided = holding.decided
        row.order = holding.order
        row.signal = holding.signal
        row.reason = holding.reason
        row.limits = limits
    holding.borrowed = 0.0
    return is_cut


@shared
def fill(
    account: Any,
    holding: Any,
    rules: Any,
    reference: float,
    is_taker: bool,
    since: int,
    bar: int,
    symbol: int,
    general: Any,
    ledger: Any,
) -> None:
    """Trade as much of the waiting order as a bar's volume lets through; the rest waits on."""
    quantity = holding.pending
    limits = holding.limits
    if general is not None and rules.participation > 0.0:
        room = whole_lots(rules.participation * holding.volume, holding.lot)
        if abs(quantity) > room:
            if room == 0.0:
                return
            quantity = room if quantity > 0.0 else -room
            limits |= _PARTICIPATION
    if is_taker:
        price = taker_price(quantity, reference, holding, rules, general)
    else:
        price = maker_price(quantity, reference, holding.tick)
    is_cut = _trade(account, holding, rules, quantity, limits, price, since, bar, symbol, ledger)
    holding.pending = 0.0 if is_cut else holding.pending - quantity


@shared
def make_order(account: Any, holding: Any, quantity: float, reason: int, bar: int) -> None:
    """Make a market order, which replaces a waiting one."""
    account.orders += 1
    holding.order = account.orders
    holding.pending = quantity
    holding.reason = reason
    holding.decided = bar
    holding.limits = 0
    holding.kind = _MARKET


@shared
def leave(
    account: Any,
    holding: Any,
    rules: Any,
    reference: float,
    reason: int,
    bar: int,
    symbol: int,
    general: Any,
    ledger: Any,
) -> None:
    """Close a position at once and in full, with the costs of its kind; a waiting order is cancelled."""
    quantity = -holding.quantity
    make_order(account, holding, quantity, reason, bar)
    if reason == _BY_PROFIT:
        price = maker_price(quantity, reference, holding.tick)
    else:
        price = taker_price(quantity, reference, holding, rules, general)
    _trade(account, holding, rules, quantity, 0, price, bar, bar, symbol, ledger)
    holding.pending = 0.0


@shared
def exit_position(
    account: Any,
    holding: Any,
    rules: Any,
    reference: float,
    reason: int,
    bar: int,
    symbol: int,
    general: Any,
    ledger: Any,
) -> None:
    """Leave a position by a protective exit; its side is blocked until the target has been reset."""
    side = sign(holding.quantity)
    leave(account, holding, rules, reference, reason, bar, symbol, general, ledger)
    if rules.reentry == _RESET:
        holding.blocked = side
