"""Arrays that do not fit the object store: files that every host of the machine maps instead."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from admf_ray.errors import ChunkError

__all__ = ["MappedArray", "fitted", "opened"]


@dataclass(frozen=True, slots=True)
class MappedArray:
    """Stands for an array that lies in a file.

    Attributes
    ----------
    path : Path
    dtype : str
    shape : tuple of int
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]


def fitted(bundle: Mapping[str, Any], room: int, folder: Callable[[], Path]) -> dict[str, Any]:
    """Give the bundle with its largest arrays in files, so that the rest fits.

    Parameters
    ----------
    bundle : mapping
    room : int
        Bytes.
    folder : callable
        Gives the directory for files, once one is needed; whoever shares the bundle removes it.

    Returns
    -------
    dict
        With a `MappedArray` for each array that was written.
    """
    found = dict(bundle)
    sizes = {name: value.nbytes for name, value in found.items() if isinstance(value, np.ndarray)}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if sum(sizes.values()) <= room:
            break
        path = folder() / uuid4().hex
        with path.open("xb") as stream:
            np.ascontiguousarray(found[name]).tofile(stream)
        found[name] = MappedArray(path, found[name].dtype.str, found[name].shape)
        del sizes[name]
    return found


def opened(bundle: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a bundle with every file of it mapped, read-only; each is mapped once in a process.

    Raises
    ------
    ChunkError
        Where a file is not on this machine.
    """
    if not any(isinstance(value, MappedArray) for value in bundle.values()):
        return bundle
    return {name: _mapped(value) if isinstance(value, MappedArray) else value for name, value in bundle.items()}


@cache
def _mapped(array: MappedArray) -> npt.NDArray[Any]:
    try:
        return np.asarray(np.memmap(array.path, dtype=array.dtype, mode="r", shape=array.shape))
    except OSError as error:
        raise ChunkError(
            f"shared data of {array.shape} does not fit the object store, and its file is not on this machine: {error}"
        ) from None
