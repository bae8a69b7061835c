"""Combinatorial purged cross-validation on two hosts: the fingerprints of one process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from admf_ray._types import Executor
from admf_ray.cluster import SerialExecutor
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.core.bars import Bars
from admf_ray.data import CombinatorialPlan, Span
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import Adaptive, Choice, DrawnRange, Search, expand_grid, plan_search
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow import RunResult
from admf_ray.workflow.combinatorial import run_combinatorial

CROSS = STRATEGIES["sma_cross"]
PLAN = CombinatorialPlan(groups=5, tests=2, gap=Span(5, "b"), embargo=Span(98, "b"))
FAST, SLOW = (5.0, 20.0), (30.0, 50.0)


@pytest.fixture(scope="module")
def hosts() -> Iterator[RayExecutor]:
    # Chunks of one candidate or so.
    with RayExecutor(workers=2, chunk_seconds=0.0001) as executor:
        yield executor


def grid(bars: Bars) -> Search:
    space = {"fast": [*FAST, 10.0, 15.0], "slow": [*SLOW, 40.0]}
    return plan_search(bars, CROSS, expand_grid(CROSS, {}, space), AccountRules(commission_bps=1.0))


def proposing(bars: Bars) -> Search:
    ranges = {"fast": DrawnRange(*FAST), "slow": DrawnRange(*SLOW)}
    return replace(grid(bars), adaptive=Adaptive("tpe", 12, 1, 0, ranges))


def in_containers(bars: Bars) -> Search:
    space = {"fast": [*FAST], "slow": [*SLOW]}
    plain = plan_search(bars, CROSS, expand_grid(CROSS, {}, space), AccountRules(commission_bps=1.0))
    return replace(plain, engine="event_driven")


@pytest.mark.parametrize("made", [grid, proposing, in_containers], ids=["grid", "tpe", "event-driven"])
def test_two_hosts_give_the_fingerprints_of_one_process(sp500: Bars, hosts: RayExecutor, tmp_path: Path, made) -> None:
    search = made(sp500.head(1_500))

    def crossed(executor: Executor, folder: Path) -> RunResult:
        folder.mkdir()
        choice = Choice("sharpe", 1)
        done = run_combinatorial(search, PLAN, choice, "all", executor, lambda kind, record: None, folder)
        assert done.summary["certified"] == 20
        return RunResult(done.summary, done.tables)

    here, there = crossed(SerialExecutor(), tmp_path / "here"), crossed(hosts, tmp_path / "there")
    assert there.fingerprints() == here.fingerprints()
    assert {"paths", "equity", "windows", "trials"} <= set(here.fingerprints())
