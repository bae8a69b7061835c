"""Isolation, cleanup: containers of the target hear what is theirs, and nothing of them stays."""

import gc
import threading
import weakref
from itertools import zip_longest

import psutil

from admf_ray.app.selfcheck.target import Target, confirm, prints, require
from admf_ray.containers import State
from admf_ray.engine.event_driven import Market
from admf_ray.engine.result import Segment
from admf_ray.errors import ContractError, first_line
from admf_ray.events import LIVE, Bar, Event, EventBus, EventType
from admf_ray.testing.isolation import ISOLATION_CHECKS

__all__ = ["check_cleanup", "check_isolation"]

_CONTAINERS = 50
_ROUNDS = 3
_BARS = 30


class _Failing:
    """A handler that fails at one bar."""

    def __init__(self, bar: int) -> None:
        self._bar = bar

    def on_bar(self, event: Event[Bar]) -> None:
        if event.payload.bar == self._bar:
            raise ArithmeticError(f"made to fail at bar {self._bar}")


def check_isolation(target: Target) -> str:
    """Run the checks of buses; then containers of the target bar by bar in turns, one of which fails."""
    for name, (check, promise) in ISOLATION_CHECKS.items():
        try:
            check()
        except Exception as error:
            raise ContractError(f"{name} ({promise}): {first_line(error)}") from error
    start, stop = target.span
    middle = (start + stop) // 2
    first, second = (start, middle), (middle, stop)
    alone = [prints(target.contained(span)) for span in (first, second)]
    with target.market() as one, target.market() as other:
        _in_turns(target, one, other, first, second)
        found = [prints(_segments(market)) for market in (one, other)]
    for half, expected, got in zip(("first", "second"), alone, found, strict=True):
        confirm(got, expected, f"over the {half} half of the bars, in turns with another container")
    breaks = _Failing((first[0] + first[1]) // 2)
    with target.market() as one, target.market() as other:
        subscription = one.container.bus.subscribe(EventType.BAR, breaks.on_bar)
        _in_turns(target, one, other, first, second)
        one.container.bus.unsubscribe(subscription)
        states = [market.container.state for market in (one, other)]
        found = [prints(_segments(other))]
    require(states == [State.FAILED, State.RUNNING], f"of two containers one of which fails, states are {states}")
    confirm(found[0], alone[1], "beside a container that failed")
    return (
        f"{len(ISOLATION_CHECKS)} checks of buses; two containers in turns over {stop - start:,} bars equal each "
        "alone, also beside one that fails"
    )


def _in_turns(target: Target, one: Market, other: Market, first: tuple[int, int], second: tuple[int, int]) -> None:
    """Run a bar here and a bar there; what one raises is contained in it."""
    one.begin(target.setups, first)
    other.begin(target.setups, second)
    for here, there in zip_longest(range(*first), range(*second)):
        for market, bar in ((one, here), (other, there)):
            if bar is not None and market.container.state is State.RUNNING:
                with market.container.boundary():
                    market.bar(bar)


def _segments(market: Market) -> dict[str, Segment]:
    return {name: book.segment() for name, book in market.books.items()}


def check_cleanup(target: Target, containers: int = _CONTAINERS) -> str:
    """Run many containers of the target: afterwards nothing of them may live, listen, run or be open.

    Threads and files are those of the whole process, in which a library may open one meanwhile: where there are more
    after a round another is run, three at most, and the last one counts.
    """
    stop = target.span[1]
    span = stop - _BARS, stop
    buses: list[weakref.ref[EventBus]] = []

    def attach(bus: EventBus) -> None:
        buses.append(weakref.ref(bus))

    # The first run opens and keeps what the process needs only once.
    target.contained(span)
    gc.collect()
    LIVE.leaked()
    process = psutil.Process()
    lived, leaked = {bus.container_id for bus in LIVE.live()}, set(LIVE.leaked())
    runs = 0
    for _ in range(_ROUNDS):
        threads, files = threading.active_count(), process.num_fds()
        for _ in range(containers):
            target.contained(span, attach)
        runs += containers
        gc.collect()
        more_threads, more_files = threading.active_count() - threads, process.num_fds() - files
        if more_threads <= 0 and more_files <= 0:
            break
    live = [bus.container_id for bus in LIVE.live() if bus.container_id not in lived]
    require(not live, f"{len(live)} containers live on after they were disposed of: {', '.join(live[:3])}")
    held = sorted(set(LIVE.leaked()) - leaked)
    require(not held, f"{len(held)} closed containers are still held by somebody: {', '.join(held[:3])}")
    listening = sum(len(bus.subscriptions) for one in buses if (bus := one()) is not None)
    require(not listening, f"{listening} subscriptions are left")
    require(more_threads <= 0, f"{more_threads} more threads than before")
    require(more_files <= 0, f"{more_files} more open files than before")
    return (
        f"{runs} runs in {len(buses):,} containers: none live, held or listening; {threads} threads and {files} "
        "open files as before"
    )
