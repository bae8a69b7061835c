"""Indicators: keys, kernels, and the hub that computes each unique key once."""

from admf_ray.indicators import cumulative, recursive, rolling, stateless  # noqa: F401  (they register their indicators)
from admf_ray.indicators.hub import Hub, HubCounters, compute_hub
from admf_ray.indicators.key import Key
from admf_ray.indicators.plan import Plan, plan_keys, template_keys
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = [
    "INDICATORS",
    "Hub",
    "HubCounters",
    "Indicator",
    "Key",
    "Plan",
    "compute_hub",
    "plan_keys",
    "template_keys",
]
