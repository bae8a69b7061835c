"""Two stock indices, daily from 1999 to 2018, that the arch package carries as files."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from admf_ray.data.columns import Table
from admf_ray.data.request import DataRequest
from admf_ray.data.sources.csv import read_csv
from admf_ray.data.sources.source import Source, no_path

__all__ = ["NASDAQ", "SP500"]


def _carried(name: str) -> Callable[[DataRequest], Path]:
    """Locate a file of the arch package without importing it, which would cost a second."""

    def locate(request: DataRequest) -> Path:
        no_path(request)
        spec = find_spec("arch")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the package arch, which carries the index data, is not installed")
        return Path(spec.submodule_search_locations[0]) / "data" / name / f"{name}.csv.gz"

    return locate


def _read(path: Path | None, request: DataRequest) -> Sequence[Table]:
    assert path is not None
    return [read_csv(path, request)]


SP500 = Source(name="sp500", locate=_carried("sp500"), read=_read, symbol="SPX", calendar="XNYS")
NASDAQ = Source(name="nasdaq", locate=_carried("nasdaq"), read=_read, symbol="COMP", calendar="XNYS")
