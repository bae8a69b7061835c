"""Functions by name: what travels to a host is text, never a compiled function."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from admf_ray._types import ChunkDone, Fault, MemoryUse
from admf_ray.cluster.faults import RUN_WIDE, raised
from admf_ray.cluster.memory import Watch

__all__ = ["Answer", "call", "find", "in_order"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call.

    Attributes
    ----------
    memory : MemoryUse
    result : object
    seconds : float
        Wall time of the call, without the import.
    fault : Fault or None
        Where it raised.
    is_begun : bool
        False where the process holds too much to begin it.
    """

    memory: MemoryUse
    result: Any = None
    seconds: float = 0.0
    fault: Fault | None = None
    is_begun: bool = True


def find(function: str) -> Callable[[Any, Any], Any]:
    """Import ``"module:function"`` and give it."""
    module, _, name = function.partition(":")
    found: Callable[[Any, Any], Any] = getattr(import_module(module), name)
    return found


def call(function: str, chunk: Any, bundle: Any, watch: Watch) -> Answer:
    """Call ``"module:function"`` with a chunk and the shared bundle.

    Parameters
    ----------
    function : str
    chunk, bundle : object
    watch : Watch
        Of this process.

    Raises
    ------
    AdmfError
        Where it concerns the whole run: `admf_ray.cluster.faults.RUN_WIDE`.
    """
    target = find(function)
    began = time.perf_counter()
    result, fault = None, None
    try:
        with watch:
            result = target(chunk, bundle)
    except RUN_WIDE:
        raise
    # A function that calls sys.exit would end its host.
    except (Exception, SystemExit) as error:
        fault = raised(error)
    seconds = time.perf_counter() - began
    return Answer(watch.use(), result, seconds, fault)


def in_order(chunks: Iterable[ChunkDone]) -> list[Any]:
    """Give the results of finished chunks in the order in which they were mapped."""
    return [done.result for done in sorted(chunks, key=lambda done: done.index)]
