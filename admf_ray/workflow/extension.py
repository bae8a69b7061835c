"""Extending a run: windows that it has are taken over as they were, newer ones are added."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from admf_ray.core.bars import Bars
from admf_ray.data import Window
from admf_ray.errors import ConfigError, DataError, ReproductionError
from admf_ray.optimize import BEST, Candidates, Choice, Chosen, Leaders, Search, select
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow.results import RunResult, best_trials, fingerprint_frame, read_json
from admf_ray.workflow.stored import StoredTable
from admf_ray.workflow.trials import ROWS, trial_rows

__all__ = ["Earlier", "earlier_run"]

_SPANS = ("train_start", "train_stop", "test_start", "test_stop")
_COMPARED = ("window", "candidate", "parameters", *(f"{part}_{name}" for part in ("train", "test") for name in METRICS))


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is taken over from an earlier run.

    Attributes
    ----------
    name : str
        Of the run.
    windows : int
        How many.
    leaders : list of Leaders
        Of each of these windows.
    trials : StoredTable
        All trials of the run.
    tables : dict of str to polars.DataFrame
        windows, equity, fills and trades of these windows; failures of the run.
    """

    name: str
    windows: int
    leaders: list[Leaders]
    trials: StoredTable
    tables: Mapping[str, pl.DataFrame]

    def chosen(self, search: Search, choice: Choice) -> list[Chosen | None]:
        """Choose on the train spans of the earlier windows as `admf_ray.workflow.searching.search_windows` does."""
        return [
            select(choice, leaders, partial(self._columns, window), search.candidates, space=search.space)
            for window, leaders in enumerate(self.leaders)
        ]

    def _columns(self, window: int, names: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
        rows = self.trials.collect(partial(_selected, pl.col("window") == window, names))
        return {name: rows[name].to_numpy() for name in names}

    def trial_rows(self, recorded: Sequence[str], choice: Choice, candidates: int) -> Iterator[pa.Table]:
        """Give the trials of the earlier windows as `admf_ray.workflow.trials.trial_rows` does."""
        for window, leaders in enumerate(self.leaders):
            for first in range(0, candidates, ROWS):
                part = (pl.col("window") == window) & pl.col("candidate").is_between(first, first + ROWS - 1)
                rows = self.trials.collect(partial(_selected, part, recorded))
                yield trial_rows(window, first, {name: rows[name].to_numpy() for name in recorded}, leaders, choice)

    def kept(self, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Give the tables of the whole, with the rows of earlier windows as they were.

        Their winners have been tested again: everything that follows from them must be the same to the last bit. What
        describes the whole series, stress and volatility deciles, stays as it was known then; buy and hold goes on.

        Raises
        ------
        ReproductionError
            Names the table that differs.
        """
        for name, columns in (("windows", _COMPARED), ("equity", ("time", "window", "equity", "position"))):
            self._check(name, tables[name].select(columns), self.tables[name].select(columns))
        for name in sorted(tables.keys() & {"front", "fills", "trades", "positions"}):
            self._check(name, tables[name], self.tables[name])
        windows = pl.concat([self.tables["windows"], tables["windows"][self.windows :]])
        failed = [one["failures"] for one in (self.tables, tables) if "failures" in one]
        failures = (
            {"failures": pl.concat(failed).unique(["candidate", "window"], keep="last").sort("candidate", "window")}
            if failed
            else {}
        )
        return {**tables, "windows": windows, **failures}

    def _check(self, name: str, now: pl.DataFrame, then: pl.DataFrame) -> None:
        again = now.filter(pl.col("window") < self.windows)
        if fingerprint_frame(again) != fingerprint_frame(then):
            raise ReproductionError(
                f"run: the earlier windows of '{self.name}' do not come out again ({name} differs): other code, "
                "packages or machine made it, or a symbol was delisted since; allowed: a new run"
            )


def earlier_run(run: RunResult, search: Search, windows: Sequence[Window]) -> Earlier:
    """Take over what an earlier run knows of these windows.

    Parameters
    ----------
    run : RunResult
        Of a walk-forward, with a directory.
    search : Search
        On bars that continue those of the run.
    windows : sequence of Window
        On these bars.

    Raises
    ------
    ConfigError
        Where the run had other candidates or windows, or candidates are proposed anew for each window.
    DataError
        Where the bars do not continue those of the run.
    ReproductionError
        Where its tables are not those that its manifest names.
    """
    assert run.directory is not None
    if changed := run.changed():
        raise ReproductionError(f"run: '{run.directory}' is no longer as it was left: {', '.join(changed)}")
    if search.adaptive is not None:
        raise ConfigError(
            f"run: search.sampler={search.adaptive.sampler} proposes candidates for each window by itself; allowed: a "
            "run with grid, random or qmc, whose windows have the same candidates, or a new run"
        )
    _check_bars(run, search.bars)
    if not _same_candidates(run, search.candidates):
        raise ConfigError(
            f"strategy: its candidates are not those of '{run.directory.name}'; allowed: the same strategy"
        )
    bounds = np.array([[getattr(window, name) for name in _SPANS] for window in windows])
    before = np.searchsorted(search.bars.known_at, run.windows.select(_SPANS).to_numpy())
    kept = len(before)
    if len(windows) < kept or not np.array_equal(bounds[: kept - 1], before[: kept - 1]):
        raise ConfigError(f"windows: they are not those of '{run.directory.name}'; allowed: the windows of that run")
    # A last test span that was cut short has grown: it is done anew.
    if not np.array_equal(bounds[kept - 1], before[kept - 1]):
        kept -= 1
    if kept == len(windows):
        raise ConfigError(
            f"run: '{run.directory.name}' has all {kept} windows of this data already; allowed: data.path=<newer file>"
        )
    old = pl.col("window") < kept
    trials = run.tables.stored["trials"]
    leaders = [_leaders(run, window) for window in range(kept)]
    names = ("windows", "front", "equity", "fills", "trades", "positions")
    tables = {name: run.tables[name].filter(old) for name in names if name in run.tables}
    if "failures" in run.tables:
        tables["failures"] = _each_window(run.failures, kept)
    return Earlier(run.directory.name, kept, leaders, trials, tables)


def _each_window(failures: pl.DataFrame, windows: int) -> pl.DataFrame:
    """Give the failures in the first windows, one row for each, those in all windows of their run too."""
    numbers = pl.DataFrame({"window": range(windows)}, schema={"window": failures.schema["window"]})
    entire = failures.filter(pl.col("window").is_null()).drop("window").join(numbers, how="cross")
    return pl.concat([entire.select(failures.columns), failures.filter(pl.col("window") < windows)])


def _selected(part: pl.Expr, columns: Sequence[str], trials: pl.LazyFrame) -> pl.LazyFrame:
    return trials.filter(part).select(columns)


def _leaders(run: RunResult, window: int) -> Leaders:
    trials = run.tables.stored["trials"]
    best = best_trials(trials, BEST, window)
    if "front" in run.tables:
        among = pl.col("candidate").is_in(run.front.filter(window=window)["candidate"].implode())
        on_front = trials.collect(lambda rows: rows.filter(pl.col("window") == window, among))
        best = pl.concat([best, on_front]).unique("candidate")
    best = best.sort("candidate")
    return Leaders(best["candidate"].to_numpy().astype(np.int64), best.select(METRICS).to_numpy())


def _same_candidates(run: RunResult, candidates: Candidates) -> bool:
    """Say whether a run had these candidates."""
    stored = run.tables.stored["candidates"]
    if stored.columns != ["candidate", *candidates.names] or len(stored) != len(candidates):
        return False
    first = 0
    for piece in stored.pieces(candidates.names):
        last = first + len(piece)
        if not np.array_equal(piece.to_numpy(), candidates.block(first, last), equal_nan=True):
            return False
        first = last
    return True


def _check_bars(run: RunResult, bars: Bars) -> None:
    assert run.directory is not None
    data = read_json(run.directory / "manifest.json")["data"]
    if len(bars) < data["bars"] or bars.head(data["bars"]).past_fingerprint() != data["past"]:
        last = str(np.datetime64(data["last_known_at"], "ns"))[:10]
        raise DataError(
            f"data: the bars up to {last} are not those of run '{run.directory.name}'; allowed: a file that continues "
            "them, or a new run"
        )
