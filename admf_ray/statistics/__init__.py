"""Statistics: arrays in, numbers out."""

from admf_ray.statistics.returns import (
    CalendarReturns,
    calendar_returns,
    drawdown,
    per_bar_returns,
    relative,
    rolling_sharpe,
    volatility_matched,
)

__all__ = [
    "CalendarReturns",
    "calendar_returns",
    "drawdown",
    "per_bar_returns",
    "relative",
    "rolling_sharpe",
    "volatility_matched",
]
