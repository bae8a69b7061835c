"""Fitting classifiers: on given spans of the series and nothing else."""

from importlib import import_module

import numpy as np
import numpy.typing as npt

from admf_ray.data.spans import Stretch, pieces_of
from admf_ray.engine.setup import Setup
from admf_ray.errors import AdmfError, ConfigError

__all__ = ["fit_watch", "fitting_span"]


def fitting_span(stretch: Stretch) -> tuple[int, int]:
    """Give the span of bars to fit on.

    Raises
    ------
    ConfigError
        Where there are several pieces: what follows a gap does not go on from what came before it.
    """
    pieces = pieces_of(stretch)
    if len(pieces) > 1:
        raise ConfigError(
            f"classifier: it is fitted, and {len(pieces)} pieces of bars with gaps between are no span to fit on; "
            "allowed: classifiers that are not fitted, or windows=rolling, anchored or split"
        )
    return pieces[0]


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
