"""Drawing candidates: a random or quasi-random set for all windows, or how a study proposes those of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.errors import ConfigError
from admf_ray.optimize.space import Candidates, DrawnRange, Space
from admf_ray.optimize.trials import Failed
from admf_ray.seeding import generator

__all__ = ["ADAPTIVE", "Adaptive", "Studied", "draw_candidates"]

ADAPTIVE = ("tpe", "nsga2", "cmaes")
"""Samplers that learn from what they are told; see `admf_ray.optimize.study`, which is loaded where it runs."""

_ROUNDS = 200
_SOBOL_BITS = 30


@dataclass(frozen=True, slots=True)
class Adaptive:
    """How a study proposes.

    Attributes
    ----------
    sampler : str
        One of `ADAPTIVE`.
    trials : int
        Different parameter sets that are evaluated, at most.
    batch : int
        How many are proposed together before any of them is told.
    seed : int
        Of the run.
    ranges : mapping of str to DrawnRange or sequence of float
        Of the parameters that are searched, and of the others their only value.
    constraints : sequence of str
        Beside the strategy's own.
    points : sequence of mapping
        Sets that come first.
    storage : str or None
        The place where studies are stored besides: see `admf_ray.optimize.place`.
    pruning : {"none", "wilcoxon"}
        Whether sets are given up after some blocks of the train span; see `admf_ray.optimize.pruning`.
    first : int
        Number of the window that the first span belongs to: seeds come out of it.
    """

    sampler: str
    trials: int
    batch: int
    seed: int
    ranges: Mapping[str, DrawnRange | Sequence[float]]
    constraints: Sequence[str] = ()
    points: Sequence[Mapping[str, float]] = ()
    storage: str | None = None
    pruning: str = "none"
    first: int = 0


@dataclass(frozen=True, slots=True)
class Studied:
    """What a study evaluated, in the order in which it was proposed.

    Attributes
    ----------
    window : int
    params : float64 array, shape [trial, parameter]
        No set twice.
    metrics : float64 array, shape [trial, len(METRICS)]
        NaN of a set that failed or was given up.
    worst_block : float64 array, shape [trial]
        See `admf_ray.optimize.blocks.WORST_BLOCK`; NaN where blocks are not asked for.
    pruned : bool array, shape [trial]
        Whether the set was given up.
    proposed : float64 array, shape [proposal, parameter]
        All that was proposed: sets that break constraints and those that were proposed again, too.
    told : float64 array, shape [proposal, objective]
        What the sampler was told of each; NaN where the set failed or was given up.
    bars : int
        That were simulated, of blocks and of the whole span; 0 where the study is read back.
    containers : list of dict
        That live on the host; see `admf_ray.engine.hosting.live_containers`.
    failures : list of Failed
    """

    window: int
    params: npt.NDArray[np.float64]
    metrics: npt.NDArray[np.float64]
    worst_block: npt.NDArray[np.float64]
    pruned: npt.NDArray[np.bool_]
    proposed: npt.NDArray[np.float64]
    told: npt.NDArray[np.float64]
    bars: int = 0
    containers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)


def draw_candidates(
    space: Space, sampler: str, trials: int, seed: int, points: Sequence[Mapping[str, float]] = ()
) -> Candidates:
    """Draw parameter sets that obey the constraints, no set twice.

    Parameters
    ----------
    space : Space
    sampler : {"random", "qmc"}
        Independent draws, or a scrambled Sobol sequence, which fills the space more evenly (Owen, Randomly permuted
        (t,m,s)-nets and (t,s)-sequences, 1995).
    trials : int
        How many; fewer where the space seems to have no more.
    seed : int
        Of the run.
    points : sequence of mapping
        Sets that come first, whatever is drawn.

    Raises
    ------
    ConfigError
        Where no set is found that obeys the constraints.

    Examples
    --------
    >>> from admf_ray.optimize.space import plan_space
    >>> from admf_ray.strategies import STRATEGIES
    >>> entry = STRATEGIES["sma_cross"]
    >>> ranges = {name: DrawnRange(2, 200) for name in entry.parameter_names}
    >>> drawn = draw_candidates(plan_space(entry, {}, ranges), "random", 3, seed=1)
    >>> bool((drawn.values[:, 0] < drawn.values[:, 1]).all()), len(drawn)
    (True, 3)
    """
    rng = generator(seed, "candidates", sampler)
    count = len(space.dimensions)
    sobol = None
    if sampler == "qmc":
        # It takes most of a second to load.
        from scipy.stats import qmc

        sobol = qmc.Sobol(count, bits=_SOBOL_BITS, rng=rng)
    # By their bytes, as what is not in play is NaN, which equals nothing; all NaN are the same here.
    found = dict.fromkeys(row.tobytes() for row in space.points(points) + 0.0)
    for _ in range(_ROUNDS):
        size = max(64, 2 * trials)
        places = rng.random((size, count)) if sobol is None else sobol.random(1 << (size - 1).bit_length())
        values = space.in_play(np.stack([one.at(places[:, d]) for d, one in enumerate(space.dimensions)], axis=1))
        found.update(dict.fromkeys(row.tobytes() for row in values[space.obeying(values)]))
        if len(found) >= trials:
            break
    if not found:
        asked = ", ".join([*space.strategy.constraints, *space.constraints])
        raise ConfigError(f"strategy.space: nothing that was drawn obeys {asked}")
    kept = b"".join(list(found)[: max(trials, len(points))])
    return Candidates.listed(space.names, np.frombuffer(kept).reshape(-1, count))
