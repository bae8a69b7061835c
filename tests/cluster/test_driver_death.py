"""Drivers that are killed at any moment: whoever goes on with the run comes to what nobody disturbed comes to."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.cluster.drivers import STAGES, Case, Course, Result, survive

GRID = [
    "strategy.space.fast={low: 2, high: 100, step: 2}",
    "strategy.space.slow={low: 4, high: 202, step: 6}",
    "cluster.chunk_seconds=0.001",
]
STUDIES = ["search=tpe", "search.trials=30", "windows.train=2y"]
SEARCHES = {"grid": GRID, "tpe": STUDIES}
PLACES = {"serial": ["cluster=serial"], "ray": ["cluster=local", "cluster.workers=2"]}
KILLS = {("grid", "serial"): 7, ("tpe", "serial"): 6, ("grid", "ray"): 6, ("tpe", "ray"): 6}
assert sum(KILLS.values()) == 25


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("search", "place"), KILLS)
def test_25_drivers_that_are_killed_change_nothing(
    search: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or np.random.SeedSequence().generate_state(1)[0])
    case, wanted = Case(SEARCHES[search], PLACES[place]), KILLS[search, place]
    with capsys.disabled():
        print(f"\n{search} {place}: CHAOS_SEED={seed}", end=" ", flush=True)
        _, expected = Course.of(Case(SEARCHES[search], PLACES["serial"]), tmp_path / "serial")
        course, undisturbed = Course.of(case, tmp_path / "undisturbed")
        assert undisturbed == expected
        random = np.random.default_rng([seed, list(KILLS).index((search, place))])
        hit, twice, runs = list[str](), 0, 0
        while len(hit) < wanted:
            # Every stage comes up, in a random order; every other run is stopped twice before it ends.
            order = random.permutation(STAGES).tolist()
            size = min(1 + runs % 2, wanted - len(hit))
            stages = [stage for stage in order if stage not in hit][:size] or order[:size]
            found, done = survive(case, course, tmp_path / f"run-{runs}", stages, random)
            assert found == expected, (stages, done)
            print(f"[{' '.join(done) or 'none'}]", end=" ", flush=True)
            hit += done
            twice += len(done) > 1
            runs += 1
            assert runs <= 3 * wanted
    assert len(hit) == wanted
    assert set(hit) == set(STAGES)
    assert twice


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Course, Result]:
    case = Case([*STUDIES, "windows.test=4y", "report=none"], PLACES["serial"])
    return case, *Course.of(case, tmp_path_factory.mktemp("undisturbed"))


def test_two_drivers_of_one_run_that_are_killed_change_nothing(
    undisturbed: tuple[Case, Course, Result], tmp_path: Path
) -> None:
    case, course, expected = undisturbed
    random = np.random.default_rng(7)
    # Where the machine is slow a driver may have ended before it is killed.
    for attempt in range(5):
        found, hit = survive(case, course, tmp_path / str(attempt), ["search", "tests"], random)
        assert found == expected
        if hit == ["search", "tests"]:
            break
    assert hit == ["search", "tests"]
