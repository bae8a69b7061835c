"""Chunks of candidates whose size follows the measured time, without ever touching a result."""

from collections.abc import Iterator, Sequence

from admf_ray._types import ChunkDone, HostLimits

__all__ = ["FIRST_CHUNK", "CandidateChunks"]

FIRST_CHUNK = 64
"""Candidates of the first chunks, whose time is not known yet."""

_CHUNKS = 150
"""About so many at most, unless memory is short: each is a file."""
_MOST_PARTS = 16
"""Where chunks of this fraction still take too much, it is not their size that takes it."""


class CandidateChunks:
    """Half-open ranges that together cover candidates once, in order.

    The first chunks are small; later ones take about ``seconds`` each, by the throughput of those that are done, or
    more where there would be too many, and shrink towards the end so that all workers finish together. Where memory is
    short, those that follow are half as large, again and again.

    Parameters
    ----------
    ranges : sequence of (first, stop)
        Candidates that are to be covered, half-open and ascending.
    seconds : float
        Aimed at for each chunk.
    workers : int
    limits : HostLimits, optional
        Say when memory is short.
    """

    def __init__(
        self, ranges: Sequence[tuple[int, int]], seconds: float, workers: int, limits: HostLimits | None = None
    ) -> None:
        self._ranges = ranges
        self._total = sum(stop - first for first, stop in ranges)
        self._seconds = seconds
        self._workers = workers
        self._limits = limits or HostLimits()
        self._given = self._resized = 0
        self._parts = 1
        self._done = 0
        self._spent = 0.0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Go through the ranges."""
        left = self._total
        for first, stop in self._ranges:
            begin = first
            while begin < stop:
                end = min(begin + self._size(left), stop)
                self._given += 1
                yield begin, end
                left -= end - begin
                begin = end

    def learn(self, done: ChunkDone) -> None:
        """Take the time and the memory of a finished chunk into account."""
        self._done += done.chunk[1] - done.chunk[0]
        self._spent += done.seconds
        is_tight = done.memory is not None and self._limits.is_tight(done.memory)
        # Those that were in flight already say nothing about the size that was chosen since.
        if is_tight and done.index >= self._resized and self._parts < _MOST_PARTS:
            self._parts *= 2
            self._resized = self._given

    def _size(self, left: int) -> int:
        if self._spent <= 0.0:
            return FIRST_CHUNK
        by_time = int(self._done / self._spent * self._seconds)
        share = -(-left // (2 * self._workers))
        return max(1, min(max(by_time, self._total // _CHUNKS), max(share, FIRST_CHUNK)) // self._parts)
