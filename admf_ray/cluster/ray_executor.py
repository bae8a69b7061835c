"""The executor that computes on Ray hosts, on this machine or on a cluster."""

import logging
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from admf_ray._types import ChunkDone
from admf_ray.cluster.functions import in_order
from admf_ray.cluster.host import Host
from admf_ray.cluster.shared import fitted
from admf_ray.errors import AdmfError, CapacityError, ChunkError, ConfigError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray

__all__ = ["RayExecutor"]

_IN_FLIGHT = 2
_CONNECT_SECONDS = 5.0
_START_SECONDS = 60.0
_SHARE_OF_STORE = 0.8
_HOST_ENVIRONMENT = {"NUMBA_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


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


class RayExecutor:
    """Computes chunks on one Ray actor per CPU; see `admf_ray._types.Executor`.

    The driver owns the shared bundles and hands out at most two chunks a host at a time, so that none waits for the
    next and slow hosts are given less.

    Parameters
    ----------
    workers : int, optional
        Hosts; by default one for each CPU that this process (or the cluster) may use.
    address : str, optional
        Of an existing cluster (``auto`` finds one on this machine; a Ray that this process has joined already is used
        as it is). Without it a Ray of its own is started on this machine, and stopped by `close`.
    chunk_seconds : float
        Aimed at for a chunk.

    Raises
    ------
    ConfigError
        Where there is no cluster at the address, or it has fewer CPUs than workers.
    CapacityError
        Where its CPUs are not free.
    """

    def __init__(self, workers: int | None = None, address: str | None = None, chunk_seconds: float = 0.5) -> None:
        self.chunk_seconds = chunk_seconds
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
        self._hosts: dict[str, Any] = {}
        self._files: list[Path] = []
        try:
            self._start_hosts(workers)
        except BaseException:
            self.close()
            raise

    def _start_hosts(self, workers: int | None) -> None:
        cpus = int(_resources().get("CPU", 0))
        count = workers or cpus
        if not 1 <= count <= cpus:
            raise ConfigError(f"cluster.workers: {count} hosts need as many CPUs, the cluster has {cpus}")
        actor: Any = ray.remote(num_cpus=1, max_restarts=0, runtime_env={"env_vars": _HOST_ENVIRONMENT})(Host)
        self._hosts = {f"host-{index}": actor.remote(f"host-{index}") for index in range(count)}
        waiting = [host.name.remote() for host in self._hosts.values()]
        ready, _ = ray.wait(waiting, num_returns=count, timeout=_START_SECONDS)
        if len(ready) < count:
            raise CapacityError(
                f"cluster.workers: {len(ready)} of {count} hosts started within {_START_SECONDS:g} s; "
                "allowed: as many as there are free CPUs"
            )

    @property
    def workers(self) -> int:
        """Number of hosts."""
        return len(self._hosts)

    def share(self, bundle: Mapping[str, Any]) -> object:
        """Put the bundle into the object store once; hosts on a machine read it without a copy.

        Arrays that do not fit are written to files that hosts of this machine map; `close` removes them.
        """
        room = int(_SHARE_OF_STORE * _resources().get("object_store_memory", 0))
        fitting, paths = fitted(bundle, room)
        self._files += paths
        return ray.put(fitting)

    def each(self, function: str, chunks: Iterable[Any], shared: object) -> Iterator[ChunkDone]:
        """Compute every chunk on some host; give each as it finishes.

        Raises
        ------
        ChunkError
            Where the function raised anything else (with its traceback), or a host died.
        AdmfError
            The function's own, as it was raised.
        """
        todo = enumerate(chunks)
        flying: dict[Any, tuple[int, Any, str]] = {}
        free = [name for _ in range(_IN_FLIGHT) for name in self._hosts]
        while True:
            while free and (following := next(todo, None)) is not None:
                index, chunk = following
                name = free.pop(0)
                flying[self._hosts[name].run.remote(function, chunk, shared)] = (index, chunk, name)
            if not flying:
                return
            ready, _ = ray.wait(list(flying), num_returns=1, timeout=1)
            for reference in ready:
                index, chunk, name = flying.pop(reference)
                result, seconds = self._get(reference, chunk, name)
                free.append(name)
                yield ChunkDone(index, chunk, seconds, name, result)

    def map(self, function: str, chunks: Iterable[Any], shared: object) -> list[Any]:
        """Compute every chunk as `each` does; results in the order of the chunks."""
        return in_order(self.each(function, chunks, shared))

    @staticmethod
    def _get(reference: Any, chunk: Any, host: str) -> tuple[Any, float]:
        try:
            result, seconds = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, AdmfError):
                raise error.cause from None
            raise
        except ray.exceptions.RayActorError as error:
            raise ChunkError(f"{host} died while it computed chunk {chunk}: {error}") from None
        return result, seconds

    def release_files(self) -> None:
        """Remove the files of shared data that did not fit the object store."""
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files = []

    def close(self) -> None:
        """Stop the hosts, and leave (or stop, where it was started here) Ray."""
        for host in self._hosts.values():
            ray.kill(host)
        self._hosts = {}
        self.release_files()
        if self._owns_ray:
            ray.shutdown()

    def __enter__(self) -> Self:
        """Give the executor itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
