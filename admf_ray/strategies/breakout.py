"""What breakout rules share: being long from a rise beyond one level until a fall beyond another."""

from admf_ray.core.kernels import shared

__all__ = ["held_beyond"]


@shared
def held_beyond(held: float, value: float, low: float, high: float) -> float:
    """Give the target after this bar: 1 where ``value > high``, 0 where ``value < low``, else what was held before.

    Parameters
    ----------
    held : float
        Target after the previous bar.
    value, low, high : float
        A level that is NaN is not broken; a value that is NaN breaks none.

    Examples
    --------
    >>> held_beyond(0.0, 12.0, 8.0, 11.0), held_beyond(1.0, 11.0, 8.0, 11.0), held_beyond(1.0, 7.0, 8.0, 11.0)
    (1.0, 1.0, 0.0)
    """
    if value > high:
        return 1.0
    if value < low:
        return 0.0
    return held
