"""Barriers: what gates a handler, and what it says of the events that it holds back."""

from admf_ray.events.barriers.alignment import DataAlignment
from admf_ray.events.barriers.compositions import AllOf, AnyOf
from admf_ray.events.barriers.gate import Barrier, Gate, Held, Ordering, Reverting
from admf_ray.events.barriers.lockstep import Lockstep
from admf_ray.events.barriers.order_state import OrderState
from admf_ray.events.barriers.timing import Timing

__all__ = [
    "AllOf",
    "AnyOf",
    "Barrier",
    "DataAlignment",
    "Gate",
    "Held",
    "Lockstep",
    "OrderState",
    "Ordering",
    "Reverting",
    "Timing",
]
