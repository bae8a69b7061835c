"""The executor that computes in this process: tests, debugging, small work."""

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from admf_ray._types import ChunkDone, HostLimits, Observer, Split
from admf_ray.cluster.faults import Retries
from admf_ray.cluster.functions import call, in_order
from admf_ray.cluster.memory import MemoryLog, Watch
from admf_ray.cluster.work import Work

__all__ = ["SerialExecutor"]

_NAME = "driver"


class SerialExecutor:
    """Computes one chunk after the other in the driver; see `admf_ray._types.Executor`.

    What ends a process ends this one: only chunks whose function raises are split and fail by themselves.

    Parameters
    ----------
    chunk_seconds : float
        Aimed at for a chunk.
    limits : HostLimits
        That this process is measured against; it is not ended where it holds more.
    """

    workers = 1

    def __init__(self, chunk_seconds: float = 0.5, limits: HostLimits | None = None) -> None:
        self.chunk_seconds = chunk_seconds
        self.limits = limits or HostLimits()
        self._log = MemoryLog(self.limits)

    def share(self, bundle: Mapping[str, Any]) -> object:
        """Give the bundle itself."""
        return bundle

    def each(
        self,
        function: str,
        chunks: Iterable[Any],
        shared: object,
        split: Split | None = None,
        tell: Observer | None = None,
    ) -> Iterator[ChunkDone]:
        """Compute one chunk after the other."""
        work = Work(chunks, split, Retries(0), tell)
        while (task := work.following()) is not None:
            answer = call(function, task.chunk, shared, Watch())
            if answer.fault is not None:
                if failure := work.failed(task, answer.fault, answer.seconds, _NAME):
                    yield failure
                continue
            self._log.note(_NAME, answer.memory, tell)
            yield work.done(task, answer.seconds, _NAME, answer.result, answer.memory)

    def map(self, function: str, chunks: Iterable[Any], shared: object) -> list[Any]:
        """Compute every chunk; results in their order."""
        return in_order(self.each(function, chunks, shared))

    def close(self) -> None:
        """Nothing was started."""

    def __enter__(self) -> Self:
        """Give the executor itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
