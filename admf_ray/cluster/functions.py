"""Functions by name: what travels to a host is text, never a compiled function."""

import time
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from admf_ray._types import ChunkDone
from admf_ray.errors import AdmfError, ChunkError

__all__ = ["call", "in_order"]


def call(function: str, chunk: Any, bundle: Any, host: str) -> tuple[Any, float]:
    """Call ``"module:function"`` with a chunk and the shared bundle.

    Parameters
    ----------
    function : str
    chunk, bundle : object
    host : str
        Who calls, for messages.

    Returns
    -------
    result : object
    seconds : float
        Wall time of the call, without the import.

    Raises
    ------
    AdmfError
        The function's own, as it was raised.
    ChunkError
        Where it raised anything else; carries the traceback.
    """
    module, _, name = function.partition(":")
    target: Callable[[Any, Any], Any] = getattr(import_module(module), name)
    began = time.perf_counter()
    try:
        result = target(chunk, bundle)
    except AdmfError:
        raise
    except Exception as error:
        raise ChunkError(f"chunk {chunk} failed on {host}:\n{traceback.format_exc()}") from error
    return result, time.perf_counter() - began


def in_order(chunks: Iterable[ChunkDone]) -> list[Any]:
    """Give the results of finished chunks in the order in which they were mapped."""
    return [done.result for done in sorted(chunks, key=lambda done: done.index)]
