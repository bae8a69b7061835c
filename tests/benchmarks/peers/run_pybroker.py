"""PyBroker: a backtest for each pair, orders filled at the next open."""

import time
from typing import Any

import numpy as np
import pybroker
from exchange import frame, long_states, serve


def backtest(sets: Any, above: Any) -> tuple[float, int]:
    def trade(context: Any) -> None:
        if above[context.bars - 1]:
            if not context.long_pos():
                context.buy_shares = context.calc_target_shares(1)
                context.buy_fill_price = pybroker.PriceType.OPEN
        elif context.long_pos():
            context.sell_all_shares()
            context.sell_fill_price = pybroker.PriceType.OPEN

    config = pybroker.StrategyConfig(
        initial_cash=sets.cash,
        fee_mode=pybroker.FeeMode.ORDER_PERCENT,
        fee_amount=sets.commission * 100,
        round_fill_price=False,
        round_test_result=False,
    )
    bars = frame(sets).rename_axis("date").reset_index().assign(symbol="X")
    strategy = pybroker.Strategy(bars, bars["date"].iloc[0], bars["date"].iloc[-1], config)
    strategy.add_execution(trade, ["X"])
    result = strategy.backtest()
    return float(result.portfolio["equity"].iloc[-1]) / sets.cash - 1.0, int(result.metrics.trade_count)


def run(sets: Any) -> tuple[float, dict[str, Any]]:
    pybroker.disable_logging()
    pybroker.disable_progress_bar()
    above, _ = long_states(sets, sets.pairs)
    backtest(sets, above[:, 0])
    began = time.perf_counter()
    results = [backtest(sets, above[:, index]) for index in range(len(sets.pairs))]
    seconds = time.perf_counter() - began
    returns, trades = zip(*results, strict=True)
    return seconds, {"total_return": np.array(returns), "trades": np.array(trades)}


if __name__ == "__main__":
    serve("lib-pybroker", run)
