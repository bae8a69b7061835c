"""Options of the cluster that limit what hosts hold."""

import os

import pytest

import admf_ray
from admf_ray._types import HostLimits
from admf_ray.app.configuration import compose_settings
from admf_ray.app.parsing import parse_settings
from admf_ray.errors import CapacityError
from admf_ray.launch import main
from tests.series import daily_bars


def test_the_defaults_are_those_of_the_limits() -> None:
    cluster = compose_settings(["+experiment=sweep"]).cluster
    assert cluster.limits == HostLimits(soft=500.0, hard=1_000.0, system=0.8, containers=100)
    assert (cluster.max_concurrent, cluster.chunk_timeout, cluster.max_retries) == (None, 3_600.0, 3)


def test_hosts_share_this_machine_where_they_are_started_here() -> None:
    known = {
        kind: parse_settings({"experiment": "sweep", "cluster": {"kind": kind, "workers": 3}}).cluster.hosts_here
        for kind in ("serial", "local", "existing")
    }
    assert known == {"serial": 0, "local": 3, "existing": 0}
    every = parse_settings({"experiment": "sweep", "cluster": {"kind": "local"}}).cluster.hosts_here
    assert every == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("cluster.memory.hard=400", "cluster.memory.hard: 400 is below cluster.memory.soft (500)"),
        ("cluster.memory.system=1.5", "cluster.memory.system: 1.5 is not allowed; allowed"),
        ("cluster.memory.soft=0", "cluster.memory.soft: 0 is not allowed; allowed"),
        ("cluster.max_containers=0", "cluster.max_containers: 0 is not allowed; allowed"),
        ("cluster.max_concurrent=0", "cluster.max_concurrent: 0 is not allowed; allowed"),
        ("cluster.memory.max=3", "cluster.memory.max: no option is named 'max'; allowed: hard, soft, system"),
    ],
)
def test_limits_that_mean_nothing_are_refused(option: str, said: str, capsys, tmp_path) -> None:
    assert main(["+experiment=sweep", option, f"run_root={tmp_path}"]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_search_whose_hosts_cannot_hold_their_part_is_refused_before_it_starts(capsys, tmp_path) -> None:
    options = ["cluster=local", "cluster.workers=1", "cluster.memory={soft: 50, hard: 100}", f"run_root={tmp_path}"]
    assert main(["+experiment=sweep", *options]) == 2
    assert "cluster.memory.hard: a host takes 140 MB by itself" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_search_that_takes_more_containers_than_a_host_may_keep_is_refused() -> None:
    with pytest.raises(CapacityError, match=r"cluster.max_containers: .* = \d+ containers at once on each host; 2 are"):
        admf_ray.sweep(
            daily_bars([1.0, 2.0, 3.0] * 200),
            "sma_cross",
            {"fast": [2]},
            params={"slow": 5},
            classifier={"name": "trend"},
            engine={"kind": "event_driven"},
            cluster={"max_containers": 2},
        )
