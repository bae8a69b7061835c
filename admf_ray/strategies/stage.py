"""A strategy at work on one series: it takes bars in order, in any pieces, and keeps its state between them."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["KernelStage", "Stage"]


class Stage(Protocol):
    """One strategy with its parameters on one series, bars ``[0, stop)`` of which it has seen."""

    def advance(self, start: int, stop: int, out: npt.NDArray[np.float64]) -> None:
        """Take in the next bars.

        Parameters
        ----------
        start, stop : int
            Half-open; ``start`` is where the piece before ended, 0 at first.
        out : float64 array, shape [symbol, time]
            Receives the targets of these bars.
        """


class KernelStage:
    """A kernel and its state.

    Parameters
    ----------
    kernel : compiled function
        Of the signature `admf_ray.core.kernels.STRATEGY`.
    inputs : tuple
        Its arguments before the state.
    state_size : int
        Floats, which start as 0.
    """

    __slots__ = ("_checked", "_entry", "_inputs", "_kernel", "_state")

    def __init__(self, kernel: Any, inputs: tuple[Any, ...], state_size: int) -> None:
        self._kernel = kernel
        # The compiled code itself, and the output with which the arguments were found to be right: finding that out
        # takes longer than a bar.
        self._entry = kernel.overloads[kernel.signatures[0]].entry_point
        self._checked: npt.NDArray[np.float64] | None = None
        self._inputs = inputs
        self._state = np.zeros(state_size)

    def advance(self, start: int, stop: int, out: npt.NDArray[np.float64]) -> None:
        """Run the kernel; one need not know what to do with no bars."""
        if stop <= start:
            return
        if out is self._checked:
            self._entry(*self._inputs, self._state, start, stop, out)
        else:
            self._kernel(*self._inputs, self._state, start, stop, out)
            self._checked = out
