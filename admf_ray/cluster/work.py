"""Chunks on their way: drawn one by one, done again or in smaller ones where they fail."""

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from admf_ray._types import ChunkDone, Fault, MemoryUse, Observer, Split
from admf_ray.cluster.faults import Retries
from admf_ray.errors import ChunkError

__all__ = ["Task", "Work"]


@dataclass(frozen=True, slots=True)
class Task:
    """A chunk that is to be computed.

    Attributes
    ----------
    index : int
        Position among the chunks that were given of the one that this is, or was a part of.
    chunk : object
    attempts : int
        How often it was begun and gave no result, with all that it was a part of.
    tries : int
        How often by itself.
    """

    index: int
    chunk: Any
    attempts: int = 0
    tries: int = 0


class Work:
    """What is to be computed and what became of it; starts nothing by itself.

    Whoever computes takes a task with `following` and answers with one of `done`, `failed` and `unbegun`.

    Parameters
    ----------
    chunks : iterable
        Taken lazily, one for each task that is not done again; None is no task.
    split : callable, optional
        See `admf_ray._types.Executor.each`.
    retries : Retries
        Decides.
    tell : callable, optional
        See `admf_ray._types.Executor.each`.

    Attributes
    ----------
    listener : callable or None
        Who is told.
    """

    def __init__(
        self, chunks: Iterable[Any], split: Split | None, retries: Retries, tell: Observer | None = None
    ) -> None:
        self._chunks = enumerate(chunks)
        self._split = split
        self._retries = retries
        self._again: deque[Task] = deque()
        self.listener = tell
        self._began = time.perf_counter()

    @property
    def after(self) -> float:
        """Seconds since the begin."""
        return time.perf_counter() - self._began

    def tell(self, kind: str, record: Mapping[str, Any]) -> None:
        """Tell of something, if somebody wants to hear it."""
        if self.listener is not None:
            self.listener(kind, record)

    def following(self) -> Task | None:
        """Give the next task, those that are done again first; None where there is none (failures may still come)."""
        if self._again:
            return self._again.popleft()
        drawn = next(self._chunks, None)
        return None if drawn is None or drawn[1] is None else Task(*drawn)

    def done(self, task: Task, seconds: float, host: str, result: Any, memory: MemoryUse | None = None) -> ChunkDone:
        """Take a result."""
        attempts = task.attempts + 1
        return ChunkDone(
            task.index, task.chunk, seconds, host, result, attempts=attempts, memory=memory, after=self.after
        )

    def unbegun(self, task: Task) -> None:
        """Take a task back that was not begun: what happened is not its fault."""
        self._again.appendleft(task)

    def failed(self, task: Task, fault: Fault, seconds: float, host: str) -> ChunkDone | None:
        """Take a fault.

        Returns
        -------
        ChunkDone or None
            The failure, where the chunk has failed for good and cannot be split; None where it is done again.

        Raises
        ------
        AdmfError, ChunkError
            Where chunks are not split, or it is what all of them need that fails.
        """
        attempts, tries = task.attempts + 1, task.tries + 1
        parts = () if self._split is None else self._split(task.chunk)
        verdict = self._retries.verdict(fault.kind, attempts, tries, bool(parts))
        self.tell(
            "FAULT",
            {
                "chunk": task.chunk,
                "fault": fault.kind,
                "error": fault.error,
                "message": fault.message,
                "host": host,
                "attempts": attempts,
                "verdict": verdict,
            },
        )
        match verdict:
            case "retry":
                self._again.appendleft(Task(task.index, task.chunk, attempts, tries))
            case "split":
                self._again.extendleft(Task(task.index, part, attempts) for part in reversed(parts))
            case "fail":
                if self._split is None or fault.kind == "lost_object":
                    raise fault.raised or ChunkError(f"chunk {task.chunk} failed on {host}:\n{_story(fault)}")
                return ChunkDone(task.index, task.chunk, seconds, host, None, fault, attempts, after=self.after)
        return None


def _story(fault: Fault) -> str:
    """Tell all that is known, once."""
    return fault.traceback if fault.message in fault.traceback else f"{fault.message}\n{fault.traceback}"
