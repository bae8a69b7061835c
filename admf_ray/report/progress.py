"""Progress on the console: bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from admf_ray.logs import log_record
from admf_ray.report.definitions import parameters_text, reused_text

__all__ = ["ProgressView"]

_LINE_EVERY = 2.0
_FAILURES = 10


class ProgressView:
    """An observer that shows how far a sweep is, its throughput and the time left, and what goes wrong.

    Parameters
    ----------
    console : rich.console.Console
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._began = self._said = time.monotonic()
        self._done = self._failed = 0

    def __call__(self, kind: str, record: Mapping[str, Any]) -> None:
        """Take one progress record."""
        if kind == "PHASE":
            self._begin(record)
        elif kind == "KEPT":
            reused = f", {reused_text(record['reused'])}" if record["reused"]["chunks"] else ""
            kept = f"{record['sets']:,} of {record['of']:,} sets were there{reused}"
            self._console.print(f"kept: {kept}", highlight=False)
        elif kind == "CHUNK":
            self._advance(int(record["sets"]), int(record["of"]))
        elif kind == "FAILURE":
            self._fail(record)
        elif kind == "MEMORY":
            self._console.print(f"memory: {record['message']}", highlight=False, markup=False)
        elif kind == "RECOVERY":
            for action in record["actions"] or ["nothing went wrong with chunks: all is as it was"]:
                self._console.print(f"recovery: {action}", highlight=False, markup=False)

    def _begin(self, record: Mapping[str, Any]) -> None:
        self._began = self._said = time.monotonic()
        self._done = 0
        what = f"{record['sets']:,} parameter sets x {record['spans']} span(s) on {record['workers']} worker(s)"
        self._console.print(f"{record['phase']}: {what}", highlight=False)
        self._task = self._bar.add_task("sweep", total=record["sets"], rate="")

    def _advance(self, sets: int, total: int) -> None:
        self._done += sets
        now = time.monotonic()
        rate = self._done / max(now - self._began, 1e-9)
        if self._task is not None:
            self._bar.update(self._task, advance=sets, rate=f"{rate:,.0f} sets/s")
        if self._done and (self._done == total or now - self._said > _LINE_EVERY):
            self._said = now
            left = (total - self._done) / rate
            log_record(
                "PROGRESS", {"done": self._done, "of": total, "sets_per_second": rate, "seconds_left": round(left, 1)}
            )
            if not self._console.is_terminal:
                self._console.print(
                    f"sweep {self._done:,}/{total:,} sets  {rate:,.0f} sets/s  {left:.0f} s left", highlight=False
                )

    def _fail(self, record: Mapping[str, Any]) -> None:
        self._failed += 1
        if self._failed > _FAILURES:
            return
        said = (str(record["message"]).strip() or "it says nothing").splitlines()[0]
        # In a study candidates have no numbers before all are done.
        where = (("candidate", "candidate"), ("number", "candidate"), ("window", "window"))
        name = " in ".join(f"{what} {record[key]}" for key, what in where if key in record)
        which = f"{name} ({parameters_text(record['parameters'])})"
        self._console.print(f"failed: {which}: {record['error']}: {said}", highlight=False, markup=False)
        if self._failed == _FAILURES:
            self._console.print("failures that follow are not shown", highlight=False)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the bar as it is."""
        self._bar.stop()
