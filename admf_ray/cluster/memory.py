"""Memory of a process while it computes: what it holds, what garbage collections take, and the end of one that is over.

What a process holds is what is resident less what it shares: pages of the object store and of files that hosts map are
there once, however many read them.
"""

import gc
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import psutil

from admf_ray._types import HostLimits, MemoryUse, Observer

__all__ = ["MemoryLog", "Watch", "system_share"]

_LOOK_EVERY = 0.05
_MEGABYTE = 1e6


def system_share() -> float:
    """Give the share of this machine's memory that is in use."""
    return float(psutil.virtual_memory().percent) / 100.0


class Watch:
    """Measures this process while a block runs; a thread looks 20 times a second.

    It sees what code does that lets other threads run, as compiled kernels and array operations do.

    Parameters
    ----------
    hard : float
        MB that the process may hold.
    exceeded : callable, optional
        Called by the thread where it holds more, each time that it looks.

    Examples
    --------
    >>> with Watch() as watch:
    ...     block = bytearray(b"x") * 50_000_000
    >>> use = watch.use()
    >>> bool(use.held > 0.0), bool(use.peak >= use.held)
    (True, True)
    """

    def __init__(self, hard: float = float("inf"), exceeded: Callable[[], None] | None = None) -> None:
        self._process = psutil.Process()
        self._hard = hard
        self._exceeded = exceeded
        self._is_over = threading.Event()
        self._collecting, self._gc_seconds = time.perf_counter(), 0.0
        self._before = self._peak = self.held()
        self._collections = gc.get_stats()

    def held(self) -> float:
        """Give the MB that this process holds."""
        info = self._process.memory_info()
        return float(info.rss - getattr(info, "shared", 0)) / _MEGABYTE

    @property
    def is_exceeded(self) -> bool:
        """Whether the process holds more than it may, also after a garbage collection."""
        if self.held() > self._hard:
            gc.collect()
        return self.held() > self._hard

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)
        self._thread.start()
        gc.callbacks.append(self._time)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look no more."""
        gc.callbacks.remove(self._time)
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY):
            held = self.held()
            self._peak = max(self._peak, held)
            if held > self._hard and self._exceeded is not None:
                self._exceeded()

    def _time(self, phase: str, info: Mapping[str, Any]) -> None:  # noqa: ARG002  (what the collector calls back with)
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            self._gc_seconds += time.perf_counter() - self._collecting

    def use(self) -> MemoryUse:
        """Give what was measured, up to this moment."""
        stats = list(zip(gc.get_stats(), self._collections, strict=True))
        collections, collected = (
            tuple(now[name] - before[name] for now, before in stats) for name in ("collections", "collected")
        )
        held = self.held()
        peak = max(self._peak, held)
        if self.is_exceeded:
            held = self.held()
        return MemoryUse(held, peak, held - self._before, collections, collected, self._gc_seconds, system_share())


class MemoryLog:
    """Tells once of each host that it passed a limit.

    Parameters
    ----------
    limits : HostLimits
    """

    def __init__(self, limits: HostLimits) -> None:
        self._limits = limits
        self._told: set[tuple[str, str]] = set()

    def note(self, host: str, use: MemoryUse, tell: Observer | None) -> None:
        """Take what a chunk took of a host."""
        if tell is None:
            return
        limits = self._limits
        for limit, value, allowed, message in (
            ("hard", use.held, limits.hard, "{host} holds {value:,.0f} MB after a chunk, more than {allowed:g}"),
            ("soft", use.peak, limits.soft, "{host} took {value:,.0f} MB, more than {allowed:g}: smaller chunks"),
            ("system", use.system, limits.system, "{value:.0%} of the memory is in use, more than {allowed:.0%}"),
        ):
            if value > allowed and (host, limit) not in self._told:
                self._told.add((host, limit))
                said = message.format(host=host, value=value, allowed=allowed)
                record = {"host": host, "limit": limit, "value": value, "allowed": allowed}
                tell("MEMORY", {**record, "message": f"{said} (cluster.memory.{limit})"})
