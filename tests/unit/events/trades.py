"""Events of trades, made up: what a container publishes over its life."""

from collections.abc import Iterator
from typing import Any

from admf_ray.events import (
    Bar,
    Event,
    Fill,
    Order,
    Portfolio,
    PositionClose,
    PositionOpen,
    Signal,
)

EVENTS_A_TRADE = 100
_BARS = 46


def events_of_trades(count: int, container: str = "a", start: int = 0) -> Iterator[Event[Any]]:
    """Give 100 events a trade: signal, order, fill and open, bars with marks, then signal, order, fill and close.

    They have the numbers that a bus would give them.
    """
    for sequence, event in enumerate(_events(count, container, start), 1 + start * EVENTS_A_TRADE):
        event.sequence = sequence
        yield event


def _events(count: int, container: str, start: int) -> Iterator[Event[Any]]:
    for number in range(start, start + count):
        life = f"trade-{number}"
        at = number * 60
        first = Event(Signal("cross", "SPX", at, 1.0, 2 * number + 1), "cross", container, at, life)
        yield from _traded(first, container, at + 1, 10.0)
        yield Event(PositionOpen("SPX", at + 1, 10.0, 100.0), "portfolio", container, at + 1, life)
        for bar in range(at + 2, at + 2 + _BARS):
            yield Event(Bar("SPX", bar, 100.0, 101.0, 99.0, 100.5, 1e6), "feed", container, bar)
            yield Event(Portfolio(bar, 10_000.0 + bar, 9_000.0, (10.0,)), "portfolio", container, bar, life)
        last = Event(Signal("cross", "SPX", at + 50, 0.0, 2 * number + 2), "cross", container, at + 50, life)
        yield from _traded(last, container, at + 51, -10.0)
        yield Event(PositionClose("SPX", at + 51, 10.0, 101.0, 10.0), "portfolio", container, at + 51, life)


def _traded(signal: Event[Signal], container: str, bar: int, quantity: float) -> Iterator[Event[Any]]:
    yield signal
    number = signal.payload.number
    order = Event(Order("SPX", bar - 1, number, number, quantity, 0, float("nan")), "risk", container, cause=signal)
    yield order
    fill = Fill(
        container, "SPX", bar, quantity, 100.0, 1.0, 0.0, max(quantity, 0.0), 9_000.0, bar - 1, *[number] * 2, 0, 0
    )
    yield Event(fill, "broker", container, bar, cause=order)
