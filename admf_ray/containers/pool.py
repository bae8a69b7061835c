"""Pools: a bounded number of containers of one kind in this process, used again and again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from admf_ray.containers.container import ScopedContainer
from admf_ray.containers.lifecycle import State
from admf_ray.errors import CapacityError, ConfigError, EventError, first_line
from admf_ray.events import container_memory
from admf_ray.logs import LOGGER

__all__ = ["ContainerPool", "PoolCounts"]


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """What a pool has done, and what it holds.

    Attributes
    ----------
    created : int
        Containers that were built.
    reused : int
        How often one was given that had been used before.
    recycled : int
        Containers that were disposed of because they were not fit for another use.
    idle : int
        Containers that wait to be used.
    held : int
        Containers that are in use.
    """

    created: int
    reused: int
    recycled: int
    idle: int
    held: int


@dataclass(slots=True)
class _Lease:
    """A place that is taken: by whom, and its container, None before that is given and when it is back."""

    holder: str
    container: ScopedContainer | None = None
    uses: int = 0


class ContainerPool:
    """Gives running containers, takes them back, resets them, and replaces those that are not fit.

    A container is fit for another use when it stopped well and all that is in it was reset (see
    `ScopedContainer.is_resettable`), it was used fewer than `max_uses` times, and its observers keep no more than
    `max_retained` bytes. Containers are built when they are needed, outside of the lock: any number of threads may
    use a pool, each container belongs to one at a time.

    Parameters
    ----------
    build : callable
        Takes an id, gives a container of that id, UNINITIALIZED or INITIALIZED.
    size : int
        How many containers there are at most.
    name : str
        Of the pool; ids are the name, a hyphen and a number.
    max_uses : int, optional
    max_retained : int, optional
        Bytes that observers of a container and of those nested in it keep, when it comes back.

    Raises
    ------
    ConfigError
        Where a limit is less than 1, or negative for bytes.

    Examples
    --------
    >>> from admf_ray.containers import ComponentSpec, ContainerPool, ContainerSpec, ScopedContainer
    >>> class Positions:
    ...     def __init__(self):
    ...         self.reset()
    ...     def reset(self):
    ...         self.held = {}
    >>> spec = ContainerSpec("backtest", [ComponentSpec("positions", Positions)])
    >>> with ContainerPool(lambda name: ScopedContainer(spec, name), 1, name="doctest-containers") as pool:
    ...     for symbol in ("SPX", "COMP"):
    ...         with pool.container() as container:
    ...             positions = container.resolve("positions")
    ...             positions.held[symbol] = 1.0
    ...             print(container.container_id, positions.held)
    ...     print(pool.counts.created, pool.counts.reused)
    doctest-containers-1 {'SPX': 1.0}
    doctest-containers-1 {'COMP': 1.0}
    1 1
    """

    def __init__(
        self,
        build: Callable[[str], ScopedContainer],
        size: int,
        *,
        name: str = "pool",
        max_uses: int | None = None,
        max_retained: int | None = None,
    ) -> None:
        for option, value, least in (("size", size, 1), ("max_uses", max_uses, 1), ("max_retained", max_retained, 0)):
            if value is not None and value < least:
                raise ConfigError(f"{option} of pool '{name}': {value} is not allowed; allowed: {least} or more")
        self.name = name
        self.size = size
        self._build = build
        self._max_uses = max_uses
        self._max_retained = max_retained
        self._changed = threading.Condition()
        self._idle: list[tuple[ScopedContainer, int]] = []
        self._leases: dict[str, _Lease] = {}
        self._named = self._created = self._reused = self._recycled = 0
        self._is_closed = False

    # Taking and giving back

    def acquire(self, holder: str | None = None, timeout: float = 60.0) -> ScopedContainer:
        """Give a container that is RUNNING; it has to be released.

        Parameters
        ----------
        holder : str, optional
            Who it is for; the name of the thread.
        timeout : float
            Seconds to wait for one to become free.

        Raises
        ------
        CapacityError
            Where none became free in time: it says how many there are and who holds them.
        EventError
            Where the pool is closed.
        Exception
            What building or starting the container raised; its place is free again.
        """
        container_id, lease, container = self._taken(holder or threading.current_thread().name, timeout)
        try:
            if container is None:
                container = self._built(container_id)
            if container.state is State.UNINITIALIZED:
                container.initialize()
            container.start()
        except BaseException as error:
            try:
                if container is not None:
                    self._recycle(container)
            except Exception as another:
                error.add_note(str(another))
            finally:
                self._leave(container_id)
            raise
        with self._changed:
            lease.container = container
            lease.uses += 1
            self._reused += lease.uses > 1
        return container

    def release(self, container: ScopedContainer) -> None:
        """Take a container back: stop it, reset it, or dispose of it and free its place.

        Parameters
        ----------
        container : ScopedContainer

        Raises
        ------
        EventError
            Where it is not held from this pool; and where components failed to stop or to be disposed of: its place is
            free again all the same.
        """
        with self._changed:
            lease = self._leases.get(container.container_id)
            if lease is None or lease.container is not container:
                raise EventError(
                    f"pool '{self.name}': container '{container.container_id}' is not held; held: {self._held()}"
                )
            lease.container = None
        is_fit = False
        try:
            is_fit = self._renew(container, lease.uses)
            if not is_fit:
                self._recycle(container)
        finally:
            is_late = self._leave(container.container_id, (container, lease.uses) if is_fit else None)
        if is_late:
            container.dispose()

    @contextmanager
    def container(self, holder: str | None = None, timeout: float = 60.0) -> Iterator[ScopedContainer]:
        """Acquire a container, and release it after the block; an error of the block leaves it FAILED and is raised."""
        container = self.acquire(holder, timeout)
        try:
            yield container
        except BaseException as error:
            if container.state is not State.DISPOSED:
                container.fail(error)
            try:
                self.release(container)
            except Exception as another:
                error.add_note(str(another))
            raise
        self.release(container)

    # What there is

    @property
    def counts(self) -> PoolCounts:
        """What the pool has done, and what it holds."""
        with self._changed:
            return PoolCounts(self._created, self._reused, self._recycled, len(self._idle), len(self._leases))

    @property
    def holders(self) -> dict[str, str]:
        """Who holds which container, by its id."""
        with self._changed:
            return {container_id: lease.holder for container_id, lease in self._leases.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Describe each container that is idle or held.

        Returns
        -------
        list of dict
            ``id``, ``pattern`` (the description of its spec), ``state``, ``uses``, ``events`` (published so far, in it
            and in those nested in it) and ``memory`` (bytes that observers keep).
        """
        with self._changed:
            held = [(lease.container, lease.uses) for lease in self._leases.values() if lease.container is not None]
            return [_row(container, uses) for container, uses in (*self._idle, *held)]

    # Ending

    def close(self) -> None:
        """Give nothing any more, and dispose of what is idle; what is held is disposed of when it is released.

        Raises
        ------
        EventError
            Where containers failed to be disposed of; all were tried.
        """
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        failed = []
        for container, _ in idle:
            try:
                container.dispose()
            except EventError as error:
                failed.append(error)
        if failed:
            raise EventError(f"pool '{self.name}': {'; '.join(map(str, failed))}") from ExceptionGroup("failed", failed)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except EventError as another:
            if error is None:
                raise
            error.add_note(str(another))

    # Inside

    def _taken(self, holder: str, timeout: float) -> tuple[str, _Lease, ScopedContainer | None]:
        """Take a place, and recycle an idle container that somebody kept after its release and did something to."""
        while True:
            container_id, lease, container = self._take(holder, timeout)
            if container is None or container.state is State.INITIALIZED:
                return container_id, lease, container
            LOGGER.warning("pool %s: idle container %s is %s", self.name, container_id, container.state)
            try:
                # What fails is logged and counted, and no concern of the one who waits.
                with suppress(EventError):
                    self._recycle(container)
            finally:
                self._leave(container_id)

    def _take(self, holder: str, timeout: float) -> tuple[str, _Lease, ScopedContainer | None]:
        """Take a place, with an idle container or to build one in, when there is one."""
        with self._changed:
            if not self._changed.wait_for(self._can_give, timeout):
                raise CapacityError(
                    f"pool '{self.name}' of {self.size} containers: none became free within {timeout:g} s; "
                    f"held: {self._held()}"
                )
            if self._is_closed:
                raise EventError(f"pool '{self.name}' is closed")
            lease = _Lease(holder)
            container = None
            if self._idle:
                container, lease.uses = self._idle.pop()
                container_id = container.container_id
            else:
                self._named += 1
                container_id = f"{self.name}-{self._named}"
            self._leases[container_id] = lease
            return container_id, lease, container

    def _can_give(self) -> bool:
        return self._is_closed or bool(self._idle) or len(self._leases) < self.size

    def _built(self, container_id: str) -> ScopedContainer:
        container = self._build(container_id)
        if container.container_id != container_id:
            container.dispose()
            raise ConfigError(
                f"pool '{self.name}': build gave container '{container.container_id}' when asked for '{container_id}'"
            )
        with self._changed:
            self._created += 1
        return container

    def _renew(self, container: ScopedContainer, uses: int) -> bool:
        """Stop and reset a container; say whether it is fit for another use."""
        if container.state is State.RUNNING:
            try:
                container.stop()
            except EventError:
                self._recycle(container)
                raise
        if self._max_uses is not None and uses >= self._max_uses:
            return False
        if not container.is_resettable:
            return False
        try:
            container.reset()
        except Exception as error:
            LOGGER.error("pool %s: %s failed to be reset: %s", self.name, container.container_id, first_line(error))
            return False
        return self._max_retained is None or _retained(container) <= self._max_retained

    def _recycle(self, container: ScopedContainer) -> None:
        with self._changed:
            self._recycled += 1
        container.dispose()

    def _leave(self, container_id: str, returned: tuple[ScopedContainer, int] | None = None) -> bool:
        """Free a place and put a container back; say whether the pool is closed, so that it was not put back."""
        with self._changed:
            del self._leases[container_id]
            is_late = returned is not None and self._is_closed
            if returned is not None and not is_late:
                self._idle.append(returned)
            self._changed.notify()
        return is_late

    def _held(self) -> str:
        return ", ".join(f"{one} by {lease.holder}" for one, lease in self._leases.items()) or "none"


def _row(container: ScopedContainer, uses: int) -> dict[str, Any]:
    return {
        "id": container.container_id,
        "pattern": container.spec.description,
        "state": str(container.state),
        "uses": uses,
        "events": sum(one.bus.published for one in container.family()),
        "memory": _retained(container),
    }


def _retained(container: ScopedContainer) -> int:
    return sum(container_memory(one.bus).retained_bytes for one in container.family())
