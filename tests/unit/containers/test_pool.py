"""Pools: what is given, taken back, replaced, and refused."""

import threading
import time
from collections.abc import Callable

import pytest

from admf_ray.containers import ContainerPool, ContainerSpec, PoolCounts, ScopedContainer, State
from admf_ray.errors import CapacityError, ConfigError, EventError
from admf_ray.events import ContainerRegistry, EventBus, EventTracer, Retention, TraceSettings
from tests.unit.containers.parts import Listener, component, of_kind, part, tell

LISTENING = of_kind("any", component("listener", Listener))


def building(spec: ContainerSpec, registry: ContainerRegistry | None = None) -> Callable[[str], ScopedContainer]:
    into = ContainerRegistry() if registry is None else registry
    return lambda container_id: ScopedContainer(spec, container_id, registry=into)


def counted(pool: ContainerPool) -> tuple[int, int, int]:
    counts = pool.counts
    return counts.created, counts.reused, counts.recycled


class TestReuse:
    def test_a_container_comes_back_as_new(self) -> None:
        with ContainerPool(building(LISTENING), 2) as pool:
            with pool.container() as first:
                tell(first, "one")
                assert first.resolve("listener").texts == ["pool-1: one"]
            with pool.container() as second:
                assert second is first
                assert second.state is State.RUNNING
                assert second.resolve("listener").texts == []
                tell(second, "two")
                assert second.resolve("listener").texts == ["pool-1: two"], "it is still subscribed, once"
            assert pool.counts == PoolCounts(created=1, reused=1, recycled=0, idle=1, held=0)

    def test_containers_are_built_when_they_are_needed(self) -> None:
        with ContainerPool(building(LISTENING), 3, name="hosts") as pool:
            assert pool.counts.created == 0
            one, two = pool.acquire(), pool.acquire()
            assert [one.container_id, two.container_id] == ["hosts-1", "hosts-2"]
            pool.release(one)
            pool.release(two)
            assert pool.counts == PoolCounts(created=2, reused=0, recycled=0, idle=2, held=0)

    def test_a_container_that_its_user_stopped_comes_back_as_well(self) -> None:
        with ContainerPool(building(LISTENING), 1) as pool:
            with pool.container() as container:
                container.stop()
            with pool.container() as again:
                assert again is container


class TestRecycling:
    def test_what_cannot_be_reset_is_replaced(self) -> None:
        registry = ContainerRegistry()
        with ContainerPool(building(of_kind("any", component("positions", dict)), registry), 1) as pool:
            with pool.container() as first:
                first.resolve("positions")["SPX"] = 1.0
            assert (first.state, len(registry)) == (State.DISPOSED, 0)
            with pool.container() as second:
                assert second.container_id == "pool-2"
                assert second.resolve("positions") == {}
            assert counted(pool) == (2, 0, 2)

    def test_what_fails_to_be_reset_is_replaced(self) -> None:
        with ContainerPool(building(of_kind("any", part([], "a", failing="reset"))), 1) as pool:
            with pool.container() as container:
                pass
            assert container.state is State.DISPOSED
            assert counted(pool) == (1, 0, 1)

    def test_a_container_whose_block_raised_is_replaced(self) -> None:
        with ContainerPool(building(LISTENING), 1) as pool:
            with pytest.raises(ValueError, match="no bars"), pool.container() as first:
                raise ValueError("no bars")
            assert first.failure is not None
            assert first.failure.message == "no bars"
            with pool.container() as second:
                assert second is not first
            assert counted(pool) == (2, 0, 1)

    def test_a_container_that_failed_in_a_boundary_is_replaced(self) -> None:
        with ContainerPool(building(LISTENING), 1) as pool:
            with pool.container() as first, first.boundary():
                raise ValueError("no bars")
            assert (first.state, counted(pool)) == (State.DISPOSED, (1, 0, 1))

    def test_a_container_that_its_user_disposed_of_is_replaced(self) -> None:
        with ContainerPool(building(LISTENING), 1) as pool:
            with pool.container() as container:
                container.dispose()
            assert counted(pool) == (1, 0, 1)
            assert pool.counts.idle == 0

    def test_a_container_is_used_so_often_and_no_more(self) -> None:
        with ContainerPool(building(LISTENING), 1, max_uses=3) as pool:
            given = []
            for _ in range(7):
                with pool.container() as container:
                    given.append(container.container_id)
            assert given == ["pool-1"] * 3 + ["pool-2"] * 3 + ["pool-3"]
            assert counted(pool) == (3, 4, 2)

    def test_a_container_that_keeps_too_much_is_replaced(self) -> None:
        def observe(bus: EventBus) -> None:
            bus.attach(EventTracer(TraceSettings(retention=Retention.FULL)))

        spec = of_kind("any", children={"inner": LISTENING})
        registry = ContainerRegistry()

        def build(container_id: str) -> ScopedContainer:
            return ScopedContainer(spec, container_id, observe=observe, registry=registry)

        with ContainerPool(build, 1, max_retained=5_000) as pool:
            with pool.container() as first:
                tell(first.children[0], "little")
            with pool.container() as second:
                assert second is first
                for _ in range(100):
                    tell(second.children[0], "much")
            assert second.state is State.DISPOSED
            assert counted(pool) == (1, 1, 1)

    def test_an_idle_container_that_somebody_disposed_of_is_replaced(self) -> None:
        with ContainerPool(building(LISTENING), 1) as pool:
            with pool.container() as kept:
                pass
            kept.dispose()
            with pool.container() as other:
                assert other is not kept
            assert counted(pool) == (2, 0, 1)

    def test_a_container_that_ends_badly_is_raised_and_its_place_is_free(self) -> None:
        for failing, said in (("stop", "1 failed to stop"), ("dispose reset", "1 failed to end")):
            pool = ContainerPool(building(of_kind("any", part([], "a", failing=failing))), 1)
            container = pool.acquire()
            with pytest.raises(EventError, match=said):
                pool.release(container)
            assert container.state is State.DISPOSED
            assert pool.counts == PoolCounts(created=1, reused=0, recycled=1, idle=0, held=0)
            pool.close()

    def test_an_error_of_the_block_comes_before_that_of_the_release(self) -> None:
        with ContainerPool(building(of_kind("any", part([], "a", failing="dispose"))), 1) as pool:
            with pytest.raises(KeyError, match="block") as caught, pool.container():
                raise KeyError("block")
            assert "a cannot dispose" in caught.value.__notes__[0]


class TestCapacity:
    def test_waiting_too_long_says_how_many_there_are_and_who_holds_them(self) -> None:
        with ContainerPool(building(LISTENING), 2, name="hosts") as pool:
            with pool.container("discovery"), pool.container("validation"):
                assert pool.holders == {"hosts-1": "discovery", "hosts-2": "validation"}
                with pytest.raises(
                    CapacityError,
                    match=r"pool 'hosts' of 2 containers: none became free within 0.01 s; "
                    "held: hosts-1 by discovery, hosts-2 by validation",
                ):
                    pool.acquire(timeout=0.01)
            with pool.container(timeout=0.01):
                assert list(pool.holders.values()) == [threading.current_thread().name]

    def test_who_waits_gets_what_is_released(self) -> None:
        with ContainerPool(building(LISTENING), 1) as pool:
            held, got = pool.acquire(), []
            thread = threading.Thread(target=lambda: got.append(pool.acquire("waiting", timeout=30)))
            thread.start()
            time.sleep(0.02)
            assert got == []
            pool.release(held)
            thread.join()
            assert got == [held]
            pool.release(held)

    @pytest.mark.parametrize("failing", ["build", "initialize", "start", "start dispose"])
    def test_a_container_that_cannot_begin_leaves_its_place_free(self, failing: str) -> None:
        registry = ContainerRegistry()
        with ContainerPool(building(of_kind("any", part([], "a", failing=failing)), registry), 1) as pool:
            for _ in range(3):
                with pytest.raises(ValueError, match="a cannot"):
                    pool.acquire(timeout=0.01)
            assert pool.counts.held == 0
            assert len(registry) == 0

    def test_many_threads_share_few_containers_and_never_one_at_a_time(self) -> None:
        users: dict[str, int] = {}
        problems: list[object] = []
        registry = ContainerRegistry()

        def work(number: int) -> None:
            try:
                for turn in range(25):
                    with pool.container() as container:
                        if users.setdefault(container.container_id, number) != number:
                            problems.append("shared")
                        texts = container.resolve("listener").texts
                        tell(container, f"{number} {turn}")
                        if texts != [f"{container.container_id}: {number} {turn}"]:
                            problems.append(list(texts))
                        del users[container.container_id]
            except Exception as error:
                problems.append(error)

        with ContainerPool(building(LISTENING, registry), 3, max_uses=7) as pool:
            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            counts = pool.counts
            assert problems == []
            assert counts.created + counts.reused == 200
            assert (counts.held, counts.idle) == (0, counts.created - counts.recycled)
            assert len(registry) == counts.idle <= 3
        assert len(registry) == 0


class TestRefusing:
    def test_what_is_not_held_cannot_be_released(self) -> None:
        stranger = building(LISTENING)("stranger")
        with ContainerPool(building(LISTENING), 1) as pool:
            with pytest.raises(EventError, match="container 'stranger' is not held; held: none"):
                pool.release(stranger)
            container = pool.acquire("me")
            pool.release(container)
            with pytest.raises(EventError, match="container 'pool-1' is not held"):
                pool.release(container)
        stranger.dispose()

    def test_a_container_of_another_id_is_refused(self) -> None:
        registry = ContainerRegistry()
        build = building(LISTENING, registry)
        with ContainerPool(lambda name: build("mine"), 1) as pool:
            with pytest.raises(ConfigError, match="build gave container 'mine' when asked for 'pool-1'"):
                pool.acquire()
            assert (len(registry), pool.counts.held) == (0, 0)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"size": 0}, "size of pool 'pool': 0 is not allowed; allowed: 1 or more"),
            ({"size": 1, "max_uses": 0}, "max_uses of pool 'pool': 0"),
            ({"size": 1, "max_retained": -1}, "max_retained of pool 'pool': -1 is not allowed; allowed: 0 or more"),
        ],
    )
    def test_limits_that_cannot_be_are_refused(self, options: dict[str, int], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            ContainerPool(building(LISTENING), **options)


class TestClosing:
    def test_idle_containers_end_at_once_and_held_ones_when_they_are_released(self) -> None:
        registry = ContainerRegistry()
        pool = ContainerPool(building(LISTENING, registry), 2)
        idle, held = pool.acquire(), pool.acquire()
        pool.release(idle)
        pool.close()
        assert (idle.state, held.state) == (State.DISPOSED, State.RUNNING)
        pool.release(held)
        assert (held.state, len(registry)) == (State.DISPOSED, 0)
        with pytest.raises(EventError, match="pool 'pool' is closed"):
            pool.acquire()

    def test_who_waits_is_told(self) -> None:
        pool = ContainerPool(building(LISTENING), 1)
        held, said = pool.acquire(), []

        def wait() -> None:
            try:
                pool.acquire(timeout=30)
            except EventError as error:
                said.append(str(error))

        thread = threading.Thread(target=wait)
        thread.start()
        pool.close()
        thread.join()
        assert said == ["pool 'pool' is closed"]
        pool.release(held)

    def test_all_that_fail_to_end_are_named(self) -> None:
        pool = ContainerPool(building(of_kind("any", part([], "a", failing="dispose"))), 2)
        for container in [pool.acquire(), pool.acquire()]:
            pool.release(container)
        with pytest.raises(EventError, match=r"pool 'pool': container 'pool-1': .*; container 'pool-2': "):
            pool.close()

    def test_an_error_of_the_block_comes_before_those_of_closing(self) -> None:
        build = building(of_kind("any", part([], "a", failing="dispose")))
        pool = ContainerPool(build, 1)
        pool.release(pool.acquire())
        with pytest.raises(KeyError, match="block") as caught, pool:
            raise KeyError("block")
        assert "a cannot dispose" in caught.value.__notes__[0]
        with pytest.raises(EventError, match="a cannot dispose"), ContainerPool(build, 1, name="other") as other:
            other.release(other.acquire())
