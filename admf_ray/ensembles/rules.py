"""Three rules: the weighted mean, the majority, and whoever wants most."""

import math
from typing import Any

from admf_ray.core.kernels import ENSEMBLE, compiled, shared
from admf_ray.core.signs import sign
from admf_ray.ensembles.registry import ENSEMBLES, Ensemble

__all__ = ["strongest", "vote", "weighted"]


@shared
def _clipped(target: float) -> float:
    """Give a target within full exposure: weights that add up to 1 may exceed it by a rounding."""
    return min(1.0, max(-1.0, target))


@compiled(ENSEMBLE)
def weighted(targets: Any, weights: Any, start: int, stop: int, shares: Any, out: Any) -> None:
    """Sum of weights times targets, in the order of the members; the share of each is its term."""
    for s in range(targets.shape[1]):
        for t in range(start, stop):
            total = 0.0
            known = False
            for m in range(targets.shape[0]):
                target = targets[m, s, t]
                share = weights[m] * target if target == target else 0.0
                known |= target == target
                shares[m, s, t] = share
                total += share
            out[s, t] = _clipped(total) if known else math.nan


@compiled(ENSEMBLE)
def vote(targets: Any, weights: Any, start: int, stop: int, shares: Any, out: Any) -> None:
    """Full exposure to the side that more weight is on, 0 in a tie; the share of a member is its signed weight.

    Members that are flat take no side, how much the others want does not matter.
    """
    for s in range(targets.shape[1]):
        for t in range(start, stop):
            total = 0.0
            known = False
            for m in range(targets.shape[0]):
                target = targets[m, s, t]
                share = weights[m] * sign(target) if target == target else 0.0
                known |= target == target
                shares[m, s, t] = share
                total += share
            out[s, t] = sign(total) if known else math.nan


@compiled(ENSEMBLE)
def strongest(targets: Any, weights: Any, start: int, stop: int, shares: Any, out: Any) -> None:
    """Target of the member with the largest weight times target, either way; of equal ones the first.

    All of the share is its.
    """
    for s in range(targets.shape[1]):
        for t in range(start, stop):
            best = -1
            most = -1.0
            for m in range(targets.shape[0]):
                target = targets[m, s, t]
                shares[m, s, t] = 0.0
                if weights[m] * abs(target) > most:
                    best = m
                    most = weights[m] * abs(target)
            out[s, t] = math.nan
            if best >= 0:
                out[s, t] = targets[best, s, t]
                shares[best, s, t] = targets[best, s, t]


ENSEMBLES.add(
    Ensemble(
        name="weighted",
        kernel=weighted,
        source="Bates and Granger, The Combination of Forecasts, Operational Research Quarterly 20 (1969)",
    )
)
ENSEMBLES.add(
    Ensemble(
        name="vote",
        kernel=vote,
        source="Littlestone and Warmuth, The Weighted Majority Algorithm, Information and Computation 108 (1994)",
    )
)
ENSEMBLES.add(
    Ensemble(
        name="strongest",
        kernel=strongest,
        source="the admission rule of the platform: one opinion at a time, that which is held most strongly",
    )
)
