"""The hosts of a cluster: started, handed work, ended, replaced where they are gone, added where CPUs join."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import ray

from admf_ray.cluster.host import Host, last_words
from admf_ray.cluster.work import Task
from admf_ray.errors import CapacityError, ConfigError
from admf_ray.files import OwnedFolder

__all__ = ["Flight", "HostPool", "Lane", "Shared"]

_HOST_ENVIRONMENT = {"NUMBA_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
_START_SECONDS = 180.0
_WARM_SECONDS = 600.0
_LOOK_EVERY = 2.0
_MOST_STARTS = 5
_HEAD = "node:__internal_head__"
_NODE = "ray.io/node-id"


class Shared:
    """A bundle in the object store, which can be put there again.

    Parameters
    ----------
    bundle : dict
    """

    def __init__(self, bundle: dict[str, Any]) -> None:
        self._bundle = bundle
        self.reference = ray.put(bundle)

    def renew(self, lost: Any) -> None:
        """Put the bundle again, unless it has been since the reference that was lost."""
        if self.reference is lost:
            self.reference = ray.put(self._bundle)


@dataclass(frozen=True, slots=True)
class Flight:
    """Something that a host was asked for.

    Attributes
    ----------
    answer : ray.ObjectRef
    seconds : float
        The host may take.
    task : Task or None
        What is computed; None where the host is only made ready, or nobody waits for it.
    bundle : ray.ObjectRef or None
        What it reads.
    is_awaited : bool
        Whether somebody waits for it.
    """

    answer: Any
    seconds: float
    task: Task | None = None
    bundle: Any = None
    is_awaited: bool = True


@dataclass(slots=True)
class Lane:
    """A host, and what it was asked for: it does one after the other, so that only the oldest has been begun.

    Attributes
    ----------
    name : str
    host : ray.actor.ActorHandle
    flights : deque of Flight
    since : float
        Monotonic time at which the oldest was begun, or later.
    is_up : bool
        Whether the host has answered.
    warmed : set of str
        Functions for which it is ready.
    has_computed : bool
        Whether it has done any chunk.
    """

    name: str
    host: Any
    flights: deque[Flight] = field(default_factory=deque)
    since: float = 0.0
    is_up: bool = False
    warmed: set[str] = field(default_factory=set)
    has_computed: bool = False

    @property
    def tasks(self) -> list[Task]:
        """What it computes, the oldest first."""
        return [flight.task for flight in self.flights if flight.task is not None]

    @property
    def is_overdue(self) -> bool:
        """Whether the oldest takes longer than it may."""
        return bool(self.flights) and time.monotonic() - self.since > self.flights[0].seconds

    def ask(self, flight: Flight) -> None:
        """Note what the host was asked for."""
        if not self.flights:
            self.since = time.monotonic()
        self.flights.append(flight)

    def answered(self) -> Flight:
        """Take the oldest flight off; the next one has been begun."""
        self.since = time.monotonic()
        return self.flights.popleft()

    def disown(self) -> None:
        """Forget what chunks are for: nobody waits for their results."""
        self.flights = deque(
            flight if flight.task is None else Flight(flight.answer, flight.seconds, is_awaited=False)
            for flight in self.flights
        )


class HostPool:
    """One host for each CPU, or as many as are asked for.

    Parameters
    ----------
    workers : int or None
        Hosts; None for all CPUs, those of nodes that join later as well.
    timeout : float
        Seconds that a host may take for a chunk.
    hard : float
        MB that a host may hold.
    exclude_head : bool
        Whether the node that leads the cluster is given no host.

    Raises
    ------
    ConfigError
        Where the cluster has fewer CPUs than workers.
    CapacityError
        Where they are not free.
    """

    def __init__(self, workers: int | None, timeout: float, hard: float, exclude_head: bool = False) -> None:
        self._workers = workers
        self._timeout = timeout
        self._hard = hard
        self._exclude_head = exclude_head
        self._numbers = count()
        self._failed_starts = 0
        self._idle = 0.0
        self._looked = time.monotonic()
        self.lanes: list[Lane] = []
        cpus = self._cpus()
        if exclude_head and not cpus:
            raise ConfigError("cluster.exclude_head: only the head has CPUs; allowed: false, or more nodes")
        wanted = workers or cpus
        if not 1 <= wanted <= cpus:
            where = "the cluster has" if not exclude_head else "without its head (cluster.exclude_head) the cluster has"
            raise ConfigError(f"cluster.workers: {wanted} hosts need as many CPUs, {where} {cpus}")
        self._words = OwnedFolder("admf_ray-hosts-")
        try:
            self._start_all(wanted)
        except BaseException:
            self.close()
            raise

    def _start_all(self, wanted: int) -> None:
        for _ in range(wanted):
            self._start()
        waiting = [lane.flights[0].answer for lane in self.lanes]
        ready, _ = ray.wait(waiting, num_returns=wanted, timeout=_START_SECONDS)
        if len(ready) < wanted:
            raise CapacityError(
                f"cluster.workers: {len(ready)} of {wanted} hosts started within {_START_SECONDS:g} s; "
                "allowed: as many as there are free CPUs"
            )
        for lane in self.lanes:
            try:
                ray.get(lane.answered().answer)
            except ray.exceptions.RayError as error:
                raise CapacityError(f"cluster: {lane.name} ended as it started: {error}") from None
            self.came_up(lane)

    def _nodes(self) -> Iterator[dict[str, Any]]:
        """Go through the nodes that may be given hosts."""
        for node in ray.nodes():  # type: ignore[no-untyped-call]
            if node["Alive"] and not (self._exclude_head and _HEAD in node["Resources"]):
                yield node

    def _cpus(self) -> int:
        return int(sum(node["Resources"].get("CPU", 0) for node in self._nodes()))

    def _start(self) -> None:
        """Start a host; it is up once it has answered."""
        options: dict[str, Any] = {"scheduling_strategy": "SPREAD"}
        if self._exclude_head:
            heads = [node["NodeID"] for node in ray.nodes() if _HEAD in node["Resources"]]  # type: ignore[no-untyped-call]
            options["label_selector"] = {_NODE: f"!{heads[0]}"}
        name = f"host-{next(self._numbers)}"
        actor: Any = ray.remote(num_cpus=1, max_restarts=0, runtime_env={"env_vars": _HOST_ENVIRONMENT})(Host)
        lane = Lane(name, actor.options(**options).remote(name, self._words.path, self._hard))
        lane.ask(Flight(lane.host.name.remote(), float("inf")))
        self.lanes.append(lane)

    def tend(self) -> None:
        """See that there are as many hosts as there should be, now that hosts and nodes have come and gone.

        Raises
        ------
        CapacityError
            Where no host has been up for three minutes, or new ones end as they start.
        """
        if self._idle > _START_SECONDS:
            raise CapacityError(
                f"cluster: no host for {_START_SECONDS:g} s, {self._cpus()} CPUs in the cluster; allowed: free CPUs"
            )
        if time.monotonic() - self._looked < _LOOK_EVERY:
            return
        self._looked = time.monotonic()
        cpus = self._cpus()
        wanted = min(self._workers or cpus, cpus)
        for lane in [lane for lane in self.lanes if not lane.is_up][: max(0, len(self.lanes) - wanted)]:
            self.end(lane)
        for _ in range(wanted - len(self.lanes)):
            self._start()

    def send(self, lane: Lane, function: str, task: Task, shared: Shared) -> None:
        """Ask a host for a chunk; the first of a function waits until the host is ready for it."""
        if function not in lane.warmed:
            lane.warmed.add(function)
            lane.ask(Flight(lane.host.warm.remote(function), _WARM_SECONDS))
        bundle = shared.reference
        answer = lane.host.run.remote(function, task.chunk, bundle, self._timeout)
        lane.ask(Flight(answer, self._timeout, task, bundle))

    def wait(self, seconds: float) -> list[Lane]:
        """Wait until some host has answered; give those whose oldest flight is over."""
        heads = {lane.flights[0].answer: lane for lane in self.lanes if lane.flights}
        if not heads:
            time.sleep(seconds)
            self._idle += seconds
            return []
        began = time.monotonic()
        ray.wait(list(heads), num_returns=1, timeout=seconds)
        self._idle = 0.0 if any(lane.is_up for lane in self.lanes) else self._idle + time.monotonic() - began
        ready, _ = ray.wait(list(heads), num_returns=len(heads), timeout=0)
        return [heads[answer] for answer in ready]

    def came_up(self, lane: Lane) -> None:
        """Note that a host has answered, first that it is there, later that it is ready."""
        if lane.is_up:
            self._failed_starts = 0
        lane.is_up = True

    def start_failed(self, message: str) -> None:
        """Note that a host ended before it was ready.

        Raises
        ------
        CapacityError
            Where that happens again and again.
        """
        self._failed_starts += 1
        if self._failed_starts > _MOST_STARTS:
            raise CapacityError(f"cluster: {self._failed_starts} hosts in a row ended as they started: {message}")

    def last_words(self, lane: Lane) -> str:
        """Give what a host wrote as it ended; see `admf_ray.cluster.host.Host`."""
        return last_words(self._words.path, lane.name)

    def end(self, lane: Lane) -> None:
        """End a host, dead or alive; `tend` starts another one."""
        self.lanes.remove(lane)
        self._looked = float("-inf")
        ray.kill(lane.host)
        (self._words.path / lane.name).unlink(missing_ok=True)

    def close(self) -> None:
        """End all hosts."""
        for lane in list(self.lanes):
            self.end(lane)
        self._words.remove()
