"""Indicators: keys, kernels, and the hub that computes each unique key once."""

from admf_ray.indicators.hub import Hub, HubCounters, Stream, check_plan, compute_hub, compute_step
from admf_ray.indicators.key import Key
from admf_ray.indicators.plan import Plan, Step, plan_keys, template_keys
from admf_ray.indicators.registry import INDICATORS, Indicator

__all__ = [
    "INDICATORS",
    "Hub",
    "HubCounters",
    "Indicator",
    "Key",
    "Plan",
    "Step",
    "Stream",
    "check_plan",
    "compute_hub",
    "compute_step",
    "plan_keys",
    "template_keys",
]
