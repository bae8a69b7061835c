"""Nodes that leave and join while work is done, and a head that does none."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import ray
from ray.cluster_utils import Cluster

import admf_ray
from admf_ray.cluster.ray_executor import RayExecutor
from tests.series import daily_bars

HERE = "tests.cluster.test_nodes"
# A node that is gone is noticed within three seconds.
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 6,
    "health_check_timeout_ms": 500,
}


def where(chunk: int, bundle: Mapping[str, Any]) -> tuple[int, str]:
    """Say on which node a chunk was computed."""
    time.sleep(bundle["seconds"])
    return chunk, ray.get_runtime_context().get_node_id()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": HEALTH}
    found = Cluster(initialize_head=True, head_node_args=head)
    yield found
    found.shutdown()


def joined_by(cluster: Cluster) -> Any:
    """Add a node and wait until it is there."""
    node = cluster.add_node(num_cpus=1, wait=False)
    cluster.wait_for_nodes(timeout=180)
    return node


@pytest.mark.chaos
def test_nodes_leave_and_join_and_every_chunk_is_done_once(cluster: Cluster) -> None:
    first = joined_by(cluster)
    with RayExecutor(address=cluster.address, max_retries=1) as executor:
        assert executor.workers == 2
        shared = executor.share({"seconds": 0.05})
        found, nodes = [], list[str]()

        def chunks() -> Iterator[int]:
            """Give chunks until a node has left, another has joined, and that one has done some."""
            chunk = 0
            while chunk < 20 or len(set(nodes)) < 3:
                yield chunk
                chunk += 1

        for done in executor.each(f"{HERE}:where", chunks(), shared):
            found.append(done.result[0])
            nodes.append(done.result[1])
            # SPREAD gives each node a host; one of them may be ready later.
            if len(found) >= 10 and len(set(nodes)) == 2 and first in cluster.worker_nodes:
                cluster.remove_node(first, allow_graceful=False)
                cluster.add_node(num_cpus=1)
        assert sorted(found) == list(range(len(found)))


@pytest.mark.parametrize("joins", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["killed", "replaced"])
def test_a_node_that_is_killed_changes_nothing(cluster: Cluster, joins: bool) -> None:
    bars = daily_bars(100.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0, 0.01, 400))))
    space = {"fast": list(range(2, 62 if joins else 22)), "slow": list(range(70, 170 if joins else 90))}
    windows = {"train": "200b", "test": "50b", "align": "none"}
    lost = joined_by(cluster)
    hosts, newest = list[str](), list[str]()

    def observe(kind: str, record: Mapping[str, Any]) -> None:
        if kind == "PHASE":
            newest.append(f"host-{record['workers']}")
        if kind == "CHUNK":
            hosts.append(record["host"])
            if len(hosts) == 5:
                cluster.remove_node(lost, allow_graceful=False)
                if joins:
                    cluster.add_node(num_cpus=1)
            # Long enough for a host on the new node.
            time.sleep(0.05 * joins)

    options = {"kind": "existing", "address": cluster.address, "chunk_seconds": 1e-6}
    found = admf_ray.walk_forward(bars, "sma_cross", space, windows=windows, cluster=options, observer=observe)
    assert len(hosts) > 5
    assert not joins or newest[0] in hosts
    assert "failures" not in found.tables
    assert found.fingerprints() == admf_ray.walk_forward(bars, "sma_cross", space, windows=windows).fingerprints()


def test_a_head_that_is_excluded_computes_nothing(cluster: Cluster) -> None:
    joined_by(cluster)
    with RayExecutor(address=cluster.address, exclude_head=True) as executor:
        assert executor.workers >= 1
        (head,) = [node["NodeID"] for node in ray.nodes() if "node:__internal_head__" in node["Resources"]]
        found = executor.map(f"{HERE}:where", range(4), executor.share({"seconds": 0.0}))
        assert [chunk for chunk, _ in found] == list(range(4))
        assert head not in {node for _, node in found}
