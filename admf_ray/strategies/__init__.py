"""Strategies: indicators in, targets out; one file for each."""

from admf_ray.strategies import (  # noqa: F401  (they register)
    bollinger_reversion,
    buy_and_hold,
    ema_cross,
    price_sma,
    price_threshold,
    rsi_reversion,
    sma_cross,
)
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["STRATEGIES", "Strategy"]
