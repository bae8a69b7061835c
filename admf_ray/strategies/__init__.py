"""Strategies: indicators in, targets out; one file for each."""

from admf_ray.strategies import (  # noqa: F401  (they register)
    atr_trend,
    bollinger_reversion,
    buy_and_hold,
    donchian_breakout,
    ema_cross,
    macd_trend,
    pairs_zscore,
    price_sma,
    price_threshold,
    rsi_reversion,
    sma_cross,
    time_series_momentum,
    volatility_breakout,
)
from admf_ray.strategies.registry import STRATEGIES, Strategy
from admf_ray.strategies.stage import Stage

__all__ = ["STRATEGIES", "Stage", "Strategy"]
