"""Trials of a chunk: swept on a host, and cut down there to what is recorded of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray._types import ChunkDone, Fault
from admf_ray.cluster.faults import RUN_WIDE, raised
from admf_ray.engine import hosting, sweep
from admf_ray.optimize.blocks import WORST_BLOCK, worst_blocks
from admf_ray.optimize.objective import Choice, choose, front
from admf_ray.optimize.space import Candidates
from admf_ray.portfolio.metrics import METRICS

__all__ = [
    "BEST",
    "MOST_RECORDED",
    "RECORDS",
    "Failed",
    "Leaders",
    "TrialChunk",
    "failed_trials",
    "halved",
    "recorded_metrics",
    "recording",
    "simulated",
    "sweep_chunk",
    "undivided",
]

RECORDS = ("all", "objective")
"""What is recorded of trials: all metrics of all of them, or of the best `BEST` of each window only."""

BEST = 1_000
"""Trials of a window of which every metric is recorded, whatever is recorded of the others."""

_AT_ONCE = (*RUN_WIDE, MemoryError)
"""Errors that say nothing of a span: of the whole run, or of the machine."""

MOST_RECORDED = 1_000_000
"""Trials of which every metric can be recorded."""


def recording(record: str, trials: int) -> str:
    """Give what is recorded of so many trials: above a million, ``objective`` whatever was asked for."""
    return "objective" if trials > MOST_RECORDED else record


def recorded_metrics(record: str, choice: Choice) -> tuple[str, ...]:
    """Give the metrics that are recorded of all trials, in their order; last `WORST_BLOCK` where it decides."""
    always = {*choice.metrics, "sharpe"}
    metrics = tuple(name for name in METRICS if record == "all" or name in always)
    return (*metrics, WORST_BLOCK) if choice.selection == WORST_BLOCK else metrics


@dataclass(frozen=True, slots=True)
class Leaders:
    """The best trials of one window that could win, and where there are several objectives their Pareto front.

    Attributes
    ----------
    candidates : int64 array, shape [trial]
        Ascending.
    metrics : float64 array, shape [trial, len(METRICS)]
    """

    candidates: npt.NDArray[np.int64]
    metrics: npt.NDArray[np.float64]

    @classmethod
    def of(cls, candidates: npt.NDArray[np.int64], metrics: npt.NDArray[np.float64], choice: Choice) -> "Leaders":
        """Give the best `BEST` of trials in the order of their candidates, and their front."""
        best = choose(metrics, choice, BEST)
        if choice.objectives:
            best = np.union1d(best, front(metrics, choice))
        return cls(candidates[best], metrics[best])

    @classmethod
    def nobody(cls) -> "Leaders":
        """Give those of no trials."""
        return cls(np.empty(0, dtype=np.int64), np.empty((0, len(METRICS))))

    def joined(self, other: "Leaders", choice: Choice) -> "Leaders":
        """Give the best of both; in whatever order chunks are joined, the result is the same."""
        candidates = np.concatenate([self.candidates, other.candidates])
        order = np.argsort(candidates)
        return Leaders.of(candidates[order], np.concatenate([self.metrics, other.metrics])[order], choice)

    def within(self, first: int, stop: int) -> "Leaders":
        """Give those of the candidates ``[first, stop)``."""
        low, high = np.searchsorted(self.candidates, [first, stop])
        return Leaders(self.candidates[low:high], self.metrics[low:high])

    def front(self, choice: Choice) -> "Leaders":
        """Give the Pareto front of the window; see `admf_ray.optimize.objective.front`."""
        best = front(self.metrics, choice)
        return Leaders(self.candidates[best], self.metrics[best])

    def ranked(self, choice: Choice, most: int) -> list[tuple[int, float, dict[str, float]]]:
        """Give the best, at most so many, with their objective and their metrics, the best first; see `choose`.

        Of several objectives they are of the front.
        """
        among = self.front(choice) if choice.objectives else self
        best = choose(among.metrics, choice, most)
        scores = choice.scores({name: among.metrics[best, index] for index, name in enumerate(METRICS)})
        return [
            (int(among.candidates[at]), float(score), dict(zip(METRICS, among.metrics[at].tolist(), strict=True)))
            for at, score in sorted(zip(best.tolist(), scores.tolist(), strict=True), key=lambda one: -one[1])
        ]


@dataclass(frozen=True, slots=True)
class Failed:
    """A candidate that failed.

    Attributes
    ----------
    candidate : int
        In what a study keeps: the row of its set.
    window : int or None
        None: in all of them.
    fault : Fault
    host : str
        Who computed it last.
    attempts : int
        How often it was begun.
    """

    candidate: int
    window: int | None
    fault: Fault
    host: str
    attempts: int

    @classmethod
    def of(cls, done: ChunkDone, candidate: int, window: int | None = None) -> "Failed":
        """Give a candidate that failed as a chunk by itself."""
        assert done.failure is not None
        return cls(candidate, window, done.failure, done.host, done.attempts)


@dataclass(frozen=True, slots=True)
class TrialChunk:
    """What is recorded of the trials of consecutive candidates.

    Attributes
    ----------
    first : int
        Candidate.
    columns : dict of str to float64 array, shape [span, candidate of the chunk]
        Metrics of all trials, and `WORST_BLOCK` where it decides.
    leaders : list of Leaders
        For each span, out of this chunk.
    containers : list of dict
        That live on the host; see `admf_ray.engine.hosting.live_containers`.
    faults : dict of int to Fault
        By span, of a chunk of one candidate that raised in some of them, whose metrics there are NaN.
    """

    first: int
    columns: dict[str, npt.NDArray[np.float64]]
    leaders: list[Leaders]
    containers: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)


def sweep_chunk(chunk: tuple[int, int], bundle: Mapping[str, Any]) -> TrialChunk:
    """Sweep the candidates ``[chunk[0], chunk[1])``; what hosts call.

    One by itself that raises is simulated over each span apart: whether it fails in one is decided by the bars that are
    seen there.

    Parameters
    ----------
    chunk : tuple of int
        Half-open range of candidates.
    bundle : mapping
        As in `admf_ray.engine.sweep.run_chunk`; and the ``engine``, ``names``, ``factors``, ``places`` and ``products``
        of the `Candidates`, their ``requests``, the ``choice`` and what is ``recorded`` of all. The spans are those of
        `admf_ray.optimize.blocks.swept_spans`.
    """
    first, last = chunk
    candidates = Candidates(bundle["names"], bundle["factors"], bundle["places"], bundle["products"])
    params, wanted = candidates.block(first, last), bundle["requests"].wanted(candidates, first, last)
    faults = dict[int, Fault]()
    try:
        metrics, containers = simulated(params, wanted, bundle)
    except _AT_ONCE:
        raise
    except (Exception, SystemExit) as error:
        if last - first > 1:
            raise
        metrics, containers, faults = _span_by_span(params, wanted, bundle, error)
    found = _cut_down(first, metrics, bundle["choice"], bundle["recorded"])
    return replace(found, containers=containers, faults=faults)


def _span_by_span(
    params: npt.NDArray[np.float64], wanted: npt.NDArray[np.int64], bundle: Mapping[str, Any], error: BaseException
) -> tuple[npt.NDArray[np.float64], list[dict[str, Any]], dict[int, Fault]]:
    """Simulate a candidate over each span apart, NaN where it raises; raise the error where it does in all of them."""
    blocks = _blocks(bundle["choice"], bundle["recorded"])
    swept = len(bundle["firsts"]) - 1
    metrics, containers, faults = np.full((1, swept, len(METRICS)), np.nan), list[dict[str, Any]](), dict[int, Fault]()
    spans = swept // (1 + blocks)
    if spans == 1:
        raise error
    for span in range(spans):
        own = [span, *range(spans + span * blocks, spans + (span + 1) * blocks)]
        try:
            metrics[:, own], containers = simulated(params, wanted, _of_spans(bundle, own))
        except _AT_ONCE:
            raise
        except (Exception, SystemExit) as one:
            faults[span] = raised(one)
    if len(faults) == spans:
        raise error
    return metrics, containers, faults


def _of_spans(bundle: Mapping[str, Any], spans: Sequence[int]) -> dict[str, Any]:
    """Give what hosts need to sweep over some of the spans."""
    firsts = bundle["firsts"]
    pieces = [bundle["pieces"][firsts[span] : firsts[span + 1]] for span in spans]
    found = {**bundle, "pieces": np.concatenate(pieces), "firsts": np.cumsum([0, *map(len, pieces)], dtype=np.int64)}
    if "fits" in bundle:
        found["fits"] = {key: [of_spans[span] for span in spans] for key, of_spans in bundle["fits"].items()}
    return found


def simulated(
    params: npt.NDArray[np.float64], wanted: npt.NDArray[np.int64], bundle: Mapping[str, Any]
) -> tuple[npt.NDArray[np.float64], list[dict[str, Any]]]:
    """Simulate candidates by the engine of a bundle.

    Parameters
    ----------
    params, wanted, bundle
        As in `admf_ray.engine.sweep.run_chunk`; and the ``engine``.

    Returns
    -------
    metrics : float64 array, shape [candidate, span, len(METRICS)]
    containers : list of dict
        That live on the host; see `admf_ray.engine.hosting.live_containers`.
    """
    if bundle["engine"] == "event_driven":
        return hosting.run_chunk(params, wanted, bundle), hosting.live_containers()
    return sweep.run_chunk(params, wanted, bundle), []


def _blocks(choice: Choice, recorded: Sequence[str]) -> int:
    """Give how many blocks of each span are swept after all spans."""
    return choice.blocks if WORST_BLOCK in recorded else 0


def _cut_down(first: int, metrics: npt.NDArray[np.float64], choice: Choice, recorded: Sequence[str]) -> TrialChunk:
    blocks = _blocks(choice, recorded)
    spans = metrics.shape[1] // (1 + blocks)
    columns = {
        name: np.ascontiguousarray(metrics[:, :spans, METRICS.index(name)].T) for name in recorded if name in METRICS
    }
    if blocks:
        columns[WORST_BLOCK] = np.ascontiguousarray(worst_blocks(metrics[:, spans:], choice).T)
    numbers = np.arange(first, first + len(metrics))
    return TrialChunk(first, columns, [Leaders.of(numbers, metrics[:, span], choice) for span in range(spans)])


def halved(chunk: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Give the halves of a range of candidates; of a single one nothing.

    Examples
    --------
    >>> halved((4, 9)), halved((4, 5))
    (((4, 6), (6, 9)), ())
    """
    first, last = chunk
    middle = (first + last) // 2
    return ((first, middle), (middle, last)) if last - first > 1 else ()


def undivided(chunk: object) -> tuple[object, ...]:  # noqa: ARG001  (what splits is given the chunk)
    """Give the parts of what is not divided: none, so that one which fails is given with its failure."""
    return ()


def failed_trials(candidate: int, spans: int, recorded: Sequence[str]) -> TrialChunk:
    """Give the trials of a candidate that failed: in every span without metrics, so that it cannot win."""
    columns = {name: np.full((spans, 1), np.nan) for name in recorded}
    return TrialChunk(candidate, columns, [Leaders.nobody() for _ in range(spans)])
