"""Records and enums that kernels share: account, holding, rules, fill.

The compiled simulation and the event-driven components keep their state in these same records, which is what makes
both engines agree to the last bit.
"""

from enum import IntEnum, IntFlag

import numpy as np

__all__ = ["ACCOUNT", "FILL", "FINEST_LOTS", "HOLDING", "RULES", "Boundary", "FillPolicy", "Limit", "Reason"]


FINEST_LOTS = 2.0**53
"""Lots beyond which one lot more is below the resolution of a float."""


class FillPolicy(IntEnum):
    """When an order decided at the close of bar t is filled."""

    NEXT_OPEN = 0
    CLOSE = 1


class Boundary(IntEnum):
    """What happens to a position at the last bar of a segment."""

    FLATTEN = 0
    MARK = 1


class Reason(IntEnum):
    """Why an order was made."""

    SIGNAL = 0
    FLATTEN = 1


class Limit(IntFlag):
    """Limits that changed an order; an order names every one that bound."""

    NONE = 0
    CASH = 1
    NO_SHORT = 2


ACCOUNT = np.dtype(
    [
        ("initial", "f8"),  # equity at the start of the segment
        ("cash", "f8"),
        ("equity", "f8"),  # at the newest close
        ("peak", "f8"),  # highest equity so far, the initial one included
        ("drawdown", "f8"),  # worst equity / peak - 1 so far
        ("sum_returns", "f8"),
        ("sum_squares", "f8"),
        ("sum_negative_squares", "f8"),  # of returns in excess of the risk-free rate
        ("gross_profit", "f8"),  # sum of the net results of winning trades
        ("gross_loss", "f8"),  # the same of losing trades, positive
        ("commission", "f8"),
        ("bars", "i8"),
        ("exposed", "i8"),  # bars that closed with a position
        ("trades", "i8"),  # closed ones, flat to flat
        ("wins", "i8"),
        ("signals", "i8"),
        ("orders", "i8"),
        ("fills", "i8"),
    ]
)
"""State of one account over one segment."""

HOLDING = np.dtype(
    [
        ("quantity", "f8"),
        ("price", "f8"),  # newest close, 0 before the first one
        ("target", "f8"),  # the last one emitted as a signal, 0 at the start
        ("pending", "f8"),  # signed quantity of the resting order, 0 for none
        ("trade_cash", "f8"),  # cash flow of the open trade, commission included
        ("limits", "i8"),  # Limit flags of the resting order
        ("order", "i8"),  # number of the newest order, from 1
        ("signal", "i8"),  # number of the newest signal, from 1
    ]
)
"""State of one symbol within an account."""

RULES = np.dtype(
    [
        ("fill", "i8"),
        ("boundary", "i8"),
        ("size", "f8"),  # quantity, cash amount or share of equity, as the sizing says
        ("lot", "f8"),  # 0 = fractional
        ("commission_rate", "f8"),  # of the value of a fill
        ("commission_per_share", "f8"),
        ("commission_minimum", "f8"),  # of the per-share part of one fill
        ("commission_fixed", "f8"),  # per fill
        ("slippage_rate", "f8"),  # of the price
        ("half_spread", "f8"),  # in price units
        ("cash", "f8"),  # initial
        ("risk_free", "f8"),  # per bar
        ("periods", "f8"),  # bars per year
    ]
)
"""The numeric part of a specification: everything that the simulation needs to know beside bars and targets."""

FILL = np.dtype(
    [
        ("bar", "i8"),
        ("symbol", "i8"),
        ("quantity", "f8"),  # signed
        ("price", "f8"),
        ("commission", "f8"),
        ("position", "f8"),  # quantity held after the fill
        ("cash", "f8"),  # after the fill
        ("order", "i8"),
        ("signal", "i8"),
        ("reason", "i8"),
        ("limits", "i8"),
    ]
)
"""One row of the ledger."""
