"""Protocols and small values that cross layers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self

__all__ = ["ChunkDone", "Executor", "Fault", "FaultKind", "HostLimits", "MemoryUse", "Observer", "Split"]

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
class MemoryUse:
    """What computing a chunk took of the memory of its process and of its machine.

    MB are 10^6 bytes that the process holds by itself: what it shares with others (files, the object store) is not
    counted.

    Attributes
    ----------
    held : float
        MB after the chunk, with its result.
    peak : float
        MB at most, as far as was looked.
    growth : float
        MB after the chunk less those before it.
    collections, collected : tuple of int
        Garbage collections meanwhile, and objects that they freed, of each generation, the youngest first.
    gc_seconds : float
        That they took.
    system : float
        Share of the machine's memory that is in use; the driver's machine, where that is shorter of it.
    """

    held: float
    peak: float
    growth: float
    collections: tuple[int, ...]
    collected: tuple[int, ...]
    gc_seconds: float
    system: float


@dataclass(frozen=True, slots=True)
class HostLimits:
    """How much a host may hold; never enters a result.

    Attributes
    ----------
    soft : float
        MB above which the following chunks are made smaller.
    hard : float
        MB above which a host is ended, and replaced.
    system : float
        Share of a machine's memory above which chunks are made smaller, too.
    containers : int
        That a host keeps at most, those in them included.

    Examples
    --------
    >>> use = MemoryUse(120.0, 510.0, 0.0, (0, 0, 0), (0, 0, 0), 0.0, 0.4)
    >>> HostLimits().is_tight(use), HostLimits(soft=600.0).is_tight(use)
    (True, False)
    """

    soft: float = 500.0
    hard: float = 1_000.0
    system: float = 0.8
    containers: int = 100

    def is_tight(self, use: MemoryUse) -> bool:
        """Say whether chunks should be smaller than this one was."""
        return use.peak > self.soft or use.system > self.system


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
    memory : MemoryUse or None
        What it took; None where it failed.
    after : float
        Seconds from the begin of all the work until the driver had it.
    """

    index: int
    chunk: Any
    seconds: float
    host: str
    result: Any
    failure: Fault | None = None
    attempts: int = 1
    memory: MemoryUse | None = None
    after: float = field(default=0.0, compare=False)


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

    @property
    def limits(self) -> HostLimits:
        """How much a host may hold."""

    def share(self, bundle: Mapping[str, Any]) -> object:
        """Make arrays (and small values) readable for every chunk; give the handle that ``map`` takes."""

    def each(
        self,
        function: str,
        chunks: Iterable[Any],
        shared: object,
        split: Split | None = None,
        tell: Observer | None = None,
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
        tell : callable, optional
            Told of every fault (``FAULT``), those of chunks that are done again included; of each host that passed a
            limit of its memory, once (``MEMORY``); and of each that was ended (``HOST_ENDED``), with the kind of its
            ``fault``, ``out_of_memory`` also where it held too much after a chunk, its ``reason`` in words, and when:
            seconds ``after`` the begin of the work.

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
