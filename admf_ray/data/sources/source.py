"""What a data source is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.errors import DataError

__all__ = ["Source", "files_of", "given_path", "no_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A way to get tables of bars.

    Attributes
    ----------
    name : str
    locate : callable of (DataRequest) -> Path or None
        Gives the file or folder that is read; None for a source that needs none.
    read : callable of (Path or None, DataRequest) -> sequence of Table
    symbol, calendar : str or None
        Declared by the source, used where the request says nothing.
    """

    name: str
    locate: Callable[[DataRequest], Path | None]
    read: Callable[[Path | None, DataRequest], Sequence[Table]]
    symbol: str | None = None
    calendar: str | None = None


def given_path(request: DataRequest) -> Path:
    """Give the file or folder that the request names.

    Raises
    ------
    DataError
        Where it names none or there is none.
    """
    if not request.path:
        raise DataError(f"data.path: source {request.source} needs the path of a file or folder")
    path = Path(request.path).expanduser().absolute()
    if not path.exists():
        raise DataError(f"data.path: there is no file or folder '{path}'")
    return path


def no_path(request: DataRequest) -> None:
    """Refuse a path, for sources that bring their own data."""
    if request.path:
        raise DataError(f"data.path: source {request.source} brings its own data; leave data.path empty")


def files_of(path: Path, patterns: Sequence[str]) -> list[Path]:
    """Give a file itself, or the files of a folder that match, sorted.

    Raises
    ------
    DataError
        Where the folder has none.
    """
    if path.is_file():
        return [path]
    files = sorted({file for pattern in patterns for file in path.rglob(pattern) if file.is_file()})
    if not files:
        raise DataError(f"data.path: folder '{path}' has no file {' or '.join(patterns)}")
    return files
