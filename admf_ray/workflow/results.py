"""Results of a run, in memory or read back from its directory."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from admf_ray.errors import ConfigError, ReproductionError, first_line
from admf_ray.fingerprint import fingerprint_columns

__all__ = ["FINGERPRINTED", "RunResult", "fingerprint_frame", "load_run", "read_json", "read_text"]

FINGERPRINTED = ("candidates", "trials", "windows", "equity", "fills", "trades")
"""Tables that must be equal whoever computed them; timings are not."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything that a run found.

    Attributes
    ----------
    summary : dict
        Headline figures; see ``summary.json``.
    tables : dict of str to polars.DataFrame
        candidates, trials, windows, equity, fills, trades, timings: those that the experiment makes.
    directory : Path or None
        Where the run is kept.
    """

    summary: dict[str, Any]
    tables: dict[str, pl.DataFrame]
    directory: Path | None = None

    def __getattr__(self, name: str) -> pl.DataFrame:
        """Give a table by its name."""
        if name in FINGERPRINTED or name == "timings":
            if name in self.tables:
                return self.tables[name]
            raise AttributeError(f"this run has no table '{name}'; it has: {', '.join(self.tables)}")
        raise AttributeError(name)

    def fingerprints(self) -> dict[str, str]:
        """Give the fingerprint of every result table (SHA-256 over canonical column bytes)."""
        return {name: fingerprint_frame(self.tables[name]) for name in FINGERPRINTED if name in self.tables}

    def best(self, count: int) -> pl.DataFrame:
        """Give the best trials of a sweep that could win, with their parameters, the best first."""
        return (
            self.trials.filter(pl.col("status") == "complete")
            .sort(["objective", "candidate"], descending=[True, False])
            .head(count)
            .join(self.candidates, on="candidate", maintain_order="left")
        )

    def computing(self) -> tuple[float, float] | None:
        """Give the seconds that chunks took, and nanoseconds per bar and set; None where nothing was swept."""
        if "timings" not in self.tables:
            return None
        seconds = float(self.timings["seconds"].sum())
        return seconds, seconds / self.summary["bars_swept"] * 1e9

    def changed(self) -> list[str]:
        """Give the tables that are no longer what the manifest of the run says.

        Raises
        ------
        ReproductionError
            Where the manifest is missing or damaged.
        """
        assert self.directory is not None
        recorded, now = read_json(self.directory / "manifest.json")["fingerprints"], self.fingerprints()
        return sorted(name for name in recorded | now if recorded.get(name) != now.get(name))


def fingerprint_frame(frame: pl.DataFrame) -> str:
    """Hash the columns of a frame; nulls of a number column count as NaN."""
    columns = {}
    for column in frame.iter_columns():
        values = (
            column.cast(pl.Float64).fill_null(float("nan"))
            if column.null_count() and column.dtype.is_numeric()
            else column
        )
        columns[column.name] = values.to_numpy()
    return fingerprint_columns(columns)


def load_run(directory: str | Path) -> RunResult:
    """Read a run back.

    Parameters
    ----------
    directory : str or Path
        A run directory, or a link to one such as ``runs/latest``.

    Raises
    ------
    ConfigError
        Where there is no finished run.
    ReproductionError
        Where a file of it is damaged.
    """
    path = Path(directory).expanduser().absolute()
    if not (path / "summary.json").is_file():
        raise ConfigError(f"run: '{path}' holds no finished run (there is no summary.json in it)")
    tables = {file.stem: _read(file, pl.read_parquet) for file in sorted(path.glob("phases/*/*.parquet"))}
    recorded = read_json(path / "manifest.json")["fingerprints"] if (path / "manifest.json").is_file() else {}
    if lost := sorted(set(recorded) - set(tables)):
        raise ReproductionError(f"'{path}' has lost its tables: {', '.join(lost)}")
    return RunResult(read_json(path / "summary.json"), tables, path.resolve())


def read_json(path: Path) -> Any:
    """Read a JSON file of a run.

    Raises
    ------
    ReproductionError
        Where it is missing or damaged.
    """
    return _read(path, lambda file: json.loads(file.read_text()))


def read_text(path: Path) -> str:
    """Read a text file of a run; errors as `read_json`."""
    return str(_read(path, Path.read_text))


def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    try:
        return read(path)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise ReproductionError(f"'{path}' cannot be read: {first_line(error)}") from None
