"""One fingerprint, whoever computes: serial, one host, two, four, three nodes, again, and after a full disk."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from ray.cluster_utils import Cluster

import admf_ray
from admf_ray.app.settings import SearchSettings
from admf_ray.launch import main

# More than first chunks for four hosts.
SMALL = ["strategy.space.fast={low: 5, high: 95, step: 3}", "strategy.space.slow={low: 20, high: 200, step: 6}"]
EXECUTORS = [
    ["cluster=serial"],
    ["cluster=local", "cluster.workers=1", "cluster.chunk_seconds=0.0001"],
    ["cluster=local", "cluster.workers=2"],
    ["cluster=local", "cluster.workers=4", "cluster.chunk_seconds=0.0001"],
]
SAMPLERS = sorted(set(get_args(SearchSettings.model_fields["sampler"].annotation)) - {"genetic"})
"""All but an alias."""


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
def test_the_objective_alone_has_one_fingerprint_on_one_worker_and_on_four(tmp_path: Path) -> None:
    one, two = (fingerprints(tmp_path, [*EXECUTORS[index], "search.record=objective"]) for index in (1, 3))
    assert one == two


@pytest.fixture(scope="module")
def existing() -> Iterator[list[str]]:
    """Options that name a cluster of three nodes which runs already."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, wait=False)
        cluster.wait_for_nodes(timeout=180)
        yield ["cluster=existing", f"cluster.address={cluster.address}", "cluster.chunk_seconds=0.0001"]
    finally:
        cluster.shutdown()


def test_three_nodes_give_the_same_time_after_time(
    tmp_path: Path, expected: dict[str, str], existing: list[str]
) -> None:
    for _ in range(2):
        assert fingerprints(tmp_path, [*existing, "report=none"]) == expected
    said = [json.loads(line) for line in (tmp_path / "latest" / "progress.jsonl").read_text().splitlines()]
    assert {record["host"] for record in said if record["kind"] == "CHUNK"} == {"host-0", "host-1", "host-2"}


@pytest.mark.parametrize("sampler", SAMPLERS)
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


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a third of a megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=320k", "admf", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("place", "growth"), [(EXECUTORS[0], 1.25), (EXECUTORS[3], 2.0)], ids=["serial", "hosts"])
def test_a_disk_that_fills_up_changes_nothing(
    small_disk: Path, expected: dict[str, str], place: list[str], growth: float, capsys: pytest.CaptureFixture[str]
) -> None:
    resumed = ["+experiment=resume", f"run={small_disk / 'full'}", *place]
    command = ["+experiment=walkforward", f"run_root={small_disk}", "run_name=full", *SMALL, *place]
    stopped, size = 0, 320.0
    # Somewhat more room each time: it is full again while chunks come, while tables are written, and with the page.
    while main(command) != 0:
        error, how = capsys.readouterr().err.splitlines()[-2:]
        assert "No space left on device" in error
        assert how == f"go on with: python -m admf_ray.launch +experiment=resume run={small_disk / 'full'}"
        stopped, size, command = stopped + 1, size * growth, resumed
        assert size < 20_000
        subprocess.run(["mount", "-o", f"remount,size={size:.0f}k", small_disk], check=True)
    assert stopped >= 3
    assert admf_ray.load_run(small_disk / "full").fingerprints() == expected


def test_where_there_is_no_cluster_the_address_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "runs"
    code = main(["+experiment=walkforward", f"run_root={root}", "cluster=existing", "cluster.address=127.0.0.1:1"])
    assert code == 2
    assert "cluster.address: no Ray cluster at '127.0.0.1:1'" in capsys.readouterr().err
