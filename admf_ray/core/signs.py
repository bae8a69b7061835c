"""Sides of quantities and targets; products of tiny ones would lose their sign."""

from admf_ray.core.kernels import shared

__all__ = ["opposes", "sign"]


@shared
def sign(value: float) -> float:
    """Give +1, -1 or 0."""
    return 1.0 if value > 0.0 else -1.0 if value < 0.0 else 0.0


@shared
def opposes(one: float, other: float) -> bool:
    """Say whether one is above 0 and the other below."""
    return one > 0.0 > other or one < 0.0 < other
