"""How long handlers take: exact moments, and quantiles from a histogram of constant size."""

import math
from dataclasses import dataclass
from typing import Any

from admf_ray.events.event import Event
from admf_ray.events.payloads import EventType

__all__ = ["HandlerLatency", "LatencyStatistics"]

# Below 2^6 ns every nanosecond is a bucket, above there are 2^5 buckets for each power of two: as in HdrHistogram.
_BITS = 5


@dataclass(frozen=True, slots=True)
class HandlerLatency:
    """The calls of one handler for events of one type, in nanoseconds.

    Attributes
    ----------
    type : EventType
    handler : str
        Class and method: components of one class are not told apart.
    count : int
    mean, std : float
        Exact; ``std`` is that of the calls themselves (ddof 0).
    min, max : int
    p50, p95, p99 : int
        The smallest value that at least so many percent of the calls do not exceed, within 1.6%.
    """

    type: EventType
    handler: str
    count: int
    mean: float
    std: float
    min: int
    max: int
    p50: int
    p95: int
    p99: int


class _Calls:
    __slots__ = ("buckets", "count", "least", "most", "squares", "total")

    def __init__(self) -> None:
        self.count = self.total = self.squares = self.most = 0
        self.least = 2**63
        self.buckets: dict[int, int] = {}

    def add(self, nanoseconds: int) -> None:
        self.count += 1
        self.total += nanoseconds
        self.squares += nanoseconds * nanoseconds
        self.least = min(self.least, nanoseconds)
        self.most = max(self.most, nanoseconds)
        bucket = _bucket(nanoseconds)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def quantile(self, percent: int) -> int:
        rank = max(1, math.ceil(self.count * percent / 100))
        seen = 0
        for bucket in sorted(self.buckets):
            seen += self.buckets[bucket]
            if seen >= rank:
                return min(max(_middle(bucket), self.least), self.most)
        return self.most


def _bucket(value: int) -> int:
    """Give the bucket of a value; buckets are ordered as their values are."""
    shift = max(value.bit_length() - _BITS - 1, 0)
    return (shift << _BITS) + (value >> shift)


def _middle(bucket: int) -> int:
    """Give the value in the middle of a bucket."""
    shift = max((bucket >> _BITS) - 1, 0)
    low = (bucket - (shift << _BITS)) << shift
    return low + ((1 << shift) - 1) // 2


class LatencyStatistics:
    """Collects how long each handler takes for each type of event; attach it to a bus.

    Examples
    --------
    >>> from admf_ray.events import Event, EventType, LatencyStatistics, System
    >>> statistics, event = LatencyStatistics(), Event(System("hello"), "someone", "a")
    >>> for nanoseconds in (10, 20, 60):
    ...     statistics.on_handled(event, "Component.on_system", nanoseconds)
    >>> (one,) = statistics.latencies()
    >>> one.count, one.mean, one.p50, one.max
    (3, 30.0, 20, 60)
    """

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[tuple[EventType, str], _Calls] = {}

    def on_handled(self, event: Event[Any], handler: str, nanoseconds: int) -> None:
        """Take in one call."""
        key = (event.type, handler)
        calls = self._calls.get(key)
        if calls is None:
            calls = self._calls[key] = _Calls()
        calls.add(nanoseconds)

    def latencies(self) -> list[HandlerLatency]:
        """Give what was measured, by type and handler."""
        return [
            HandlerLatency(
                type=kind,
                handler=handler,
                count=calls.count,
                mean=calls.total / calls.count,
                std=math.sqrt(calls.squares * calls.count - calls.total**2) / calls.count,
                min=calls.least,
                max=calls.most,
                p50=calls.quantile(50),
                p95=calls.quantile(95),
                p99=calls.quantile(99),
            )
            for (kind, handler), calls in sorted(self._calls.items())
        ]
