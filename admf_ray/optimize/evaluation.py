"""Evaluating what studies propose: sets of parameters over the train span of a window, on whatever host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.engine import hosting, sweep
from admf_ray.engine.composition import Composition
from admf_ray.indicators import Hub
from admf_ray.optimize.search import Search, plan_search
from admf_ray.optimize.space import Candidates
from admf_ray.optimize.trials import Failed, halved
from admf_ray.plugins import activate

__all__ = ["EVALUATE", "Evaluated", "Known", "Params", "Proposed", "evaluate", "parted"]

EVALUATE = "admf_ray.optimize.evaluation:evaluate"
"""What evaluates chunks of proposed sets; `parted` splits those that fail."""

Params = tuple[float, ...]
"""One parameter set, in the order of the composition's parameters."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """Sets that a study proposed: a chunk.

    Attributes
    ----------
    window : int
    sets : sequence of Params
    """

    window: int
    sets: Sequence[Params]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What proposed sets came to.

    Attributes
    ----------
    metrics : float64 array, shape [set, len(METRICS)]
    containers : list of dict
        That live on the host; see `admf_ray.engine.hosting.live_containers`.
    """

    metrics: npt.NDArray[np.float64]
    containers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one set in one window.

    Attributes
    ----------
    metrics : float64 array, shape [len(METRICS)]
        NaN where it failed.
    failed : Failed or None
        With a row that is to be filled in.
    """

    metrics: npt.NDArray[np.float64]
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
    params = np.array(chunk.sets, dtype=np.float64).reshape(len(chunk.sets), len(composition.parameters))
    listed = Candidates.listed(composition.parameter_names, params)
    planned = plan_search(bundle["bars"], composition, listed, bundle["account"])
    search: Search = replace(planned, engine=bundle["engine"], fit=bundle["fit"])
    kept = bundle.get("kept", {})
    # A hub that cannot compute a series is left, with those that it had planned.
    hub = kept.pop("hub", None) or Hub(bundle["bars"])
    hub.subscribe(search.keys)
    kept["hub"] = hub
    wanted = search.requests.wanted(search.candidates, 0, len(params))
    own = search.bundle(hub, [bundle["spans"][chunk.window]], bundle["choice"], ())
    is_driven = search.engine == "event_driven"
    metrics = (hosting.run_chunk if is_driven else sweep.run_chunk)(params, wanted, own)[:, 0]
    return Evaluated(metrics, hosting.live_containers() if is_driven else [])


def parted(chunk: Proposed) -> list[Proposed]:
    """Give the halves of a chunk; of a single set nothing."""
    return [replace(chunk, sets=chunk.sets[first:stop]) for first, stop in halved((0, len(chunk.sets)))]
