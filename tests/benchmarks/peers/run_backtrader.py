"""backtrader: Cerebro.optstrategy over the pairs, in this process, orders filled at the close (cheat-on-close)."""

import time
from typing import Any

import backtrader as bt
import numpy as np
from exchange import frame, long_states, serve


def swept(sets: Any, pairs: Any) -> dict[str, Any]:
    above, _ = long_states(sets, pairs)
    returns, trades = np.zeros(len(pairs)), np.zeros(len(pairs), np.int64)

    class Crossing(bt.Strategy):
        params = (("pair", 0),)

        def next(self) -> None:
            if above[len(self) - 1, self.p.pair]:
                if not self.position:
                    self.buy(size=self.broker.get_cash() // (self.data.close[0] * (1.0 + sets.commission)))
            elif self.position:
                self.close()

        def notify_trade(self, trade: Any) -> None:
            trades[self.p.pair] += trade.isclosed

        def stop(self) -> None:
            returns[self.p.pair] = self.broker.get_value() / sets.cash - 1.0

    cerebro = bt.Cerebro(stdstats=False, maxcpus=1)
    cerebro.adddata(bt.feeds.PandasData(dataname=frame(sets)))
    cerebro.optstrategy(Crossing, pair=range(len(pairs)))
    cerebro.broker.set_cash(sets.cash)
    cerebro.broker.setcommission(commission=sets.commission)
    cerebro.broker.set_coc(True)
    cerebro.run()
    return {"total_return": returns, "trades": trades}


def run(sets: Any) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    results = swept(sets, sets.pairs)
    return time.perf_counter() - began, results


if __name__ == "__main__":
    serve("backtrader", run)
