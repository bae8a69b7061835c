"""The events that an account publishes, made from what the compiled simulation has kept of it."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.events import Bar, Event, Fill, Portfolio


def ledger_events(
    bars: Bars, start: int, stop: int, fills: Any, equity: Any, position: Any, container_id: str
) -> Iterator[Event[Any]]:
    """Give for each bar of ``[start, stop)`` the BAR of every symbol that has one, its FILLs, and PORTFOLIO.

    ``fills`` is a `FILL` array; ``equity`` has the shape [bar], ``position`` [symbol, bar], both of the segment. What
    PORTFOLIO says of cash leaves out interest and borrowing since the newest fill.
    """
    rows = (dict(zip(fills.dtype.names, row, strict=True)) for row in fills.tolist())
    filled = {bar: list(of_bar) for bar, of_bar in groupby(rows, itemgetter("bar"))}
    cash = 0.0
    for column, bar in enumerate(range(start, stop)):
        moment = int(bars.known_at[bar])
        for s, symbol in enumerate(bars.symbols):
            prices = [float(getattr(bars, name)[s, bar]) for name in FIELDS]
            if prices[3] == prices[3]:
                yield Event(Bar(symbol, bar, *prices), "feed", container_id, moment)
        for row in filled.pop(bar, ()):
            cash = row["cash"]
            fill = Fill(container_id, **{**row, "symbol": bars.symbols[row["symbol"]]})
            yield Event(fill, "execution", container_id, moment)
        held = tuple(position[:, column].tolist())
        state = Portfolio(bar, float(equity[column]), cash if any(held) else float(equity[column]), held)
        yield Event(state, "portfolio", container_id, moment)
    assert not filled
