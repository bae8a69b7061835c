"""Functions by name: what travels to a host is text, never a compiled function."""

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["call"]


def call(function: str, chunk: Any, bundle: Any) -> tuple[Any, float]:
    """Call ``"module:function"`` with a chunk and the shared bundle.

    Returns
    -------
    result : object
    seconds : float
        Wall time of the call, without the import.
    """
    module, _, name = function.partition(":")
    target: Callable[[Any, Any], Any] = getattr(import_module(module), name)
    began = time.perf_counter()
    return target(chunk, bundle), time.perf_counter() - began
