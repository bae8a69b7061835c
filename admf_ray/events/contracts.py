"""Contracts: which component turns which events into which, and the tables of EVENTS.md that say so.

``python -m admf_ray.events.contracts`` writes both tables of the page anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import Any

from admf_ray.errors import ConfigError
from admf_ray.events.event import Event
from admf_ray.events.payloads import PAYLOADS, EventType

__all__ = ["CONTRACTS", "PAGE", "Contract", "contract_table", "fill_in", "payload_table", "undeclared"]

PAGE = Path(__file__).parents[1] / "EVENTS.md"
"""The page that explains events."""

_ANY = tuple(EventType)


@dataclass(frozen=True, slots=True)
class Contract:
    """What a component takes in and what it makes of it.

    Attributes
    ----------
    component : str
        By its trading name.
    where : str
        In which container: the root, that of a classifier, of risk and portfolio, of a strategy, or every one.
    consumes : tuple of EventType
        Whose events lead to those that it emits.
    emits : tuple of EventType
    does : str
        In one sentence.
    """

    component: str
    where: str
    consumes: tuple[EventType, ...]
    emits: tuple[EventType, ...]
    does: str


CONTRACTS: tuple[Contract, ...] = (
    Contract("feed", "root", (), (EventType.BAR,), "Brings each bar when it is complete."),
    Contract(
        "hub", "root", (EventType.BAR,), (EventType.INDICATOR,), "Computes each indicator key once, for all who ask."
    ),
    Contract(
        "classifier",
        "classifier",
        (EventType.BAR, EventType.INDICATOR),
        (EventType.REGIME,),
        "Says when the regime changes.",
    ),
    Contract(
        "strategy",
        "strategy",
        (EventType.BAR, EventType.INDICATOR, EventType.REGIME),
        (EventType.SIGNAL,),
        "Makes a signal of every change of its target.",
    ),
    Contract(
        "ensemble",
        "risk and portfolio",
        (EventType.SIGNAL, EventType.REGIME),
        (EventType.ENSEMBLE,),
        "Combines the targets of several strategies.",
    ),
    Contract(
        "risk",
        "risk and portfolio",
        (
            EventType.SIGNAL,
            EventType.ENSEMBLE,
            EventType.REGIME,
            EventType.ORDER_REQUEST,
            EventType.RISK_BREACH,
            EventType.PORTFOLIO,
            EventType.BAR,
        ),
        (EventType.ORDER_REQUEST, EventType.ORDER, EventType.ORDER_REJECTED, EventType.RISK_BREACH),
        "Sizes a target into a request, limits the request into an order or rejects it, exits and halts.",
    ),
    Contract(
        "execution",
        "risk and portfolio",
        (EventType.ORDER, EventType.BAR),
        (EventType.FILL, EventType.ORDER_REJECTED),
        "Fills orders at the prices of bars, costs included.",
    ),
    Contract(
        "portfolio",
        "risk and portfolio",
        (EventType.FILL, EventType.BAR),
        (EventType.POSITION_OPEN, EventType.POSITION_CLOSE, EventType.PORTFOLIO),
        "Keeps cash, positions and the ledger, and marks equity at the close.",
    ),
    Contract(
        "coordinator",
        "root",
        (EventType.PHASE, EventType.TRAIN_WINDOW, EventType.TEST_WINDOW),
        (EventType.PHASE, EventType.TRAIN_WINDOW, EventType.TEST_WINDOW, EventType.SYSTEM),
        "Goes through phases and windows, and starts containers.",
    ),
    Contract("bus", "every", _ANY, (EventType.ERROR,), "Says which handler failed, or what was refused."),
    Contract(
        "observers",
        "every",
        (
            EventType.ORDER_REJECTED,
            EventType.POSITION_OPEN,
            EventType.POSITION_CLOSE,
            EventType.SYSTEM,
            EventType.ERROR,
        ),
        (),
        "See every event; these are for them alone.",
    ),
)
"""Of all components, in the order in which an event passes them."""


def _causes(kind: EventType) -> tuple[EventType, ...]:
    """Give the types that some component turns into this one, in the order of `EventType`."""
    declared = {cause for contract in CONTRACTS if kind in contract.emits for cause in contract.consumes}
    return tuple(cause for cause in EventType if cause in declared)


def undeclared(events: Iterable[Event[Any]]) -> list[str]:
    """Name the events that no declared component makes of what caused them.

    Names of sources are free, so types are compared: some contract must turn the type of the cause into that of the
    event. Events without a cause are roots. A cause that is not among the events cannot be judged: such an event counts
    as a root too, so give whole traces, and those of all containers that exchange events.

    Parameters
    ----------
    events : iterable of Event
        In any order.

    Returns
    -------
    list of str
        One text for each, in their order; empty where all keep the contracts.

    Examples
    --------
    >>> from admf_ray.events import Event, Signal, System
    >>> cause = Event(System("hello"), "someone", "a")
    >>> cause.sequence = 1  # as its bus did
    >>> effect = Event(Signal("cross", "SPX", 3, 1.0), "cross", "a", cause=cause)
    >>> effect.sequence = 2
    >>> undeclared([cause, effect])
    ['a#2 by cross: SIGNAL after SYSTEM a#1; declared: SIGNAL after BAR, INDICATOR, REGIME']
    """
    trace = tuple(events)
    types = {event.event_id: event.type for event in trace}
    declared = {kind: _causes(kind) for kind in EventType}
    found = []
    for event in trace:
        cause = None if event.causation_id is None else types.get(event.causation_id)
        if cause is None or cause in declared[event.type]:
            continue
        allowed = ", ".join(declared[event.type]) or "no event"
        found.append(
            f"{event.event_id} by {event.source_id}: {event.type} after {cause} {event.causation_id}; "
            f"declared: {event.type} after {allowed}"
        )
    return found


# The page


def contract_table() -> str:
    """Give the contracts as a table in Markdown: who turns which events into which."""
    rows = (
        (one.component, one.where, _listed(one.consumes), _listed(one.emits), one.does.removesuffix("."))
        for one in CONTRACTS
    )
    return _table(("component", "container", "consumes", "emits", "what it does"), rows)


def payload_table() -> str:
    """Give types, classes of payload with their fields, and meanings as a table in Markdown."""
    rows = (
        (f"`{kind}`", f"`{payload.__name__}`", _fields(payload), _meaning(payload))
        for kind, payload in PAYLOADS.items()
    )
    return _table(("type", "payload", "fields", "meaning"), rows)


def fill_in(page: str) -> str:
    """Give a page with the tables between its markers written anew.

    Parameters
    ----------
    page : str
        Markdown with ``<!-- contracts -->`` and ``<!-- /contracts -->``, and the same for ``payloads``.

    Raises
    ------
    ConfigError
        Where a marker is missing.
    """
    for name, table in (("payloads", payload_table()), ("contracts", contract_table())):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, opening, rest = page.partition(begin)
        _, closing, after = rest.partition(end)
        if not opening or not closing:
            raise ConfigError(f"the page of events has no {begin} ... {end}; allowed: both, on lines of their own")
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (header, ("---",) * len(header), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _listed(types: tuple[EventType, ...]) -> str:
    return "any" if types == _ANY else ", ".join(types) or "-"


def _fields(payload: Any) -> str:
    defaults = payload._field_defaults
    return ", ".join(f"`{name}={defaults[name]!r}`" if name in defaults else f"`{name}`" for name in payload._fields)


def _meaning(payload: type[Any]) -> str:
    paragraph, *_ = cleandoc(payload.__doc__ or "").split("\n\n")
    return " ".join(paragraph.split()).removesuffix(".")


if __name__ == "__main__":
    PAGE.write_text(fill_in(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
