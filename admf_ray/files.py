"""Files that are there whole or not at all, and directories that go with their owner."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

__all__ = ["OwnedFolder", "cut_torn_line", "sync", "write_text", "write_whole"]


def write_whole(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file under a temporary name, sync it, and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as stream:
            write(stream)
            sync(stream)
        partial.replace(path)
    except BaseException:
        # Where the disk is full, this makes room to say so.
        partial.unlink(missing_ok=True)
        raise


def sync(stream: IO[bytes]) -> None:
    """Have what was written to a file on the disk."""
    stream.flush()
    os.fsync(stream.fileno())


def write_text(path: Path, text: str) -> None:
    """Write a text file whole; see `write_whole`."""
    write_whole(path, lambda stream: stream.write(text.encode()))


def cut_torn_line(path: Path) -> None:
    """Cut off a last line that was not written to its end; nothing where there is no file."""
    if path.exists():
        content = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


class OwnedFolder:
    """A temporary directory of this process.

    It is locked for as long as its owner lives, so that the next one that is made can tell those whose owner was
    killed, and removes them.

    Parameters
    ----------
    prefix : str
        Of the names of all directories that are for the same.
    root : Path, optional
        Where it is made, by default among all temporary files; it is made where it is not there.
    """

    def __init__(self, prefix: str, root: Path | None = None) -> None:
        root = root or Path(tempfile.gettempdir())
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(f"{prefix}*"):
            if (lock := _locked(left)) is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)
        # It gets a name that others look at once it is locked.
        unlocked = Path(tempfile.mkdtemp(prefix=f".{prefix}", dir=root))
        self._lock = _locked(unlocked)
        self.path = unlocked.rename(unlocked.with_name(unlocked.name[1:]))

    def remove(self) -> None:
        """Remove the directory with all that is in it; once more does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _locked(folder: Path) -> int | None:
    """Lock a directory; None where somebody else has it, or it is another user's."""
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file
