"""How long recursive values remember where they began."""

import math
import sys

__all__ = ["NEVER", "smoothing_convergence"]

NEVER = sys.maxsize
"""Convergence of what depends on its first bar for ever. So it is said of what forgets after bars that the parameters
cannot tell: sums since the session began, filters whose memory is fitted."""


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
