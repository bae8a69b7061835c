"""Round trips out of the ledger: from flat to flat."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.core.records import Reason

__all__ = ["PROTECTIVE", "TRADE", "round_trips"]

PROTECTIVE = (Reason.STOP_LOSS, Reason.TAKE_PROFIT, Reason.TRAILING_STOP)
"""Reasons of fills somewhere inside a bar; all others are at its open or its close."""

TRADE = np.dtype(
    [
        ("symbol", "i8"),
        ("entry_bar", "i8"),
        ("exit_bar", "i8"),
        ("quantity", "f8"),  # largest held, negative for a short
        ("entry_price", "f8"),  # mean of the fills that opened and added
        ("exit_price", "f8"),  # mean of the fills that reduced and closed
        ("gross", "f8"),  # at fill prices, before costs
        ("costs", "f8"),  # commission and borrowing
        ("net", "f8"),
        ("mae", "f8"),  # worst price while held against the entry price, as a fraction, at most 0
        ("mfe", "f8"),  # best price while held, at least 0
        ("exit_reason", "i8"),
        ("decided", "i8"),  # bar at which the order was made that opened it
    ]
)
"""One closed trade."""


def round_trips(
    ledger: npt.NDArray[Any], bars: Bars, multipliers: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[Any]:
    """Pair the fills of a ledger into closed trades; an open one at the end is left out.

    Parameters
    ----------
    ledger : `FILL` array
        In order of time.
    bars : Bars
        The series that the ledger's bar numbers mean.
    multipliers : float64 array, shape [symbol], optional
        Money a unit and point of price; 1 unless said.

    Returns
    -------
    `TRADE` array
        In order of exit.
    """
    trades = []
    for symbol in range(len(bars.symbols)):
        multiplier = 1.0 if multipliers is None else float(multipliers[symbol])
        own = ledger[ledger["symbol"] == symbol]
        trades += [_trade(fills, bars, multiplier) for fills in _flat_to_flat(own)]
    return np.sort(np.array(trades, dtype=TRADE), order=["exit_bar", "symbol"], kind="stable")


def _flat_to_flat(fills: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Give the fills of each closed trade; one through zero belongs to two, its commission shared by quantity."""
    position = fills["position"]
    before = np.concatenate([[0.0], position[:-1]])
    first = None
    for last in np.flatnonzero((position == 0.0) | (before * position < 0.0)).tolist():
        closing = fills[last : last + 1].copy()
        parts = fills[0 if first is None else first + 1 : last]
        if first is not None and position[first] != 0.0:
            opening = fills[first : first + 1].copy()
            share = abs(position[first] / opening["quantity"])
            opening["commission"] *= share
            opening["borrowed"] = 0.0
            opening["quantity"] = position[first]
            parts = np.concatenate([opening, parts])
        if position[last] != 0.0:
            closing["commission"] *= abs(before[last] / closing["quantity"])
            closing["quantity"] = -before[last]
        yield np.concatenate([parts, closing])
        first = last


def _trade(fills: npt.NDArray[Any], bars: Bars, multiplier: float) -> tuple[Any, ...]:
    symbol = int(fills["symbol"][0])
    side = 1.0 if fills["quantity"][0] > 0.0 else -1.0
    adds = fills["quantity"] * side > 0.0
    value = fills["quantity"] * fills["price"]
    entry_price = value[adds].sum() / fills["quantity"][adds].sum()
    exit_price = value[~adds].sum() / fills["quantity"][~adds].sum()
    entry, exit_ = int(fills["bar"][0]), int(fills["bar"][-1])
    is_immediate = fills["decided"] == fills["bar"]
    left_at_close = is_immediate[-1] and fills["reason"][-1] not in PROTECTIVE
    seen = slice(entry + int(is_immediate[0]), exit_ + int(left_at_close))
    low = np.append(bars.low[symbol, seen], [exit_price, entry_price])
    high = np.append(bars.high[symbol, seen], [exit_price, entry_price])
    worst, best = (np.nanmin(low), np.nanmax(high)) if side > 0.0 else (np.nanmax(high), np.nanmin(low))
    gross = -value.sum() * multiplier
    costs = fills["commission"].sum() + fills["borrowed"].sum()
    return (
        symbol,
        entry,
        exit_,
        side * np.cumsum(fills["quantity"] * side)[adds].max(),
        entry_price,
        exit_price,
        gross,
        costs,
        gross - costs,
        side * (worst / entry_price - 1.0),
        side * (best / entry_price - 1.0),
        fills["reason"][-1],
        fills["decided"][0],
    )
