"""Two machines with a link between them that is cut in the middle of a walk-forward, and restored."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.drivers import Case, Driver, Result, result
from tests.cluster.machines import Machine, are_permitted, cluster_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not are_permitted(), reason="no network namespaces here: test_nodes.py does it without"),
]
# A node that is not heard of for five seconds is dead.
HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1_000,
    "health_check_timeout_ms": 1_000,
    "health_check_failure_threshold": 5,
}
WORK = [
    "engine=event_driven",
    "windows.test=4y",
    "strategy.space.fast={low: 2, high: 100, step: 2}",
    "strategy.space.slow={low: 4, high: 200, step: 4}",
    "report=none",
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return Case(WORK, ["cluster=serial"]).finish(tmp_path_factory.mktemp("serial"))


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[Machine, Machine, str]]:
    with cluster_of(tmp_path, HEALTH) as found:
        yield found


def started(head: Machine, address: str, root: Path) -> Driver:
    """Start the driver on the head once both nodes are there."""
    both = f"import ray, time; ray.init(address='{address}')\nwhile len(ray.nodes()) < 2: time.sleep(0.1)"
    assert head.start([sys.executable, "-c", both]).wait() == 0, head.said()
    place = ["cluster=existing", f"cluster.address={address}", "cluster.chunk_seconds=0.05"]
    return Driver(head.start(Case(WORK, place).command(root)), root, 0)


def hosts(driver: Driver) -> list[str]:
    """Give the host of each chunk that is done."""
    return [record["host"] for record in driver.records() if record["kind"] == "CHUNK"]


def cut(driver: Driver, worker: Machine, seconds: float) -> None:
    """Cut the link once both hosts have computed, and restore it while there is more to do."""
    driver.wait_for(lambda _: set(hosts(driver)) == {"host-0", "host-1"})
    worker.set_link("down")
    time.sleep(seconds)
    worker.set_link("up")
    assert driver.is_running()
    assert "NEXT_WINDOW" not in driver.kinds()


def finished(driver: Driver, machine: Machine) -> Result:
    assert driver.process.wait() == 0, machine.said()
    return result(driver.root)


def test_a_link_that_is_cut_for_a_moment_costs_nothing(
    machines: tuple[Machine, Machine, str], expected: Result, tmp_path: Path
) -> None:
    head, worker, address = machines
    driver = started(head, address, tmp_path)
    cut(driver, worker, 2.0)
    assert finished(driver, head) == expected
    assert set(hosts(driver)) == {"host-0", "host-1"}


def test_a_machine_that_is_given_up_is_replaced_when_it_joins_again(
    machines: tuple[Machine, Machine, str], expected: Result, tmp_path: Path
) -> None:
    head, worker, address = machines
    driver = started(head, address, tmp_path)
    cut(driver, worker, 10.0)
    worker.start_ray(f"--address={address}")
    assert finished(driver, head) == expected
    assert len(set(hosts(driver))) >= 3
