"""Compositions and strategies in Python on hosts: they come to what they come to in this process."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from admf_ray._types import Executor
from admf_ray.classifiers import CLASSIFIERS
from admf_ray.cluster import SerialExecutor
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.core.bars import Bars
from admf_ray.data import Span, WindowPlan
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.result import run_segment
from admf_ray.engine.setup import Setup
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import Candidates, Choice, expand_grid, plan_search, segment_fingerprint
from admf_ray.optimize.certification import rerun_winner
from admf_ray.plugins import activate, find_plugins
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow import RunResult
from admf_ray.workflow.discovery import run_walk_forward
from tests.unit.engine.test_sweep import SPACE, TRAILING

SPAN = (300, 900)
COMPOSITION = Composition(
    (
        Member("cross", STRATEGIES["sma_cross"], sets=("high",)),
        Member("dip", STRATEGIES["rsi_reversion"], (("trend", ("up",)),)),
    ),
    (Watch("level", CLASSIFIERS["volatility"]), Watch("trend", CLASSIFIERS["trend"])),
    "weighted",
    (0.6, 0.4),
)
CANDIDATES = [
    {"fast": fast, "slow": 50.0, "high_fast": 2.0, "high_slow": 20.0, "dip_period": dip, "trend_period": 50.0}
    for fast, dip in ((10.0, 3.0), (5.0, 2.0))
]


@pytest.fixture(scope="module")
def hosts() -> Iterator[RayExecutor]:
    with RayExecutor(workers=2) as executor:
        yield executor


def run_here(chunk: tuple[Any, ...], bundle: Mapping[str, Any]) -> tuple[int, str]:
    """Run one candidate in a container of this process; say which process that is."""
    if chunk[-1] == bundle["fails"]:
        raise ValueError("on purpose")
    return os.getpid(), rerun_winner(0, bundle | {"winners": {0: chunk[:-1]}})


@pytest.fixture(scope="module")
def given(sp500: Bars) -> list[Setup]:
    rules = AccountRules(commission_bps=1.0, sizing="volatility_target", size=0.2, lot=0.0)
    found = []
    for params in CANDIDATES:
        candidates = Candidates.single(COMPOSITION.complete(params))
        search = plan_search(sp500.head(1_000), COMPOSITION, candidates, rules)
        found.append(search.setup(search.hub(), 0, (0, SPAN[0])))
    return found


def work(setup: Setup) -> tuple[Any, ...]:
    candidate = setup.rows, setup.params, setup.fitted
    return COMPOSITION.names(), setup.rules, setup.flat, *candidate, *SPAN


def shared(setup: Setup, fails: int | None = None) -> dict[str, Any]:
    return {
        "plugins": (),
        "in_containers": True,
        "bars": setup.bars,
        "matrix": setup.matrix,
        "fails": fails,
    }


def test_containers_on_two_hosts_come_to_what_each_comes_to_here(given: list[Setup], hosts: RayExecutor) -> None:
    expected = [segment_fingerprint(run_segment(setup, *SPAN)) for setup in given]
    assert expected[0] != expected[1]
    # Both candidates on both hosts, over and over.
    for setup, fingerprint in zip(given, expected, strict=True):
        chunks = [(*work(setup), number) for number in range(8)]
        found = hosts.map("tests.cluster.test_compositions:run_here", chunks, hosts.share(shared(setup)))
        assert {told for _, told in found} == {fingerprint}
        assert len({process for process, _ in found} - {os.getpid()}) == 2


def test_a_candidate_that_fails_on_a_host_leaves_the_next_as_it_is(given: list[Setup], hosts: RayExecutor) -> None:
    setup = given[0]
    chunks = [(*work(setup), number) for number in range(4)]
    with pytest.raises(Exception, match="on purpose"):
        hosts.map("tests.cluster.test_compositions:run_here", chunks, hosts.share(shared(setup, fails=1)))
    found = hosts.map("tests.cluster.test_compositions:run_here", chunks, hosts.share(shared(setup)))
    assert {told for _, told in found} == {segment_fingerprint(run_segment(setup, *SPAN))}


@pytest.fixture
def trailing(tmp_path: Path) -> Iterator[Composition]:
    """A class of a plugin, which a host knows by its text alone."""
    path = tmp_path / "trailing.py"
    path.write_text(TRAILING)
    activate(find_plugins([str(path)]))
    yield Composition.of(STRATEGIES["trailing"])
    activate(())


def test_a_class_on_hosts_gives_the_fingerprint_of_one_process(
    sp500: Bars, trailing: Composition, hosts: RayExecutor, tmp_path: Path
) -> None:
    bars = sp500.head(1_100)
    search = replace(
        plan_search(bars, trailing, expand_grid(trailing, {}, SPACE), AccountRules()), engine="event_driven"
    )
    plan = WindowPlan(kind="rolling", train=Span(2, "y"), test=Span(1, "y"), step=Span(1, "y"), gap=Span(0, "b"))

    def walked(executor: Executor, folder: Path) -> RunResult:
        choice = Choice("sharpe", 1)
        done = run_walk_forward(search, plan.cut(bars), choice, "all", executor, lambda kind, record: None, folder)
        assert done.summary["certified"] == done.summary["windows"] == 2
        return RunResult(done.summary, done.tables)

    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    assert walked(hosts, there).fingerprints() == walked(SerialExecutor(), here).fingerprints()


def test_one_of_several_strategies_with_accounts_of_their_own_comes_out_the_same_on_hosts(
    sp500: Bars, hosts: RayExecutor, tmp_path: Path
) -> None:
    bars = sp500.head(1_100)
    members = (Member("cross", STRATEGIES["sma_cross"]), Member("dip", STRATEGIES["rsi_reversion"]))
    composition = Composition(members, (), "one_of", (0.5, 0.5))
    space = {
        "risk.size": [0.5, 1.0],
        "risk.exits.stop_loss.atr": [1.0, 3.0],
        "fast": [float(fast) for fast in range(2, 12)],
        "slow": [20.0, 40.0],
        "dip_period": [2.0, 3.0],
    }
    search = plan_search(bars, composition, expand_grid(composition, {}, space), AccountRules(slippage_bps=2.0))
    plan = WindowPlan(kind="rolling", train=Span(2, "y"), test=Span(1, "y"), step=Span(1, "y"), gap=Span(0, "b"))

    def walked(executor: Executor, folder: Path) -> RunResult:
        folder.mkdir()
        choice = Choice("sharpe", 1)
        done = run_walk_forward(search, plan.cut(bars), choice, "all", executor, lambda kind, record: None, folder)
        return RunResult(done.summary, done.tables)

    there, here = walked(hosts, tmp_path / "there"), walked(SerialExecutor(), tmp_path / "here")
    assert there.fingerprints() == here.fingerprints()
    assert len(here.candidates) == 4 * (10 * 2 + 2)
