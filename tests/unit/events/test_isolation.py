"""Isolation: the checks of `+experiment=selfcheck`, current buses, and the registry of live containers."""

import asyncio
import contextvars
import gc
import threading

import pytest

from admf_ray.errors import ContractError, IsolationViolation
from admf_ray.events import ContainerRegistry, EventBus, active, current_bus
from admf_ray.testing import isolation
from admf_ray.testing.isolation import ISOLATION_CHECKS
from tests.unit.events.recording import Listener, buses, system


@pytest.mark.parametrize("name", ISOLATION_CHECKS)
def test_containers_are_isolated(name: str) -> None:
    check, _ = ISOLATION_CHECKS[name]
    assert check()


class TestCurrentBus:
    def test_there_is_none_outside_of_a_container(self) -> None:
        with pytest.raises(IsolationViolation, match="no container is active here"):
            current_bus()

    def test_the_innermost_one_counts_and_the_outer_one_is_back_afterwards(self) -> None:
        with buses("outer", "inner") as [outer, inner]:
            with active(outer):
                with active(inner):
                    assert current_bus() is inner
                assert current_bus() is outer
            with pytest.raises(IsolationViolation):
                current_bus()

    def test_it_is_back_after_an_error(self) -> None:
        def fail() -> None:
            with active(bus):
                raise ValueError

        with buses("a") as [bus]:
            with pytest.raises(ValueError):  # noqa: PT011  (any will do)
                fail()
            with pytest.raises(IsolationViolation):
                current_bus()

    def test_a_new_thread_begins_without_one_unless_it_is_given_the_context(self) -> None:
        found: list[EventBus | None] = []

        def look() -> None:
            try:
                found.append(current_bus())
            except IsolationViolation:
                found.append(None)

        with buses("a") as [bus], active(bus):
            context = contextvars.copy_context()
            for target in (look, lambda: context.run(look)):
                thread = threading.Thread(target=target)
                thread.start()
                thread.join()
            assert found == [None, bus]

    def test_a_task_keeps_its_own_while_others_run(self) -> None:
        async def work(bus: EventBus) -> bool:
            with active(bus):
                for _ in range(10):
                    await asyncio.sleep(0)
                    if current_bus() is not bus:
                        return False
                return await asyncio.create_task(inherits(bus))

        async def inherits(bus: EventBus) -> bool:
            return current_bus() is bus

        async def together() -> list[bool]:
            return list(await asyncio.gather(*map(work, several)))

        with buses(*"abcde") as several:
            assert asyncio.run(together()) == [True] * 5


class TestRegistry:
    def test_it_knows_who_lives_and_how_many_were_disposed_of(self) -> None:
        registry = ContainerRegistry()
        one, other = EventBus("one", registry=registry), EventBus("other", registry=registry)
        assert registry.live() == [one, other]
        one.close()
        assert (registry.live(), registry.disposed) == ([other], 1)
        other.close()
        assert (len(registry), registry.disposed) == (0, 2)

    def test_an_id_is_free_again_once_its_container_is_closed(self) -> None:
        registry = ContainerRegistry()
        one = EventBus("one", registry=registry)
        with pytest.raises(IsolationViolation, match="a container named 'one' lives already"):
            EventBus("one", registry=registry)
        one.close()
        EventBus("one", registry=registry).close()

    def test_it_names_closed_containers_that_somebody_still_holds(self) -> None:
        registry = ContainerRegistry()
        bus = EventBus("held", registry=registry)
        bus.close()
        assert registry.leaked() == ["held"]
        del bus
        assert registry.leaked() == []

    def test_a_container_that_was_forgotten_without_being_closed_does_not_live(self) -> None:
        registry = ContainerRegistry()
        EventBus("forgotten", registry=registry)
        gc.collect()
        assert len(registry) == 0


class TestTheChecksCanFail:
    """A planted fault for each of them that has one to plant."""

    def test_leaks_between_containers_are_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first: list[EventBus] = []

        class Leaking(EventBus):
            def publish(self, event):  # type: ignore[no-untyped-def]
                first.append(self)
                first[0].receive(event)
                if first[0] is not self:
                    super().publish(event)

        monkeypatch.setattr(isolation, "EventBus", Leaking)
        for check in (isolation.check_threads, isolation.check_tasks):
            first.clear()
            with pytest.raises(ContractError, match="heard of|out of order|numbers its events"):
                check(containers=5, events=3)

    def test_a_bus_that_takes_foreign_events_is_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Open(EventBus):
            def publish(self, event):  # type: ignore[no-untyped-def]
                event.sequence = 1
                self.receive(event)

        monkeypatch.setattr(isolation, "EventBus", Open)
        with pytest.raises(ContractError, match="was published in strict mode"):
            isolation.check_strict()
        with pytest.raises(ContractError, match="0 violations are recorded"):
            isolation.check_lenient()
        monkeypatch.setattr(isolation, "_UP", isolation._DOWN)
        with pytest.raises(ContractError, match="heard SYSTEM of|heard SIGNAL of"):
            isolation.check_nested()

    def test_a_bus_that_stays_is_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        held: list[EventBus] = []

        class Staying(EventBus):
            def close(self) -> None:
                held.append(self)
                super().close()

        monkeypatch.setattr(isolation, "EventBus", Staying)
        with pytest.raises(ContractError, match="closed containers are still held"):
            isolation.check_collection()
        with pytest.raises(ContractError, match="closed containers are still held"):
            isolation.check_disposal(containers=5)

    def test_a_bus_that_keeps_handlers_alive_is_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        kept = []

        class Keeping(EventBus):
            def subscribe(self, kind, handler, where=None):  # type: ignore[no-untyped-def]
                kept.append(handler)
                return super().subscribe(kind, handler, where)

        monkeypatch.setattr(isolation, "EventBus", Keeping)
        with pytest.raises(ContractError, match="subscriptions are left instead of 2"):
            isolation.check_deleted_handlers()

    def test_containers_that_take_too_much_are_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(isolation, "_GIGABYTE", 1)
        with pytest.raises(ContractError, match="live containers take"):
            isolation.check_live(containers=200, events=200)


def test_the_forwarded_and_the_foreign_are_told_apart() -> None:
    with buses("a", "b") as [one, other]:
        listener = Listener()
        other.subscribe("SYSTEM", listener.on_event)  # type: ignore[call-overload]
        one.publish(event := system(one, "brought"))
        other.receive(event)
        with pytest.raises(IsolationViolation):
            other.publish(event)
    assert listener.texts == ["brought"]
