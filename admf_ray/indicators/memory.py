"""Memory that is written in one place and can only be read everywhere else."""

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["Matrix"]

_ITEM = 8


class Matrix:
    """A float64 matrix that grows by rows, in memory or in a file.

    What `read` gives is mapped read-only by the operating system: nothing that can be reached from it, neither a base
    array nor a buffer nor a pickle, leads to memory that can be written.

    Parameters
    ----------
    columns : int
    directory : Path, optional
        Where a file holds it, which goes with the process; without one it is in memory.
    """

    def __init__(self, columns: int, directory: Path | None = None) -> None:
        self._columns = columns
        self._rows = 0
        if directory is None:
            self._file = os.memfd_create("admf_ray-hub")
        else:
            directory.mkdir(parents=True, exist_ok=True)
            self._file, path = tempfile.mkstemp(dir=directory, suffix=".hub")
            # It lives as long as somebody has it open, and leaves nothing behind.
            Path(path).unlink()

    @property
    def nbytes(self) -> int:
        """Size of all rows."""
        return self._rows * self._columns * _ITEM

    def grow(self, rows: int) -> None:
        """Make room for so many rows in all; those there are stay."""
        if rows > self._rows:
            self._rows = rows
            os.ftruncate(self._file, max(self.nbytes, mmap.PAGESIZE))

    def read(self) -> npt.NDArray[np.float64]:
        """Give all rows, read-only, without a copy."""
        mapped = mmap.mmap(self._file, max(self.nbytes, mmap.PAGESIZE), access=mmap.ACCESS_READ)
        return self._array(mapped)

    def write(self) -> npt.NDArray[np.float64]:
        """Give all rows to write; for the hub alone."""
        # Pages that are all made at once take less time than those made one by one.
        flags, rights = mmap.MAP_SHARED | mmap.MAP_POPULATE, mmap.PROT_READ | mmap.PROT_WRITE
        mapped = mmap.mmap(self._file, max(self.nbytes, mmap.PAGESIZE), flags=flags, prot=rights)
        return self._array(mapped)

    def _array(self, mapped: mmap.mmap) -> npt.NDArray[np.float64]:
        flat = np.frombuffer(mapped, dtype=np.float64, count=self._rows * self._columns)
        return flat.reshape(self._rows, self._columns)

    def __del__(self) -> None:
        """Let go of the memory."""
        os.close(self._file)
