"""vectorbt: Portfolio.from_signals over columns, then total return, Sharpe ratio, drawdown and trades."""

import time
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from exchange import long_states, serve


def block(sets: Any, pairs: Any) -> list[Any]:
    above, below = long_states(sets, pairs)
    # The last bar acts on no signal and closes what is open.
    above[-1], below[-1] = False, True
    portfolio = vbt.Portfolio.from_signals(
        pd.Series(sets.close),
        above,
        below,
        size=np.inf,
        size_granularity=sets.lot or None,
        fees=sets.commission,
        slippage=sets.slippage,
        init_cash=sets.cash,
        freq="1D",
        engine=sets.engine,
    )
    year = f"{sets.periods_per_year:g}D"
    figures = (
        portfolio.total_return(),
        portfolio.sharpe_ratio(year_freq=year),
        portfolio.max_drawdown(),
        portfolio.trades.count(),
    )
    return [figure.to_numpy() for figure in figures]


def run(sets: Any) -> tuple[float, dict[str, Any]]:
    block(sets, sets.pairs[:2])
    began = time.perf_counter()
    blocks = [block(sets, sets.pairs[first : first + sets.block]) for first in range(0, len(sets.pairs), sets.block)]
    seconds = time.perf_counter() - began
    names = ("total_return", "sharpe", "max_drawdown", "trades")
    return seconds, {name: np.concatenate(parts) for name, parts in zip(names, zip(*blocks, strict=True), strict=True)}


if __name__ == "__main__":
    serve("vectorbt", run)
