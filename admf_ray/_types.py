"""Protocols and small values that cross layers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

__all__ = ["ChunkDone", "Executor", "Observer"]

Observer = Callable[[str, Mapping[str, Any]], None]
"""Takes one progress record: its kind (``PHASE``, ``CHUNK``, ``TEST_WINDOW``, ...) and its fields."""


@dataclass(frozen=True, slots=True)
class ChunkDone:
    """A chunk that finished.

    Attributes
    ----------
    index : int
        Position among the chunks that were mapped.
    chunk : object
        The chunk itself.
    seconds : float
        Time spent computing it, on the host.
    host : str
        Who computed it.
    result : object
        What the function gave.
    """

    index: int
    chunk: Any
    seconds: float
    host: str
    result: Any


class Executor(Protocol):
    """Computes chunks of work somewhere; results never depend on where or on how many workers.

    An executor is owned by one driver process and one thread; ``close`` releases what it started.
    """

    @property
    def workers(self) -> int:
        """Number of chunks that are computed at the same time."""

    @property
    def chunk_seconds(self) -> float:
        """How long a chunk of work should take; never enters a result."""

    def share(self, bundle: Mapping[str, Any]) -> object:
        """Make arrays (and small values) readable for every chunk; give the handle that ``map`` takes."""

    def each(self, function: str, chunks: Iterable[Any], shared: object) -> Iterator[ChunkDone]:
        """Compute ``function(chunk, bundle)`` for every chunk, and give each as it finishes, in any order.

        Parameters
        ----------
        function : str
            ``"module:function"``, importable wherever the work is done.
        chunks : iterable
            Taken lazily, so that a generator can size the next chunk by those that are done.
        shared : object
            What `share` gave.
        """

    def map(self, function: str, chunks: Iterable[Any], shared: object) -> list[Any]:
        """Compute every chunk as `each` does; give the results in the order of the chunks."""

    def close(self) -> None:
        """Stop what was started."""

    def __enter__(self) -> Self:
        """Give the executor itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
