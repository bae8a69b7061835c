"""The audit of a ledger: it is replayed, fill by fill and bar by bar, and all that it says must come out again."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.records import AccountKind, Reason
from admf_ray.errors import ContractError
from admf_ray.portfolio.account import accrue, borrowing_cost
from admf_ray.portfolio.trades import PROTECTIVE, round_trips

__all__ = ["Ledger", "audit", "violations"]

_AT_ONCE = (*PROTECTIVE, Reason.FLATTEN, Reason.DELISTED)
_RELATIVE = 1e-9
_SHOWN = 5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What an account says about itself.

    Attributes
    ----------
    bars : Bars
        The series that its bar numbers mean.
    start : int
        First bar of its segment.
    fills : `FILL` array
    equity : float64 array, shape [bar]
        At each close of the segment.
    position : float64 array, shape [symbol, bar]
    holdings : `HOLDING` array, shape [symbol]
        From which it started: multipliers.
    rules : `RULES` array, shape [1]
        Initial cash, kind of account, rates on cash and shorts.
    """

    bars: Bars
    start: int
    fills: npt.NDArray[Any]
    equity: Array
    position: Array
    holdings: npt.NDArray[Any]
    rules: npt.NDArray[Any]


def audit(ledger: Ledger, name: str) -> None:
    """Refuse a ledger that contradicts itself or its bars.

    Raises
    ------
    ContractError
        Names the ledger and what is wrong with it.
    """
    if found := list(itertools.islice(violations(ledger), _SHOWN)):
        raise ContractError(f"the ledger of {name} does not add up: {'; '.join(found)}")


def violations(ledger: Ledger) -> Iterator[str]:
    """Give what is wrong with a ledger, a line each; nothing where all is well.

    Order: every fill belongs to one order, every order to one signal, and nothing is filled before it was decided.
    Money: cash, positions and equity come out exactly. Prices: no fill is better than its bar. Trades: the round trips
    add up to the change of equity.
    """
    misplaced = list(_misplaced(ledger))
    yield from misplaced
    if misplaced:
        return
    yield from _disordered(ledger.fills)
    yield from _impossible(ledger)
    wrong = list(_replayed(ledger))
    yield from wrong
    if not wrong:
        yield from _unbalanced(ledger)


def _misplaced(ledger: Ledger) -> Iterator[str]:
    fills, stop = ledger.fills, ledger.start + len(ledger.equity)
    for fill in fills[(fills["bar"] < ledger.start) | (fills["bar"] >= stop)]:
        yield f"a fill at bar {fill['bar']}, outside of {ledger.start} to {stop}"
    for fill in fills[(fills["symbol"] < 0) | (fills["symbol"] >= len(ledger.holdings))]:
        yield f"a fill of symbol {fill['symbol']}; there are {len(ledger.holdings)}"
    for k in np.flatnonzero(np.diff(fills["bar"]) < 0).tolist():
        yield f"fill {k + 1} is at bar {fills['bar'][k + 1]}, after one at bar {fills['bar'][k]}"


def _disordered(fills: npt.NDArray[Any]) -> Iterator[str]:
    orders: dict[int, tuple[int, ...]] = {}
    for k, fill in enumerate(fills):
        number = int(fill["order"])
        about = tuple(int(fill[name]) for name in ("symbol", "signal", "decided", "reason"))
        if number < 1 or orders.setdefault(number, about) != about:
            yield f"fill {k} of order {number} has another symbol, signal, decision or reason than that order"
        if fill["decided"] > fill["bar"]:
            yield f"fill {k} is at bar {fill['bar']}, before its order was decided at bar {fill['decided']}"
        if fill["reason"] in _AT_ONCE and fill["decided"] != fill["bar"]:
            yield f"fill {k} ({Reason(int(fill['reason'])).name}) is at bar {fill['bar']}, not at once"
    in_order = sorted(orders.items())
    for (one, before), (other, after) in itertools.pairwise(in_order):
        if after[2] < before[2]:
            yield f"order {other} was decided at bar {after[2]}, before order {one} at bar {before[2]}"
    signals = [about[1] for _, about in in_order if about[3] == Reason.SIGNAL]
    if signals != sorted(set(signals)) or (signals and signals[0] < 1):
        yield f"orders refer to signals {signals}, which are not one each and in order"


def _impossible(ledger: Ledger) -> Iterator[str]:
    fills = ledger.fills
    # Where the checks of the data are off, an open may lie outside of low to high.
    prices = [getattr(ledger.bars, name)[fills["symbol"], fills["bar"]] for name in FIELDS[:4]]
    high, low = np.maximum.reduce(prices), np.minimum.reduce(prices)
    buys = fills["quantity"] > 0.0
    # A position that is closed with its segment may be valued at an earlier close.
    there = ~np.isnan(low)
    missing = ~there & (fills["reason"] != Reason.FLATTEN)
    better = there & np.where(buys, fills["price"] < low, fills["price"] > high)
    wrong = missing | better | ~(fills["price"] >= 0.0) | ~(fills["commission"] >= 0.0) | (fills["quantity"] == 0.0)
    for k in np.flatnonzero(wrong).tolist():
        fill = fills[k]
        yield (
            f"fill {k} of {fill['quantity']:g} at {fill['price']:g} with {fill['commission']:g} commission is not "
            f"possible at bar {fill['bar']} ({low[k]:g} to {high[k]:g})"
        )


def _replayed(ledger: Ledger) -> Iterator[str]:
    rules, multiplier = ledger.rules[0], ledger.holdings["multiplier"]
    cash = float(rules["cash"])
    quantity, price = np.zeros(len(multiplier)), np.zeros(len(multiplier))
    fills, k = ledger.fills, 0
    for column, equity in enumerate(ledger.equity.tolist()):
        bar = ledger.start + column
        if column:
            shorts = -np.minimum(quantity, 0.0) * price * multiplier
            cash = cash + accrue(cash, float(np.cumsum(shorts)[-1]), rules)
            for s in np.flatnonzero(shorts).tolist():
                cash = cash - borrowing_cost(quantity[s], price[s], multiplier[s], rules)
        while k < len(fills) and fills["bar"][k] == bar:
            fill, s = fills[k], int(fills["symbol"][k])
            cash = cash - fill["quantity"] * (fill["price"] * multiplier[s]) - fill["commission"]
            quantity[s] = quantity[s] + fill["quantity"]
            if cash != fill["cash"]:
                yield f"fill {k} leaves {cash!r} in cash, the ledger says {float(fill['cash'])!r}"
                return
            if quantity[s] != fill["position"]:
                yield f"fill {k} leaves a position of {quantity[s]!r}, the ledger says {float(fill['position'])!r}"
                return
            if rules["account"] == AccountKind.CASH and (cash < 0.0 or quantity[s] < 0.0):
                yield f"fill {k} leaves {cash:g} in cash and {quantity[s]:g} units in a cash account"
            k += 1
        close = ledger.bars.close[:, bar]
        price = np.where(np.isnan(close), price, close)
        value = float(np.cumsum(np.concatenate([[cash], quantity * price * multiplier]))[-1])
        if value != equity:
            yield f"equity at bar {bar} is {value!r}, the path says {equity!r}"
            return
        if (quantity != ledger.position[:, column]).any():
            yield f"positions at bar {bar} are {quantity.tolist()}, the path says {ledger.position[:, column].tolist()}"
            return


def _unbalanced(ledger: Ledger) -> Iterator[str]:
    rules, multiplier = ledger.rules[0], ledger.holdings["multiplier"]
    carries = rules["interest"] != 0.0 or rules["loan_rate"] != 0.0
    if carries or not len(ledger.equity) or (ledger.position[:, -1] != 0.0).any():
        return
    trades = round_trips(ledger.fills, ledger.bars, multiplier)
    moved = np.abs(ledger.fills["quantity"] * ledger.fills["price"] * multiplier[ledger.fills["symbol"]]).sum()
    earned, change = float(trades["net"].sum()), float(ledger.equity[-1] - rules["cash"])
    if abs(earned - change) > _RELATIVE * (rules["cash"] + moved):
        yield f"trades earned {earned!r}, equity changed by {change!r}"
