"""Kernel signatures: the one shape that all numba kernels of a family share.

A stage (indicator, strategy, simulation) is a resumable kernel: it processes bars ``[start, stop)``, carries an
explicit ``state`` array from call to call, and may read any index below ``stop``. Called once over the history it is
the fast engine, called bar by bar the event-driven one. Kernels of one family share one explicit signature, so that a
sweep can take any of them as a first-class function and is itself compiled only once.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import from_dtype, njit, types

from admf_ray.errors import ConfigError

__all__ = [
    "CLASSIFIER",
    "ENSEMBLE",
    "INDICATOR",
    "READ_F8_2D",
    "READ_I4_1D",
    "SIZING",
    "STRATEGY",
    "check_kernel",
    "compiled",
    "read_only",
    "records",
    "shared",
]

Function = TypeVar("Function", bound=Callable[..., Any])


def read_only(dtype: Any, dimensions: int) -> Any:
    """Give the numba type of a C-contiguous array argument that may be read-only.

    Arrays out of an object store are read-only; this type accepts writable ones as well.
    """
    return types.Array(dtype, dimensions, "C", readonly=True)


def records(dtype: np.dtype[Any], readonly: bool = False) -> Any:
    """Give the numba type of a one-dimensional array of structured records."""
    return types.Array(from_dtype(dtype), 1, "C", readonly=readonly)


READ_F8_2D = read_only(types.float64, 2)
READ_I4_1D = read_only(types.int32, 1)
_READ_F8_1D = read_only(types.float64, 1)

INDICATOR = types.void(
    READ_F8_2D,  # matrix[key, time]
    read_only(types.int64, 1),  # rows[slot] of the matrix that hold the inputs
    READ_I4_1D,  # session[time]
    _READ_F8_1D,  # params
    types.float64[::1],  # state
    types.int64,  # start
    types.int64,  # stop
    types.float64[:, ::1],  # out[output, time]
)

CLASSIFIER = INDICATOR
"""Output 0 holds labels, whole numbers from 0 on and -1 where the regime is unknown; others may hold probabilities."""

STRATEGY = types.void(
    READ_F8_2D,  # matrix[key, time]
    read_only(types.int64, 2),  # rows[symbol, slot]
    READ_I4_1D,  # session[time]
    _READ_F8_1D,  # params
    types.float64[::1],  # state
    types.int64,  # start
    types.int64,  # stop
    types.float64[:, ::1],  # out[symbol, time], targets
)

ENSEMBLE = types.void(
    read_only(types.float64, 3),  # targets[member, symbol, time]
    _READ_F8_1D,  # weights[member]
    types.int64,  # start
    types.int64,  # stop
    types.float64[:, :, ::1],  # shares[member, symbol, time]
    types.float64[:, ::1],  # out[symbol, time], targets
)

SIZING = types.float64(
    types.float64,  # target, in [-1, +1]
    types.float64,  # size, of the account's rules
    types.float64,  # close
    types.float64,  # equity
)


def compiled(signature: Any, cache: bool = True) -> Callable[[Function], Function]:
    """Compile a kernel for exactly one signature, cached on disk unless said otherwise.

    Floating-point semantics stay IEEE: neither ``fastmath`` nor ``parallel``, so that a result does not depend on who
    computed it.
    """

    def decorate(function: Function) -> Function:
        return cast(Function, njit(signature, cache=cache, nogil=True, error_model="numpy")(function))

    return decorate


def shared(function: Function) -> Function:
    """Compile a small function that kernels inline and event-driven components call."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


def check_kernel(kernel: Any, signature: Any, name: str) -> None:
    """Refuse a kernel that is not compiled for exactly its family's signature.

    Raises
    ------
    ConfigError
        Naming the entry, what it has and what is allowed.
    """
    compiled_for = list(getattr(kernel, "nopython_signatures", []))
    if compiled_for != [signature]:
        raise ConfigError(f"kernel of '{name}' is compiled for {compiled_for or 'nothing'}; allowed: {signature}")
