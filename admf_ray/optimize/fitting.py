"""Fitting classifiers: on given spans of the series and nothing else."""

from importlib import import_module

import numpy as np
import numpy.typing as npt

from admf_ray.engine.setup import Setup
from admf_ray.errors import AdmfError, ConfigError

__all__ = ["fit_watch"]


def fit_watch(setup: Setup, watch: int, span: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Fit one classifier of a composition on a span.

    Parameters
    ----------
    setup : Setup
        The candidate whose parameters the classifier has.
    watch : int
    span : (int, int)
        Half-open, in bars.

    Returns
    -------
    float64 array, shape [number]
        Empty for a classifier that is not fitted.

    Raises
    ------
    ConfigError
        Where it cannot be fitted; names it and the span.
    """
    composition = setup.composition
    watching = composition.watches[watch]
    if watching.classifier.fit is None:
        return np.empty(0)
    slots, params = composition.watched(watch)
    series = np.ascontiguousarray(setup.matrix[setup.rows[setup.watched_symbol(watch), slots], slice(*span)])
    module, _, name = watching.classifier.fit.partition(":")
    fit = getattr(import_module(module), name)
    try:
        fitted: npt.NDArray[np.float64] = fit(series, tuple(setup.params[params].tolist()))
    except AdmfError as error:
        raise ConfigError(f"classifier '{watching.name}', fitted on bars {span[0]} to {span[1]}: {error}") from None
    return fitted
