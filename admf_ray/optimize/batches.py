"""Chunks of candidates whose size follows the measured time, without ever touching a result."""

from collections.abc import Iterator, Sequence

from admf_ray._types import ChunkDone

__all__ = ["CandidateChunks"]

_FIRST = 64
_CHUNKS = 150
"""About so many at most: each is a file."""


class CandidateChunks:
    """Half-open ranges that together cover candidates once, in order.

    The first chunks are small; later ones take about ``seconds`` each, by the throughput of those that are done, or
    more where there would be too many, and shrink towards the end so that all workers finish together.

    Parameters
    ----------
    ranges : sequence of (first, stop)
        Candidates that are to be covered, half-open and ascending.
    seconds : float
        Aimed at for each chunk.
    workers : int
    """

    def __init__(self, ranges: Sequence[tuple[int, int]], seconds: float, workers: int) -> None:
        self._ranges = ranges
        self._total = sum(stop - first for first, stop in ranges)
        self._seconds = seconds
        self._workers = workers
        self._done = 0
        self._spent = 0.0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Go through the ranges."""
        left = self._total
        for first, stop in self._ranges:
            begin = first
            while begin < stop:
                end = min(begin + self._size(left), stop)
                yield begin, end
                left -= end - begin
                begin = end

    def learn(self, done: ChunkDone) -> None:
        """Take the time of a finished chunk into account."""
        self._done += done.chunk[1] - done.chunk[0]
        self._spent += done.seconds

    def _size(self, left: int) -> int:
        if self._spent <= 0.0:
            return _FIRST
        by_time = int(self._done / self._spent * self._seconds)
        share = -(-left // (2 * self._workers))
        return max(1, min(max(by_time, self._total // _CHUNKS), max(share, _FIRST)))
