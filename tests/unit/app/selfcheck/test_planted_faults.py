"""For each category of the self-check a fault that is planted: that category finds it, and says what it is."""

import os
import re
import shutil
import threading
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from admf_ray.app.selfcheck import CATEGORIES, Target, costs
from admf_ray.app.selfcheck.batches import check_batch_processing, check_scaling
from admf_ray.app.selfcheck.containers import check_cleanup
from admf_ray.app.selfcheck.resources import MemoryLimits, check_memory
from admf_ray.errors import ContractError, EventError, ReproductionError
from admf_ray.events import Event, EventBus, EventType, Regime, by_strategy
from admf_ray.strategies import STRATEGIES
from admf_ray.testing import isolation
from tests.unit.app.selfcheck.planted import COUNTING, OF_PLACE, SHARED, small_target, target_of


@pytest.fixture(scope="module")
def target() -> Target:
    return small_target()


def check(category: str, target: Target) -> str:
    return CATEGORIES[category][0](target)


class Speaking:
    """An observer that makes of every fill what nothing declares."""

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus
        bus.attach(self)

    def on_event(self, event: Event[Any]) -> None:
        if event.type is EventType.FILL:
            said = Regime("speaking", "S0", event.payload.bar, 1)
            self.bus.publish(Event(said, "speaking", self.bus.container_id, cause=event))


class Closing:
    """An observer that ends its container at the first error."""

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus
        bus.attach(self)

    def on_event(self, event: Event[Any]) -> None:
        if event.type is EventType.ERROR:
            self.bus.close()


class Slow:
    def on_signal(self, event: Event[Any]) -> None:
        time.sleep(0.0005)


# Isolation


def test_isolation_is_broken_by_a_strategy_whose_instances_share_state(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("admf_ray.app.selfcheck.containers.ISOLATION_CHECKS", {})
    with (
        target_of(SHARED, tmp_path) as target,
        pytest.raises(ReproductionError, match=r"book over the .* half of the bars, in turns with another container"),
    ):
        check("isolation", target)


def test_isolation_is_broken_by_a_bus_that_tells_others(target: Target, monkeypatch) -> None:
    class Leaking(EventBus):
        def publish(self, event: Event[Any]) -> None:
            if event.container_id == self.container_id:
                super().publish(event)

    monkeypatch.setattr(isolation, "EventBus", Leaking)
    with pytest.raises(ContractError, match=r"strict \(a wrong container id stops in strict mode\): an event under"):
        check("isolation", target)


# Event flow


def test_event_flow_is_broken_by_events_that_no_contract_declares(target: Target) -> None:
    with pytest.raises(ContractError, match=r"events that no contract declares: .* by speaking: REGIME after FILL"):
        check("event_flow", replace(target, observe=Speaking))


# Synthetic expected results


def test_expected_results_are_broken_by_a_strategy_that_buys_a_bar_late(target: Target) -> None:
    held = STRATEGIES["buy_and_hold"]
    STRATEGIES.remove(held)
    STRATEGIES.add(replace(held, kernel=None, python=lambda view: None if view.bar < 1 else 1.0))
    try:
        with pytest.raises(ContractError, match=r"buy_and_hold compiled: equity at bar 1 is 1,000.00; by hand 1,100"):
            check("expected_results", target)
    finally:
        STRATEGIES.remove(STRATEGIES["buy_and_hold"])
        STRATEGIES.add(held)


# Reproducibility


def test_reproducibility_is_broken_by_a_strategy_that_remembers_other_runs(tmp_path: Path) -> None:
    with (
        target_of(COUNTING, tmp_path) as target,
        pytest.raises(ReproductionError, match=r"book compiled, again: another result"),
    ):
        check("reproducibility", target)


# Scaling


def test_scaling_is_broken_by_a_strategy_that_depends_on_where_it_runs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    with (
        target_of(OF_PLACE, tmp_path) as target,
        pytest.raises(ReproductionError, match=r"on 1 Ray host 64 of 64 trials come out otherwise"),
    ):
        check_scaling(target, hosts=(1,))


# Latency


def test_latency_is_broken_by_a_handler_that_sleeps(target: Target) -> None:
    slow = Slow()

    def attach(bus: EventBus) -> None:
        bus.subscribe(EventType.SIGNAL, slow.on_signal, by_strategy("sma_cross"))

    with pytest.raises(ContractError, match=r"Slow.on_signal takes .* us for a SIGNAL \(p99\); allowed: 100"):
        check("latency", replace(target, observe=attach))


def test_latency_is_broken_by_a_year_that_takes_too_long(target: Target) -> None:
    def attach(bus: EventBus) -> None:
        time.sleep(0.11)

    with pytest.raises(ContractError, match=r"a year of a book takes 0.\d+ s; allowed: 0.1"):
        check("latency", replace(target, observe=attach))


# Error handling


def test_error_handling_is_broken_by_who_ends_a_run_for_one_bad_event(target: Target) -> None:
    with pytest.raises(EventError, match=r"is closed"):
        check("error_handling", replace(target, observe=Closing))


def test_error_handling_is_broken_by_containers_that_stay_alive(target: Target) -> None:
    strays: list[EventBus] = []

    def attach(bus: EventBus) -> None:
        strays.append(EventBus(f"stray-{len(strays)}"))

    try:
        with pytest.raises(ContractError, match=r"containers are left alive: stray-0, stray-1"):
            check("error_handling", replace(target, observe=attach))
    finally:
        for stray in strays:
            stray.close()


def test_error_handling_is_broken_by_engines_that_disagree_on_a_missing_bar(tmp_path: Path) -> None:
    with (
        target_of(COUNTING, tmp_path) as target,
        pytest.raises(ReproductionError, match=r"another result than by the compiled engine"),
    ):
        check("error_handling", target)


# Cleanup


def test_cleanup_is_broken_by_who_holds_a_closed_container(target: Target) -> None:
    held: list[EventBus] = []
    with pytest.raises(ContractError, match=r"\d+ closed containers are still held by somebody: backtest_"):
        check("cleanup", replace(target, observe=held.append))


def test_cleanup_is_broken_by_threads_that_go_on(target: Target) -> None:
    over = threading.Event()

    def attach(bus: EventBus) -> None:
        threading.Thread(target=over.wait, daemon=True).start()

    try:
        with pytest.raises(ContractError, match=r"10 more threads than before"):
            check_cleanup(replace(target, observe=attach), containers=10)
    finally:
        over.set()


def test_cleanup_is_broken_by_files_that_stay_open(target: Target) -> None:
    files: list[int] = []

    # More than libraries that tests before have used can close meanwhile.
    def attach(bus: EventBus) -> None:
        files.extend(os.open(__file__, os.O_RDONLY) for _ in range(20))

    try:
        with pytest.raises(ContractError, match=r"(1[5-9]|2[0-4])\d more open files than before"):
            check_cleanup(replace(target, observe=attach), containers=10)
    finally:
        for file in files:
            os.close(file)


def test_what_a_library_opens_meanwhile_is_not_what_containers_leave(target: Target) -> None:
    files: list[int] = []
    calls = count()

    # At the first call nothing is counted yet.
    def attach(bus: EventBus) -> None:
        if next(calls) == 1:
            files.extend(os.open(__file__, os.O_RDONLY) for _ in range(200))

    said = check_cleanup(replace(target, observe=attach), containers=10)
    for file in files:
        os.close(file)
    # Three rounds where a library does open something in the second.
    assert re.match(r"(20|30) runs in \1 containers: none live", said)


# Memory


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, r"the residue of a phase: 8.\d MB; allowed: below 5"),
        *(
            pytest.param(limits, said, marks=pytest.mark.slow)
            for limits, said in (
                ({"reuses": 5.0}, r"ten uses of a pooled container: 8.\d MB; allowed: below 5"),
                ({"year": 5.0}, r"a run over one year: 8.\d MB; allowed: below 5"),
                ({"peak": 1.0}, r"the peak of the process: [\d,.]+ MB; allowed: below 1"),
            )
        ),
    ],
    ids=["residue", "reuses", "year", "peak"],
)
def test_memory_is_broken_by_who_holds_eight_megabytes_of_each_container(target: Target, limits, said: str) -> None:
    held: list[Any] = []

    def attach(bus: EventBus) -> None:
        held.append(np.ones(10**6))

    wide = {"growth": 1e9, "peak": 1e9, "residue": 5.0}
    with pytest.raises(ContractError, match=said):
        check_memory(replace(target, observe=attach), MemoryLimits(**wide | limits))


def test_memory_is_broken_by_a_process_that_grows(target: Target) -> None:
    held: list[Any] = []

    def attach(bus: EventBus) -> None:
        held.append(np.ones(16 * 10**6))

    with pytest.raises(ContractError, match=r"growth in repeated runs: \d+.\d %; allowed: below 5"):
        check("memory", replace(target, observe=attach))


# Batch processing


def test_batch_processing_is_broken_by_a_chunk_that_is_another_one(target: Target) -> None:
    def mix_up(folder: Path) -> None:
        first, second, *_ = sorted(folder.glob("*.parquet"))
        shutil.copy(first, second)

    with pytest.raises(ReproductionError, match=r"two writers wrote \d+ of 1,000 trials come out otherwise, .* 100"):
        check_batch_processing(target, between=mix_up)


def test_batch_processing_is_broken_by_a_chunk_that_is_lost(target: Target) -> None:
    def lose(folder: Path) -> None:
        sorted(folder.glob("*.parquet"))[1].unlink()

    with pytest.raises(ReproductionError, match="the trials of candidates .* are gone"):
        check_batch_processing(target, between=lose)


# Costs of steps


def test_a_step_that_costs_more_than_five_times_the_one_before_is_not_allowed(target: Target) -> None:
    (alone,) = costs([target])
    start, stop = target.span
    seconds = alone.microseconds * 1e-6 * (stop - start)

    def attach(bus: EventBus) -> None:
        time.sleep(20.0 * seconds)

    plain, dear = costs([target, replace(target, name="step2", observe=attach)])
    assert (plain.ratio, plain.is_allowed) == (None, True)
    assert dear.ratio is not None
    assert dear.ratio > 5.0
    assert not dear.is_allowed
