import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray._types import ChunkDone, MemoryUse
from admf_ray.optimize.batches import CandidateChunks


@given(st.integers(1, 100_000), st.integers(1, 8), st.floats(1e-7, 10.0))
def test_chunks_cover_every_candidate_once_in_order_whatever_the_speed(total: int, workers: int, each: float) -> None:
    chunks = CandidateChunks([(0, total)], 0.5, workers)
    following = 0
    for first, last in chunks:
        assert first == following < last
        following = last
        chunks.learn(ChunkDone(0, (first, last), each * (last - first), "host", None))
    assert following == total


@pytest.mark.parametrize(("each", "size"), [(0.01, 50), (0.05, 10), (10.0, 6)])
def test_a_chunk_takes_about_the_time_aimed_at(each: float, size: int) -> None:
    chunks = CandidateChunks([(0, 1_000)], 0.5, 2)
    ranges = iter(chunks)
    first, last = next(ranges)
    chunks.learn(ChunkDone(0, (first, last), each * (last - first), "host", None))
    first, last = next(ranges)
    assert last - first == size


@pytest.mark.parametrize("each", [1e-7, 1e-4, 1.0])
def test_a_large_search_is_cut_into_a_few_hundred_chunks_however_slow_it_is(each: float) -> None:
    chunks = CandidateChunks([(0, 1_000_000)], 0.5, 2)
    count = 0
    for count, (first, last) in enumerate(chunks, 1):  # noqa: B007
        chunks.learn(ChunkDone(0, (first, last), each * (last - first), "host", None))
    assert 10 <= count <= 300


def test_the_end_is_shared_out_among_the_workers() -> None:
    chunks = CandidateChunks([(0, 10_000)], 100.0, 2)
    ranges = iter(chunks)
    first, last = next(ranges)
    chunks.learn(ChunkDone(0, (first, last), 1e-3, "host", None))
    first, last = next(ranges)
    assert last - first == -(-(10_000 - 64) // 4)


def taken(peak: float, system: float = 0.1) -> MemoryUse:
    return MemoryUse(100.0, peak, 0.0, (0, 0, 0), (0, 0, 0), 0.0, system)


def sizes(memory: list[MemoryUse], in_flight: int = 1) -> list[int]:
    """Give the sizes of chunks that take memory as given, each learned of once ``in_flight`` were drawn after it."""
    chunks = CandidateChunks([(0, 10**6)], 1e-9, 1)
    ranges = iter(chunks)
    drawn = [next(ranges) for _ in range(in_flight)]
    for index, use in enumerate(memory):
        chunks.learn(ChunkDone(index, drawn[index], 1.0, "host", None, memory=use))
        drawn.append(next(ranges))
    return [last - first for first, last in drawn[in_flight:]]


def test_chunks_are_halved_while_memory_is_short() -> None:
    # 10^6 / 150 = 6,666 candidates, whatever their time.
    assert sizes([taken(100.0), taken(501.0), taken(100.0), taken(100.0, 0.81), taken(500.0, 0.8)]) == [
        *(6_666, 3_333, 3_333, 1_666, 1_666)
    ]
    assert sizes([taken(900.0)] * 6) == [3_333, 1_666, 833, 416, 416, 416]


def test_chunks_that_were_in_flight_are_not_halved_for_again() -> None:
    assert sizes([taken(900.0)] * 5, in_flight=2) == [3_333, 3_333, 1_666, 1_666, 833]
