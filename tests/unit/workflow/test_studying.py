"""Studies that were stopped: what was evaluated is told again and not evaluated, and the trials are the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import polars as pl
import pyarrow as pa
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from admf_ray._types import Fault
from admf_ray.cluster import SerialExecutor
from admf_ray.engine.composition import Composition, Member
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import (
    JOURNAL,
    Adaptive,
    Candidates,
    Choice,
    DrawnRange,
    Failed,
    Known,
    Search,
    as_params,
    draw_candidates,
    plan_search,
    plan_space,
)
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow.searching import Searched, search_windows
from admf_ray.workflow.trials import StudyFiles
from tests.series import daily_bars

CROSS = STRATEGIES["sma_cross"]
SPANS = [(0, 150), (100, 250)]


@pytest.fixture(scope="module")
def search() -> Search:
    bars = daily_bars(100.0 * np.exp(np.cumsum(np.random.default_rng(7).normal(0.0, 0.01, 300))))
    ranges = {"fast": DrawnRange(2, 20), "slow": DrawnRange(10, 50)}
    planned = plan_search(bars, CROSS, Candidates.single({"fast": 3.0, "slow": 30.0}), AccountRules())
    return replace(planned, engine="event_driven", adaptive=Adaptive("tpe", 16, 4, 3, ranges, storage=JOURNAL))


class Stop(Exception):  # noqa: N818  (it stands for a kill)
    pass


def searched(search: Search, run: Path, most: int = 10**6) -> tuple[Searched, int]:
    """Search until so many chunks are done; give what was found, and how many sets were evaluated."""
    evaluated = 0

    def observe(kind: str, record: Any) -> None:
        nonlocal evaluated
        if kind == "CHUNK":
            evaluated += record["last"] - record["first"]
            if evaluated > most:
                raise Stop

    with SerialExecutor() as executor:
        folder = run / "phases" / "discovery" / "chunks"
        return search_windows(search, SPANS, Choice("sharpe", 1), METRICS, executor, observe, folder), evaluated


def trials(found: Searched) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(pa.concat_tables(found.trials(0))))


def stored(run: Path) -> list[tuple[str, list[Any]]]:
    storage = JournalStorage(JournalFileBackend(str(run / "phases" / "discovery" / "optuna.journal")))
    names = optuna.study.get_all_study_names(storage)
    return [
        (
            name.removeprefix(run.name),
            [trial.params for trial in optuna.load_study(study_name=name, storage=storage).trials],
        )
        for name in names
    ]


def test_they_go_on_where_they_were(search: Search, tmp_path: Path) -> None:
    whole, evaluated = searched(search, tmp_path / "whole")
    assert evaluated == 32
    expected = trials(whole)
    for most in (0, 9, 18):
        with pytest.raises(Stop):
            searched(search, tmp_path / "stopped", most)
    lines = tmp_path / "stopped" / "phases" / "discovery" / "chunks" / "evaluated.jsonl"
    known = len(lines.read_text().splitlines())
    # A line that was being written.
    with lines.open("a") as file:
        file.write('{"window": 0, "par')
    again, evaluated = searched(search, tmp_path / "stopped")
    assert 0 < evaluated == 32 - known
    assert trials(again).equals(expected)
    assert stored(tmp_path / "stopped") == stored(tmp_path / "whole")
    assert [name for name, _ in stored(tmp_path / "whole")] == ["-w00", "-w01"]


def test_whole_studies_give_the_same(search: Search, tmp_path: Path) -> None:
    expected, _ = searched(search, tmp_path / "spread")
    found, _ = searched(replace(search, engine="compiled"), tmp_path / "whole")
    assert trials(found).equals(trials(expected))
    assert len(found.timings) == 2
    assert len(expected.timings) == 32


def test_sets_with_parts_that_are_not_in_play_are_known_again(search: Search, tmp_path: Path) -> None:
    members = Member("cross", CROSS), Member("dip", STRATEGIES["rsi_reversion"])
    one_of = Composition(members, (), "one_of", (0.5, 0.5))
    ranges = {"risk.size": [0.5, 1.0], "fast": DrawnRange(2, 20), "dip_period": DrawnRange(2, 30)}
    example = draw_candidates(plan_space(one_of, {}, ranges), "random", 1, seed=1)
    planned = plan_search(search.bars, one_of, example, AccountRules())
    adaptive = Adaptive("tpe", 12, 3, 3, ranges, storage=JOURNAL)
    spread = replace(planned, engine="event_driven", adaptive=adaptive)
    expected, evaluated = searched(replace(spread, engine="compiled"), tmp_path / "whole")
    assert evaluated == 24
    with pytest.raises(Stop):
        searched(spread, tmp_path / "stopped", 14)
    lines = tmp_path / "stopped" / "phases" / "discovery" / "chunks" / "evaluated.jsonl"
    known = len(lines.read_text().splitlines())
    again, evaluated = searched(spread, tmp_path / "stopped")
    assert 0 < evaluated == 24 - known
    assert trials(again).equals(trials(expected))
    assert stored(tmp_path / "stopped") == stored(tmp_path / "whole")
    assert {one["member"] for _, own in stored(tmp_path / "whole") for one in own} == {0.0, 1.0}


def test_a_set_that_failed_can_be_tried_again(search: Search, tmp_path: Path) -> None:
    expected = trials(searched(search, tmp_path / "run")[0])
    files = StudyFiles(tmp_path / "run" / "phases" / "discovery" / "chunks")
    first, fault = files.studies()[0], Fault("host_died", "ActorDiedError", "its host ended", "")
    failed = Failed(9, 0, fault, "host-0", 4)
    files.add(replace(first, failures=[failed]))
    lines = files.folder / "evaluated.jsonl"
    params = as_params(first.params[9])
    lines.write_text("".join(line for line in lines.open() if as_params(json.loads(line)["params"]) != params))
    files.keep(0, {(None, params): Known(first.metrics[9], float("nan"), failed)})
    files.drop_failed()
    assert list(files.studies()) == [1]
    again, evaluated = searched(search, tmp_path / "run")
    assert evaluated == 1
    assert trials(again).equals(expected)


def test_studies_that_are_done_are_stored_by_whoever_goes_on(search: Search, tmp_path: Path) -> None:
    compiled = replace(search, engine="compiled")
    searched(compiled, tmp_path / "run")
    expected = stored(tmp_path / "run")
    (tmp_path / "run" / "phases" / "discovery" / "optuna.journal").unlink()
    _, evaluated = searched(compiled, tmp_path / "run")
    assert evaluated == 0
    assert stored(tmp_path / "run") == expected
