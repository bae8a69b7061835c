"""Recovery: what is done differently when a run is gone on with, by what went wrong before."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from admf_ray._types import ChunkDone, Fault
from admf_ray.optimize import Failed

__all__ = ["Recovery", "failure_record", "plan_recovery", "read_records", "untried"]

_LONGEST = 1e6
_SHOWN = 10
_RETRIED = {
    "host_died": "hosts died: what they had begun is done again",
    "lost_object": "data was lost: what read it is done again",
    "user_error": "a strategy raised: what it had begun is done again",
}


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a run is gone on with.

    Attributes
    ----------
    faults : mapping of str to int
        What went wrong with chunks in all attempts so far, by kind; see `admf_ray._types.FaultKind`.
    chunk_seconds, chunk_timeout : float
        To be used.
    failed : mapping of int to ChunkDone
        Candidates that are not tried again, with their earlier failure.
    actions : sequence of str
        What is done, a sentence each; none where all is as it was.
    forced : bool
        Whether candidates that failed before are tried again.
    changes : sequence of str
        What is not what it was and is forced, a line each.
    is_other : bool
        Whether that is options or data: then nothing that was computed can be gone on with.
    """

    faults: Mapping[str, int]
    chunk_seconds: float
    chunk_timeout: float
    failed: Mapping[int, ChunkDone] = field(default_factory=dict)
    actions: Sequence[str] = ()
    forced: bool = False
    changes: Sequence[str] = ()
    is_other: bool = False

    def record(self) -> dict[str, Any]:
        """Give it as plain values, for files and progress."""
        return {
            "faults": dict(self.faults),
            "actions": list(self.actions),
            "chunk_seconds": self.chunk_seconds,
            "chunk_timeout": self.chunk_timeout,
            "quarantined": sorted(self.failed),
            "forced": self.forced,
        }


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Read the records of ``progress.jsonl``, without a last line that was not written to its end."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def plan_recovery(
    records: Iterable[Mapping[str, Any]],
    chunk_seconds: float,
    chunk_timeout: float,
    forced: bool = False,
    changes: Sequence[str] = (),
    is_other: bool = False,
) -> Recovery:
    """Plan how a run is gone on with.

    After each attempt in which memory ran out, chunks take half the time; after each in which time ran out, they may
    take twice as long. What a candidate did that failed alone does not count: it is not tried again.

    Parameters
    ----------
    records : iterable of mapping
        All of ``progress.jsonl``.
    chunk_seconds, chunk_timeout : float
        As they would be otherwise.
    forced : bool
        Whether candidates that failed are tried again.
    changes : sequence of str
        What is not what it was and is forced, a line each.
    is_other : bool
        Whether that is options or data.

    Examples
    --------
    >>> fault = {"kind": "FAULT", "chunk": [0, 64], "fault": "out_of_memory"}
    >>> plan = plan_recovery([fault], 0.5, 3_600.0)
    >>> plan.chunk_seconds, plan.chunk_timeout, list(plan.actions)
    (0.25, 3600.0, ['memory ran out: cluster.chunk_seconds is 0.25 in place of 0.5'])
    """
    attempts: list[list[Mapping[str, Any]]] = [[]]
    failed: dict[int, ChunkDone] = {}
    sets, culprits = 0, set[tuple[str, int, str]]()
    for record in records:
        match record["kind"]:
            case "RECOVERY":
                attempts.append([])
                if record["forced"]:
                    failed, sets = {}, 0
            case "FAULT":
                attempts[-1].append(record)
            case "FAILURE" if "candidate" in record:
                failed[record["candidate"]] = _failure(record)
                culprits.add(("candidate", record["candidate"], record["fault"]))
            case "FAILURE":
                culprits.add(("window", record["window"], record["fault"]))
                # Those of studies are kept with these; candidates that have a number are tried again.
                sets += "number" not in record
    unexplained = [{one["fault"] for one in faults if not _is_explained(one, culprits)} for faults in attempts]
    seconds = chunk_seconds / 2 ** sum("out_of_memory" in kinds for kinds in unexplained)
    timeout = min(_LONGEST, chunk_timeout * 2 ** sum("timed_out" in kinds for kinds in unexplained))
    actions = [f"forced: {change}" for change in changes]
    if seconds != chunk_seconds:
        actions.append(f"memory ran out: cluster.chunk_seconds is {seconds:g} in place of {chunk_seconds:g}")
    if timeout != chunk_timeout:
        actions.append(f"time ran out: cluster.chunk_timeout is {timeout:g} s in place of {chunk_timeout:g} s")
    newest = unexplained[-1]
    actions += [text for kind, text in _RETRIED.items() if kind in newest]
    if is_other:
        actions.append("options or data are others: all is computed anew")
    elif forced and (failed or sets):
        actions.append(f"force=true: {len(failed) + sets:,} candidates that failed before are tried again")
    elif failed:
        actions += _quarantine(failed)
    elif sets:
        actions.append(f"{sets:,} sets of studies stay failed, force=true tries them again")
    faults = Counter(one["fault"] for faults in attempts for one in faults)
    return Recovery(faults, seconds, timeout, {} if forced else failed, actions, forced, changes, is_other)


def failure_record(failed: Failed, parameters: Mapping[str, float | str], has_number: bool = False) -> dict[str, Any]:
    """Tell of a candidate that failed; in one window by that, and its number where it has one: in a study not yet."""
    where = {"candidate": failed.candidate} if failed.window is None else {"window": failed.window}
    if failed.window is not None and has_number:
        where["number"] = failed.candidate
    return {
        **where,
        "parameters": parameters,
        "error": failed.fault.error,
        "message": failed.fault.message,
        "host": failed.host,
        "attempts": failed.attempts,
        "fault": failed.fault.kind,
        # A mapping, which lines of the log leave out.
        "details": {"traceback": failed.fault.traceback},
    }


def _failure(record: Mapping[str, Any]) -> ChunkDone:
    """Give back what `failure_record` tells of a candidate."""
    fault = Fault(record["fault"], record["error"], record["message"], record["details"]["traceback"])
    chunk = record["candidate"], record["candidate"] + 1
    return ChunkDone(0, chunk, 0.0, record["host"], None, fault, record["attempts"])


def _is_explained(fault: Mapping[str, Any], culprits: Iterable[tuple[str, int, str]]) -> bool:
    """Say whether a candidate of the chunk, or a set of the study, failed alone, and in the same way."""
    match fault["chunk"]:
        case [first, last]:
            where, numbers = "candidate", range(first, last)
        case {"window": window} | window:
            where, numbers = "window", range(window, window + 1)
    return any(part == where and one in numbers and kind == fault["fault"] for part, one, kind in culprits)


def _quarantine(failed: Mapping[int, ChunkDone]) -> Iterator[str]:
    """Say which candidates are not tried again, by what they did."""
    errors: dict[str, list[int]] = {}
    for candidate, done in failed.items():
        assert done.failure is not None
        errors.setdefault(done.failure.error, []).append(candidate)
    for error, candidates in errors.items():
        count, shown = len(candidates), ", ".join(map(str, sorted(candidates)[:_SHOWN]))
        more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
        yield f"{error}: {count:,} candidates stay failed, force=true tries them again: {shown}{more}"


def untried(ranges: Sequence[tuple[int, int]], failed: Iterable[int]) -> list[tuple[int, int]]:
    """Give ranges of candidates without some of them.

    Examples
    --------
    >>> untried([(0, 5), (8, 10)], [3, 8, 20])
    [(0, 3), (4, 5), (9, 10)]
    """
    found = []
    left = sorted(failed)
    for first, stop in ranges:
        edges = [first, *(edge for one in left if first <= one < stop for edge in (one, one + 1)), stop]
        found += [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if begin < end]
    return found
