"""Warm starts: the best sets of an earlier run come first, where that run saw nothing that is tested."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import admf_ray
from admf_ray.app.configuration import plain_config
from admf_ray.launch import main
from admf_ray.optimize import DrawnRange, plan_space
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow import RunResult
from admf_ray.workflow.warm import best_sets

COMMON = ["cluster=serial", "report=none"]
SPACE = ["strategy.space.fast={low:5,high:30,step:5}", "strategy.space.slow={low:40,high:100,step:20}"]
WARM = ["search.trials=9", "search.warm_points=4", "search.points=[{fast:25,slow:60}]", "windows.train=10y"]
RANGES = {"fast": DrawnRange(5, 30, 5), "slow": DrawnRange(40, 100, 20)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walk-forward that saw the bars up to 2006, and a sweep that saw all."""
    root = tmp_path_factory.mktemp("runs")
    walk = ["+experiment=walkforward", "holdout.start=2007-01-01", "windows.train=2y", "windows.test=2y"]
    assert main([*walk, *SPACE, *COMMON, f"run_root={root}", "run_name=early"]) == 0
    assert main(["+experiment=sweep", *SPACE, *COMMON, f"run_root={root}", "run_name=all"]) == 0
    return root


def started(root: Path, run: str, *options: str, experiment: str = "walkforward") -> int:
    command = [f"+experiment={experiment}", *SPACE, *COMMON, f"run_root={root}", f"search.warm_start={root / run}"]
    return main([*command, *options])


def sets(run: RunResult, candidates: list[int]) -> list[tuple[float, ...]]:
    return [run.candidates.drop("candidate").row(candidate) for candidate in candidates]


def test_winners_come_first_then_the_best_trials(root: Path) -> None:
    run = admf_ray.load_run(root / "early")
    space = plan_space(STRATEGIES["sma_cross"], {}, RANGES)
    winners = run.windows["candidate"].to_list()
    complete = run.trials.filter(pl.col("status") == "complete")
    ranked = complete.sort("objective", "window", "candidate", descending=[True, False, False])["candidate"].to_list()
    assert len(winners) == 3
    expected = list(dict.fromkeys([*winners, *ranked]))
    found = best_sets(run, space, 100)
    assert [(one["fast"], one["slow"]) for one in found] == sets(run, expected)
    assert best_sets(run, space, 3) == found[:3]


def test_only_sets_that_lie_in_the_space_are_taken(root: Path) -> None:
    run = admf_ray.load_run(root / "early")
    narrow = plan_space(
        STRATEGIES["sma_cross"], {}, {"fast": DrawnRange(10, 30, 10), "slow": [60, 80]}, ["slow < 4 * fast"]
    )
    found = {(one["fast"], one["slow"]) for one in best_sets(run, narrow, 100)}
    # Of 10, 20, 30 with 60 and 80: a fast 10 is too fast, 20 with 80 lies on the border.
    assert found == {(20, 60), (30, 60), (30, 80)}


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_the_best_sets_come_after_the_points_and_count(root: Path, tmp_path: Path, sampler: str, capsys) -> None:
    shutil.copytree(root / "early", tmp_path / "early")
    assert started(tmp_path, "early", f"search={sampler}", *WARM, "run_name=warm") == 0
    assert "begun with the best of 72 trials of an earlier run" in capsys.readouterr().out
    run = admf_ray.load_run(tmp_path / "warm")
    space = plan_space(STRATEGIES["sma_cross"], {}, RANGES)
    best = [(one["fast"], one["slow"]) for one in best_sets(admf_ray.load_run(root / "early"), space, 4)]
    points = list(dict.fromkeys([(25.0, 60.0), *best]))
    window = run.trials.filter(pl.col("window") == 0)["candidate"].to_list()
    assert sets(run, window)[: len(points)] == points
    assert len(window) == 9
    tried = run.summary["tried"]
    trials = len(run.trials)
    # The run itself, and the one that it began with, of which this ledger knows nothing else: 24 sets in 3 windows.
    assert (tried["warm"], tried["runs"], tried["trials"]) == (72, 2, trials + 72)
    begun = json.loads((tmp_path / "ledger.jsonl").read_text().splitlines()[0])
    assert begun["warm"] == {"run": "early", "candidates": 24, "trials": 72}

    # What was read of the earlier run is in the configuration: it may be gone.
    shutil.rmtree(tmp_path / "early")
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "warm" / "summary.json").unlink()
    assert main(["+experiment=resume", f"run={tmp_path / 'warm'}", *COMMON]) == 0
    again = admf_ray.load_run(tmp_path / "warm")
    assert again.fingerprints() == run.fingerprints()
    assert again.summary["tried"] == tried
    search = plain_config((tmp_path / "warm" / "config.yaml").read_text(), tmp_path / "warm")["search"]
    assert len(search["points"]) == 5
    assert search["warmed"] == {"run": "early", "candidates": 24, "trials": 72, "seen": "2006-12-29T21:00:00.000000000"}


REFUSED = {
    "a grid": ("early", [], "search.warm_start: a grid has all sets; allowed: search=random"),
    "another strategy": (
        "early",
        ["search=random", "strategy=price_sma", "~strategy.space.fast", "~strategy.space.slow"],
        "is of sma_cross; allowed: a run of price_sma",
    ),
    "no run": ("nowhere", ["search=random"], "search.warm_start: '"),
    "a run that saw the tests": (
        "all",
        ["search=random"],
        "saw bars up to 2018-12-31T21:00, and the test of window 0 begins at 2003-01-02T21:00; allowed: a run whose",
    ),
    "a run that saw a later test": (
        "early",
        ["search=random"],
        "saw bars up to 2006-12-29T21:00, and the test of window 0 begins at 2003-01-02T21:00",
    ),
    "sets elsewhere": (
        "early",
        ["search=random", "windows.train=10y", "strategy.space.fast={low:6,high:9,step:1}"],
        "that could win lies in strategy.space",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_begin_a_search_is_refused(
    root: Path, tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, options, said = REFUSED[case]
    assert started(root, run, *options, f"run_root={tmp_path}") == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_a_run_saw_through_the_one_that_it_began_with_counts(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sweep tests nothing and may begin with a run that saw all; what begins with it has seen all, too."""
    cut = ["search=random", "search.trials=3", f"run_root={tmp_path}"]
    assert started(root, "all", *cut, "data.stop=null", "run_name=between", experiment="sweep") == 0
    assert started(root, "all", *cut, "holdout.start=2007-01-01", experiment="sweep") == 2
    assert "saw bars up to 2018-12-31T21:00, and the holdout begins after 2007-01-01" in capsys.readouterr().err
    # As if the sweep itself had ended early.
    manifest = tmp_path / "between" / "manifest.json"
    values = json.loads(manifest.read_text())
    early = json.loads((root / "early" / "manifest.json").read_text())["data"]["last_known_at"]
    manifest.write_text(json.dumps({**values, "data": {**values["data"], "last_known_at": early}}))
    assert started(tmp_path, "between", *cut[:2], "windows.train=10y") == 2
    assert "saw bars up to 2018-12-31T21:00, and the test of window 0" in capsys.readouterr().err


def test_sets_of_one_of_several_strategies_have_what_was_in_play(root: Path, capsys) -> None:
    several = ["ensemble=one_of", "ensemble.members.rsi_reversion.space.period={low:2,high:8,step:2}"]
    size = ["search.space.risk.size=[0.5,1]", "search.space.risk.halts.daily_loss=[0.05,0.5]"]
    common = ["+experiment=sweep", *SPACE, *several, *COMMON, f"run_root={root}"]
    assert main([*common, *size, "run_name=several"]) == 0
    warm = [*common, f"search.warm_start={root / 'several'}", "search.warm_points=30", "search.trials=40"]
    # The option that is not searched any more is left out: sets that differ in it only are one.
    assert main([*warm, "search.space.risk.size={low:0.5,high:1}", "search=tpe", "run_name=warm-several"]) == 0
    run = admf_ray.load_run(root / "warm-several")
    points = plain_config((root / "warm-several" / "config.yaml").read_text(), root)["search"]["points"]
    names = {0.0: {"fast", "slow"}, 1.0: {name for name in run.candidates.columns if name.startswith("rsi_")}}
    assert len({tuple(one.items()) for one in points}) == len(points) == 30
    assert {one["member"] for one in points} == set(names)
    for one, row in zip(points, run.candidates.drop("candidate").iter_rows(named=True), strict=False):
        assert set(one) == {"risk.size", "member"} | names[one["member"]]
        assert one == {name: value for name, value in row.items() if value == value}
    assert len(run.candidates) == 40
    # A set says nothing of an option that its run did not search.
    capsys.readouterr()
    assert main([*warm, "search.space.risk.cap={low:0.5,high:1}", "search=tpe", "run_name=no"]) == 2
    assert "allowed: a run with risk.cap, member, fast, slow" in capsys.readouterr().err
