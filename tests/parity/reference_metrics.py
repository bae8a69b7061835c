"""The metrics of the reference simulation, in plain floats (SEMANTICS 5)."""

import math

from tests.parity.reference_orders import Account


def power(base: float, exponent: float) -> float:
    try:
        return base**exponent
    except OverflowError:
        return math.inf


def metrics(account: Account) -> dict[str, float]:
    """Give the metrics of SEMANTICS 5, one after the other over the equity path."""
    initial, periods = account.rules.cash, account.periods
    risk_free = account.rules.risk_free / periods
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
    # An account that owes money has lost all, as one at 0 has.
    cagr = power(max(growth, 0.0), periods / n) - 1
    results = account.trade_results
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
        "exposure": sum(any(row) for row in account.positions) / n,
        "final_equity": account.equity[-1],
    }
