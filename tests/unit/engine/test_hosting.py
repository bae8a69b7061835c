"""Pools of containers on a host: how many containers they keep."""

from collections.abc import Iterator

import pytest

from admf_ray.engine import hosting
from admf_ray.engine.composition import Composition
from admf_ray.engine.hosting import check_containers, live_containers, pool_of
from admf_ray.errors import CapacityError
from admf_ray.strategies import STRATEGIES

SINGLE = [Composition.of(STRATEGIES[name]) for name in ("sma_cross", "ema_cross", "price_sma")]


@pytest.fixture(autouse=True)
def no_pools(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hosting, "_POOLS", {})
    yield
    for pool, _ in hosting._POOLS.values():
        pool.close()


def used(composition: Composition, most: int | None = None) -> str:
    """Use a container of a composition; give its id."""
    with pool_of(composition, most).container() as container:
        return container.container_id


def test_a_container_waits_in_its_pool_until_it_is_used_again() -> None:
    first = used(SINGLE[0])
    assert used(SINGLE[1]) != first
    assert used(SINGLE[0]) == first
    assert len(live_containers()) == 2


def test_what_was_not_used_for_longest_is_dropped_where_there_are_more_than_may_be_kept() -> None:
    first, second = used(SINGLE[0], 2), used(SINGLE[1], 2)
    assert used(SINGLE[0], 2) == first
    third = used(SINGLE[2], 2)
    assert [row["id"] for row in live_containers()] == [first, third]
    assert used(SINGLE[1], 2) not in {first, second, third}


def test_a_composition_that_takes_more_containers_than_a_host_may_keep_is_refused() -> None:
    check_containers(SINGLE[0], 1)
    with pytest.raises(
        CapacityError,
        match="cluster.max_containers: sma_cross takes 1 backtest = 1 containers at once on each host; 0 are allowed",
    ):
        check_containers(SINGLE[0], 0)
