"""What events carry: one type of event for each class of payload, and the other way round.

Payloads are named tuples: immutable, cheap, and written to files field by field. ``bar`` is the index of a bar in its
series throughout. Numbers of orders and signals, reasons and limits are those of the ledger
(`admf_ray.core.records.FILL`).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError

__all__ = [
    "PAYLOADS",
    "TYPES",
    "Bar",
    "Ensemble",
    "Error",
    "EventType",
    "Fill",
    "Indicator",
    "Order",
    "OrderRejected",
    "OrderRequest",
    "Payload",
    "Phase",
    "Portfolio",
    "PositionClose",
    "PositionOpen",
    "Regime",
    "RiskBreach",
    "Signal",
    "System",
    "TestWindow",
    "TrainWindow",
    "known_types",
]


class EventType(StrEnum):
    """What an event is about."""

    BAR = "BAR"
    INDICATOR = "INDICATOR"
    REGIME = "REGIME"
    SIGNAL = "SIGNAL"
    ENSEMBLE = "ENSEMBLE"
    ORDER_REQUEST = "ORDER_REQUEST"
    ORDER = "ORDER"
    ORDER_REJECTED = "ORDER_REJECTED"
    FILL = "FILL"
    POSITION_OPEN = "POSITION_OPEN"
    POSITION_CLOSE = "POSITION_CLOSE"
    PORTFOLIO = "PORTFOLIO"
    RISK_BREACH = "RISK_BREACH"
    TRAIN_WINDOW = "TRAIN_WINDOW"
    TEST_WINDOW = "TEST_WINDOW"
    PHASE = "PHASE"
    SYSTEM = "SYSTEM"
    ERROR = "ERROR"


class Bar(NamedTuple):
    """A bar that is complete: prices in the quote currency, volume in shares or contracts.

    ``timeframe`` is that of higher bars (``1w``), empty for the bars of the series.
    """

    symbol: str
    bar: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    timeframe: str = ""


class Indicator(NamedTuple):
    """The value of an indicator key at a bar; NaN before it is known."""

    key: str
    bar: int
    value: float


class Regime(NamedTuple):
    """A change of a classifier's label; -1 is unknown."""

    classifier: str
    symbol: str
    bar: int
    regime: int
    previous: int = -1


class Signal(NamedTuple):
    """A change of a strategy's target, in [-1, +1], NaN where it knows none; ``number`` is 0 where nobody counts."""

    strategy: str
    symbol: str
    bar: int
    target: float
    number: int = 0
    regime: int = -1


class Ensemble(NamedTuple):
    """The combined target of several strategies, and how much each of them wanted of it."""

    ensemble: str
    symbol: str
    bar: int
    target: float
    strategies: tuple[str, ...] = ()
    strengths: tuple[float, ...] = ()


class OrderRequest(NamedTuple):
    """A signed quantity that a signal, an exit or a halt asks for, before limits."""

    symbol: str
    bar: int
    quantity: float
    reason: int = 0
    strategy: str = ""


class Order(NamedTuple):
    """An order as it was sent: signed quantity after limits; ``level`` is the price of a limit or stop, else NaN.

    ``strengths`` are the shares of ``strategies`` in the target that was newest.
    """

    symbol: str
    bar: int
    order: int
    signal: int
    quantity: float
    kind: int
    level: float
    reason: int = 0
    limits: int = 0
    regime: int = -1
    strategies: tuple[str, ...] = ()
    strengths: tuple[float, ...] = ()


class OrderRejected(NamedTuple):
    """A request that did not become an order, and why."""

    symbol: str
    bar: int
    quantity: float
    why: str


class Fill(NamedTuple):
    """What was traded: a row of the ledger, and the container whose order it fills."""

    container_id: str
    symbol: str
    bar: int
    quantity: float
    price: float
    commission: float
    borrowed: float
    position: float
    cash: float
    decided: int
    order: int
    signal: int
    reason: int
    limits: int


class PositionOpen(NamedTuple):
    """A symbol that was flat is held: signed quantity and price of the fill."""

    symbol: str
    bar: int
    quantity: float
    price: float


class PositionClose(NamedTuple):
    """A symbol that was held is flat: quantity that was closed, price, and net result of the trade in money."""

    symbol: str
    bar: int
    quantity: float
    price: float
    net: float


class Portfolio(NamedTuple):
    """An account at a bar's close: equity and cash in money, quantities by symbol in panel order."""

    bar: int
    equity: float
    cash: float
    positions: tuple[float, ...]


class RiskBreach(NamedTuple):
    """A limit or halt that was reached: what it allows and what there was."""

    rule: str
    bar: int
    level: float
    value: float
    symbol: str = ""


class TrainWindow(NamedTuple):
    """The train span of a window begins: bars ``[start, stop)``."""

    window: int
    start: int
    stop: int


class TestWindow(NamedTuple):
    """The test span of a window begins: bars ``[start, stop)``."""

    window: int
    start: int
    stop: int


class Phase(NamedTuple):
    """A phase of a run begins or ends."""

    phase: str
    state: str


class System(NamedTuple):
    """Something about the machinery, such as a container that starts."""

    message: str


class Error(NamedTuple):
    """A failure: class and message of the error, who failed, at which event, and the traceback."""

    error: str
    message: str
    component: str = ""
    event_id: str = ""
    traceback: str = ""


Payload: TypeAlias = (
    Bar
    | Indicator
    | Regime
    | Signal
    | Ensemble
    | OrderRequest
    | Order
    | OrderRejected
    | Fill
    | PositionOpen
    | PositionClose
    | Portfolio
    | RiskBreach
    | TrainWindow
    | TestWindow
    | Phase
    | System
    | Error
)

PAYLOADS: dict[EventType, type[Any]] = {
    EventType.BAR: Bar,
    EventType.INDICATOR: Indicator,
    EventType.REGIME: Regime,
    EventType.SIGNAL: Signal,
    EventType.ENSEMBLE: Ensemble,
    EventType.ORDER_REQUEST: OrderRequest,
    EventType.ORDER: Order,
    EventType.ORDER_REJECTED: OrderRejected,
    EventType.FILL: Fill,
    EventType.POSITION_OPEN: PositionOpen,
    EventType.POSITION_CLOSE: PositionClose,
    EventType.PORTFOLIO: Portfolio,
    EventType.RISK_BREACH: RiskBreach,
    EventType.TRAIN_WINDOW: TrainWindow,
    EventType.TEST_WINDOW: TestWindow,
    EventType.PHASE: Phase,
    EventType.SYSTEM: System,
    EventType.ERROR: Error,
}
"""The class of payload of each type."""

TYPES: dict[type[Any], EventType] = {payload: kind for kind, payload in PAYLOADS.items()}
"""The type of each class of payload."""


def known_types(kinds: Iterable[str], where: str) -> tuple[EventType, ...]:
    """Give types of events by name, or refuse what is none.

    Parameters
    ----------
    kinds : iterable of str
    where : str
        Who asks, for the message.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> known_types(["FILS"], "channel")
    Traceback (most recent call last):
    ...
    admf_ray.errors.ConfigError: channel: no type of event is named 'FILS' (did you mean FILL?); allowed: BAR, \
INDICATOR, REGIME, SIGNAL, ENSEMBLE, ORDER_REQUEST, ORDER, ORDER_REJECTED, FILL, POSITION_OPEN, POSITION_CLOSE, \
PORTFOLIO, RISK_BREACH, TRAIN_WINDOW, TEST_WINDOW, PHASE, SYSTEM, ERROR
    """
    named = list(kinds)
    for kind in named:
        if kind not in PAYLOADS:
            raise ConfigError(f"{where}: {unknown_name('type of event', str(kind), list(EventType))}")
    return tuple(map(EventType, named))
