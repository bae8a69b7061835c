"""Event flow: what the containers of the target say is declared, has causes, and tells what the ledger tells."""

from collections import Counter
from typing import Any

from admf_ray.app.selfcheck.target import Target, require
from admf_ray.core.records import Boundary
from admf_ray.engine.result import Segment
from admf_ray.events import (
    Event,
    EventBus,
    EventFlowValidator,
    EventTracer,
    EventType,
    Flow,
    Trace,
    TraceSettings,
)
from admf_ray.events.contracts import undeclared

__all__ = ["check_event_flow"]

_LIFE = {EventType.ORDER, EventType.FILL, EventType.POSITION_OPEN}
_WANTED = {EventType.SIGNAL, EventType.ENSEMBLE}
_CLOSES = Flow(EventType.POSITION_OPEN, EventType.POSITION_CLOSE)


def check_event_flow(target: Target) -> str:
    """Trace every bus of the target's containers, and check each event against contracts, causes, lives and ledger."""
    tracers: list[EventTracer] = []
    validators: list[EventFlowValidator] = []

    def attach(bus: EventBus) -> None:
        tracers.append(EventTracer(TraceSettings()))
        validators.append(EventFlowValidator([_CLOSES]))
        bus.attach(tracers[-1])
        bus.attach(validators[-1])

    segments = target.contained(attach=attach)
    # A forwarded event is in the trace of every bus that it reached.
    trace = Trace({event.event_id: event for tracer in tracers for event in tracer.trace()}.values())
    _check_declared(trace)
    _check_numbers(trace)
    held = sum(int((segment.position[:, -1] != 0.0).sum()) for segment in segments.values())
    findings = [str(finding) for validator in validators for finding in validator.findings()]
    is_flat = all(setup.rules.boundary == Boundary.FLATTEN for setup in target.setups.values())
    open_at_end = 0 if is_flat else held
    require(len(findings) <= open_at_end, f"{len(findings)} positions are never closed: {'; '.join(findings[:3])}")
    lives = _check_lives(trace)
    _check_ledger(trace, segments)
    counts = Counter(event.type for event in trace)
    shown = ", ".join(f"{counts[kind]:,} {kind}" for kind in EventType if counts[kind])
    return f"{shown}; {lives:,} lives of trades complete"


def _check_declared(trace: Trace) -> None:
    found = undeclared(trace)
    require(not found, f"{len(found)} events that no contract declares: {'; '.join(found[:3])}")
    errors = [event.payload.message for event in trace if event.type is EventType.ERROR]
    require(not errors, f"{len(errors)} ERROR events: {'; '.join(errors[:3])}")


def _check_numbers(trace: Trace) -> None:
    """Each bus numbers its own events without a gap."""
    numbers: dict[str, list[int]] = {}
    for event in trace:
        numbers.setdefault(event.container_id, []).append(event.sequence)
    for container_id, found in numbers.items():
        require(
            sorted(found) == list(range(1, len(found) + 1)),
            f"container '{container_id}': its {len(found):,} events are not numbered from 1 to {len(found):,}",
        )


def _check_lives(trace: Trace) -> int:
    """Every fill goes back to a bar, and every position has an order, fills and what wanted them; count positions."""
    for fill in trace.select(types=[EventType.FILL]):
        causes = trace.causes(fill)
        require(
            bool(causes) and causes[0].type is EventType.BAR,
            f"fill {fill.event_id} at bar {fill.payload.bar} goes back to {causes[0].type if causes else 'nothing'}",
        )
    opened = trace.select(types=[EventType.POSITION_OPEN])
    for position in opened:
        life = trace.life(position.correlation_id or "")
        types = {event.type for event in life}
        lacking = sorted(_LIFE - types) or ([] if types & _WANTED else sorted(_WANTED))
        require(
            not lacking,
            f"the position that {position.payload.symbol} opened at bar {position.payload.bar} has no "
            f"{' or '.join(lacking)} in its life",
        )
    return len(opened)


def _check_ledger(trace: Trace, segments: dict[str, Segment]) -> None:
    """FILL events are the rows of the ledgers, PORTFOLIO events their equity."""
    told = Counter(_told(event) for event in trace if event.type is EventType.FILL)
    kept = Counter(
        (int(row["bar"]), float(row["quantity"]), float(row["price"]), float(row["cash"]))
        for segment in segments.values()
        for row in segment.fills
    )
    require(told == kept, f"FILL events tell {told.total():,} fills, the ledgers {kept.total():,}, or others")
    marks = Counter(event.payload.equity for event in trace if event.type is EventType.PORTFOLIO)
    equity = Counter(value for segment in segments.values() for value in segment.equity.tolist())
    require(marks == equity, "PORTFOLIO events tell another equity than the result has")


def _told(event: Event[Any]) -> tuple[int, float, float, float]:
    fill = event.payload
    return fill.bar, fill.quantity, fill.price, fill.cash
