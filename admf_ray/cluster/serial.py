"""The executor that computes in this process: tests, debugging, small work."""

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from admf_ray._types import ChunkDone
from admf_ray.cluster.functions import call, in_order

__all__ = ["SerialExecutor"]


class SerialExecutor:
    """Computes one chunk after the other in the driver; see `admf_ray._types.Executor`.

    Parameters
    ----------
    chunk_seconds : float
        Aimed at for a chunk.
    """

    workers = 1

    def __init__(self, chunk_seconds: float = 0.5) -> None:
        self.chunk_seconds = chunk_seconds

    def share(self, bundle: Mapping[str, Any]) -> object:
        """Give the bundle itself."""
        return bundle

    def each(self, function: str, chunks: Iterable[Any], shared: object) -> Iterator[ChunkDone]:
        """Compute one chunk after the other."""
        for index, chunk in enumerate(chunks):
            result, seconds = call(function, chunk, shared, "driver")
            yield ChunkDone(index, chunk, seconds, "driver", result)

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
