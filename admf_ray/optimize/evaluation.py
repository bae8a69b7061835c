"""Evaluating what studies propose: sets of parameters over the train span of a window, on whatever host."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.data.spans import bars_in
from admf_ray.engine.composition import Composition
from admf_ray.indicators import Hub
from admf_ray.optimize.blocks import blocks_of, swept_spans, worst_blocks
from admf_ray.optimize.search import Search, plan_search
from admf_ray.optimize.space import Candidates
from admf_ray.optimize.trials import Failed, halved, simulated
from admf_ray.plugins import activate

__all__ = [
    "EVALUATE",
    "MOST_KEPT",
    "Evaluated",
    "Known",
    "Params",
    "Proposed",
    "Stage",
    "as_params",
    "evaluate",
    "parted",
]

EVALUATE = "admf_ray.optimize.evaluation:evaluate"
"""What evaluates chunks of proposed sets; `parted` splits those that fail."""

MOST_KEPT = 200_000_000
"""Bytes of series that a study keeps from one chunk to the next; of more it begins anew, and computes some again."""

Params = tuple[float, ...]
"""One parameter set, in the order of the space's parameters; made by `as_params`."""


def as_params(values: Iterable[float]) -> Params:
    """Give a parameter set as a key: what is not in play is always the same NaN, as a NaN equals itself only.

    Examples
    --------
    >>> as_params([1.0, float("nan")]) == as_params([1.0, float("nan")])
    True
    """
    return tuple(math.nan if math.isnan(value) else value for value in values)


Stage = int | None
"""What a set is evaluated on: a block of the train span, by its number, or None for the whole of it."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """Sets that a study proposed: a chunk.

    Attributes
    ----------
    window : int
    sets : sequence of Params
    stage : Stage
    """

    window: int
    sets: Sequence[Params]
    stage: Stage = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What proposed sets came to.

    Attributes
    ----------
    metrics : float64 array, shape [set, len(METRICS)]
    worst_block : float64 array, shape [set]
        See `admf_ray.optimize.blocks.WORST_BLOCK`; NaN where it does not decide.
    bars : int
        That were simulated of each set.
    containers : list of dict
        That live on the host; see `admf_ray.engine.hosting.live_containers`.
    """

    metrics: npt.NDArray[np.float64]
    worst_block: npt.NDArray[np.float64]
    bars: int
    containers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one set at one stage of one window.

    Attributes
    ----------
    metrics : float64 array, shape [len(METRICS)]
        NaN where it failed.
    worst_block : float
        As of `Evaluated`.
    failed : Failed or None
        With a row that is to be filled in.
    """

    metrics: npt.NDArray[np.float64]
    worst_block: float = math.nan
    failed: Failed | None = None


def evaluate(chunk: Proposed, bundle: Mapping[str, Any]) -> Evaluated:
    """Evaluate sets; what hosts call.

    Parameters
    ----------
    chunk : Proposed
    bundle : mapping
        See `admf_ray.optimize.search.Search.study_bundle`; besides, where series are kept from one chunk to the next,
        the dictionary ``kept`` that keeps them.
    """
    activate(bundle["plugins"])
    composition = Composition.named(bundle["composition"])
    names = bundle["names"]
    params = np.array(chunk.sets, dtype=np.float64).reshape(len(chunk.sets), len(names))
    listed = Candidates.listed(names, params)
    planned = plan_search(bundle["bars"], composition, listed, bundle["account"])
    search: Search = replace(planned, engine=bundle["engine"], fit=bundle["fit"])
    kept = bundle.get("kept", {})
    # A hub that cannot compute a series is left, with those that it had planned; so is one that has grown large.
    hub = kept.pop("hub", None)
    if hub is None or hub.counters.bytes > MOST_KEPT:
        hub = Hub(bundle["bars"])
    hub.subscribe(search.keys)
    kept["hub"] = hub
    wanted = search.requests.wanted(search.candidates, 0, len(params))
    span, choice = bundle["spans"][chunk.window], bundle["choice"]
    if chunk.stage is None:
        swept, trained = swept_spans([span], choice)
    else:
        swept, trained = [blocks_of(span, choice.blocks)[chunk.stage]], [span]
    own = search.bundle(hub, swept, choice, (), trained) | {"max_containers": bundle.get("max_containers")}
    metrics, containers = simulated(params, wanted, own)
    worst = worst_blocks(metrics[:, 1:], choice)[:, 0] if len(swept) > 1 else np.full(len(params), np.nan)
    return Evaluated(metrics[:, 0], worst, sum(map(bars_in, swept)), containers)


def parted(chunk: Proposed) -> list[Proposed]:
    """Give the halves of a chunk; of a single set nothing."""
    return [replace(chunk, sets=chunk.sets[first:stop]) for first, stop in halved((0, len(chunk.sets)))]
