"""The event: what happened, in which container, at which moment, and because of what."""

from typing import Any, Final, Generic, NamedTuple, TypeVar

from admf_ray.errors import EventError
from admf_ray.events.payloads import TYPES, EventType

__all__ = ["Event", "EventId", "malformation"]

P_co = TypeVar("P_co", covariant=True)


class EventId(NamedTuple):
    """Which event: the container whose bus numbered it, and its number there, from 1.

    Examples
    --------
    >>> str(EventId("a", 12)), EventId.parse("a#12")
    ('a#12', EventId(container_id='a', sequence=12))
    """

    container_id: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.container_id}#{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "EventId":
        """Read what `str` gives."""
        container_id, _, sequence = text.rpartition("#")
        return cls(container_id, int(sequence))


class Event(Generic[P_co]):
    """Something that happened; it does not change once it is published.

    Slotted and typed as final, but not frozen at run time: that would cost more than delivering it.

    Parameters
    ----------
    payload : named tuple
        One of the classes in `admf_ray.events.payloads`; it makes the event's type.
    source_id : str
        The component that publishes it.
    container_id : str
        The container of that component.
    timestamp : int, optional
        Nanoseconds UTC in the time of the market; that of the cause where there is one.
    correlation_id : str, optional
        Whose life it belongs to, such as a trade's; that of the cause where there is one.
    cause : Event, optional
        The published event that led to it; where that is another container's, give timestamp and correlation as needed.
    causation_id : EventId, optional
        Of the cause, where that is not at hand.
    sequence : int, optional
        Number on the bus of its container, which gives it when the event is published; 0 before.

    Raises
    ------
    EventError
        Where the cause was not published.

    Attributes
    ----------
    type : EventType
        None for a payload of no known class: a bus refuses such an event.

    Examples
    --------
    >>> from admf_ray.events import Event, Signal, System
    >>> signal = Event(Signal("cross", "SPX", 3, 1.0), "cross", "a", timestamp=5, correlation_id="trade-1", sequence=1)
    >>> answer = Event(System("seen"), "risk", "a", cause=signal)
    >>> answer.type, answer.timestamp, answer.correlation_id
    (<EventType.SYSTEM: 'SYSTEM'>, 5, 'trade-1')
    """

    __slots__ = (
        "causation_id",
        "container_id",
        "correlation_id",
        "payload",
        "sequence",
        "source_id",
        "timestamp",
        "type",
    )

    def __init__(
        self,
        payload: P_co,
        source_id: str,
        container_id: str,
        timestamp: int | None = None,
        correlation_id: str | None = None,
        cause: "Event[Any] | None" = None,
        causation_id: EventId | None = None,
        sequence: int = 0,
    ) -> None:
        if cause is not None:
            timestamp = cause.timestamp if timestamp is None else timestamp
            correlation_id = correlation_id or cause.correlation_id
            if not cause.sequence:
                raise EventError(f"the cause of an event has no number: {cause!r} was not published")
            causation_id = EventId(cause.container_id, cause.sequence)
        self.type: Final[EventType] = TYPES.get(payload.__class__)  # type: ignore[assignment]
        self.payload: Final[P_co] = payload
        self.source_id: Final[str] = source_id
        self.container_id: Final[str] = container_id
        self.timestamp: Final[int] = timestamp or 0
        self.correlation_id: Final[str | None] = correlation_id
        self.causation_id: Final[EventId | None] = causation_id
        self.sequence: int = sequence

    @property
    def event_id(self) -> EventId:
        """Which event it is, once it is published."""
        return EventId(self.container_id, self.sequence)

    def __repr__(self) -> str:
        life = f" of {self.correlation_id}" if self.correlation_id else ""
        return f"<{self.event_id} {self.payload!r} by {self.source_id}{life}>"


def malformation(event: object) -> str | None:
    """Say what makes an object no event that could be delivered; None where nothing does."""
    if type(event) is not Event:
        return f"a {type(event).__name__} was published; allowed: an Event"
    if type(event.payload) not in TYPES:
        known = ", ".join(payload.__name__ for payload in TYPES)
        return f"the payload is a {type(event.payload).__name__}, which has no type of event; allowed: {known}"
    for name, value in (("source_id", event.source_id), ("container_id", event.container_id)):
        if not isinstance(value, str) or not value:
            return f"{name} of a {event.type} event is {value!r}; allowed: a text that is not empty"
    if type(event.timestamp) is not int:
        return f"timestamp of a {event.type} event is {event.timestamp!r}; allowed: an int, nanoseconds UTC"
    return None
