"""One order a symbol at a time."""

from dataclasses import dataclass
from math import isclose
from typing import Any

from admf_ray.core.records import Limit
from admf_ray.events.barriers.gate import Held
from admf_ray.events.event import Event, EventId
from admf_ray.events.payloads import Fill, Order, OrderRejected, OrderRequest

__all__ = ["OrderState"]


@dataclass(slots=True)
class _Pending:
    event_id: EventId
    quantity: float
    order: int | None = None
    filled: float = 0.0


class OrderState:
    """Drops requests for an order of a symbol while one is pending.

    Pending is a request that passed, then the order that is seen, which replaces it or an order before. It ends with

    - ORDER_REJECTED of the symbol, or an ORDER whose quantity is 0 or NaN;
    - a FILL after which its fills sum up to its quantity (or to NaN), one that was cut to the cash (nothing of it waits
      on), or one of an order with a higher number (an exit, which cancels what waits); those of lower numbers do not
      count;
    - the first FILL where no ORDER was seen: only limits know what became of the quantity that was requested;
    - `failed`, for a request whose handler raised before an ORDER was seen;
    - `end`, for what no event tells, such as a day order that its session's end cancels.

    Symbols are told apart, containers are not: a FILL subscription confines them.

    Examples
    --------
    >>> from admf_ray.events import Event, OrderRequest
    >>> barrier, request = OrderState(), Event(OrderRequest("SPX", 3, 10.0), "portfolio", "a")
    >>> barrier.passed(request)
    >>> barrier.reason(Event(OrderRequest("SPX", 4, 5.0), "portfolio", "a"))
    Held(barrier='OrderState', why='SPX: a#0 is pending, 0 of 10 filled', waits=False)
    """

    def __init__(self) -> None:
        self._pending: dict[str, _Pending] = {}

    def see(self, event: Event[Any]) -> None:
        """Take in what became of an order."""
        payload = event.payload
        if isinstance(payload, OrderRejected):
            self.end(payload.symbol)
        elif isinstance(payload, Order):
            self._pending[payload.symbol] = _Pending(event.event_id, payload.quantity, payload.order)
            self._end_if_filled(payload.symbol)
        elif isinstance(payload, Fill) and payload.symbol in self._pending:
            self._fill(payload)

    def _fill(self, fill: Fill) -> None:
        pending = self._pending[fill.symbol]
        if pending.order is None or fill.order > pending.order:
            self.end(fill.symbol)
        elif fill.order == pending.order:
            pending.filled = pending.quantity if fill.limits & Limit.CASH else pending.filled + fill.quantity
            self._end_if_filled(fill.symbol)

    def _end_if_filled(self, symbol: str) -> None:
        pending = self._pending[symbol]
        filled, quantity = abs(pending.filled), abs(pending.quantity)
        # Written so that NaN, which no sum of fills would ever reach, ends it.
        if not filled < quantity or isclose(filled, quantity, rel_tol=1e-9):
            self.end(symbol)

    def reason(self, event: Event[Any]) -> Held | None:
        """Name the order or request that is pending."""
        payload = event.payload
        if not isinstance(payload, OrderRequest) or payload.symbol not in self._pending:
            return None
        pending = self._pending[payload.symbol]
        said = f"{pending.event_id} is pending, {pending.filled:g} of {pending.quantity:g} filled"
        return Held("OrderState", f"{payload.symbol}: {said}", waits=False)

    def passed(self, event: Event[Any]) -> None:
        """Begin to wait for what becomes of a request."""
        if isinstance(event.payload, OrderRequest):
            self._pending[event.payload.symbol] = _Pending(event.event_id, event.payload.quantity)

    def failed(self, event: Event[Any]) -> None:
        """Let a request be pending no more that nothing became of."""
        request = event.payload
        if not isinstance(request, OrderRequest):
            return
        pending = self._pending.get(request.symbol)
        # An order that was seen is sent, whatever failed after it.
        if pending is not None and pending.order is None and pending.event_id == event.event_id:
            self.end(request.symbol)

    def end(self, symbol: str) -> None:
        """Let nothing be pending of a symbol any more."""
        self._pending.pop(symbol, None)
