"""What a data source is."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from admf_ray.data.columns import Table, canonical_name
from admf_ray.data.request import DataRequest
from admf_ray.errors import DataError

__all__ = ["Source", "files_of", "given_path", "no_path", "one_each"]


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
    path = Path(request.path).expanduser().absolute()
    with contextlib.suppress(OSError):
        if path.is_file() or path.is_dir():
            return path
    raise DataError(f"data.path: there is no file or folder '{path}'")


def no_path(request: DataRequest) -> None:
    """Refuse a path, for sources that bring their own data."""
    if request.path:
        raise DataError(f"data.path: source {request.source} brings its own data; leave data.path empty")


def files_of(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """Give a file itself, or the files of a folder with one of these endings, sorted; hidden ones are left aside.

    Raises
    ------
    DataError
        Where the folder has none.
    """
    if path.is_file():
        return [path]
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    found = [file for file in files if file.name.lower().endswith(tuple(suffixes))]
    if not found:
        raise DataError(f"data.path: folder '{path}' has no file that ends in {' or '.join(suffixes)}")
    return found


def one_each(tables: Sequence[Table], request: DataRequest, folder: Path) -> Sequence[Table]:
    """Settle what the files of a folder are: one symbol each by their names, or parts of the one that is named.

    Raises
    ------
    DataError
        Where two files have the same name.
    """
    has_symbol = any(canonical_name(name) == "symbol" for name in tables[0].frame.columns)
    if request.symbol is not None and not has_symbol and request.symbol not in {table.symbol for table in tables}:
        # A name that no file has: the files are parts of the one symbol.
        return [replace(table, symbol=request.symbol) for table in tables]
    origins: dict[str, str] = {}
    for table in tables:
        other = origins.setdefault(table.symbol, table.origin)
        if other != table.origin and not has_symbol:
            raise DataError(
                f"{folder.name}: two files for symbol {table.symbol}: {other} and {table.origin}; allowed: one"
            )
    return tables
