"""The executor that computes on Ray hosts, on this machine or on a cluster."""

import logging
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from admf_ray._types import ChunkDone, Fault, FaultKind, HostLimits, Observer, Split
from admf_ray.cluster.faults import Retries, died, raised, timed_out
from admf_ray.cluster.functions import Answer, in_order
from admf_ray.cluster.memory import MemoryLog, system_share
from admf_ray.cluster.shared import fitted
from admf_ray.cluster.work import Task, Work
from admf_ray.errors import AdmfError, CapacityError, ChunkError, ConfigError
from admf_ray.files import OwnedFolder
from admf_ray.fingerprint import cache_directory

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray

from admf_ray.cluster.pool import Flight, HostPool, Lane, Shared

__all__ = ["RayExecutor"]

_IN_FLIGHT = 2
_LONG_SECONDS = 1.0
_CONNECT_SECONDS = 5.0
_WAIT_SECONDS = 1.0
_SHARE_OF_STORE = 0.8


def _connect(address: str) -> None:
    """Join a cluster; where nothing listens say so at once, which Ray does only after minutes."""
    try:
        host, _, port = address.rpartition(":")
        if host:
            with socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS):
                pass
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        message = f"cluster.address: no Ray cluster at '{address}' ({error}); allowed: host:port of one, or auto"
        raise ConfigError(message) from None


def _resources() -> dict[str, float]:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return resources


def _end_monitor() -> None:
    """End the process in which Ray looks for nodes to add: it takes no SIGTERM, and Ray would wait a second for it."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if any(part.endswith("autoscaler/_private/monitor.py") for part in child.cmdline()):
                child.kill()


class RayExecutor:
    """Computes chunks on one Ray actor per CPU; see `admf_ray._types.Executor`.

    The driver owns the shared bundles and hands out at most two chunks a host at a time, so that none waits for the
    next and slow hosts are given less; where chunks are long one, so that none waits behind another when others have
    nothing left to do. What happens to hosts and nodes changes no result: chunks that are lost are
    done again, elsewhere; see `admf_ray.cluster.faults.Retries`.

    Parameters
    ----------
    workers : int, optional
        Hosts; by default one for each CPU that this process (or the cluster) may use.
    address : str, optional
        Of an existing cluster (``auto`` finds one on this machine; a Ray that this process has joined already is used
        as it is). Without it a Ray of its own is started on this machine, and stopped by `close`.
    chunk_seconds : float
        Aimed at for a chunk.
    chunk_timeout : float
        Seconds after which a host that is still at one chunk is ended.
    max_retries : int
        How often a chunk is done again because its host died.
    exclude_head : bool
        Whether the head of the cluster computes nothing.
    max_concurrent : int, optional
        Chunks that are computed at the same time at most; by default one for each host.
    limits : HostLimits, optional
        How much a host may hold.

    Raises
    ------
    ConfigError
        Where there is no cluster at the address, or it has fewer CPUs than workers.
    CapacityError
        Where its CPUs are not free.
    """

    def __init__(
        self,
        workers: int | None = None,
        address: str | None = None,
        chunk_seconds: float = 0.5,
        *,
        chunk_timeout: float = 3_600.0,
        max_retries: int = 3,
        exclude_head: bool = False,
        max_concurrent: int | None = None,
        limits: HostLimits | None = None,
    ) -> None:
        self.chunk_seconds = chunk_seconds
        self.limits = limits or HostLimits()
        self._log = MemoryLog(self.limits)
        self._most_busy = max_concurrent or sys.maxsize
        self._retries = Retries(max_retries)
        self._timeout = chunk_timeout
        self._pool: HostPool | None = None
        self._files: OwnedFolder | None = None
        self._owns_ray = not ray.is_initialized()
        if address is not None:
            if self._owns_ray:
                _connect(address)
        elif self._owns_ray:
            ray.init(
                address="local",
                num_cpus=workers or len(os.sched_getaffinity(0)),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        else:
            raise ConfigError(
                "cluster.kind: Ray runs in this process already; allowed: existing (or ray.shutdown() first)"
            )
        try:
            self._pool = HostPool(workers, chunk_timeout, self.limits.hard, exclude_head)
        except BaseException:
            self.close()
            raise

    @property
    def _hosts(self) -> HostPool:
        assert self._pool is not None
        return self._pool

    @property
    def workers(self) -> int:
        """Number of hosts that compute at the same time."""
        return min(len(self._hosts.lanes), self._most_busy)

    def share(self, bundle: Mapping[str, Any]) -> object:
        """Put the bundle into the object store once; hosts on a machine read it without a copy.

        Arrays that do not fit are written to files that hosts of this machine map; `close` removes them.
        """
        room = int(_SHARE_OF_STORE * _resources().get("object_store_memory", 0))
        return Shared(fitted(bundle, room, self._folder))

    def _folder(self) -> Path:
        """Give the directory for files of shared data, which is on a disk: they may be larger than the memory."""
        if self._files is None:
            self._files = OwnedFolder("bundle-", cache_directory() / "shared")
        return self._files.path

    def each(
        self,
        function: str,
        chunks: Iterable[Any],
        shared: object,
        split: Split | None = None,
        tell: Observer | None = None,
    ) -> Iterator[ChunkDone]:
        """Compute every chunk on some host; give each as it finishes.

        Raises
        ------
        AdmfError, ChunkError
            See `admf_ray._types.Executor.each`.
        CapacityError
            Where there have been no hosts for three minutes, or a host may not even hold itself.
        """
        assert isinstance(shared, Shared)
        work = Work(chunks, split, self._retries, tell)
        in_flight = _IN_FLIGHT
        try:
            while True:
                self._hosts.tend()
                is_drawn = self._hand_out(work, function, shared, in_flight)
                if is_drawn and not any(lane.tasks for lane in self._hosts.lanes):
                    return
                found = [self._answer(lane, work, shared) for lane in self._hosts.wait(_WAIT_SECONDS)]
                # Before anything is given: while the driver is elsewhere, hosts answer and nobody looks.
                found += [self._overdue(lane, work) for lane in list(self._hosts.lanes) if lane.is_overdue]
                for done in found:
                    if done is not None:
                        in_flight = 1 if done.seconds > _LONG_SECONDS else _IN_FLIGHT
                        yield done
        finally:
            for lane in self._hosts.lanes:
                lane.disown()

    def _hand_out(self, work: Work, function: str, shared: Shared, in_flight: int) -> bool:
        """Hand out what there is to do; say whether all of it is in flight or done."""
        while free := [lane for lane in self._working() if len(lane.tasks) < in_flight]:
            task = work.following()
            if task is None:
                return True
            self._hosts.send(min(free, key=lambda lane: len(lane.tasks)), function, task, shared)
        return False

    def _working(self) -> list[Lane]:
        """Give the hosts that may be given work: those that have some, and others as far as there may be more."""
        lanes = [lane for lane in self._hosts.lanes if lane.is_up]
        return sorted(lanes, key=lambda lane: not lane.tasks)[: self._most_busy]

    def _answer(self, lane: Lane, work: Work, shared: Shared) -> ChunkDone | None:
        """Take what a host has answered."""
        try:
            answer: Answer = ray.get(lane.flights[0].answer)
        except ray.exceptions.RayTaskError as error:
            return self._refused(lane, error, work, shared)
        except ray.exceptions.ObjectLostError as error:
            flight = lane.answered()
            return self._failed(lane, flight, died(error, "", "lost_object"), work)
        except ray.exceptions.RayError as error:
            is_memory = isinstance(error, ray.exceptions.OutOfMemoryError)
            fault = died(error, self._hosts.last_words(lane), "out_of_memory" if is_memory else "host_died")
            return self._ended(lane, fault, work)
        flight = lane.answered()
        if flight.task is None:
            self._hosts.came_up(lane)
            return None
        return self._computed(lane, flight, flight.task, answer, work)

    def _computed(self, lane: Lane, flight: Flight, task: Task, answer: Answer, work: Work) -> ChunkDone | None:
        """Take what came of a chunk, and replace a host that holds too much for another one."""
        use = replace(answer.memory, system=max(answer.memory.system, system_share()))
        if not answer.is_begun and not lane.has_computed:
            raise CapacityError(
                f"cluster.memory.hard: {lane.name} holds {use.held:,.0f} MB before its first chunk; "
                f"{self.limits.hard:g} are allowed; allowed: more of it"
            )
        lane.has_computed = True
        self._log.note(lane.name, use, work.listener)
        if use.held > self.limits.hard:
            self._replace(lane, work, "out_of_memory", f"held {use.held:,.0f} MB (cluster.memory.hard)")
        if not answer.is_begun:
            work.unbegun(task)
            return None
        if answer.fault is not None:
            return self._failed(lane, flight, answer.fault, work, answer.seconds)
        return work.done(task, answer.seconds, lane.name, answer.result, use)

    def _refused(self, lane: Lane, error: Any, work: Work, shared: Shared) -> ChunkDone | None:
        """Take an error of the host itself: what it was given was lost, or it could not begin or answer."""
        flight = lane.answered()
        if not flight.is_awaited:
            return None
        if isinstance(error.cause, ray.exceptions.ObjectLostError):
            shared.renew(flight.bundle)
            return self._failed(lane, flight, died(error.cause, "", "lost_object"), work)
        if isinstance(error.cause, AdmfError):
            raise error.cause from None
        if flight.task is None:
            raise ChunkError(f"{lane.name} cannot begin:\n{error}") from None
        return self._failed(lane, flight, raised(error), work)

    def _overdue(self, lane: Lane, work: Work) -> ChunkDone | None:
        """End a host that takes too long."""
        return self._ended(lane, timed_out(lane.flights[0].seconds, self._hosts.last_words(lane)), work)

    def _ended(self, lane: Lane, fault: Fault, work: Work) -> ChunkDone | None:
        """Take back what a host was asked for that is gone: what it had begun has failed, what follows has not."""
        begun = lane.answered()
        self._replace(lane, work, fault.kind, fault.message)
        if begun.task is None and begun.is_awaited:
            self._hosts.start_failed(fault.message)
        return self._failed(lane, begun, fault, work)

    def _replace(self, lane: Lane, work: Work, kind: FaultKind, reason: str) -> None:
        """End a host, and take back what it was asked for."""
        self._hosts.end(lane)
        work.tell("HOST_ENDED", {"host": lane.name, "fault": kind, "reason": reason, "after": work.after})
        for task in reversed(lane.tasks):
            work.unbegun(task)

    @staticmethod
    def _failed(lane: Lane, flight: Flight, fault: Fault, work: Work, seconds: float = 0.0) -> ChunkDone | None:
        return None if flight.task is None else work.failed(flight.task, fault, seconds, lane.name)

    def map(self, function: str, chunks: Iterable[Any], shared: object) -> list[Any]:
        """Compute every chunk as `each` does; results in the order of the chunks."""
        return in_order(self.each(function, chunks, shared))

    def release_files(self) -> None:
        """Remove the files of shared data that did not fit the object store."""
        if self._files is not None:
            self._files.remove()
            self._files = None

    def close(self) -> None:
        """Stop the hosts, and leave (or stop, where it was started here) Ray."""
        if self._pool is not None:
            self._pool.close()
        self.release_files()
        if self._owns_ray:
            _end_monitor()
            ray.shutdown()

    def __enter__(self) -> Self:
        """Give the executor itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
