"""What reversion rules share: buying what is low and holding it until it is high enough."""

from admf_ray.core.kernels import shared

__all__ = ["held_until"]


@shared
def held_until(held: float, value: float, low: float, high: float) -> float:
    """Give the target after this bar: 1 where ``value < low``, 0 where ``value >= high``, else what was held before.

    Parameters
    ----------
    held : float
        Target after the previous bar.
    value, low, high : float
        NaN in any changes nothing.
    """
    if value < low:
        return 1.0
    if value >= high:
        return 0.0
    return held
