"""Results of a run, in memory or read back from its directory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt
import polars as pl

from admf_ray.errors import ConfigError, ReproductionError
from admf_ray.fingerprint import Pieces, fingerprint_pieces
from admf_ray.workflow.stored import StoredTable, Tables, read_file

__all__ = ["FINGERPRINTED", "RunResult", "best_trials", "fingerprint_frame", "load_run", "read_json", "read_text"]

FINGERPRINTED = (
    *("candidates", "trials", "windows", "front", "equity", "positions", "fills", "trades"),
    *("books", "regimes", "switches", "paths"),
)
"""Tables that must be equal whoever computed them."""

_OF_THE_WAY = ("timings", "failures")
"""Tables that also say who computed something: they need not be equal."""


_STORED = ("candidates", "trials")
"""Tables that are left in their files: they grow with the search."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RunResult:
    """Everything that a run found.

    Attributes
    ----------
    summary : dict
        Headline figures; see ``summary.json``.
    tables : mapping of str to polars.DataFrame
        candidates, trials, windows, front, equity, fills, trades, timings, failures: those that the experiment makes.
        Each is an attribute, too; candidates and trials are read from their files whenever they are asked for.
    directory : Path or None
        Where the run is kept.
    """

    summary: dict[str, Any]
    tables: Tables
    directory: Path | None = None

    def __getattr__(self, name: str) -> pl.DataFrame:
        """Give a table by its name."""
        if name in (*FINGERPRINTED, *_OF_THE_WAY):
            if name in self.tables:
                return self.tables[name]
            raise AttributeError(f"this run has no table '{name}'; it has: {', '.join(self.tables)}")
        raise AttributeError(name)

    def fingerprints(self) -> dict[str, str]:
        """Give the fingerprint of every result table (SHA-256 over canonical column bytes)."""
        return {name: fingerprint_table(self.tables, name) for name in FINGERPRINTED if name in self.tables}

    def accounts(self, *names: str) -> dict[str | None, dict[str, pl.DataFrame]]:
        """Give tables of each account: by book, or under None of the only one; nothing where one is not there."""
        if not all(name in self.tables for name in names):
            return {}
        tables = {name: self.tables[name] for name in names}
        if "books" not in self.tables:
            return {None: tables}
        books = self.tables["books"]["book"].to_list()
        return {book: {name: table.filter(pl.col("book") == book) for name, table in tables.items()} for book in books}

    def best(self, count: int) -> pl.DataFrame:
        """Give the best trials of a sweep that could win, with their parameters, the best first."""
        best = best_trials(self.tables.stored["trials"], count, 0)
        chosen = self.tables.stored["candidates"].collect(
            lambda candidates: candidates.filter(pl.col("candidate").is_in(best["candidate"].implode()))
        )
        return best.join(chosen, on="candidate", maintain_order="left")

    def computing(self) -> tuple[float, float] | None:
        """Give the seconds that chunks took, and nanoseconds per bar and set.

        None where nothing was swept, as where an earlier attempt had done all of it.
        """
        if not self.summary.get("bars_swept"):
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


def best_trials(trials: StoredTable, count: int, window: int) -> pl.DataFrame:
    """Give the best trials of a window that could win, the best first."""
    could_win = (pl.col("window") == window) & (pl.col("status") == "complete")
    return trials.collect(
        lambda rows: rows.filter(could_win).sort("objective", "candidate", descending=[True, False]).head(count)
    )


def fingerprint_table(tables: Tables, name: str) -> str:
    """Hash the columns of a table, a part at a time; nulls of a number column count as NaN."""
    rows = tables.rows(name)
    return fingerprint_pieces({column: _pieces(tables, name, column, rows) for column in tables.columns(name)})


def fingerprint_frame(frame: pl.DataFrame) -> str:
    """Hash the columns of a frame as those of a table."""
    return fingerprint_table(Tables({"": frame}, {}), "")


def _pieces(tables: Tables, name: str, column: str, rows: int) -> Pieces:
    parts = partial(tables.pieces, name, [column])
    kind = next(parts())[column].dtype
    if not kind.is_numeric():
        return Pieces.of_texts((rows,), lambda: (_runs(part[column]) for part in parts()))
    # A number column with a null somewhere is one of floats everywhere.
    if kind.is_integer() and any(part[column].null_count() for part in parts()):
        kind = pl.Float64()
    dtype = pl.Series(dtype=kind).to_numpy().dtype
    return Pieces.of_numbers(dtype, (rows,), lambda: (_numbers(part[column], kind) for part in parts()))


def _runs(texts: pl.Series) -> Iterator[tuple[str | None, int]]:
    runs = texts.rle().struct
    return zip(runs.field("value").cast(pl.String).to_list(), runs.field("len").to_list(), strict=True)


def _numbers(values: pl.Series, kind: pl.DataType) -> npt.NDArray[Any]:
    values = values.cast(kind)
    return (values.fill_null(float("nan")) if kind.is_float() else values).to_numpy()


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
        begun = "; allowed: a finished run, or +experiment=resume" if (path / "manifest.json").is_file() else ""
        raise ConfigError(f"run: '{path}' holds no finished run (there is no summary.json in it){begun}")
    files = {file.stem: file for file in sorted(path.glob("phases/*/*.parquet"))}
    stored = {name: StoredTable(files.pop(name)) for name in _STORED if name in files}
    tables = Tables({name: read_file(file, pl.read_parquet) for name, file in files.items()}, stored)
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
    return read_file(path, lambda file: json.loads(file.read_text()))


def read_text(path: Path) -> str:
    """Read a text file of a run; errors as `read_json`."""
    return str(read_file(path, Path.read_text))
