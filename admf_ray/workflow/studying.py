"""Running the studies of a search: whole ones on hosts, or stepped by the driver with their sets spread over hosts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from admf_ray._types import ChunkDone, Executor, Observer
from admf_ray.data.spans import Stretch, bars_in, pieces_of
from admf_ray.optimize import (
    EVALUATE,
    Candidates,
    Choice,
    Failed,
    Known,
    Params,
    Proposed,
    Search,
    Stage,
    Studied,
    parted,
    plan_space,
    undivided,
)
from admf_ray.workflow.chunk_cache import ChunkCache, study_keys
from admf_ray.workflow.frames import boundary
from admf_ray.workflow.recovery import failure_record
from admf_ray.workflow.resources import measured
from admf_ray.workflow.reusing import Reused, reused_studies
from admf_ray.workflow.trials import StudyFiles

if TYPE_CHECKING:
    from admf_ray.optimize.storage import StudyStorage

__all__ = ["Studying"]

_RUN_STUDY = "admf_ray.optimize.study:run_study"


class Studying:
    """Runs studies, keeps what comes of them, and tells of it.

    Parameters
    ----------
    search : Search
        With ``adaptive``.
    spans : sequence of (start, stop), or of such pieces
        Half-open, in bars: one for each study.
    choice : Choice
    executor : Executor
    observe : Observer
    folder : Path
        Where studies are kept, those of an earlier attempt too; where they are stored for Optuna as well, it is in a
        directory of the phase in one of the run.
    cache : ChunkCache or None
        Of studies of earlier runs.

    Attributes
    ----------
    studies : dict of int to Studied
        Those that are done, by window.
    timings : list of dict
        One for each chunk.
    bars_swept : int
        Bars of the sets that were not there from an earlier attempt.
    reused : Reused
        What of it earlier runs had computed.
    """

    def __init__(
        self,
        search: Search,
        spans: Sequence[Stretch],
        choice: Choice,
        executor: Executor,
        observe: Observer,
        folder: Path,
        cache: ChunkCache | None,
    ) -> None:
        self._search = search
        self._spans = spans
        self._choice = choice
        self._executor = executor
        self._observe = observe
        self._files = StudyFiles(folder)
        self._cache = cache
        self._storage = self._open_storage(folder)
        self._stored = 0
        self._sets = dict.fromkeys(range(len(spans)), 0)
        self.studies: dict[int, Studied] = {}
        self.timings: list[dict[str, Any]] = []
        self.bars_swept = 0
        self.reused = Reused()

    def _open_storage(self, folder: Path) -> "StudyStorage | None":
        adaptive = self._search.adaptive
        assert adaptive is not None
        if adaptive.storage is None:
            return None
        # Optuna takes a while to load; hosts load it where they run whole studies.
        from admf_ray.optimize.storage import StudyStorage

        space = plan_space(self._search.composition, {}, adaptive.ranges, adaptive.constraints)
        facts = {
            "strategy": self._search.composition.name,
            "sampler": adaptive.sampler,
            "objectives": list(self._choice.objectives or [self._choice.objective]),
        }
        return StudyStorage(adaptive.storage, folder.parents[2], space, self._choice, facts)

    def run(self) -> None:
        """Run those that are not done.

        Whole studies go to hosts where an evaluation is quick: proposing costs more. Where it is slow, by containers or
        in Python, the sets of all studies are spread over hosts. So they are of a study that ended as many hosts as a
        chunk may: then the set that did it fails alone.
        """
        keys = [] if self._cache is None else study_keys(self._search, self._spans, self._choice)
        if self._cache is not None:
            self.reused = reused_studies(self._cache, keys, self._files)
        known = self._files.kept()
        for studied in self._files.studies().values():
            self._take(studied)
        waiting = [window for window in range(len(self._spans)) if window not in self.studies]
        there = sum(_sets(known.get(window, {})) for window in waiting) + self._search.sets * len(self.studies)
        if there:
            kept = {"sets": there // len(self._spans), "of": self._search.sets, "reused": asdict(self.reused)}
            self._observe("KEPT", kept)
        shared = self._executor.share(self._bundle)
        is_slow = self._search.engine == "event_driven"
        apart = [window for window in waiting if is_slow or window in known]
        # The longest first, so that none of them is left to one host at the end.
        whole = sorted(set(waiting).difference(apart), key=lambda window: (-bars_in(self._spans[window]), window))
        for done in self._executor.each(_RUN_STUDY, whole, shared, undivided, self._tell):
            if done.failure is None:
                self._take_whole(done)
            else:
                apart.append(done.chunk)
        if apart:
            self._spread(sorted(apart), known, shared)
        if self._cache is not None:
            sound = [window for window in waiting if not self.studies[window].failures]
            self._cache.keep(self._files.folder, {keys[window]: [self._files.name(window)] for window in sound})

    @property
    def _bundle(self) -> dict[str, Any]:
        return self._search.study_bundle(self._spans, self._choice) | {
            "max_containers": self._executor.limits.containers
        }

    def _tell(self, kind: str, record: Mapping[str, Any]) -> None:
        """Tell what the executor tells of, with sets in place of the chunk that holds them."""
        chunk = record.get("chunk")
        told = {"window": chunk.window, "sets": chunk.sets} if isinstance(chunk, Proposed) else chunk
        self._observe(kind, {**record, "chunk": told} if "chunk" in record else record)

    def forget(self) -> None:
        """Remove what was kept."""
        self._files.remove()

    def _take_whole(self, done: ChunkDone) -> None:
        studied: Studied = done.result
        studied = replace(studied, failures=[replace(one, host=done.host) for one in studied.failures])
        self._told(done, studied.window, len(studied.params), studied.bars, studied.containers)
        for one in studied.failures:
            self._tell_failure(one, studied.params[one.candidate].tolist())
        self._finish(studied)

    def _spread(
        self, windows: Sequence[int], known: Mapping[int, Mapping[tuple[Stage, Params], Known]], shared: object
    ) -> None:
        from admf_ray.optimize.study import Studies, planned_study

        bundle = self._bundle
        for window in windows:
            self._sets[window] = _sets(known.get(window, {}))
        studies = Studies([planned_study(window, bundle) for window in windows], 1, known)
        while studies.finished:
            self._finish(studies.finished.pop())
        for done in self._executor.each(EVALUATE, studies, shared, parted, self._tell):
            found = studies.take(done)
            chunk = done.chunk
            self._files.keep(chunk.window, found)
            bars, containers = (0, []) if done.failure else (done.result.bars * len(found), done.result.containers)
            self._told(done, chunk.window, len(found) if chunk.stage is None else 0, bars, containers)
            for (_, params), one in found.items():
                if one.failed is not None:
                    self._tell_failure(one.failed, params)
            while studies.finished:
                self._finish(studies.finished.pop())

    def _finish(self, studied: Studied) -> None:
        self._files.add(studied)
        self._take(studied)

    def _take(self, studied: Studied) -> None:
        """Take a study that is kept, and store those that are next: their candidates are numbered in order."""
        self.studies[studied.window] = studied
        while self._storage is not None and self._stored in self.studies:
            first = sum(len(self.studies[window].params) for window in range(self._stored))
            pieces = pieces_of(self._spans[self._stored])
            span = {"train_start": self._moment(pieces[0][0]), "train_stop": self._moment(pieces[-1][1])}
            self._storage.add(self.studies[self._stored], first, span)
            self._stored += 1

    def _moment(self, bar: int) -> str:
        return str(np.datetime_as_string(np.datetime64(boundary(self._search.bars, bar), "ns"), unit="auto"))

    def _told(self, done: ChunkDone, window: int, sets: int, bars: int, containers: Sequence[dict[str, Any]]) -> None:
        """Tell of a chunk; progress counts sets of one window, of which each study has its share."""
        first = self._sets[window]
        self._sets[window] = first + sets
        self.bars_swept += bars
        timed = {"chunk": window, "first": first, "last": first + sets, "host": done.host, "seconds": done.seconds}
        self.timings.append(timed | measured(done, containers))
        before, now = sum(self._sets.values()) - sets, sum(self._sets.values())
        share = now // len(self._spans) - before // len(self._spans)
        self._observe("CHUNK", {**timed, "sets": share, "of": self._search.sets})
        if containers:
            self._observe("CONTAINERS", {"host": done.host, "containers": containers})

    def _tell_failure(self, failed: Failed, params: Sequence[float]) -> None:
        named = Candidates.listed(self._search.candidates.names, np.array([params]))
        self._observe("FAILURE", failure_record(failed, replace(self._search, candidates=named).parameters(0)))


def _sets(known: Mapping[tuple[Stage, Params], Known]) -> int:
    """Count the sets that were evaluated over the whole span."""
    return sum(stage is None for stage, _ in known)
