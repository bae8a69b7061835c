"""The life of a container and of each component in it: states, and which may follow which."""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from admf_ray.errors import EventError, first_line
from admf_ray.logs import LOGGER

__all__ = ["TRANSITIONS", "Lifecycle", "State", "Transition"]


class State(StrEnum):
    """Where a container, or a component, is in its life."""

    UNINITIALIZED = "UNINITIALIZED"
    """Built, and not told of its bus."""
    INITIALIZED = "INITIALIZED"
    """Subscribed, and ready to start."""
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    """Stopped after a run in which it did not fail."""
    FAILED = "FAILED"
    """Fit for nothing but to be disposed of."""
    DISPOSED = "DISPOSED"
    """Gone: nothing follows."""


TRANSITIONS: Mapping[State, tuple[State, ...]] = MappingProxyType(
    {
        State.UNINITIALIZED: (State.INITIALIZED, State.FAILED, State.DISPOSED),
        State.INITIALIZED: (State.RUNNING, State.FAILED, State.DISPOSED),
        State.RUNNING: (State.COMPLETED, State.FAILED),
        State.COMPLETED: (State.INITIALIZED, State.FAILED, State.DISPOSED),
        State.FAILED: (State.DISPOSED,),
        State.DISPOSED: (),
    }
)
"""What may follow each state. From COMPLETED back to INITIALIZED leads a reset; what runs is stopped before it goes."""

Transition: TypeAlias = Callable[[State, State], object]
"""A listener: is called with the state before and the state after."""


class Lifecycle:
    """A state that changes only as `TRANSITIONS` says, and tells listeners of each change.

    For one thread at a time, as the container that it belongs to.

    Parameters
    ----------
    owner : str
        Whose life it is; for messages.

    Attributes
    ----------
    state : State
    failures : Counter of (str, str)
        How often which listener failed with which error; it stops nothing, and the first time is logged.

    Examples
    --------
    >>> life = Lifecycle("life")
    >>> life.listen(lambda before, after: print(f"{before} -> {after}"))
    >>> life.to(State.INITIALIZED)
    UNINITIALIZED -> INITIALIZED
    >>> life.to(State.COMPLETED)
    Traceback (most recent call last):
    ...
    admf_ray.errors.EventError: life cannot go from INITIALIZED to COMPLETED; allowed: RUNNING, FAILED, DISPOSED
    """

    __slots__ = ("_listeners", "_owner", "failures", "state")

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._listeners: list[Transition] = []
        self.state = State.UNINITIALIZED
        self.failures: Counter[tuple[str, str]] = Counter()

    def listen(self, listener: Transition) -> None:
        """Have a listener told of every change from now on; it is held until the end of this life."""
        self._listeners.append(listener)

    def to(self, after: State) -> None:
        """Change the state, then tell all listeners in the order in which they came.

        Parameters
        ----------
        after : State

        Raises
        ------
        EventError
            Where that state may not follow; the state stays.
        """
        before = self.state
        if after not in TRANSITIONS[before]:
            allowed = ", ".join(TRANSITIONS[before]) or "nothing"
            raise EventError(f"{self._owner} cannot go from {before} to {after}; allowed: {allowed}")
        self.state = after
        listeners = tuple(self._listeners)
        if after is State.DISPOSED:
            self._listeners.clear()
        for listener in listeners:
            try:
                listener(before, after)
            except Exception as error:
                self._count(listener, error)

    def _count(self, listener: Transition, error: Exception) -> None:
        who, what = getattr(listener, "__qualname__", type(listener).__name__), type(error).__name__
        self.failures[who, what] += 1
        if self.failures[who, what] == 1:
            LOGGER.error("%s: listener %s failed: %s: %s", self._owner, who, what, first_line(error))

    def expect(self, state: State, action: str) -> None:
        """Refuse an action in any state but the one that it is for.

        Raises
        ------
        EventError
        """
        if self.state is not state:
            raise EventError(f"{self._owner} is {self.state}: it cannot {action}; allowed when {state}")
