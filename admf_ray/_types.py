"""Protocols and small values that cross layers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self

__all__ = ["ChunkDone", "Executor", "Fault", "FaultKind", "Observer", "Split"]

Observer = Callable[[str, Mapping[str, Any]], None]
"""Takes one progress record: its kind (``PHASE``, ``CHUNK``, ``TEST_WINDOW``, ...) and its fields."""

Split = Callable[[Any], Sequence[Any]]
"""Gives the smaller chunks that together are a chunk; none where it is as small as can be."""

FaultKind = Literal["user_error", "host_died", "out_of_memory", "timed_out", "lost_object"]
"""What went wrong with a chunk: its function raised; its host ended; memory or time ran out; data was lost."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a chunk gave no result.

    Attributes
    ----------
    kind : FaultKind
    error : str
        Class of the error.
    message : str
        What it says.
    traceback : str
        Where it was raised; of a host that ended what is known of its end.
    raised : Exception or None
        The error itself, where it is one of the platform.
    """

    kind: FaultKind
    error: str
    message: str
    traceback: str
    raised: Exception | None = None


@dataclass(frozen=True, slots=True)
class ChunkDone:
    """A chunk that finished.

    Attributes
    ----------
    index : int
        Position among the chunks that were mapped of the one that this is, or was a part of.
    chunk : object
        The chunk itself.
    seconds : float
        Time spent computing it, on the host.
    host : str
        Who computed it.
    result : object
        What the function gave; None where it failed.
    failure : Fault or None
        Why there is no result.
    attempts : int
        How often it was begun, with all that it was a part of.
    """

    index: int
    chunk: Any
    seconds: float
    host: str
    result: Any
    failure: Fault | None = None
    attempts: int = 1


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

    def each(
        self, function: str, chunks: Iterable[Any], shared: object, split: Split | None = None
    ) -> Iterator[ChunkDone]:
        """Compute ``function(chunk, bundle)`` for every chunk, and give each as it finishes, in any order.

        One at a time: a sequence that is left before its end is not continued.

        Parameters
        ----------
        function : str
            ``"module:function"``, importable wherever the work is done.
        chunks : iterable
            Taken lazily, so that a generator can size the next chunk by those that are done; None where there is none
            to begin until another is done.
        shared : object
            What `share` gave.
        split : callable, optional
            A chunk that fails is given in smaller ones, down to those that fail by themselves: these are given with
            their failure, and cost nothing but themselves.

        Raises
        ------
        AdmfError
            Of the function, where it concerns the whole run (`admf_ray.cluster.faults.RUN_WIDE`), or there is no
            ``split``.
        ChunkError
            Where a chunk failed and there is no ``split``, or what all chunks need was lost again and again.
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
