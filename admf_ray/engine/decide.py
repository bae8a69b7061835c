"""The decision at a close: from a target to a signal and an order (SEMANTICS 3, steps 5 and 6)."""

import math
from typing import Any

from admf_ray.core.kernels import shared
from admf_ray.core.records import Limit, OrderKind, Reason, Reentry
from admf_ray.core.signs import opposes, sign
from admf_ray.engine.fills import make_order
from admf_ray.execution.orders import resting_level
from admf_ray.risk.halts import exposure_of
from admf_ray.risk.limits import limited, others
from admf_ray.risk.sizing import whole_lots

__all__ = ["decide"]

_MARKET = int(OrderKind.MARKET)
_RESET = int(Reentry.RESET)
_BY_SIGNAL = int(Reason.SIGNAL)
_BY_REBALANCE = int(Reason.REBALANCE)
_BY_TIME = int(Reason.TIME_STOP)
_NO_SHORT = int(Limit.NO_SHORT)


@shared
def decide(
    account: Any,
    holding: Any,
    rules: Any,
    sizing: Any,
    target: float,
    close: float,
    equity: float,
    volatility: float,
    atr: float,
    bar: int,
    symbol: int,
    holdings: Any,
    limits: Any,
    exits: Any,
    general: Any,
) -> None:
    """Turn a target into a signal and an order, which replaces a waiting one; or a due time stop, or a rebalancing.

    Where the sizing gives no number there is no signal, and the next bar tries again.
    """
    is_known = target - target == 0.0
    is_new = is_known and target != holding.target
    exposure = exposure_of(target, rules)
    quantity = holding.quantity
    if holding.blocked != 0.0 and is_known:
        if exposure == 0.0 or opposes(exposure, holding.blocked):
            holding.blocked = 0.0
        else:
            is_new = False
    if exits is not None:
        is_due = rules.time_stop > 0 and quantity != 0.0 and holding.held >= rules.time_stop
        closes_anyway = is_new and (exposure == 0.0 or opposes(exposure, quantity))
        if is_due and not closes_anyway:
            if not (holding.pending == -quantity and holding.reason == _BY_TIME):
                make_order(account, holding, -quantity, _BY_TIME, bar)
            if rules.reentry == _RESET:
                holding.blocked = sign(quantity)
            return
    if not is_new:
        if general is None or rules.rebalance == 0:
            return
        if not is_known or target != holding.target or exposure == 0.0 or holding.blocked != 0.0:
            return
    size = rules.size
    if exposure != 0.0:
        if general is not None and rules.scaled != 0:
            yearly = volatility * rules.root_periods
            if not yearly > 0.0:
                return
            size = min(rules.cap, rules.size / yearly)
        if exits is not None and rules.needs_atr != 0 and not atr > 0.0:
            return
    unit = close * holding.multiplier
    wanted = sizing(exposure, size, unit, equity)
    if math.isnan(wanted):
        return
    if is_new:
        account.signals += 1
        holding.signal = account.signals
        holding.target = target
    flags = _NO_SHORT if target < exposure else 0
    desired = whole_lots(wanted, holding.lot)
    if general is not None and limits.shape[0] > 0:
        gross, net, count = others(holdings, symbol)
        bound = 0
        for k in range(limits.shape[0]):
            limit = limits[k]
            if limit.symbol in (-1, symbol):
                allowed = limited(desired, quantity, unit, equity, gross, net, count, limit)
                if allowed != desired:
                    desired = allowed
                    bound |= limit.flag
        if bound != 0:
            desired = whole_lots(desired, holding.lot)
            flags |= bound
    change = desired - quantity
    if general is not None:
        value = abs(change) * unit
        if desired != 0.0 and value < rules.minimum_trade:
            change = 0.0
        if not is_new and (change == 0.0 or not value > rules.rebalance_threshold * equity):
            return
    holding.pending = change
    if change != 0.0:
        make_order(account, holding, change, _BY_SIGNAL if is_new else _BY_REBALANCE, bar)
        holding.limits = flags
        holding.order_atr = atr
        if general is not None:
            holding.session = -1
            if rules.order != _MARKET and not opposes(change, quantity):
                holding.kind = rules.order
                holding.level = resting_level(change, close, holding.tick, rules)
