"""A reference simulation in plain Python, written from SEMANTICS 1 and 3 to 5 alone.

It shares no code with the platform: one symbol, market orders, a cash account. It is slow and literal on purpose.
"""

import math
import sys
from dataclasses import dataclass, field


@dataclass
class Order:
    quantity: float
    number: int
    signal: int
    limits: set[str]


@dataclass
class Fill:
    bar: int
    quantity: float
    price: float
    commission: float
    position: float
    cash: float
    order: int
    signal: int
    reason: str
    limits: frozenset[str]


@dataclass
class Account:
    sizing: str
    size: float
    lot: float
    fill: str
    boundary: str
    commission_bps: float
    commission_per_share: float
    commission_minimum: float
    commission_fixed: float
    slippage_bps: float
    half_spread: float
    cash: float
    position: float = 0.0
    emitted: float = 0.0
    last_close: float = 0.0
    pending: Order | None = None
    signals: int = 0
    orders: int = 0
    fills: list[Fill] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    positions: list[float] = field(default_factory=list)

    def value(self) -> float:
        return self.cash + self.position * self.last_close

    def commission(self, quantity: float, price: float) -> float:
        shares = abs(quantity)
        percent = shares * price * (self.commission_bps / 1e4)
        per_share = max(shares * self.commission_per_share, self.commission_minimum)
        return percent + per_share + self.commission_fixed

    def cash_after(self, quantity: float, price: float) -> float:
        return self.cash - quantity * price - self.commission(quantity, price)

    def payable(self, quantity: float, price: float) -> float:
        """Find what lowering lots (fractional: floats) until the computed cash is not negative would find."""
        if self.cash_after(quantity, price) >= 0:
            return quantity
        if self.lot > 0:
            low_lots, high_lots = 0, math.ceil(min(quantity / self.lot - 1e-9, 2.0**54))
            while high_lots - low_lots > 1:
                middle_lots = (low_lots + high_lots) // 2
                if self.cash_after(middle_lots * self.lot, price) >= 0:
                    low_lots = middle_lots
                else:
                    high_lots = middle_lots
            if low_lots < 2**53:
                return low_lots * self.lot
        low, high = 0.0, min(quantity, sys.float_info.max)
        while math.nextafter(low, math.inf) < high:
            middle = low + (high - low) / 2
            if self.cash_after(middle, price) >= 0:
                low = middle
            else:
                high = middle
        return low

    def execute(self, order: Order, reference: float, bar: int, reason: str) -> None:
        quantity, limits = order.quantity, set(order.limits)
        if quantity > 0:
            price = reference * (1 + self.slippage_bps / 1e4) + self.half_spread
            affordable = self.payable(quantity, price)
            if affordable < quantity:
                quantity = affordable
                limits.add("cash")
        else:
            price = max(reference * (1 - self.slippage_bps / 1e4) - self.half_spread, 0.0)
        if quantity == 0:
            return
        commission = self.commission(quantity, price)
        if quantity < 0:
            commission = min(commission, self.cash - quantity * price)
        self.cash = self.cash - quantity * price - commission
        self.position += quantity
        self.fills.append(
            Fill(
                bar, quantity, price, commission, self.position, self.cash, order.number, order.signal, reason,
                frozenset(limits),
            )
        )  # fmt: skip

    def desired(self, target: float, close: float, equity: float) -> float:
        if self.sizing == "fixed_quantity":
            want = target * self.size
        elif self.sizing == "fixed_cash":
            want = target * self.size / close
        else:
            want = target * self.size * equity / close
        if self.lot == 0 or abs(want / self.lot) >= 2**53:
            return want
        sign = 1 if want > 0 else -1
        return math.trunc(want / self.lot + sign * 1e-9) * self.lot

    def decide(self, target: float, close: float, equity: float) -> None:
        self.signals += 1
        self.emitted = target
        limits = set()
        if target < 0:
            target = 0.0
            limits.add("no_short")
        quantity = self.desired(target, close, equity) - self.position
        self.pending = None
        if quantity != 0:
            self.orders += 1
            self.pending = Order(quantity, self.orders, self.signals, limits)

    def run(self, opens: list[float], closes: list[float], targets: list[float], start: int, stop: int) -> None:
        for t in range(start, stop):
            # 1. Fills at the open of orders decided before, on the next bar that is there.
            if self.pending and not math.isnan(opens[t]):
                self.execute(self.pending, opens[t], t, "signal")
                self.pending = None
            # 4. Mark.
            missing = math.isnan(closes[t])
            if not missing:
                self.last_close = closes[t]
            equity = self.value()
            if t == stop - 1 and self.boundary == "flatten":
                # 8. No signal is acted on; positions are closed at the close like any order.
                if self.position != 0:
                    self.orders += 1
                    last = self.fills[-1].signal
                    last = self.signals if last != self.signals else last
                    self.execute(Order(-self.position, self.orders, last, set()), self.last_close, t, "flatten")
            elif math.isfinite(targets[t]) and targets[t] != self.emitted and not missing:
                # 5, 6. Decide.
                self.decide(targets[t], closes[t], equity)
                # 7. Fill at the close.
                if self.fill == "close" and self.pending:
                    self.execute(self.pending, closes[t], t, "signal")
                    self.pending = None
            self.equity.append(self.value())
            self.positions.append(self.position)


def trade_results(fills: list[Fill]) -> list[float]:
    """Net results of the closed trades, flat to flat."""
    results, running = [], 0.0
    for fill in fills:
        running = running - fill.quantity * fill.price - fill.commission
        if fill.position == 0:
            results.append(running)
            running = 0.0
    return results


def metrics(account: Account, initial: float, risk_free: float, periods: float) -> dict[str, float]:
    """The metrics of SEMANTICS 5, one after the other over the equity path."""
    total = squares = negative = 0.0
    peak, drawdown, before = initial, 0.0, initial
    for equity in account.equity:
        change = equity / before - 1 if before > 0 else 0.0
        total += change
        squares += change * change
        below = min(change - risk_free, 0.0)
        negative += below * below
        peak = max(peak, equity)
        drawdown = min(drawdown, equity / peak - 1)
        before = equity
    n = float(len(account.equity))
    excess = total / n - risk_free
    growth = account.equity[-1] / initial
    cagr = growth ** (periods / n) - 1
    results = trade_results(account.fills)
    profit = loss = 0.0
    for result in results:
        if result > 0:
            profit += result
        else:
            loss -= result
    sharpe = volatility = math.nan
    centred = squares - total * total / n
    if n >= 2 and centred > 1e-12 * squares:
        deviation = math.sqrt(centred / (n - 1))
        sharpe = excess / deviation * math.sqrt(periods)
        volatility = deviation * math.sqrt(periods)
    return {
        "sharpe": sharpe,
        "sortino": excess / math.sqrt(negative / n) * math.sqrt(periods) if negative > 0 else math.nan,
        "calmar": cagr / -drawdown if drawdown < 0 else math.nan,
        "total_return": growth - 1,
        "cagr": cagr,
        "volatility": volatility,
        "max_drawdown": drawdown,
        "profit_factor": profit / loss if loss > 0 else math.nan,
        "win_rate": sum(result > 0 for result in results) / len(results) if results else math.nan,
        "trades": float(len(results)),
        "exposure": sum(position != 0 for position in account.positions) / n,
        "final_equity": account.equity[-1],
    }
