"""Locks that are free once their owner is dead: of a run, which refuses others, and of a file, which lets them wait."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from admf_ray.errors import ConfigError

__all__ = ["RunLock", "exclusive"]


class RunLock:
    """A lock on a file that the operating system frees when its owner ends, however it ends.

    Parameters
    ----------
    path : Path
        Is made where it is not there, and left behind; it holds the number of the newest owner's process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        ConfigError
            Where a living process has it; names the process.
        """
        file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip()
            file.close()
            raise ConfigError(
                f"run: process {owner or 'unknown'} works on '{self._path.parent}'; allowed: a run that nobody works on"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back; once more does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextmanager
def exclusive(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to read and append, made where it is not there, for one process at a time; others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
