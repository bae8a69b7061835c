"""Orders, fills and money of the reference simulation, in plain floats (SEMANTICS 4)."""

import math
import sys
from dataclasses import dataclass, field

from admf_ray.core.records import AccountKind, Halt, Level, Limit, LimitKind, OrderKind, Reason, bound_flag
from admf_ray.engine.spec import AccountRules, LimitRule


@dataclass
class Order:
    quantity: float  # signed, what is left to fill
    number: int
    signal: int
    reason: Reason
    decided: int
    limits: Limit = Limit.NONE
    kind: OrderKind = OrderKind.MARKET
    level: float = 0.0
    session: int = -1
    atr: float = 0.0


@dataclass
class Fill:
    bar: int
    symbol: int
    quantity: float
    price: float
    commission: float
    borrowed: float
    position: float
    cash: float
    decided: int
    order: int
    signal: int
    reason: Reason
    limits: Limit


@dataclass
class Holding:
    """A symbol within the account."""

    index: int
    name: str
    multiplier: float
    tick: float
    lot: float
    last_bar: int
    position: float = 0.0
    price: float = 0.0
    emitted: float = 0.0
    signal: int = 0
    order: Order | None = None
    blocked: int = 0
    entry: float = 0.0
    best: float = 0.0
    atr: float = 0.0
    since: int = 0
    held: int = 0
    trade_cash: float = 0.0
    borrowed: float = 0.0
    volume: float = 0.0
    traded_volume: float = 0.0
    volatility: float = 0.0

    @property
    def pending(self) -> float:
        return self.order.quantity if self.order else 0.0

    @property
    def unit(self) -> float:
        return self.price * self.multiplier


@dataclass
class Account:
    rules: AccountRules
    periods: float
    holdings: list[Holding]
    cash: float
    worth: float  # equity that sizes, limits and halts go by
    session_worth: float
    halt_peak: float
    halt: Halt = Halt.NONE
    halted_at: int = 0
    signals: int = 0
    orders: int = 0
    interest: float = 0.0
    commission: float = 0.0
    fills: list[Fill] = field(default_factory=list)
    trade_results: list[float] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    positions: list[list[float]] = field(default_factory=list)
    halts: list[Halt] = field(default_factory=list)

    @property
    def pending(self) -> list[float]:
        return [holding.pending for holding in self.holdings]

    def value(self) -> float:
        equity = self.cash
        for holding in self.holdings:
            equity = equity + holding.position * holding.price * holding.multiplier
        return equity


def sign(value: float) -> int:
    return (value > 0) - (value < 0)


def on_tick(price: float, tick: float) -> bool:
    return tick == 0 or abs(price / tick - round(price / tick)) <= 1e-9


def floor_tick(price: float, tick: float) -> float:
    return price if on_tick(price, tick) else math.floor(price / tick) * tick


def ceil_tick(price: float, tick: float) -> float:
    return price if on_tick(price, tick) else math.ceil(price / tick) * tick


def lots(quantity: float, lot: float) -> float:
    if lot == 0 or abs(quantity / lot) >= 2.0**53:
        return quantity
    return math.trunc(quantity / lot + (1 if quantity > 0 else -1) * 1e-9) * lot


def commission(rules: AccountRules, quantity: float, paid: float) -> float:
    shares = abs(quantity)
    percent = shares * paid * (rules.commission_bps / 1e4)
    per_share = max(shares * rules.commission_per_share, rules.commission_minimum)
    return percent + per_share + rules.commission_fixed


def payable(account: Account, lot: float, quantity: float, paid: float) -> float:
    """Find what lowering lots (fractional: floats) until the computed cash is not negative would find."""

    def cash_after(bought: float) -> float:
        return account.cash - bought * paid - commission(account.rules, bought, paid)

    if cash_after(quantity) >= 0:
        return quantity
    if lot > 0:
        low_lots, high_lots = 0, math.ceil(min(quantity / lot - 1e-9, 2.0**54))
        while high_lots - low_lots > 1:
            middle_lots = (low_lots + high_lots) // 2
            if cash_after(middle_lots * lot) >= 0:
                low_lots = middle_lots
            else:
                high_lots = middle_lots
        if low_lots < 2**53:
            return low_lots * lot
    low, high = 0.0, min(quantity, sys.float_info.max)
    while math.nextafter(low, math.inf) < high:
        middle = low + (high - low) / 2
        if cash_after(middle) >= 0:
            low = middle
        else:
            high = middle
    return low


def fill_price(rules: AccountRules, holding: Holding, quantity: float, reference: float, *, taker: bool) -> float:
    slippage = impact = half_spread = 0.0
    if taker:
        slippage, half_spread = rules.slippage_bps / 1e4, rules.half_spread
        if rules.impact > 0 and holding.traded_volume > 0:
            share = abs(quantity) / holding.traded_volume
            impact = min(rules.impact * holding.volatility * math.sqrt(share), 1.0)
    if quantity > 0:
        return ceil_tick(reference * (1.0 + slippage + impact) + half_spread, holding.tick)
    return floor_tick(max(reference * (1.0 - slippage - impact) - half_spread, 0.0), holding.tick)


def place(account: Account, holding: Holding, bar: int, quantity: float, reason: Reason) -> Order:
    """Make an order, which replaces the one that waits."""
    account.orders += 1
    holding.order = Order(quantity, account.orders, holding.signal, reason, bar)
    return holding.order


def fill(
    account: Account, holding: Holding, bar: int, reference: float, *, taker: bool, capped: bool, since: int
) -> None:
    """Fill the symbol's order as far as volume and cash allow."""
    rules, order = account.rules, holding.order
    assert order is not None
    quantity, limits = order.quantity, order.limits
    if capped and rules.participation > 0:
        room = lots(rules.participation * holding.volume, holding.lot)
        if abs(quantity) > room:
            quantity = room if quantity > 0 else -room
            limits |= Limit.PARTICIPATION
        if quantity == 0:
            return
    price = fill_price(rules, holding, quantity, reference, taker=taker)
    paid = price * holding.multiplier
    if rules.account == AccountKind.CASH and quantity > 0:
        affordable = payable(account, holding.lot, quantity, paid)
        if affordable < quantity:
            quantity = affordable if affordable * paid > 0 else 0.0
            limits |= Limit.CASH
            holding.order = None
            if quantity == 0:
                return
    if holding.order:
        order.quantity = order.quantity - quantity
        if order.quantity == 0:
            holding.order = None
    fee = commission(rules, quantity, paid)
    if rules.account == AccountKind.CASH and quantity < 0:
        fee = min(fee, account.cash - quantity * paid)
    account.cash = account.cash - quantity * paid - fee
    account.commission += fee
    enter_fill(account, holding, quantity, price, fee, order.atr, since)
    account.fills.append(
        Fill(
            bar, holding.index, quantity, price, fee, holding.borrowed, holding.position, account.cash, order.decided,
            order.number, order.signal, order.reason, limits,
        )
    )  # fmt: skip
    holding.borrowed = 0.0


def enter_fill(
    account: Account, holding: Holding, quantity: float, price: float, fee: float, atr: float, since: int
) -> None:
    """Book a fill into position and trade; one through zero closes a trade and opens the next."""
    paid, before = price * holding.multiplier, holding.position
    holding.position = before + quantity
    through = sign(before) == -sign(quantity) and abs(quantity) > abs(before)
    if through:
        share = fee * (abs(before) / abs(quantity))
        account.trade_results.append(holding.trade_cash + before * paid - share)
        holding.trade_cash = 0.0 - holding.position * paid - (fee - share)
    else:
        holding.trade_cash = holding.trade_cash - quantity * paid - fee
        if holding.position == 0:
            account.trade_results.append(holding.trade_cash)
            holding.trade_cash = 0.0
    if through or before == 0:
        holding.entry = holding.best = price
        holding.held, holding.since, holding.atr = 0, since, atr
    elif sign(before) == sign(quantity):
        shares, more = abs(before), abs(quantity)
        holding.entry = (holding.entry * shares + price * more) / (shares + more)


def desired(account: Account, holding: Holding, exposure: float, volatility: float) -> float:
    """Size a target; NaN where that cannot be said yet."""
    rules, size = account.rules, account.rules.size
    if rules.sizing == "volatility_target" and exposure != 0:
        yearly = volatility * math.sqrt(account.periods)
        if not yearly > 0:
            return math.nan
        size = min(rules.cap, rules.size / yearly)
    if rules.sizing == "fixed_quantity":
        return exposure * size
    if rules.sizing == "fixed_cash":
        return exposure * size / holding.unit
    return exposure * size * account.worth / holding.unit


def limit_cap(account: Account, holding: Holding, limit: LimitRule, wanted: float, kept: float) -> float:
    """Give the largest quantity that a limit leaves, other symbols' orders taken as filled."""
    gross, net, count = 0.0, 0.0, 0
    if limit.level != Level.SYMBOL:
        for other in account.holdings:
            if other is not holding:
                quantity = other.position + other.pending
                gross = gross + abs(quantity) * other.price * other.multiplier
                net = net + quantity * other.price * other.multiplier
                count += quantity != 0
    most = limit.value * account.worth
    match limit.kind:
        case LimitKind.MAX_POSITION:
            return most / holding.unit
        case LimitKind.MAX_GROSS_LEVERAGE:
            return (most - gross) / holding.unit
        case LimitKind.MAX_EXPOSURE:
            return (most - net if wanted > 0 else most + net) / holding.unit
        case LimitKind.MAX_OPEN_POSITIONS:
            return math.inf if kept > 0 or count < limit.value else 0.0


def limited(account: Account, holding: Holding, wanted: float) -> tuple[float, Limit]:
    """Apply the limits in turn, to whole lots; what is held already is never limited."""
    quantity, bound = lots(wanted, holding.lot), Limit.NONE
    for limit in account.rules.limits:
        if limit.symbol not in (None, holding.name):
            continue
        kept = abs(holding.position) if quantity * holding.position > 0 else 0.0
        if abs(quantity) <= kept:
            continue
        cap = max(limit_cap(account, holding, limit, quantity, kept), kept)
        if abs(quantity) > cap:
            quantity = cap if quantity > 0 else -cap
            bound |= bound_flag(limit.level, limit.kind)
    return (lots(quantity, holding.lot) if bound else quantity), bound
