"""Borders between levels of a series: quantiles of what it was."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from admf_ray.errors import DataError

__all__ = ["fit_borders"]

Array = npt.NDArray[np.float64]


def fit_borders(series: Array, parameters: Sequence[float]) -> Array:
    """Give the borders that cut the known values of a series into levels of equal share.

    Border k of n levels is the quantile k / n, linear between the two nearest values: Hyndman and Fan, Sample Quantiles
    in Statistical Packages, American Statistician 50 (1996), definition 7.

    Parameters
    ----------
    series : float64 array, shape [1, bar]
        Values over the span that is fitted on; those that are not finite are left out.
    parameters : sequence of float
        Of the classifier; the last is how many levels.

    Returns
    -------
    float64 array, shape [level - 1]
        In ascending order.

    Raises
    ------
    DataError
        Where fewer values are known than there are levels.

    Examples
    --------
    >>> fit_borders(np.array([[np.nan, 1.0, 2.0, 3.0, 4.0]]), (20.0, 3.0)).tolist()
    [2.0, 3.0]
    """
    levels = int(parameters[-1])
    known = series[0][np.isfinite(series[0])]
    if len(known) < levels:
        raise DataError(
            f"borders between {levels} levels: {len(known)} of {series.shape[1]} values are known; "
            f"allowed: at least {levels}, so a longer span to fit on or a shorter period"
        )
    return np.asarray(np.quantile(known, np.arange(1, levels) / levels, method="linear"), dtype=np.float64)
