"""NautilusTrader: a BacktestEngine for each pair, market orders filled at the close of the bar that they follow."""

import time
from decimal import Decimal
from typing import Any

import numpy as np
from exchange import frame, long_states, serve
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, CurrencyType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Currency, Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("X")
INSTRUMENT = InstrumentId(Symbol("X"), VENUE)
DAILY = BarType.from_str(f"{INSTRUMENT}-1-DAY-LAST-EXTERNAL")
DECIMALS = 9
# Dollars would round the money of each fill to cents.
MONEY = Currency("FINE", DECIMALS, 0, "dollars with nine decimals", CurrencyType.FIAT)


class Crossing(Strategy):
    def __init__(self, above: Any, commission: float) -> None:
        super().__init__()
        self.above = iter(above.tolist())
        self.commission = commission
        self.trades = 0

    def on_start(self) -> None:
        self.subscribe_bars(DAILY)

    def on_bar(self, bar: Any) -> None:
        flat = self.portfolio.is_flat(INSTRUMENT)
        if next(self.above):
            if flat:
                cash = self.portfolio.account(VENUE).balance_free().as_double()
                size = Quantity(cash // (bar.close.as_double() * (1.0 + self.commission)), 0)
                self.submit_order(self.order_factory.market(INSTRUMENT, OrderSide.BUY, size))
        elif not flat:
            self.close_all_positions(INSTRUMENT)

    def on_position_closed(self, event: Any) -> None:
        self.trades += 1


def backtest(sets: Any, equity: Equity, bars: list[Any], above: Any) -> tuple[float, int]:
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, [Money(sets.cash, MONEY)], base_currency=MONEY)
    engine.add_instrument(equity)
    engine.add_data(bars)
    strategy = Crossing(above, sets.commission)
    engine.add_strategy(strategy)
    engine.run()
    held = float(engine.portfolio.net_position(INSTRUMENT)) * bars[-1].close.as_double()
    value = engine.portfolio.account(VENUE).balance_total().as_double() + held
    engine.dispose()
    return value / sets.cash - 1.0, strategy.trades


def run(sets: Any) -> tuple[float, dict[str, Any]]:
    equity = Equity(
        INSTRUMENT,
        INSTRUMENT.symbol,
        MONEY,
        price_precision=DECIMALS,
        price_increment=Price(10.0**-DECIMALS, DECIMALS),
        lot_size=Quantity(1, 0),
        ts_event=0,
        ts_init=0,
        taker_fee=Decimal(str(sets.commission)),
    )
    bars = BarDataWrangler(DAILY, equity).process(frame(sets))
    above, _ = long_states(sets, sets.pairs)
    backtest(sets, equity, bars, above[:, 0])
    began = time.perf_counter()
    results = [backtest(sets, equity, bars, above[:, index]) for index in range(len(sets.pairs))]
    seconds = time.perf_counter() - began
    returns, trades = zip(*results, strict=True)
    return seconds, {"total_return": np.array(returns), "trades": np.array(trades)}


if __name__ == "__main__":
    serve("nautilus_trader", run)
