"""backtesting.py: Backtest.optimize over the pairs, in one process of its own pool."""

import time
import warnings
from functools import partial
from typing import Any

import backtesting
import numpy as np
from exchange import frame, serve


class Crossing(backtesting.Strategy):
    """Stands at the top of the module because the pool pickles it by name."""

    averages: Any
    fast = 0
    slow = 1

    def init(self) -> None:
        self.above = self.I(lambda: self.averages[self.fast] > self.averages[self.slow], plot=False)

    def next(self) -> None:
        if not self.position:
            if self.above[-1]:
                self.buy()
        elif not self.above[-1]:
            self.position.close()


def optimized(sets: Any, pairs: Any) -> Any:
    test = backtesting.Backtest(
        frame(sets).rename(columns=str.capitalize),
        Crossing,
        cash=sets.cash,
        commission=sets.commission,
        trade_on_close=True,
    )
    wanted = {tuple(pair) for pair in pairs.tolist()}
    _, returns = test.optimize(
        fast=sorted({fast for fast, _ in wanted}),
        slow=sorted({slow for _, slow in wanted}),
        constraint=lambda point: (point.fast, point.slow) in wanted,
        maximize="Return [%]",
        return_heatmap=True,
    )
    return np.array([returns[tuple(pair)] for pair in pairs.tolist()]) / 100


def run(sets: Any) -> tuple[float, dict[str, Any]]:
    warnings.simplefilter("ignore")
    Crossing.averages = sets.averages
    backtesting.Pool = partial(backtesting.Pool, 1)
    optimized(sets, sets.pairs[:2])
    began = time.perf_counter()
    returns = optimized(sets, sets.pairs)
    return time.perf_counter() - began, {"total_return": returns}


if __name__ == "__main__":
    serve("backtesting", run)
