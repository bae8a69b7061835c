"""The series that candidates ask for: which of the unique keys each slot of each candidate reads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from admf_ray.indicators import Key, template_keys
from admf_ray.optimize.space import Candidates

__all__ = ["Requests", "Slot", "request_keys"]


@dataclass(frozen=True, slots=True)
class Slot:
    """What one slot of a strategy reads, by the factors of the candidates that its key names.

    Attributes
    ----------
    factors : tuple of int
        Of `Candidates.factors`, in their order.
    keys : int32 array, shape [combination of the factors' rows, symbol]
        Indices into the unique keys; combinations that no candidate takes hold 0.
    """

    factors: tuple[int, ...]
    keys: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of all candidates, as tables over parameter values and not over candidates.

    Attributes
    ----------
    keys : tuple of Key
        Unique, bound to symbols.
    symbols : int
    slots : tuple of Slot
    """

    keys: tuple[Key, ...]
    symbols: int
    slots: tuple[Slot, ...]

    def wanted(self, candidates: Candidates, first: int, last: int) -> npt.NDArray[np.int64]:
        """Give indices into the keys for candidates ``[first, last)``, shape [candidate, symbol, slot]."""
        digits = candidates.digits(first, last)
        found = np.empty((last - first, self.symbols, len(self.slots)), dtype=np.int64)
        for index, slot in enumerate(self.slots):
            found[:, :, index] = slot.keys[_combinations(candidates, digits, slot.factors)]
        return found


def request_keys(templates: Sequence[str], candidates: Candidates, symbols: tuple[str, ...]) -> Requests:
    """Find the unique keys that candidates ask for.

    Parameters
    ----------
    templates : sequence of str
        One for each slot; see `admf_ray.indicators.template_keys`.
    candidates : Candidates
    symbols : tuple of str
    """
    keys: dict[Key, int] = {}
    slots = []
    for template in templates:
        factors, names = _factors_of(template, candidates)
        own = tuple(candidates.factors[index] for index in factors)
        used = np.zeros(math.prod(map(len, own)), dtype=np.bool_)
        for first, last in candidates.blocks():
            used[_combinations(candidates, candidates.digits(first, last), factors)] = True
        taken = np.flatnonzero(used)
        values = Candidates(names, own, taken.astype(np.int32)).values
        # What is not in play reads nothing.
        plays = ~np.isnan(values[:, [name for name in range(len(names)) if f"{{{names[name]}}}" in template]]).any(
            axis=1
        )
        taken, values = taken[plays], values[plays]
        found, wanted = template_keys([template], names, values, symbols)
        numbers = np.array([keys.setdefault(key, len(keys)) for key in found], dtype=np.int32)
        table = np.zeros((len(used), len(symbols)), dtype=np.int32)
        table[taken] = numbers[wanted[:, :, 0]]
        slots.append(Slot(factors, table))
    return Requests(tuple(keys), len(symbols), tuple(slots))


def _factors_of(template: str, candidates: Candidates) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Give the factors that hold the parameters which a template names, and all parameters in them."""
    factors: list[int] = []
    names: list[str] = []
    column = 0
    for index, factor in enumerate(candidates.factors):
        held = candidates.names[column : column + factor.shape[1]]
        column += factor.shape[1]
        if any(f"{{{name}}}" in template for name in held):
            factors.append(index)
            names += held
    return tuple(factors), tuple(names)


def _combinations(
    candidates: Candidates, digits: Sequence[npt.NDArray[np.int32]], factors: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Give each candidate the number of the combination that it takes of some factors' rows."""
    found = np.zeros(len(digits[0]), dtype=np.int64)
    for index in factors:
        found = found * len(candidates.factors[index]) + digits[index]
    return found
