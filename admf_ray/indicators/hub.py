"""The hub: one read-only matrix of every series that any candidate needs, each computed once."""

import time
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.indicators.key import Key
from admf_ray.indicators.plan import Plan
from admf_ray.indicators.registry import INDICATORS

__all__ = ["Hub", "HubCounters", "compute_hub"]


@dataclass(frozen=True, slots=True)
class HubCounters:
    """What the hub saved.

    Attributes
    ----------
    requested : int
        Series asked for, over all candidates.
    unique : int
        Different series among them.
    computed : int
        Indicators computed, parts of others included.
    bytes : int
        Size of the matrix.
    """

    requested: int
    unique: int
    computed: int
    bytes: int

    @property
    def reused(self) -> int:
        """Requests that an earlier computation served."""
        return self.requested - self.unique

    def record(self) -> dict[str, int]:
        """Give all counters by name."""
        return asdict(self) | {"reused": self.reused}


@dataclass(frozen=True, slots=True)
class Hub:
    """Computed series.

    Attributes
    ----------
    matrix : float64 array, shape [key, time], read-only
        Raw open, high, low, close, volume of each symbol first.
    session : int32 array, shape [time], read-only
    rows : dict of Key to int
    counters : HubCounters
    seconds : float
        Spent computing.
    """

    matrix: npt.NDArray[np.float64]
    session: npt.NDArray[np.int32]
    rows: dict[Key, int]
    counters: HubCounters
    seconds: float


def compute_hub(bars: Bars, plan: Plan, requested: int, unique: int) -> Hub:
    """Compute every step of a plan over the whole series.

    Indicators run from bar 0 and see past bars only, so windows need no hub of their own.

    Parameters
    ----------
    bars : Bars
    plan : Plan
        For the symbols of the bars.
    requested, unique : int
        For the counters: series that candidates asked for, and how many different ones.
    """
    began = time.perf_counter()
    matrix = np.empty((plan.height, len(bars)))
    for symbol in range(len(bars.symbols)):
        for f, field in enumerate(FIELDS):
            matrix[5 * symbol + f] = getattr(bars, field)[symbol]
    for step in plan.steps:
        indicator = INDICATORS[step.key.name]
        state = np.zeros(indicator.state_size(step.key.parameters))
        out = matrix[step.row : step.row + len(indicator.outputs)]
        reads = np.array(step.reads, dtype=np.int64)
        parameters = np.array(step.key.parameters)
        indicator.kernel(matrix, reads, bars.session, parameters, state, 0, len(bars), out)
    matrix.flags.writeable = False
    counters = HubCounters(requested=requested, unique=unique, computed=len(plan.steps), bytes=matrix.nbytes)
    return Hub(matrix, bars.session, plan.rows, counters, time.perf_counter() - began)
