"""Error handling: a strategy that fails, events that are none, and a bar that is missing."""

from dataclasses import replace
from typing import Any

import numpy as np

from admf_ray.app.selfcheck.target import Target, confirm, prints, require
from admf_ray.containers import State
from admf_ray.core.bars import FIELDS
from admf_ray.engine.composition import Composition
from admf_ray.errors import IsolationViolation
from admf_ray.events import LIVE, Event, EventBus, EventType, System
from admf_ray.strategies import Strategy

__all__ = ["check_error_handling"]


class _FailedOnPurposeError(Exception):
    """What the failing strategy raises."""


class _Errors:
    """An observer that counts ERROR events."""

    def __init__(self) -> None:
        self.count = 0

    def on_event(self, event: Event[Any]) -> None:
        self.count += event.type is EventType.ERROR


def check_error_handling(target: Target) -> str:
    """Let the target's strategy fail, publish bad events, take a bar away: errors are named and nothing else changes.

    Afterwards no container may be left alive that was not there before.
    """
    lived = {bus.container_id for bus in LIVE.live()}
    expected = prints(target.compiled())
    said = [_fail_a_strategy(target), _publish_bad_events(target, expected), _miss_a_bar(target)]
    confirm(prints(target.contained()), expected, "after all of that")
    left = [bus.container_id for bus in LIVE.live() if bus.container_id not in lived]
    require(not left, f"{len(left)} containers are left alive: {', '.join(left[:3])}")
    return "; ".join(said)


def _fail_a_strategy(target: Target) -> str:
    bar = sum(target.span) // 2

    def fails(view: Any) -> None:
        if view.bar == bar:
            raise _FailedOnPurposeError("made to fail")

    books = {name: _failing(composition, fails) for name, composition in target.books.items()}
    setups = {name: replace(setup, composition=books[name]) for name, setup in target.setups.items()}
    strategy = next(iter(books.values())).members[0].strategy.name
    container, notes = None, [""]
    try:
        with target.market(books=books) as market:
            container = market.container
            market.begin(setups, target.span)
            market.run(target.span)
    except _FailedOnPurposeError as error:
        notes = error.__notes__
    require(container is not None and container.failure is not None, "a strategy that raises fails no container")
    assert container is not None
    require(container.state is State.DISPOSED, f"a container whose strategy raised is {container.state}")
    where = next((note for note in notes if strategy in note and f"bar {bar} " in f"{note} "), "")
    require(bool(where), f"the error of strategy '{strategy}' at bar {bar} names them nowhere: {'; '.join(notes)}")
    return f"a failing strategy is named ({where.removeprefix('in ')})"


def _failing(composition: Composition, python: Any) -> Composition:
    first, *others = composition.members
    strategy: Strategy = replace(first.strategy, kernel=None, python=python)
    return replace(composition, members=(replace(first, strategy=strategy), *others))


def _publish_bad_events(target: Target, expected: dict[str, str]) -> str:
    """Publish in the middle of a run under another container's id, and an event without a time."""
    errors = _Errors()

    def attach(bus: EventBus) -> None:
        bus.attach(errors)

    start, stop = target.span
    middle = (start + stop) // 2
    with target.market(attach) as market:
        market.begin(target.setups, target.span)
        market.run((start, middle))
        bus = market.container.bus
        try:
            bus.publish(Event(System("not mine"), "selfcheck", "somebody_else"))
        except IsolationViolation:
            pass
        else:
            require(False, "an event under another container's id was published")
        bus.publish(Event(System("when?"), "selfcheck", bus.container_id, timestamp="today"))  # type: ignore[arg-type]
        require(bus.failures["selfcheck", "malformed"] == 1, "an event without a time was not refused")
        require(errors.count == 1, f"{errors.count} ERROR events tell of one bad event")
        market.run((middle, stop))
        found = prints({name: book.segment() for name, book in market.books.items()})
    confirm(found, expected, "after bad events in the middle")
    return "a foreign event raises and a malformed one is recorded, the run goes on"


def _miss_a_bar(target: Target) -> str:
    """Take away the bar of a fill in the middle, or the middle one."""
    middle = sum(target.span) // 2
    filled = [int(bar) for segment in target.compiled().values() for bar in segment.fills["bar"]]
    bar = min(filled, key=lambda one: abs(one - middle), default=middle)
    columns = {name: getattr(target.bars, name).copy() for name in FIELDS}
    for values in columns.values():
        values[:, bar] = np.nan
    gapped = target.on(replace(target.bars, **columns))
    segments = gapped.compiled()
    confirm(prints(gapped.contained()), prints(segments), f"in containers, with bar {bar:,} missing")
    for name, segment in segments.items():
        require(bar not in segment.fills["bar"], f"{name} fills an order at bar {bar:,}, which is missing")
        require(bool(np.isfinite(segment.equity).all()), f"{name} has no equity where bar {bar:,} is missing")
    return f"missing bar {bar:,}{' of a fill' if bar in filled else ''}: no fill there, engines agree"
