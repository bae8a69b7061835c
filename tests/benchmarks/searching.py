"""Whole searches: studies side by side, and how busy hosts are kept in a large grid."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from admf_ray import load_bars
from admf_ray._types import Executor
from admf_ray.cluster import SerialExecutor
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.data import Span, WindowPlan
from admf_ray.optimize import (
    Adaptive,
    Candidates,
    Choice,
    DrawnRange,
    Search,
    axis_values,
    expand_grid,
    plan_search,
    recorded_metrics,
)
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow.searching import search_windows
from tests.benchmarks.harness import Once, Reading, row
from tests.benchmarks.scaling import COSTS

STRATEGY = STRATEGIES["sma_cross"]
CHOICE = Choice("sharpe", 1)
HOSTS = 2


@dataclass
class Clock:
    """An observer that takes the time from when it is made to the last chunk, and adds up what hosts computed."""

    began: float = field(default_factory=time.perf_counter)
    wall: float = 0.0
    computed: float = 0.0

    def __call__(self, kind: str, record: Mapping[str, Any]) -> None:
        if kind == "CHUNK":
            self.wall = time.perf_counter() - self.began
            self.computed += record["seconds"]


def spans(search: Search, train: int) -> list[tuple[int, int]]:
    """Train spans of so many years, one a year."""
    year = Span(1, "y")
    plan = WindowPlan(kind="rolling", train=Span(train, "y"), test=year, step=year, gap=Span(0, "b"))
    return [(window.train_start, window.train_stop) for window in plan.cut(search.bars)]


def searched(search: Search, train: int, record: str, executor: Executor) -> Clock:
    """Search with trials kept in files, as a run does."""
    with tempfile.TemporaryDirectory() as folder:
        clock, recorded = Clock(), recorded_metrics(record, CHOICE)
        search_windows(search, spans(search, train), CHOICE, recorded, executor, clock, Path(folder))
        return clock


@row("16 windows x 500 TPE trials: 2 hosts over one driver process", "x", runs=3, bar=0.6)
def studies() -> Once:
    """Seconds of the search on two hosts that have started over those of the same search in one process."""
    example = Candidates.single(STRATEGY.complete({"fast": 5.0, "slow": 50.0}))
    ranges = {"fast": DrawnRange(2, 198, 2), "slow": DrawnRange(4, 200, 2)}
    proposing = Adaptive("tpe", 500, 1, 0, ranges)
    search = planned(example, proposing)
    assert len(spans(search, 3)) == 16

    def once() -> Reading:
        with SerialExecutor() as executor:
            one = searched(search, 3, "all", executor).wall
        with RayExecutor(workers=HOSTS) as executor:
            two = searched(search, 3, "all", executor).wall
        return Reading(two / one, f"{one:.1f} s in one process, {two:.1f} s on two hosts")

    return once


@row("grid of 10^6 candidates, share of the time that hosts compute", "of 1", runs=3, bar=0.9, at_least=True)
def busy() -> Once:
    """From when two hosts have started until the last chunk is back, hub and files of the driver included."""
    space = {"fast": axis_values(2, 1_415, 1, "fast"), "slow": axis_values(3, 1_416, 1, "slow")}
    search = planned(expand_grid(STRATEGY, {}, space))

    def once() -> Reading:
        with RayExecutor(workers=HOSTS) as executor:
            clock = searched(search, 4, "objective", executor)
        told = f"{len(search.candidates):,} sets, {len(spans(search, 4))} windows: {clock.wall:.1f} s"
        return Reading(clock.computed / (HOSTS * clock.wall), told)

    return once


def planned(candidates: Candidates, adaptive: Adaptive | None = None) -> Search:
    """The S&P 500, with costs."""
    return replace(plan_search(load_bars("sp500"), STRATEGY, candidates, COSTS), adaptive=adaptive)
