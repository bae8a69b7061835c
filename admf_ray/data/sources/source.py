"""What a data source is."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from admf_ray.data.columns import Table, canonical_name
from admf_ray.data.request import DataRequest
from admf_ray.errors import DataError

__all__ = ["Source", "files_of", "given_path", "no_path", "one_each", "origin_of"]


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
    downloads : bool
        Whether it asks for bars between dates.
    """

    name: str
    locate: Callable[[DataRequest], Path | None]
    read: Callable[[Path | None, DataRequest], Sequence[Table]]
    symbol: str | None = None
    calendar: str | None = None
    downloads: bool = False


def given_path(request: DataRequest) -> Path:
    """Give the file or folder that the request names.

    Raises
    ------
    DataError
        Where it names none or there is none.
    """
    if not request.path:
        raise DataError(f"data.path: source {request.source} needs the path of a file or folder")
    with contextlib.suppress(OSError, RuntimeError):
        path = Path(request.path).expanduser().absolute()
        if path.is_file() or path.is_dir():
            return path
    raise DataError(f"data.path: there is no file or folder '{request.path}'")


def no_path(request: DataRequest) -> None:
    """Refuse a path, for sources that bring their own data."""
    if request.path:
        raise DataError(f"data.path: source {request.source} brings its own data; leave data.path empty")


def files_of(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Give the files of a folder with one of these endings, sorted; hidden ones are left aside.

    Raises
    ------
    DataError
        Where the folder has none.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    found = [file for file in files if file.name.lower().endswith(tuple(suffixes))]
    if not found:
        raise DataError(f"data.path: folder '{folder}' has no file that ends in {' or '.join(suffixes)}")
    return found


def one_each(tables: Sequence[Table], request: DataRequest, folder: Path) -> Sequence[Table]:
    """Settle what the files of a folder are: one symbol each by their names, or parts (``part-0``, ...) of one.

    Raises
    ------
    DataError
        Where two files without a column of symbols have the same name.
    """
    column = request.columns.get("symbol")
    nameless = [
        table
        for table in tables
        if column not in table.frame.columns
        and not any(canonical_name(name) == "symbol" for name in table.frame.columns)
    ]
    if len(nameless) == len(tables) and all(table.symbol.lower().startswith("part") for table in tables):
        return [replace(table, symbol=request.symbol or folder.name) for table in tables]
    origins: dict[str, str] = {}
    for table in nameless:
        other = origins.setdefault(table.symbol, table.origin)
        if other != table.origin:
            raise DataError(
                f"{folder.name}: two files for symbol {table.symbol}: {other} and {table.origin}; allowed: one"
            )
    return tables


def origin_of(path: Path, folder: Path | None = None) -> str:
    """Give how messages call a file; names that are no text stay printable."""
    name = str(path.relative_to(folder)) if folder else path.name
    return name.encode("utf-8", "replace").decode()
