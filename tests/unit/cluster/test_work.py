"""What becomes of chunks that fail, decided without a cluster."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray._types import ChunkDone, Fault, FaultKind
from admf_ray.cluster.faults import Retries, died, raised, timed_out
from admf_ray.cluster.work import Task, Work
from admf_ray.errors import ChunkError, ContractError, LookaheadError
from admf_ray.optimize.trials import halved

Poison = dict[int, FaultKind]


def fault(kind: FaultKind) -> Fault:
    return Fault(kind, "SomeError", "it went wrong", "line 1\nSomeError: it went wrong")


def worked_off(work: Work, harm: Callable[[Task], FaultKind | None]) -> tuple[list[ChunkDone], list[Task]]:
    """Do one task after the other; give what came of it and what failed on the way."""
    done, faults = [], []
    while (task := work.following()) is not None:
        if kind := harm(task):
            faults.append(task)
            found = work.failed(task, fault(kind), 0.0, "host-0")
        else:
            found = work.done(task, 1.0, "host-0", task.chunk)
        done += [] if found is None else [found]
    return done, faults


def of(poison: Poison) -> Callable[[Task], FaultKind | None]:
    return lambda task: next((poison[item] for item in range(*task.chunk) if item in poison), None)


@given(
    st.integers(1, 200),
    st.integers(1, 64),
    st.integers(0, 3),
    st.dictionaries(
        st.integers(0, 199), st.sampled_from(["user_error", "host_died", "out_of_memory", "timed_out"]), max_size=5
    ),
)
def test_exactly_the_poison_fails_and_everything_is_done_once(total: int, size: int, most: int, poison: Poison) -> None:
    chunks = [(first, min(first + size, total)) for first in range(0, total, size)]
    done, _ = worked_off(Work(chunks, halved, Retries(most)), of(poison))
    covered = sorted(item for one in done for item in range(*one.chunk))
    assert covered == list(range(total))
    failed = {one.chunk[0]: one.failure.kind for one in done if one.failure is not None}
    assert failed == {item: kind for item, kind in poison.items() if item < total}
    assert all(one.chunk[0] // size == one.index for one in done)


@pytest.mark.parametrize(
    ("kind", "most", "faults"),
    [
        # The chunk of 64 and its halves down to one: 7.
        ("user_error", 3, 7),
        # 3 more of the chunk, and of what is left alone.
        ("host_died", 3, 7 + 3 + 3),
        ("host_died", 0, 7),
        ("out_of_memory", 3, 7 + 3),
        ("timed_out", 3, 7 + 1),
        ("timed_out", 0, 7),
    ],
)
def test_what_one_poison_costs(kind: FaultKind, most: int, faults: int) -> None:
    done, failed = worked_off(Work([(0, 64)], halved, Retries(most)), of({37: kind}))
    assert len(failed) == faults
    (failure,) = [one for one in done if one.failure is not None]
    assert (failure.chunk, failure.attempts, failure.result) == ((37, 38), faults, None)
    assert len(done) == 7


def test_a_chunk_whose_host_died_by_chance_is_done_again_as_it_was() -> None:
    lost = iter([True, True, True])
    done, _ = worked_off(Work([(0, 64)], halved, Retries(3)), lambda task: "host_died" if next(lost, False) else None)
    assert done == [ChunkDone(0, (0, 64), 1.0, "host-0", (0, 64), None, 4)]


def test_a_task_that_was_not_begun_is_no_attempt() -> None:
    work = Work([(0, 64), (64, 128)], halved, Retries(0))
    first, second = work.following(), work.following()
    assert first is not None
    assert second is not None
    assert work.failed(first, fault("host_died"), 0.0, "host-0") is None
    work.unbegun(second)
    assert [work.following() for _ in range(4)] == [second, Task(0, (0, 32), 1), Task(0, (32, 64), 1), None]


def test_chunks_are_drawn_only_when_they_are_asked_for() -> None:
    drawn = []

    def chunks() -> Any:
        for first in range(3):
            drawn.append(first)
            yield first, first + 1

    work = Work(chunks(), halved, Retries())
    assert drawn == []
    assert work.following() == Task(0, (0, 1))
    assert drawn == [0]


def test_without_split_a_failure_is_raised_with_its_traceback() -> None:
    work = Work([7], None, Retries(0))
    task = work.following()
    assert task is not None
    with pytest.raises(ChunkError, match=r"(?s)chunk 7 failed on host-0:\nline 1\nSomeError: it went wrong"):
        work.failed(task, fault("host_died"), 0.0, "host-0")


def test_what_all_chunks_need_and_is_lost_again_and_again_is_no_failure_of_one() -> None:
    with pytest.raises(ChunkError, match="chunk"):
        worked_off(Work([(0, 8)], halved, Retries(2)), lambda task: "lost_object")


def test_an_error_of_the_platform_is_raised_as_it_was_where_nothing_is_split() -> None:
    error = LookaheadError("close: bar 3 is not known")
    work = Work([7], None, Retries())
    task = work.following()
    assert task is not None
    with pytest.raises(LookaheadError) as caught:
        work.failed(task, raised(error), 0.0, "host-0")
    assert caught.value is error


def test_the_cause_is_told_by_whoever_knows_it() -> None:
    crash = "Fatal Python error: Segmentation fault\n\nCurrent thread:\n  File strategy.py, line 3"
    silent = RuntimeError("The actor died.\n\tpid: 3\nThe worker exits. Some common causes include: (1) memory")
    assert died(silent, crash).message == "its host ended: Segmentation fault"
    assert died(silent, crash).traceback == crash
    assert died(silent, "").message == "its host ended: The worker exits."
    assert timed_out(2.5, "in forever").message == "took more than 2.5 s (cluster.chunk_timeout)"
    assert raised(MemoryError("no room")).kind == "out_of_memory"


def test_errors_that_others_define_travel_as_text() -> None:
    class MineError(ContractError):
        pass

    assert raised(MineError("no")).raised is None
    assert (raised(MineError("no")).error, raised(MineError("no")).message) == ("MineError", "no")


def test_every_fault_is_told_with_what_is_done_about_it() -> None:
    told: list[tuple[str, Any]] = []
    work = Work([(0, 4)], halved, Retries(1), lambda kind, record: told.append((kind, record)))
    done, _ = worked_off(work, of({2: "host_died"}))
    assert {kind for kind, _ in told} == {"FAULT"}
    assert [(record["chunk"], record["attempts"], record["verdict"]) for _, record in told] == [
        ((0, 4), 1, "retry"),
        ((0, 4), 2, "split"),
        ((2, 4), 3, "split"),
        ((2, 3), 4, "retry"),
        ((2, 3), 5, "fail"),
    ]
    assert told[0][1]["fault"] == "host_died"
    assert told[0][1]["message"] == "it went wrong"
    assert len(done) == 3
    assert sorted(one.after for one in done) == [one.after for one in done]
