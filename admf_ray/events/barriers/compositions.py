"""Barriers made of barriers."""

from typing import Any

from admf_ray.events.barriers.gate import Barrier, Held, Reverting, ordering_of, require_barriers
from admf_ray.events.event import Event

__all__ = ["AllOf", "AnyOf"]


class AllOf:
    """Lets pass what every barrier lets pass; what is held waits only if all that hold it let it wait.

    Parameters
    ----------
    *barriers : Barrier

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> from admf_ray.events import Event, OrderRequest, OrderState, Timing
    >>> barrier, request = AllOf(OrderState(), Timing(per_minute=1)), Event(OrderRequest("SPX", 3, 10.0), "p", "a")
    >>> barrier.passed(request)
    >>> barrier.reason(request).barrier
    'OrderState and Timing'
    """

    def __init__(self, *barriers: Barrier) -> None:
        self.barriers = require_barriers(barriers)
        self._orders = tuple(ordering_of(one) for one in barriers)

    def see(self, event: Event[Any]) -> None:
        """Show an event to every barrier."""
        for one in self.barriers:
            one.see(event)

    def reason(self, event: Event[Any]) -> Held | None:
        """Join the reasons of those that hold an event back."""
        reasons = [held for one in self.barriers if (held := one.reason(event)) is not None]
        return _joined(reasons, " and ", all(held.waits for held in reasons)) if reasons else None

    def passed(self, event: Event[Any]) -> None:
        """Tell every barrier."""
        for one in self.barriers:
            one.passed(event)

    def failed(self, event: Event[Any]) -> None:
        """Tell every barrier that takes something back."""
        for one in self.barriers:
            if isinstance(one, Reverting):
                one.failed(event)

    def order(self, event: Event[Any]) -> tuple[Any, ...]:
        """Sort as the first barrier does, then the second, and so on."""
        return tuple(order(event) for order in self._orders)


class AnyOf:
    """Lets pass what some barrier lets pass; what is held waits if any of those that hold it lets it wait.

    Every barrier is told of what passed, also those that would have held it: an order that one of them lets pass is
    pending for all of them.

    Parameters
    ----------
    *barriers : Barrier

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> from admf_ray.events import Event, OrderRequest, OrderState, Timing
    >>> barrier, request = AnyOf(OrderState(), Timing(per_minute=2)), Event(OrderRequest("SPX", 3, 10.0), "p", "a")
    >>> barrier.passed(request)
    >>> barrier.reason(request) is None
    True
    """

    def __init__(self, *barriers: Barrier) -> None:
        self.barriers = require_barriers(barriers)
        self._orders = tuple(ordering_of(one) for one in barriers)

    def see(self, event: Event[Any]) -> None:
        """Show an event to every barrier."""
        for one in self.barriers:
            one.see(event)

    def reason(self, event: Event[Any]) -> Held | None:
        """Join the reasons where every barrier has one."""
        reasons: list[Held] = []
        for one in self.barriers:
            held = one.reason(event)
            if held is None:
                return None
            reasons.append(held)
        return _joined(reasons, " or ", any(held.waits for held in reasons))

    def passed(self, event: Event[Any]) -> None:
        """Tell every barrier."""
        for one in self.barriers:
            one.passed(event)

    def failed(self, event: Event[Any]) -> None:
        """Tell every barrier that takes something back."""
        for one in self.barriers:
            if isinstance(one, Reverting):
                one.failed(event)

    def order(self, event: Event[Any]) -> tuple[Any, ...]:
        """Sort as the first barrier does, then the second, and so on."""
        return tuple(order(event) for order in self._orders)


def _joined(reasons: list[Held], word: str, waits: bool) -> Held:
    return Held(word.join(one.barrier for one in reasons), "; ".join(one.why for one in reasons), waits)
