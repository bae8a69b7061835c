"""How long recursive values remember where they began."""

import math

__all__ = ["smoothing_convergence"]


def smoothing_convergence(weight: float) -> int:
    """Give the bars after which exponential smoothing has forgotten all but 1e-9 of where it began.

    Parameters
    ----------
    weight : float
        Of the newest value, in (0, 1].

    Examples
    --------
    >>> smoothing_convergence(0.5), smoothing_convergence(1.0)
    (30, 1)
    """
    return 1 if weight >= 1.0 else math.ceil(math.log(1e-9) / math.log1p(-weight))
