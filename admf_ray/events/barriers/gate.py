"""Gates: what stands between a bus and a handler, and hands on what a barrier lets pass."""

from bisect import insort
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol, runtime_checkable

from admf_ray.errors import ConfigError, EventError
from admf_ray.events.barriers.wording import RECORDED, require_at_least
from admf_ray.events.event import Event, EventId

__all__ = ["Barrier", "Gate", "Held", "Ordering", "Reverting", "ordering_of", "require_barriers"]


@dataclass(frozen=True, slots=True)
class Held:
    """Why an event is held back.

    Attributes
    ----------
    barrier : str
        Name of the barrier; of several, joined by "and" or "or".
    why : str
    waits : bool
        Whether it may pass later; otherwise it is dropped.
    """

    barrier: str
    why: str
    waits: bool


@runtime_checkable
class Barrier(Protocol):
    """Says which events may pass. It has a state, so every gate needs one of its own."""

    def see(self, event: Event[Any]) -> None:
        """Take in an event that the gate is shown, whether it is gated or only watched; once, before its `reason`."""

    def reason(self, event: Event[Any]) -> Held | None:
        """Say why a gated event is held back, None where it may pass; changes nothing."""

    def passed(self, event: Event[Any]) -> None:
        """Take in that a gated event is let through; comes before its handler is called."""


@runtime_checkable
class Ordering(Protocol):
    """A barrier that brings waiting events into an order of its own."""

    def order(self, event: Event[Any]) -> tuple[Any, ...]:
        """Give what waiting events are sorted by; events that compare equal stay in order of arrival."""


@runtime_checkable
class Reverting(Protocol):
    """A barrier that expects something of what passes, and takes that back where it cannot come."""

    def failed(self, event: Event[Any]) -> None:
        """Take in that the handler of an event that passed, or what was told of it by `Barrier.passed`, raised."""


@dataclass(slots=True, eq=False)
class _Waiting:
    event: Event[Any]
    order: tuple[Any, ...]
    held_by: str = ""


class Gate:
    """Hands events on to a handler as a barrier lets them pass.

    Subscribe `on_event` to what is gated and `watch` to what the barrier needs to see besides; not both to one type.
    Whenever something is seen, what waits is tried again, in order of arrival or in that of the barrier (`Ordering`).
    The gate holds its handler, a bus holds the gate weakly: keep it. It is not to be called by several threads at once.

    A handler or a barrier that raises keeps no other event from passing: the first error is raised when all is done,
    with a note for each further one. An event at which the barrier itself raises is dropped. A barrier that is
    `Reverting` is told of every event that passed and was not handled.

    Parameters
    ----------
    barrier : Barrier
    handler : callable
        Takes the event. It may publish, call `retry`, and tell the barrier something.
    max_waiting : int
        Events that may wait; one more is dropped with an EventError.

    Attributes
    ----------
    passed, dropped : int
        Events. What is neither is `waiting`.
    held : Counter of str
        How often events came to be held back by which barrier, trying again not counted; "Gate" for those that it
        drops by itself.
    log : deque of (EventId, Held)
        The newest 100 of these.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> from admf_ray.events import Bar, Event, EventBus, EventType
    >>> from admf_ray.events import DataAlignment
    >>> gate = Gate(DataAlignment(["SPX", "COMP"]), lambda event: print(event.payload.symbol))
    >>> bus = EventBus("doctest-barriers")
    >>> subscription = bus.subscribe(EventType.BAR, gate.on_event)
    >>> bus.publish(Event(Bar("COMP", 0, 1.0, 1.0, 1.0, 1.0, 0.0), "data", "doctest-barriers", timestamp=60))
    >>> gate.log[-1][1].why
    'at 1970-01-01T00:00:00.000000060Z: no bar yet of SPX'
    >>> bus.publish(Event(Bar("SPX", 0, 1.0, 1.0, 1.0, 1.0, 0.0), "data", "doctest-barriers", timestamp=60))
    SPX
    COMP
    >>> bus.close()
    """

    def __init__(self, barrier: Barrier, handler: Callable[[Event[Any]], object], max_waiting: int = 10_000) -> None:
        self.barrier = require_barriers((barrier,))[0]
        self.passed = 0
        self.dropped = 0
        self.held: Counter[str] = Counter()
        self.log: deque[tuple[EventId, Held]] = deque(maxlen=RECORDED)
        self._handler = handler
        self._order = ordering_of(self.barrier)
        self._max_waiting = require_at_least("max_waiting", max_waiting, 1)
        self._waiting: list[_Waiting] = []
        self._is_passing = False

    @property
    def waiting(self) -> tuple[Event[Any], ...]:
        """The events that wait, in the order in which they are tried."""
        return tuple(one.event for one in self._waiting)

    def on_event(self, event: Event[Any]) -> None:
        """Take in a gated event.

        Raises
        ------
        EventError
            Where too many wait already.
        """
        self.barrier.see(event)
        entry = _Waiting(event, self._order(event))
        insort(self._waiting, entry, key=attrgetter("order"))
        try:
            self.retry()
        finally:
            if len(self._waiting) > self._max_waiting and entry in self._waiting:
                said = f"{self._max_waiting} events wait already; allowed: max_waiting={self._max_waiting}"
                self._hold(entry, Held("Gate", said, waits=False))
                raise EventError(f"{event.event_id} {event.type} is dropped at a gate: {said}")

    def watch(self, event: Event[Any]) -> None:
        """Take in an event that is not gated."""
        self.barrier.see(event)
        self.retry()

    def retry(self) -> None:
        """Try what waits once more, such as after a barrier was told something that is no event."""
        # What a handler does in here counts without it: whenever something has passed, all is tried again.
        if self._is_passing:
            return
        failures: list[Exception] = []
        self._is_passing = True
        try:
            while self._waiting and self._sweep(failures):
                pass
        finally:
            self._is_passing = False
        if failures:
            for other in failures[1:]:
                failures[0].add_note(f"and then {type(other).__name__}: {other} {' '.join(other.__notes__)}")
            raise failures[0]

    def _sweep(self, failures: list[Exception]) -> bool:
        """Try everything that waits once, and say whether something passed."""
        before = self.passed
        for entry in tuple(self._waiting):
            try:
                self._try(entry)
            except Exception as error:
                where = "behind a gate"
                if entry in self._waiting:
                    where = "in the barrier of a gate"
                    self._hold(entry, Held("Gate", f"{type(error).__name__}: {error}", waits=False))
                error.add_note(f"{where}, at {entry.event.event_id} {entry.event.type}")
                failures.append(error)
        return self.passed > before

    def _try(self, entry: _Waiting) -> None:
        """Hold back what waits, or hand it on."""
        event = entry.event
        held = self.barrier.reason(event)
        if held is not None:
            self._hold(entry, held)
            return
        try:
            self.barrier.passed(event)
            self._waiting.remove(entry)
            self.passed += 1
            self._handler(event)
        except Exception:
            if isinstance(self.barrier, Reverting):
                self.barrier.failed(event)
            raise

    def _hold(self, entry: _Waiting, held: Held) -> None:
        if held.barrier != entry.held_by:
            self.held[held.barrier] += 1
        if held.barrier != entry.held_by or not held.waits:
            self.log.append((entry.event.event_id, held))
        entry.held_by = held.barrier
        if not held.waits:
            self._waiting.remove(entry)
            self.dropped += 1


def ordering_of(barrier: Barrier) -> Callable[[Event[Any]], tuple[Any, ...]]:
    """Give the order of a barrier; of one that has none, that of arrival."""
    return barrier.order if isinstance(barrier, Ordering) else lambda _: ()


def require_barriers(barriers: tuple[Barrier, ...]) -> tuple[Barrier, ...]:
    """Give barriers, or refuse what is none."""
    wrong = [type(one).__name__ for one in barriers if not isinstance(one, Barrier)]
    if wrong or not barriers:
        raise ConfigError(
            f"barriers: {wrong[0] if wrong else 'none'} is no barrier; allowed: what has see, reason, passed"
        )
    return barriers
