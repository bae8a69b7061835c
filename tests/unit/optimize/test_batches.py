import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray._types import ChunkDone
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
