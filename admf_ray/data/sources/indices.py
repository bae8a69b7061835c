"""Two stock indices, daily from 1999 to 2018, that the arch package carries as files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.csv import read_csv
from admf_ray.data.sources.source import Source, no_path

__all__ = ["INDICES", "NASDAQ", "SP500"]


def _carried(name: str) -> Callable[[DataRequest], Path]:
    """Locate a file of the arch package without importing it, which would cost a second."""

    def locate(request: DataRequest) -> Path:
        no_path(request)
        spec = find_spec("arch")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the package arch, which carries the index data, is not installed")
        return Path(spec.submodule_search_locations[0]) / "data" / name / f"{name}.csv.gz"

    return locate


def _locate_all(request: DataRequest) -> Path:
    return _carried("sp500")(request).parents[1]


def _read_all(path: Path | None, request: DataRequest) -> Sequence[Table]:
    assert path is not None
    files = {name: path / file / f"{file}.csv.gz" for name, file in (("SPX", "sp500"), ("COMP", "nasdaq"))}
    return [replace(read_csv(file, request), symbol=name) for name, file in files.items()]


def _read(path: Path | None, request: DataRequest) -> Sequence[Table]:
    assert path is not None
    return [read_csv(path, request)]


SP500 = Source(name="sp500", locate=_carried("sp500"), read=_read, symbol="SPX", calendar="XNYS")
NASDAQ = Source(name="nasdaq", locate=_carried("nasdaq"), read=_read, symbol="COMP", calendar="XNYS")
INDICES = Source(name="indices", locate=_locate_all, read=_read_all, calendar="XNYS")
