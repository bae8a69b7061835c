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
    return fingerprint_pieces(
        {
            name: Pieces(np.ascontiguousarray(column).shape, partial(iter, (np.ascontiguousarray(column),)))
            for name, column in columns.items()
        }
    )


@dataclass(frozen=True, slots=True)
class Pieces:
    """A column that comes piece by piece.

    Attributes
    ----------
    shape : tuple of int
        Of all pieces together, one after the other along the first axis.
    values : callable
        Gives the pieces, at least one, each time that it is called.
    """

    shape: tuple[int, ...]
    values: Callable[[], Iterator[npt.NDArray[Any]]]


def fingerprint_pieces(columns: Mapping[str, Pieces]) -> str:
    """Hash named columns that are not in memory; the pieces do not enter: see `fingerprint_columns`."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        dtype = next(column.values()).dtype
        if dtype.kind in "fiub":
            kind, length = dtype.newbyteorder("<").str, math.prod(column.shape) * dtype.itemsize
            contents: Iterable[bytes] = map(_number_bytes, column.values())
        else:
            kind, length, contents = "text", sum(map(len, _json_text(column))), _json_text(column)
        digest.update(f"{name}|{kind}|{column.shape}|{length}\n".encode())
        for content in contents:
            digest.update(content)
    return digest.hexdigest()


def _number_bytes(values: npt.NDArray[Any]) -> bytes:
    values = np.ascontiguousarray(values)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.nan, values).astype(values.dtype)
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _json_text(column: Pieces) -> Iterator[bytes]:
    """Give the JSON list of a column of text, in parts."""
    yield b"["
    separator = b""
    for values in column.values():
        texts = [None if value is None else str(value) for value in values.tolist()]
        if texts:
            yield separator + json.dumps(texts)[1:-1].encode()
            separator = b", "
    yield b"]"


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
