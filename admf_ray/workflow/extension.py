"""Extending a run: windows that it has are taken over as they were, newer ones are added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from admf_ray.core.bars import Bars
from admf_ray.data import Window
from admf_ray.errors import ConfigError, DataError, ReproductionError
from admf_ray.optimize import Search
from admf_ray.portfolio.metrics import METRICS
from admf_ray.workflow.frames import candidates_frame
from admf_ray.workflow.results import RunResult, fingerprint_frame, read_json

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
    metrics : float64 array, shape [candidate, window, len(METRICS)]
        Of its trials.
    tables : dict of str to polars.DataFrame
        windows, equity, fills and trades of these windows.
    """

    name: str
    windows: int
    metrics: npt.NDArray[np.float64]
    tables: Mapping[str, pl.DataFrame]

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
        for name in ("fills", "trades"):
            self._check(name, tables[name], self.tables[name])
        windows = pl.concat([self.tables["windows"], tables["windows"][self.windows :]])
        return {**tables, "windows": windows}

    def _check(self, name: str, now: pl.DataFrame, then: pl.DataFrame) -> None:
        again = now.filter(pl.col("window") < self.windows)
        if fingerprint_frame(again) != fingerprint_frame(then):
            raise ReproductionError(
                f"run: the earlier windows of '{self.name}' do not come out again ({name} differs): other code, "
                "packages or machine made it; allowed: a new run"
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
        Where the run had other candidates or windows.
    DataError
        Where the bars do not continue those of the run.
    ReproductionError
        Where its tables are not those that its manifest names.
    """
    assert run.directory is not None
    if changed := run.changed():
        raise ReproductionError(f"run: '{run.directory}' is no longer as it was left: {', '.join(changed)}")
    _check_bars(run, search.bars)
    if fingerprint_frame(run.candidates) != fingerprint_frame(candidates_frame(search.candidates)):
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
    trials = run.trials.filter(old).select(METRICS).to_numpy().reshape(kept, len(run.candidates), len(METRICS))
    tables = {name: run.tables[name].filter(old) for name in ("windows", "equity", "fills", "trades")}
    return Earlier(run.directory.name, kept, np.ascontiguousarray(trials.transpose(1, 0, 2)), tables)


def _check_bars(run: RunResult, bars: Bars) -> None:
    assert run.directory is not None
    data = read_json(run.directory / "manifest.json")["data"]
    if len(bars) < data["bars"] or bars.head(data["bars"]).past_fingerprint() != data["past"]:
        last = str(np.datetime64(data["last_known_at"], "ns"))[:10]
        raise DataError(
            f"data: the bars up to {last} are not those of run '{run.directory.name}'; allowed: a file that continues "
            "them, or a new run"
        )
