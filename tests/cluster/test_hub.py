"""One hub for a thousand candidates, in this process and on hosts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from admf_ray._types import Executor
from admf_ray.cluster import SerialExecutor
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.engine.spec import AccountRules
from admf_ray.indicators import hub as hub_module
from admf_ray.optimize import Candidates, Choice, Search, plan_search, sweep_spans
from admf_ray.plugins import activate, find_plugins
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES

SLOTS, PERIODS, CANDIDATES = 20, 50, 1_000
PLUGIN = f"""
import math

from admf_ray.plugins import Parameter, strategy


@strategy(
    inputs=tuple(f"sma(close,{{{{p{{slot}}}}}})" for slot in range({SLOTS})),
    parameters=tuple(Parameter(f"p{{slot}}", 2, 2, {PERIODS + 1}) for slot in range({SLOTS})),
    warm_up=lambda params: int(max(params)) - 1,
)
def vote(matrix, rows, session, params, state, start, stop, out):
    for s in range(rows.shape[0]):
        for t in range(start, stop):
            above, known = 0, True
            for slot in range(rows.shape[1] // 2):
                gap = matrix[rows[s, slot], t] - matrix[rows[s, slot + rows.shape[1] // 2], t]
                known = known and not math.isnan(gap)
                above += gap > 0.0
            out[s, t] = math.nan if not known else 1.0 if above > rows.shape[1] // 4 else 0.0
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[RayExecutor]:
    with RayExecutor(workers=2) as executor:
        yield executor


@pytest.fixture(params=["serial", "ray"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return SerialExecutor() if request.param == "serial" else request.getfixturevalue("hosts")


@pytest.fixture
def searched(tmp_path: Path, sp500) -> Iterator[Any]:
    (tmp_path / "vote.py").write_text(PLUGIN)
    activate(find_plugins([str(tmp_path / "vote.py")]))
    strategy = STRATEGIES["vote"]

    def search(candidates: int, isolated: bool = False) -> Search:
        values = np.random.default_rng(1).integers(2, PERIODS + 2, (candidates, SLOTS)).astype(float)
        found = plan_search(sp500, strategy, Candidates.listed(strategy.parameter_names, values), AccountRules())
        return (
            found
            if not isolated
            else Search(**{name: getattr(found, name) for name in found.__slots__} | {"isolated": True})
        )

    yield search
    activate(())


def swept(search: Search, executor: Executor) -> Any:
    hub = search.hub(executor)
    spans = [(0, 2_000), (2_000, 4_000)]
    done = sweep_spans(search, hub, spans, Choice("sharpe", 1), METRICS, executor, [(0, len(search.candidates))])
    chunks = sorted((one.result for one in done), key=lambda chunk: chunk.first)
    return hub, np.array([np.hstack([chunk.columns[name] for chunk in chunks]) for name in METRICS])


def test_a_thousand_candidates_of_twenty_indicators_compute_exactly_fifty(searched, executor: Executor) -> None:
    hub, metrics = swept(searched(CANDIDATES), executor)
    counted = hub.counters
    assert (counted.requested, counted.unique, counted.computed) == (CANDIDATES * SLOTS, PERIODS, PERIODS)
    assert counted.reused == CANDIDATES * SLOTS - PERIODS
    assert counted.hit_rate == 1 - PERIODS / (CANDIDATES * SLOTS)
    assert np.isfinite(metrics[0]).all()


def test_serial_and_ray_agree_and_so_does_every_candidate_by_itself(searched, hosts: RayExecutor) -> None:
    _, serial = swept(searched(60), SerialExecutor())
    _, on_hosts = swept(searched(60), hosts)
    isolated, alone = swept(searched(60, isolated=True), hosts)
    assert serial.tobytes() == on_hosts.tobytes() == alone.tobytes()
    values = searched(60).candidates.values
    assert isolated.counters.computed == sum(len(set(row)) for row in values.tolist())
    assert isolated.counters.unique == isolated.counters.requested == 60 * SLOTS


def test_rows_that_hosts_compute_are_the_same_bits(searched, hosts: RayExecutor, monkeypatch) -> None:
    monkeypatch.setattr(hub_module, "_PAYS", 1)
    search = searched(100)
    assert search.hub(hosts).matrix.tobytes() == search.hub().matrix.tobytes()


def test_levels_of_nested_keys_and_timeframes_are_computed_in_order(sp500, hosts: RayExecutor, monkeypatch) -> None:
    monkeypatch.setattr(hub_module, "_PAYS", 1)
    texts = ["ema(sma(close,5),3)", "sma(ema(sma(close,5),3),4)", "sma(close@1w,3)", "rsi(close,9)@1mo", "sma(close,5)"]
    keys = [hub_module.Key.parse(text).bind("SPX") for text in texts]
    calls = []

    def elsewhere(steps, matrix, session):
        calls.append([str(step.key) for step in steps])
        return [hub_module.compute_step(step, matrix, session) for step in steps]

    spread = hub_module.compute_hub(sp500, keys, None, elsewhere)
    assert spread.matrix.tobytes() == hub_module.compute_hub(sp500, keys).matrix.tobytes()
    assert len(calls) >= 3
