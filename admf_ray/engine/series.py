"""Computing rows of the hub on hosts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.indicators import Step, compute_step
from admf_ray.plugins import activate

__all__ = ["run_steps"]


def run_steps(chunk: Sequence[Step], bundle: Mapping[str, Any]) -> list[npt.NDArray[np.float64]]:
    """Compute steps whose inputs are there; what hosts call.

    Parameters
    ----------
    chunk : sequence of Step
        None of them reads another one.
    bundle : mapping
        ``plugins``, ``matrix`` and ``session``.

    Returns
    -------
    list of float64 array, shape [output, time]
    """
    activate(bundle["plugins"])
    return [compute_step(step, bundle["matrix"], bundle["session"]) for step in chunk]
