"""One fingerprint, whoever computes: serial, one worker, two workers, again, and an existing cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import admf_ray
from admf_ray.launch import main

SMALL = ["strategy.space.fast={low: 5, high: 95, step: 10}", "strategy.space.slow={low: 20, high: 200, step: 20}"]
EXECUTORS = [
    ["cluster=serial"],
    ["cluster=local", "cluster.workers=1", "cluster.chunk_seconds=0.0001"],
    ["cluster=local", "cluster.workers=2"],
    ["cluster=local", "cluster.workers=2", "cluster.chunk_seconds=0.0001"],
]


def fingerprints(root: Path, options: list[str]) -> dict[str, str]:
    # Every run computes for itself.
    assert main(["+experiment=walkforward", f"run_root={root}", "search.cache=0", *SMALL, *options]) == 0
    return admf_ray.load_run(root / "latest").fingerprints()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return fingerprints(tmp_path_factory.mktemp("serial"), EXECUTORS[0])


@pytest.mark.parametrize("options", EXECUTORS, ids=" ".join)
def test_walk_forward_has_one_fingerprint(tmp_path: Path, expected: dict[str, str], options: list[str]) -> None:
    found = fingerprints(tmp_path, options)
    assert found == expected
    assert {"trials", "windows", "equity"} <= set(found)


@pytest.mark.slow
def test_the_objective_alone_has_one_fingerprint_on_one_worker_and_on_two(tmp_path: Path) -> None:
    one, two = (fingerprints(tmp_path, [*EXECUTORS[index], "search.record=objective"]) for index in (1, 3))
    assert one == two


@pytest.fixture(scope="module")
def existing() -> Iterator[list[str]]:
    """Options that name a cluster which runs already."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        yield ["cluster=existing", f"cluster.address={cluster.address}", "cluster.chunk_seconds=0.0001"]
    finally:
        cluster.shutdown()


def test_an_existing_cluster_gives_the_same(tmp_path: Path, expected: dict[str, str], existing: list[str]) -> None:
    assert fingerprints(tmp_path, existing) == expected


@pytest.mark.parametrize("sampler", ["random", "qmc", "tpe", "nsga2", "cmaes"])
def test_every_sampler_has_one_fingerprint(tmp_path: Path, existing: list[str], sampler: str) -> None:
    options = [f"search={sampler}", "search.trials=10", "windows.test=4y", "report=none"]
    serial, hosts = (fingerprints(tmp_path, [*options, *place]) for place in (EXECUTORS[0], existing))
    assert serial == hosts


def test_studies_have_one_fingerprint_compiled_or_in_containers_spread_over_hosts(
    tmp_path: Path, existing: list[str]
) -> None:
    options = ["search=nsga2", "search.trials=8", "search.batch=4", "windows.test=8y", "report=none"]
    options += ["search.objectives=[sharpe,max_drawdown]"]
    runs = [[*EXECUTORS[0]], [*existing], [*existing, "engine=event_driven"]]
    one, *others = (fingerprints(tmp_path, [*options, *run]) for run in runs)
    assert "front" in one
    assert others == [one, one]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(["search.selection=plateau"], marks=pytest.mark.slow),
        ["search.selection=worst_block"],
        ["search=tpe", "search.trials=10", "search.selection=top_n", "search.pruning=wilcoxon", "search.blocks=6"],
    ],
    ids=" ".join,
)
def test_every_rule_of_selection_has_one_fingerprint(tmp_path: Path, existing: list[str], rule: list[str]) -> None:
    options = [*rule, "search.objective=total_return", "windows.test=4y", "report=none"]
    serial, hosts = (fingerprints(tmp_path, [*options, *place]) for place in (EXECUTORS[0], existing))
    assert serial == hosts


def test_where_there_is_no_cluster_the_address_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "runs"
    code = main(["+experiment=walkforward", f"run_root={root}", "cluster=existing", "cluster.address=127.0.0.1:1"])
    assert code == 2
    assert "cluster.address: no Ray cluster at '127.0.0.1:1'" in capsys.readouterr().err
