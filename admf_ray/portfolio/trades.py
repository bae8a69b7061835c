"""Round trips out of the ledger: from flat to flat."""

from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.core.records import FillPolicy, Reason

__all__ = ["TRADE", "round_trips"]

TRADE = np.dtype(
    [
        ("symbol", "i8"),
        ("entry_bar", "i8"),
        ("exit_bar", "i8"),
        ("quantity", "f8"),  # largest held
        ("entry_price", "f8"),  # mean of the buys
        ("exit_price", "f8"),  # mean of the sales
        ("gross", "f8"),  # at fill prices, before commission
        ("costs", "f8"),  # commission
        ("net", "f8"),
        ("mae", "f8"),  # worst low / entry price - 1 while held, at most 0
        ("mfe", "f8"),  # best high / entry price - 1 while held, at least 0
        ("exit_reason", "i8"),
    ]
)
"""One closed trade."""


def round_trips(ledger: npt.NDArray[Any], bars: Bars, fill: FillPolicy) -> npt.NDArray[Any]:
    """Pair the fills of a ledger into closed trades; an open one at the end is left out.

    Parameters
    ----------
    ledger : `FILL` array
        In order of time.
    bars : Bars
        The series that the ledger's bar numbers mean.
    fill : FillPolicy
        Tells which bars a trade saw from open to close.

    Returns
    -------
    `TRADE` array
        In order of exit.
    """
    trades = []
    for symbol in range(len(bars.symbols)):
        fills = ledger[ledger["symbol"] == symbol]
        first = 0
        for last in np.flatnonzero(fills["position"] == 0.0).tolist():
            trades.append(_trade(fills[first : last + 1], bars, fill))
            first = last + 1
    return np.sort(np.array(trades, dtype=TRADE), order=["exit_bar", "symbol"], kind="stable")


def _trade(fills: npt.NDArray[Any], bars: Bars, policy: FillPolicy) -> tuple[Any, ...]:
    symbol = int(fills["symbol"][0])
    bought = fills["quantity"] > 0.0
    value = fills["quantity"] * fills["price"]
    entry_price = value[bought].sum() / fills["quantity"][bought].sum()
    exit_price = value[~bought].sum() / fills["quantity"][~bought].sum()
    entry, exit_ = int(fills["bar"][0]), int(fills["bar"][-1])
    left_at_close = policy == FillPolicy.CLOSE or fills["reason"][-1] == Reason.FLATTEN
    seen = slice(entry + (policy == FillPolicy.CLOSE), exit_ + left_at_close)
    low = np.append(bars.low[symbol, seen], [exit_price, entry_price])
    high = np.append(bars.high[symbol, seen], [exit_price, entry_price])
    gross = -value.sum()
    costs = fills["commission"].sum()
    return (
        symbol,
        entry,
        exit_,
        fills["position"].max(),
        entry_price,
        exit_price,
        gross,
        costs,
        gross - costs,
        np.nanmin(low) / entry_price - 1.0,
        np.nanmax(high) / entry_price - 1.0,
        fills["reason"][-1],
    )
