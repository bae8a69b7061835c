"""Two stock indices, daily from 1999 to 2018, that the arch package carries as files."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from admf_ray.data.sources.files import read_csv
from admf_ray.data.sources.source import Source

__all__ = ["NASDAQ", "SP500"]


def _carried(name: str) -> Callable[[], Path]:
    """Locate a file of the arch package without importing it, which would cost a second."""

    def path() -> Path:
        spec = find_spec("arch")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the package arch, which carries the index data, is not installed")
        return Path(spec.submodule_search_locations[0]) / "data" / name / f"{name}.csv.gz"

    return path


def _read(path: Path) -> pl.DataFrame:
    return read_csv(path).with_columns(pl.col("Date").str.to_date("%m/%d/%Y"))


SP500 = Source(name="sp500", read=_read, path=_carried("sp500"), symbol="SPX", calendar="XNYS")
NASDAQ = Source(name="nasdaq", read=_read, path=_carried("nasdaq"), symbol="COMP", calendar="XNYS")
