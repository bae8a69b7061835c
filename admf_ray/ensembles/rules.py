"""Three rules: the weighted sum, the majority, and whoever wants most. A member without weight has no say in any."""

import math
from typing import Any

from admf_ray.core.kernels import ENSEMBLE, compiled, shared
from admf_ray.core.signs import sign
from admf_ray.ensembles.registry import ENSEMBLES, Ensemble

__all__ = ["strongest", "vote", "weighted"]


_ROUNDING = 1e-12


@shared
def _balanced(total: float) -> float:
    """Give a sum without the rounding that is left where shares cancel, within full exposure."""
    return 0.0 if abs(total) < _ROUNDING else min(1.0, max(-1.0, total))


@shared
def _speaks(weight: float, target: float) -> bool:
    """Say whether a member has a weight and knows what it wants."""
    return weight > 0.0 and target == target


@compiled(ENSEMBLE)
def weighted(targets: Any, weights: Any, start: int, stop: int, shares: Any, out: Any) -> None:
    """Sum of weights times targets, in the order of the members; the share of each is its term."""
    for s in range(targets.shape[1]):
        for t in range(start, stop):
            total = 0.0
            known = False
            for m in range(targets.shape[0]):
                target = targets[m, s, t]
                speaks = _speaks(weights[m], target)
                # Adding 0 makes a share of -0 one of 0.
                share = weights[m] * target + 0.0 if speaks else 0.0
                known |= speaks
                shares[m, s, t] = share
                total += share
            out[s, t] = _balanced(total) if known else math.nan


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
                speaks = _speaks(weights[m], target)
                share = weights[m] * sign(target) if speaks else 0.0
                known |= speaks
                shares[m, s, t] = share
                total += share
            out[s, t] = sign(_balanced(total)) if known else math.nan


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
                if _speaks(weights[m], target) and weights[m] * abs(target) > most:
                    best = m
                    most = weights[m] * abs(target)
            out[s, t] = math.nan
            if best >= 0:
                out[s, t] = targets[best, s, t] + 0.0
                shares[best, s, t] = targets[best, s, t] + 0.0


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
