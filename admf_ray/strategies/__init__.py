"""Strategies: indicators in, targets out; one file for each."""

from admf_ray.strategies import buy_and_hold, price_sma, price_threshold, sma_cross  # noqa: F401  (they register)
from admf_ray.strategies.registry import STRATEGIES, Strategy

__all__ = ["STRATEGIES", "Strategy"]
