"""Arrays that do not fit the object store: files that every host of the machine maps instead."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.errors import ChunkError
from admf_ray.fingerprint import cache_directory

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


def fitted(bundle: Mapping[str, Any], room: int) -> tuple[dict[str, Any], list[Path]]:
    """Give the bundle with its largest arrays in files, so that the rest fits.

    Parameters
    ----------
    bundle : mapping
    room : int
        Bytes.

    Returns
    -------
    bundle : dict
        With a `MappedArray` for each array that was written.
    paths : list of Path
        Of the files; whoever shares the bundle removes them.
    """
    found, paths = dict(bundle), []
    sizes = {name: value.nbytes for name, value in found.items() if isinstance(value, np.ndarray)}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if sum(sizes.values()) <= room:
            break
        path = _written(found[name])
        found[name] = MappedArray(path, found[name].dtype.str, found[name].shape)
        paths.append(path)
        del sizes[name]
    return found, paths


def _written(array: npt.NDArray[Any]) -> Path:
    directory = cache_directory() / "shared"
    directory.mkdir(parents=True, exist_ok=True)
    file, name = tempfile.mkstemp(dir=directory)
    with os.fdopen(file, "wb") as stream:
        np.ascontiguousarray(array).tofile(stream)
    return Path(name)


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
