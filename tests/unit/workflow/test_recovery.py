"""How a run is gone on with, from the records that it left."""

import json
from pathlib import Path
from typing import Any

from admf_ray.workflow.recovery import plan_recovery, read_records, untried

SECONDS, TIMEOUT = 0.5, 3_600.0
RESUMED = {"kind": "RECOVERY", "forced": False}


def fault(kind: str, first: int = 0, last: int = 64) -> dict[str, Any]:
    return {"kind": "FAULT", "chunk": [first, last], "fault": kind}


def failure(candidate: int, kind: str, error: str) -> dict[str, Any]:
    said = {"error": error, "message": "it went wrong", "host": "host-3", "attempts": 7}
    return {"kind": "FAILURE", "candidate": candidate, "fault": kind, "details": {"traceback": "in greedy"}, **said}


def test_where_nothing_went_wrong_all_is_as_it_was() -> None:
    plan = plan_recovery([{"kind": "PHASE"}, {"kind": "CHUNK"}], SECONDS, TIMEOUT)
    assert (plan.chunk_seconds, plan.chunk_timeout, plan.actions, plan.failed) == (SECONDS, TIMEOUT, [], {})
    assert plan.record()["faults"] == {}


def test_memory_makes_chunks_smaller_and_time_deadlines_longer_once_for_each_attempt() -> None:
    first = [fault("out_of_memory"), fault("out_of_memory", 64, 128), fault("timed_out")]
    plan = plan_recovery(first, SECONDS, TIMEOUT)
    assert (plan.chunk_seconds, plan.chunk_timeout) == (0.25, 7_200.0)
    assert plan.actions == [
        "memory ran out: cluster.chunk_seconds is 0.25 in place of 0.5",
        "time ran out: cluster.chunk_timeout is 7200 s in place of 3600 s",
    ]
    again = plan_recovery([*first, RESUMED, fault("out_of_memory")], SECONDS, TIMEOUT)
    assert (again.chunk_seconds, again.chunk_timeout) == (0.125, 7_200.0)
    assert again.faults == {"out_of_memory": 3, "timed_out": 1}
    assert plan_recovery([fault("timed_out")], SECONDS, 900_000.0).chunk_timeout == 1e6


def test_faults_of_the_infrastructure_change_nothing() -> None:
    plan = plan_recovery([fault("host_died"), fault("lost_object")], SECONDS, TIMEOUT)
    assert (plan.chunk_seconds, plan.chunk_timeout, plan.failed) == (SECONDS, TIMEOUT, {})
    assert plan.actions == [
        "hosts died: what they had begun is done again",
        "data was lost: what read it is done again",
    ]


def test_a_candidate_that_failed_alone_stays_failed_and_explains_what_it_cost() -> None:
    records = [
        *(fault("out_of_memory", 0, 64), fault("out_of_memory", 32, 64), fault("out_of_memory", 37, 38)),
        failure(37, "out_of_memory", "MemoryError"),
        failure(90, "user_error", "ZeroDivisionError"),
    ]
    plan = plan_recovery(records, SECONDS, TIMEOUT)
    assert (plan.chunk_seconds, plan.chunk_timeout) == (SECONDS, TIMEOUT)
    assert list(plan.failed) == plan.record()["quarantined"] == [37, 90]
    done = plan.failed[37]
    assert (done.chunk, done.host, done.attempts, done.result) == ((37, 38), "host-3", 7, None)
    assert done.failure is not None
    assert (done.failure.kind, done.failure.error, done.failure.message, done.failure.traceback) == (
        *("out_of_memory", "MemoryError", "it went wrong", "in greedy"),
    )
    assert plan.actions == [
        "MemoryError: 1 candidates stay failed, force=true tries them again: 37",
        "ZeroDivisionError: 1 candidates stay failed, force=true tries them again: 90",
    ]
    # Another one of its kind elsewhere is not explained by it, nor is one of another kind.
    assert plan_recovery([*records, fault("out_of_memory", 64, 128)], SECONDS, TIMEOUT).chunk_seconds == 0.25
    assert plan_recovery([*records, fault("timed_out", 32, 64)], SECONDS, TIMEOUT).chunk_timeout == 7_200.0


def test_force_tries_what_failed_again_and_is_remembered() -> None:
    records = [failure(3, "host_died", "ActorDiedError")]
    forced = plan_recovery(records, SECONDS, TIMEOUT, forced=True)
    assert forced.failed == {}
    assert forced.actions == ["force=true: 1 candidates that failed before are tried again"]
    changed = plan_recovery(records, SECONDS, TIMEOUT, forced=True, changes=["seed is 5, was 0"])
    assert changed.actions == ["forced: seed is 5, was 0", *forced.actions]
    later = [*records, {"kind": "RECOVERY", "forced": True}, failure(5, "timed_out", "TimeoutError")]
    assert list(plan_recovery(later, SECONDS, TIMEOUT).failed) == [5]
    assert list(plan_recovery([*records, RESUMED], SECONDS, TIMEOUT).failed) == [3]


def test_studies_have_faults_of_whole_windows() -> None:
    records = [
        {"kind": "FAULT", "chunk": 4, "fault": "timed_out"},
        {"kind": "FAULT", "chunk": {"window": 4, "sets": [[5.0, 20.0]]}, "fault": "timed_out"},
    ]
    for fault_of in records:
        assert plan_recovery([fault_of], SECONDS, TIMEOUT).chunk_timeout == 7_200.0
    # A set that failed alone explains them in its own window.
    for window, timeout in ((4, TIMEOUT), (3, 7_200.0)):
        alone = {**failure(0, "timed_out", "TimeoutError"), "window": window}
        del alone["candidate"]
        plan = plan_recovery([*records, alone], SECONDS, TIMEOUT)
        assert (plan.chunk_timeout, plan.failed) == (timeout, {})


def test_a_torn_last_record_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    assert list(read_records(path)) == []
    path.write_text(f'{json.dumps(fault("host_died"))}\n{{"kind": "FAU')
    assert list(read_records(path)) == [fault("host_died")]


def test_what_failed_is_left_out_of_the_ranges() -> None:
    assert untried([(0, 3)], []) == [(0, 3)]
    assert untried([(0, 3)], [0, 1, 2]) == []
    assert untried([(0, 3), (7, 9)], [8, 2, 5]) == [(0, 2), (7, 8)]
