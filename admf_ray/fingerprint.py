"""Fingerprints: of result columns, of files, and of the code itself."""

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Pieces",
    "cache_directory",
    "code_fingerprint",
    "fingerprint_columns",
    "fingerprint_file",
    "fingerprint_pieces",
    "fingerprint_value",
    "kernel_cache_directory",
]

Runs = Iterable[tuple[str | None, int]]
"""Texts, and how often each comes in a row: at least once."""

_NOT_CODE = {"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER", "NUMBA_DEBUG_CACHE"}


def fingerprint_columns(columns: Mapping[str, npt.NDArray[Any]]) -> str:
    """Hash named columns by content: names, types, shapes and values in the order given.

    Parameters
    ----------
    columns : mapping of str to array
        Numeric arrays are taken as little-endian bytes in C order, every NaN as the same NaN; text as UTF-8.

    Returns
    -------
    str
        SHA-256, 64 hex digits. Storage (file format, compression, chunks) never enters it.

    Examples
    --------
    >>> import numpy as np
    >>> fingerprint_columns({"a": np.arange(3.0)}) == fingerprint_columns({"a": np.arange(3.0).astype(">f8")})
    True
    """
    return fingerprint_pieces({name: Pieces.of(np.ascontiguousarray(column)) for name, column in columns.items()})


@dataclass(frozen=True, slots=True)
class Pieces:
    """A column as bytes that come part by part.

    Attributes
    ----------
    kind : str
        Type of the values.
    shape : tuple of int
        Of all values together.
    length : int
        Of all parts together.
    parts : callable
        Gives the parts.
    """

    kind: str
    shape: tuple[int, ...]
    length: int
    parts: Callable[[], Iterator[bytes]]

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> "Pieces":
        """Give a column that is in memory."""
        if values.dtype.kind in "fiub":
            return cls.of_numbers(values.dtype, values.shape, partial(iter, (values,)))
        texts = [(None if value is None else str(value), 1) for value in values.tolist()]
        return cls.of_texts(values.shape, partial(iter, (texts,)))

    @classmethod
    def of_numbers(
        cls, dtype: np.dtype[Any], shape: tuple[int, ...], arrays: Callable[[], Iterator[npt.NDArray[Any]]]
    ) -> "Pieces":
        """Give a column of numbers that comes as arrays, one after the other along the first axis."""
        length = math.prod(shape) * dtype.itemsize
        return cls(dtype.newbyteorder("<").str, shape, length, lambda: map(_number_bytes, arrays()))

    @classmethod
    def of_texts(cls, shape: tuple[int, ...], runs: Callable[[], Iterator[Runs]]) -> "Pieces":
        """Give a column of text that comes as runs of equal values."""
        parts = partial(_json_bytes, runs)
        return cls("text", shape, sum(map(len, parts())), parts)


def fingerprint_pieces(columns: Mapping[str, Pieces]) -> str:
    """Hash named columns that are not in memory; how they are cut does not enter: see `fingerprint_columns`."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(f"{name}|{column.kind}|{column.shape}|{column.length}\n".encode())
        for part in column.parts():
            digest.update(part)
    return digest.hexdigest()


def _number_bytes(values: npt.NDArray[Any]) -> bytes:
    if values.dtype.kind == "f" and (undefined := np.isnan(values)).any():
        values = np.where(undefined, np.nan, values).astype(values.dtype)
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _json_bytes(pieces: Callable[[], Iterator[Runs]]) -> Iterator[bytes]:
    """Give a column of text as a JSON list."""
    encoded = cache(lambda text: json.dumps(text).encode())
    before = b"["
    for runs in pieces():
        for text, count in runs:
            yield before + encoded(text) + (b", " + encoded(text)) * (count - 1)
            before = b", "
    yield b"[]" if before == b"[" else b"]"


def fingerprint_value(value: Any) -> str:
    """Hash a plain value (dicts, lists, strings, numbers) by its canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def fingerprint_file(path: Path) -> str:
    """Hash a file's bytes (SHA-256)."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def code_fingerprint() -> str:
    """Hash the sources of the installed package (SHA-256 over relative paths and contents)."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_directory() -> Path:
    """Give the directory for what can be rebuilt: compiled kernels and prepared bars.

    ``ADMF_CACHE_DIR`` names it; otherwise it is ``admf_ray`` in the user's cache directory, or in the temporary
    directory where that cannot be written.
    """
    named = os.environ.get("ADMF_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "admf_ray"
    directory = Path(named).expanduser().absolute() if named else user
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
        return directory
    fallback = Path(tempfile.gettempdir()) / f"admf_ray-{os.getuid()}"
    fallback.mkdir(mode=0o700, exist_ok=True)
    # Compiled code is loaded from here: a directory that somebody else made is not trusted.
    return fallback if fallback.stat().st_uid == os.getuid() else Path(tempfile.mkdtemp(prefix="admf_ray-"))


def kernel_cache_directory() -> Path:
    """Give the directory for compiled kernels of exactly this code, numba and numba setting.

    numba notices an edit of the file that a kernel stands in, but not of a function that it inlines from another
    file; a directory named by all the sources cannot be stale.
    """
    settings = {
        name: value for name, value in os.environ.items() if name.startswith("NUMBA_") and name not in _NOT_CODE
    }
    key = fingerprint_value([code_fingerprint(), version("numba"), settings])
    return cache_directory() / "kernels" / key[:16]
