"""Flows: which events must follow which, and whether they did; time-outs are in the time of the market."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from heapq import heapify, heappop, heappush
from typing import Any, Literal, NamedTuple

from admf_ray.errors import ConfigError, ContractError
from admf_ray.events.event import Event, EventId
from admf_ray.events.payloads import EventType, known_types

__all__ = ["EventFlowValidator", "Flow", "FlowFinding"]

_RECORDED = 1000
_NAMED = 5
# Comparing costs up to the cube of the length.
_WINDOW = 200


@dataclass(frozen=True, slots=True)
class Flow:
    """What must follow every event of a type.

    Attributes
    ----------
    first : EventType
    then : EventType or sequence of EventType
        What must come after it, in this order; kept as a tuple.
    within : int or None
        Nanoseconds from the timestamp of the first to that of the last; None for no limit.

    Raises
    ------
    ConfigError
        Where a type is unknown, nothing is to follow, or the limit is below 0.

    Examples
    --------
    >>> str(Flow(EventType.SIGNAL, (EventType.ORDER, EventType.FILL), within=60))
    'SIGNAL -> ORDER, FILL within 60 ns'
    """

    first: EventType
    then: EventType | Sequence[EventType]
    within: int | None = None

    def __post_init__(self) -> None:
        """Make a tuple of what follows, and refuse what could not be checked."""
        first, *then = known_types((self.first, *((self.then,) if isinstance(self.then, str) else self.then)), "flow")
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "then", tuple(then))
        if not then:
            raise ConfigError(f"flow after {first}: nothing is to follow; allowed: one type of event or several")
        if self.within is not None and self.within < 0:
            raise ConfigError(f"flow after {self.first}: within={self.within} ns; allowed: 0 and more, or None")

    @property
    def steps(self) -> tuple[EventType, ...]:
        """What must come after the first, in this order."""
        return self.then  # type: ignore[return-value]  # a tuple, once it is made

    def __str__(self) -> str:
        limit = "" if self.within is None else f" within {self.within} ns"
        return f"{self.first} -> {', '.join(self.steps)}{limit}"


@dataclass(frozen=True, slots=True)
class FlowFinding:
    """An expectation that events did not meet.

    Attributes
    ----------
    kind : {"missing", "unexpected", "late"}
    what : str
        In words.
    event_id : str
        Of the event that is concerned: the first of a flow, or the one at a place of the sequence; empty where events
        are missing at the end of the sequence.
    """

    kind: Literal["missing", "unexpected", "late"]
    what: str
    event_id: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


class _Open:
    """A flow that has begun: where it stands, and which events are part of its chain of causes."""

    __slots__ = ("at", "chain", "first", "flow", "is_over", "number")

    def __init__(self, number: int, flow: Flow, first: Event[Any]) -> None:
        self.number = number
        self.flow = flow
        self.first = first
        self.at = 0
        self.chain: list[EventId] = []
        self.is_over = False

    @property
    def awaited(self) -> EventType:
        return self.flow.steps[self.at]

    @property
    def rest(self) -> str:
        life = f" of {self.first.correlation_id}" if self.first.correlation_id else ""
        awaited = ", ".join(self.flow.steps[self.at :])
        return f"{awaited} did not follow {self.first.type} {self.first.event_id}{life}"


class _Differences(NamedTuple):
    """Where a sequence and what came differ, by index from 0."""

    # Of the sequence, each with the place among what came where it should be.
    missing: list[tuple[int, int]]
    # Of what came.
    surplus: list[int]
    # Where comparing ended, and where what differs ends, in the sequence and in what came.
    compared: tuple[int, int]
    ends: tuple[int, int]


class EventFlowValidator:
    """An observer that checks whether the events of a bus follow each other as they should.

    Attach it to a bus (`EventBus.attach`) and ask for `findings`, or `check`, at the end. It keeps the flows that are
    open and the ids of the events that these led to, as many events of the exact sequence as there should be and 1,000
    more, and the first 1,000 flows that were late.

    Which flow an event belongs to. Every event of type `Flow.first` begins a flow of its own; an event answers at most
    one flow of each declaration, which must be waiting for its type:

    1. the newest one that its chain of causes leads back to, unless the first event has another correlation;
    2. else the oldest one whose first event has the same correlation;
    3. else, for an event that names no cause, the oldest one whose first event has no correlation.

    Types that a flow does not wait for are passed over. A flow is late as soon as an event comes after it whose
    timestamp is past the deadline; what answers it then is too late. Time is that of events, never that of a clock, so
    the same events give the same findings.

    Parameters
    ----------
    flows : iterable of Flow, optional
        What must follow what.
    exact : sequence of EventType, optional
        All the types that must come, from the first to the last.
    of : iterable of EventType, optional
        Types that count for the exact sequence besides those in it; all others are passed over.

    Raises
    ------
    ConfigError
        Where there is nothing to check, a type is unknown, or `of` comes without `exact`.

    Examples
    --------
    >>> from admf_ray.events import Event, EventBus, EventType, Signal
    >>> bus, validator = EventBus("doctest-flow"), EventFlowValidator([Flow(EventType.SIGNAL, EventType.ORDER)])
    >>> bus.attach(validator)
    >>> bus.publish(Event(Signal("cross", "SPX", 3, 1.0), "cross", "doctest-flow", correlation_id="trade-1"))
    >>> print(*validator.findings())
    missing: ORDER did not follow SIGNAL doctest-flow#1 of trade-1
    >>> bus.close()
    """

    __slots__ = (
        "_counted",
        "_deadlines",
        "_exact",
        "_flows",
        "_further",
        "_late",
        "_late_further",
        "_led",
        "_number",
        "_open",
        "_seen",
        "_waiting",
    )

    def __init__(
        self, flows: Iterable[Flow] = (), *, exact: Sequence[EventType] | None = None, of: Iterable[EventType] = ()
    ) -> None:
        self._flows = tuple(dict.fromkeys(flows))
        self._exact = known_types(exact or (), "exact sequence")
        self._counted = frozenset((*self._exact, *known_types(of, "exact sequence")))
        if self._counted and exact is None:
            raise ConfigError(
                "of: there is no exact sequence that types could count for; allowed: exact=() for no event"
            )
        if not self._flows and not self._counted:
            raise ConfigError(
                "a validator without flows and exact sequence checks nothing; allowed: one of them, or both"
            )
        self._number = 0
        self._open: dict[int, _Open] = {}
        # Flows by what could answer them: declaration, type that is awaited, correlation; oldest first.
        self._waiting: dict[tuple[Flow, EventType, str | None], dict[int, _Open]] = {}
        # Open flows by the events of their chains.
        self._led: dict[EventId, tuple[_Open, ...]] = {}
        self._deadlines: list[tuple[int, int, _Open]] = []
        self._late: list[FlowFinding] = []
        self._late_further = 0
        self._seen: list[tuple[EventType, EventId]] = []
        self._further = 0

    @property
    def open_flows(self) -> int:
        """How many flows have begun, are not complete and not late."""
        return len(self._open)

    # Taking in

    def on_event(self, event: Event[Any]) -> None:
        """Take in an event."""
        if event.type in self._counted:
            self._count(event)
        if not self._flows:
            return
        self._expire(event)
        led_by = () if event.causation_id is None else self._led.get(event.causation_id, ())
        for flow in self._flows:
            if event.type in flow.steps:
                self._answer(flow, event, led_by)
        chain = [one for one in led_by if not one.is_over]
        chain += [self._begin(flow, event) for flow in self._flows if flow.first is event.type]
        if chain:
            # More than these only where the event comes a second time, from another bus.
            self._led[event.event_id] = (*self._led.get(event.event_id, ()), *chain)
            for one in chain:
                one.chain.append(event.event_id)

    def _count(self, event: Event[Any]) -> None:
        if len(self._seen) < len(self._exact) + _RECORDED:
            self._seen.append((event.type, event.event_id))
        else:
            self._further += 1

    def _expire(self, event: Event[Any]) -> None:
        """End the flows whose deadline this event is past."""
        while self._deadlines and self._deadlines[0][0] < event.timestamp:
            *_, flow = heappop(self._deadlines)
            if flow.is_over:
                continue
            after = event.timestamp - flow.first.timestamp
            what = f"{flow.rest} within {flow.flow.within} ns ({event.event_id} is {after} ns after it)"
            if len(self._late) < _RECORDED:
                self._late.append(FlowFinding("late", what, str(flow.first.event_id)))
            else:
                self._late_further += 1
            self._end(flow)

    def _answer(self, flow: Flow, event: Event[Any], led_by: tuple[_Open, ...]) -> None:
        """Move the flow of this declaration on that the event belongs to, if there is one."""
        for one in reversed(led_by):
            is_same_life = one.first.correlation_id in {None, event.correlation_id}
            if one.flow is flow and not one.is_over and one.awaited is event.type and is_same_life:
                self._advance(one)
                return
        correlations: list[str | None] = [] if event.correlation_id is None else [event.correlation_id]
        if event.causation_id is None:
            correlations.append(None)
        for correlation in correlations:
            waiting = self._waiting.get((flow, event.type, correlation))
            if waiting:
                self._advance(next(iter(waiting.values())))
                return

    def _begin(self, flow: Flow, first: Event[Any]) -> _Open:
        self._number += 1
        one = _Open(self._number, flow, first)
        self._open[one.number] = one
        self._wait(one)
        if flow.within is not None:
            # Flows that are complete leave their deadline behind: no more of them than of open ones.
            if len(self._deadlines) > 2 * len(self._open) + 16:
                self._deadlines = [entry for entry in self._deadlines if not entry[2].is_over]
                heapify(self._deadlines)
            heappush(self._deadlines, (first.timestamp + flow.within, one.number, one))
        return one

    def _wait(self, one: _Open) -> None:
        self._waiting.setdefault((one.flow, one.awaited, one.first.correlation_id), {})[one.number] = one

    def _stop_waiting(self, one: _Open) -> None:
        key = (one.flow, one.awaited, one.first.correlation_id)
        del self._waiting[key][one.number]
        if not self._waiting[key]:
            del self._waiting[key]

    def _advance(self, one: _Open) -> None:
        if one.at + 1 == len(one.flow.steps):
            self._end(one)
            return
        self._stop_waiting(one)
        one.at += 1
        self._wait(one)

    def _end(self, one: _Open) -> None:
        self._stop_waiting(one)
        one.is_over = True
        del self._open[one.number]
        for event_id in one.chain:
            others = tuple(other for other in self._led.pop(event_id, ()) if other is not one)
            if others:
                self._led[event_id] = others

    # Judging

    def findings(self) -> list[FlowFinding]:
        """Give what was not as it should be, as though no event came any more; more may be taken in afterwards.

        Returns
        -------
        list of FlowFinding
            Flows that were late, flows that are open (``missing``), then the exact sequence by position. An event of
            the sequence that came at another position is ``unexpected`` there, and not missing as well. Up to 200
            positions are compared from the first difference on; what is after them is counted in one finding.
        """
        found = list(self._late)
        if self._late_further:
            found.append(FlowFinding("late", f"{self._late_further} further flows", ""))
        found += [FlowFinding("missing", one.rest, str(one.first.event_id)) for one in self._open.values()]
        return found + self._compare()

    def check(self) -> None:
        """Refuse events that were not as they should be.

        Raises
        ------
        ContractError
            Naming the first five findings.
        """
        found = self.findings()
        if not found:
            return
        further = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise ContractError(
            f"{len(found)} finding{'s' if len(found) > 1 else ''} in the flow of events: "
            f"{'; '.join(str(one) for one in found[:_NAMED])}{further}"
        )

    def _compare(self) -> list[FlowFinding]:
        """Compare what came with the exact sequence; positions count from 1."""
        came = tuple(kind for kind, _ in self._seen)
        if came == self._exact:
            return []
        differences = _differences(self._exact, came, self._further)
        missing = differences.missing
        found: list[tuple[int, FlowFinding]] = []
        for at in differences.surplus:
            kind, event_id = self._seen[at]
            place = next((entry for entry in missing if self._exact[entry[0]] is kind), None)
            what = f"{kind} {event_id} at position {at + 1}"
            if place is not None:
                missing.remove(place)
                what += f" is out of place: it belongs at position {place[0] + 1}"
            found.append((at, FlowFinding("unexpected", what, str(event_id))))
        for position, at in missing:
            instead = str(self._seen[at][1]) if at < len(came) else ""
            there = f"{came[at]} {instead} came" if instead else "the events ended"
            what = f"{self._exact[position]} at position {position + 1}, where {there}"
            found.append((at, FlowFinding("missing", what, instead)))
        found.sort(key=lambda entry: entry[0])
        return [finding for _, finding in found] + self._rest(differences)

    def _rest(self, differences: _Differences) -> list[FlowFinding]:
        """Count what was not compared, of the sequence and of what came."""
        (position, at), (stop, end) = differences.compared, differences.ends
        lacking, number = stop - position, end - at + self._further
        if not lacking and not number:
            return []
        here = str(self._seen[at][1]) if at < len(self._seen) else ""
        if not number:
            what = f"{lacking} further events, from {self._exact[position]} at position {position + 1} on"
            return [FlowFinding("missing", what, here)]
        instead = f", are not the {lacking} that should come" if lacking else ""
        return [FlowFinding("unexpected", f"{number} further events, from {here} on{instead}", here)]


def _differences(exact: tuple[EventType, ...], came: tuple[EventType, ...], further: int) -> _Differences:
    """Compare a sequence with what came, and with further events after that, from the first difference on."""
    head = _common(exact, came)
    tail = 0 if further else _common(exact[head:][::-1], came[head:][::-1])
    # What is equal after the differences says which of several like events is surplus.
    spare = _WINDOW - (max(len(exact), len(came)) - head - tail)
    tail -= min(tail, max(0, spare))
    ends = (len(exact) - tail, len(came) - tail)
    stop, end = (min(one, head + _WINDOW) for one in ends)
    operations = SequenceMatcher(None, exact[head:stop], came[head:end], autojunk=False).get_opcodes()
    # Where the window cuts something off, what follows its last equal events is a difference only because of that.
    if (stop, end) != ends and len(operations) > 1 and operations[-1][0] != "equal":
        operations.pop()
    missing: list[tuple[int, int]] = []
    surplus: list[int] = []
    for operation, *spans in operations:
        low, high, start, finish = (head + one for one in spans)
        if operation != "equal":
            missing += [(position, start) for position in range(low, high)]
            surplus += range(start, finish)
    return _Differences(missing, surplus, (high, finish), ends)


def _common(one: tuple[EventType, ...], other: tuple[EventType, ...]) -> int:
    """Count the equal events at the beginning."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left is not right), min(len(one), len(other)))
