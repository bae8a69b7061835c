"""Records and enums that kernels share: account, holding, rules, limit, fill.

The compiled simulation and the event-driven components keep their state in these same records, which is what makes
both engines agree to the last bit.
"""

from enum import IntEnum, IntFlag

import numpy as np

__all__ = [
    "ACCOUNT",
    "FILL",
    "FINEST_LOTS",
    "HOLDING",
    "LIMIT",
    "RULES",
    "AccountKind",
    "Boundary",
    "DistanceKind",
    "FillPolicy",
    "Halt",
    "Level",
    "Limit",
    "LimitKind",
    "OrderKind",
    "Reason",
    "Reentry",
    "TimeInForce",
    "bound_flag",
    "limit_names",
]


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


class AccountKind(IntEnum):
    """Whether cash may fall below 0."""

    CASH = 0
    MARGIN = 1


class OrderKind(IntEnum):
    """How an order that opens or adds to a position waits for its price; all others are market orders."""

    MARKET = 0
    LIMIT = 1
    STOP = 2


class TimeInForce(IntEnum):
    """How long a limit or stop order rests: one bar, one session, or until it is replaced."""

    BAR = 0
    DAY = 1
    CANCEL = 2


class Reentry(IntEnum):
    """When a symbol that an exit or a halt has made flat may be entered again."""

    RESET = 0
    IMMEDIATE = 1


class DistanceKind(IntEnum):
    """What the distance of a protective level is: a fraction of the price, a price, a multiple of the ATR."""

    NONE = 0
    PERCENT = 1
    PRICE = 2
    ATR = 3


class Halt(IntEnum):
    """Why an account does not trade."""

    NONE = 0
    DRAWDOWN = 1
    DAILY_LOSS = 2
    RUIN = 3


class Reason(IntEnum):
    """Why an order was made."""

    SIGNAL = 0
    FLATTEN = 1
    REBALANCE = 2
    STOP_LOSS = 3
    TAKE_PROFIT = 4
    TRAILING_STOP = 5
    TIME_STOP = 6
    HALT = 7
    MARGIN_CALL = 8
    DELISTED = 9


class Level(IntEnum):
    """Whose positions a limit looks at: the account's, the strategy's, one symbol's."""

    PORTFOLIO = 0
    STRATEGY = 1
    SYMBOL = 2


class LimitKind(IntEnum):
    """What a limit bounds, as a share of equity; the last one is a number."""

    MAX_POSITION = 0
    MAX_GROSS_LEVERAGE = 1
    MAX_EXPOSURE = 2
    MAX_OPEN_POSITIONS = 3


class Limit(IntFlag):
    """What changed an order; an order names all that bound, declared limits with their level."""

    NONE = 0
    CASH = 1
    NO_SHORT = 2
    PARTICIPATION = 4
    PORTFOLIO_MAX_POSITION = 1 << 3
    PORTFOLIO_MAX_GROSS_LEVERAGE = 1 << 4
    PORTFOLIO_MAX_EXPOSURE = 1 << 5
    PORTFOLIO_MAX_OPEN_POSITIONS = 1 << 6
    STRATEGY_MAX_POSITION = 1 << 7
    STRATEGY_MAX_GROSS_LEVERAGE = 1 << 8
    STRATEGY_MAX_EXPOSURE = 1 << 9
    STRATEGY_MAX_OPEN_POSITIONS = 1 << 10
    SYMBOL_MAX_POSITION = 1 << 11
    SYMBOL_MAX_GROSS_LEVERAGE = 1 << 12
    SYMBOL_MAX_EXPOSURE = 1 << 13


def bound_flag(level: Level, kind: LimitKind) -> Limit:
    """Give the flag of a declared limit.

    Examples
    --------
    >>> bound_flag(Level.STRATEGY, LimitKind.MAX_EXPOSURE).name
    'STRATEGY_MAX_EXPOSURE'
    """
    return Limit[f"{level.name}_{kind.name}"]


def limit_names(flags: int) -> str:
    """Give the names of limits that bound, those that are declared with their level.

    Examples
    --------
    >>> limit_names(Limit.CASH | Limit.SYMBOL_MAX_POSITION)
    'cash+symbol.max_position'
    """
    levels = tuple(level.name for level in Level)
    names = [str(limit.name) for limit in Limit(flags)]
    return "+".join(name.replace("_", "." if name.startswith(levels) else "_", 1).lower() for name in names)


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
        ("interest", "f8"),  # on cash, less that on loans
        ("session_equity", "f8"),  # at the end of the session before this one
        ("halt_peak", "f8"),  # highest equity since the start or the end of a halt
        ("bars", "i8"),
        ("exposed", "i8"),  # bars that closed with a position
        ("trades", "i8"),  # closed ones, flat to flat
        ("wins", "i8"),
        ("signals", "i8"),
        ("orders", "i8"),
        ("fills", "i8"),
        ("halt", "i8"),
        ("halted_at", "i8"),  # bar at which the drawdown halt began
    ]
)
"""State of one account over one segment."""

HOLDING = np.dtype(
    [
        ("quantity", "f8"),
        ("price", "f8"),  # newest close, 0 before the first one
        ("target", "f8"),  # the last one emitted as a signal, 0 at the start
        ("pending", "f8"),  # signed quantity of the waiting order, 0 for none
        ("trade_cash", "f8"),  # cash flow of the open trade, commission and borrowing included
        ("limits", "i8"),  # Limit flags of the waiting order
        ("order", "i8"),  # number of the newest order, from 1
        ("signal", "i8"),  # number of the newest signal, from 1
        ("decided", "i8"),  # bar of the newest order
        ("reason", "i8"),  # of the newest order
        ("kind", "i8"),  # of the waiting order
        ("level", "f8"),  # price of a limit or stop order
        ("session", "i8"),  # first session that the waiting order has seen, -1 for none
        ("order_atr", "f8"),  # ATR at the bar of the newest order
        ("entry", "f8"),  # mean fill price of the open position
        ("best", "f8"),  # highest high of its completed bars, lowest low of a short
        ("atr", "f8"),  # that its levels use
        ("since", "i8"),  # first bar that belongs to it from open to close
        ("held", "i8"),  # its completed bars
        ("tried", "i8"),  # bar at which its waiting order was tried last
        ("blocked", "f8"),  # sign of the targets that may not be entered, 0 for none
        ("borrowed", "f8"),  # cost of borrowing since the newest fill
        ("volume", "f8"),  # of the newest bar
        ("traded_volume", "f8"),  # newest volume above 0
        ("volatility", "f8"),  # newest one that is known, a bar
        # What follows never changes.
        ("multiplier", "f8"),  # money a unit and point of price
        ("tick", "f8"),  # smallest step of a price, 0 for none
        ("lot", "f8"),  # smallest quantity, 0 for fractional
        ("last_bar", "i8"),  # of a delisted symbol; beyond the series for others
        ("volatility_row", "i8"),  # of the hub, -1 for none
        ("atr_row", "i8"),  # of the hub, -1 for none
    ]
)
"""State of one symbol within an account, and what is known of the symbol."""

RULES = np.dtype(
    [
        ("cash", "f8"),  # initial
        ("risk_free", "f8"),  # per bar
        ("periods", "f8"),  # bars per year
        ("fill", "i8"),
        ("boundary", "i8"),
        ("size", "f8"),  # quantity, cash amount, share of equity or volatility, as the sizing says
        ("scaled", "i8"),  # whether the size is a yearly volatility
        ("cap", "f8"),  # of size / volatility
        ("root_periods", "f8"),  # square root of the bars per year
        ("rebalance", "i8"),
        ("rebalance_threshold", "f8"),  # share of equity
        ("minimum_trade", "f8"),  # money
        ("reentry", "i8"),
        ("commission_rate", "f8"),  # of the value of a fill
        ("commission_per_share", "f8"),
        ("commission_minimum", "f8"),  # of the per-share part of one fill
        ("commission_fixed", "f8"),  # per fill
        ("slippage_rate", "f8"),  # of the price
        ("half_spread", "f8"),  # in price units
        ("impact", "f8"),  # in volatilities of a bar, for an order of a bar's volume
        ("participation", "f8"),  # share of a bar's volume, 0 for any
        ("order", "i8"),
        ("offset", "f8"),  # of limit and stop prices from the close, as a fraction
        ("time_in_force", "i8"),
        ("account", "i8"),
        ("allow_short", "i8"),
        ("margin_requirement", "f8"),  # equity / gross value of positions, at least
        ("borrow_rate", "f8"),  # on the value of shorts, per bar
        ("loan_rate", "f8"),  # on negative cash, per bar
        ("interest", "f8"),  # on cash beyond the value of shorts, per bar
        ("stop_kind", "i8"),
        ("stop", "f8"),
        ("profit_kind", "i8"),
        ("profit", "f8"),
        ("trail_kind", "i8"),
        ("trail", "f8"),
        ("needs_atr", "i8"),  # whether any of the levels does
        ("time_stop", "i8"),  # bars, 0 for none
        ("max_drawdown", "f8"),  # 0 for none
        ("drawdown_pause", "i8"),  # bars, 0 until the end of the segment
        ("daily_loss", "f8"),  # 0 for none
    ]
)
"""The numeric part of a specification: everything that the simulation needs to know beside bars and targets."""

LIMIT = np.dtype([("kind", "i8"), ("level", "i8"), ("symbol", "i8"), ("value", "f8"), ("flag", "i8")])
"""One declared limit; symbol -1 for all."""

FILL = np.dtype(
    [
        ("bar", "i8"),
        ("symbol", "i8"),
        ("quantity", "f8"),  # signed
        ("price", "f8"),
        ("commission", "f8"),
        ("borrowed", "f8"),  # cost of borrowing since the symbol's fill before
        ("position", "f8"),  # quantity held after the fill
        ("cash", "f8"),  # after the fill
        ("decided", "i8"),  # bar at which the order was made
        ("order", "i8"),
        ("signal", "i8"),
        ("reason", "i8"),
        ("limits", "i8"),
    ]
)
"""One row of the ledger."""
