"""Studies in Optuna's storages: what its own tools read there is what the study was."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from admf_ray import Bars
from admf_ray._types import Fault
from admf_ray.engine.composition import Composition, Member
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.optimize import (
    Adaptive,
    Choice,
    DrawnRange,
    Failed,
    Studied,
    checked_place,
    draw_candidates,
    plan_search,
    plan_space,
    shown_place,
)
from admf_ray.optimize.place import HIDDEN
from admf_ray.optimize.storage import StudyStorage, open_database
from admf_ray.optimize.study import run_study
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from tests.unit.optimize.postgresql import postgresql

SPACE = plan_space(STRATEGIES["sma_cross"], {}, {"fast": DrawnRange(2, 60), "slow": [50.0, 100.0, 200.0]})
PARAMS = [[5.0, 50.0], [7.0, 100.0], [9.0, 200.0], [11.0, 50.0]]
SHARPE = [0.5, 1.25, np.nan, 2.0]
TRADES = [4.0, 4.0, np.nan, 0.0]
"""The third failed, the last made no trade and may not win; the first comes twice, and one set breaks a constraint."""
SHARPE_ONLY = Choice("sharpe", 1)


def study(window: int, choice: Choice) -> Studied:
    metrics = np.zeros((4, len(METRICS)))
    metrics[2] = np.nan
    metrics[:, METRICS.index("sharpe")], metrics[:, METRICS.index("trades")] = SHARPE, TRADES
    told = np.array([[0.5], [1.25], [np.nan], [0.0], [0.5], [0.0]]) + window
    fault = Fault("user_error", "ZeroDivisionError", "division by zero", "")
    return Studied(
        window,
        np.array(PARAMS),
        metrics,
        np.full(len(PARAMS), np.nan),
        np.zeros(len(PARAMS), dtype=np.bool_),
        np.array([*PARAMS, PARAMS[0], [60.0, 50.0]]),
        np.repeat(told, len(choice.formulas), axis=1),
        failures=[Failed(2, window, fault, "host-1", 1)],
    )


def added(place: str, run: Path, windows: int = 2, choice: Choice = SHARPE_ONLY) -> None:
    storage = StudyStorage(place, run, SPACE, choice, {"sampler": "tpe"})
    for window in range(windows):
        storage.add(study(window, choice), 4 * window, {"train_start": "2001-01-02"})


def journal(run: Path) -> JournalStorage:
    """Open it as anybody does."""
    return JournalStorage(JournalFileBackend(str(run / "phases" / "discovery" / "optuna.journal")))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param != "postgresql":
        return str(request.param) if request.param == "journal" else f"sqlite:///{tmp_path / 'studies.db'}"
    url: str = request.getfixturevalue("server")
    for name in optuna.study.get_all_study_names(url):
        optuna.delete_study(study_name=name, storage=url)
    return url


def opened(place: str, run: Path) -> Any:
    return journal(run) if place == "journal" else place


def test_optuna_reads_what_the_study_was(place: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    added(place, run)
    summaries = optuna.study.get_all_study_summaries(opened(place, run))
    assert [(one.study_name, one.n_trials) for one in summaries] == [("run-w00", 6), ("run-w01", 6)]
    found = optuna.load_study(study_name="run-w01", storage=opened(place, run))
    assert found.user_attrs == {"run": str(run), "sampler": "tpe", "window": 1, "train_start": "2001-01-02"}
    assert [trial.params for trial in found.trials] == [
        {"fast": int(fast), "slow": slow} for fast, slow in [*PARAMS, PARAMS[0], (60, 50.0)]
    ]
    assert [number for number, trial in enumerate(found.trials) if trial.state == TrialState.FAIL] == [2, 5]
    assert [trial.value for trial in found.trials] == [1.5, 2.25, None, 1.0, 1.5, None]
    assert [trial.user_attrs.get("candidate") for trial in found.trials] == [4, 5, 6, 7, 4, None]
    assert found.trials[2].user_attrs["error"] == "ZeroDivisionError: division by zero"
    # It was never evaluated.
    assert found.trials[5].user_attrs == {"error": "breaks a constraint"}
    assert [bool(trial.constraints) for trial in found.trials] == [False, False, False, True, False, False]
    assert found.best_trial.number == 1
    assert found.trials[0].distributions["fast"] == optuna.distributions.IntDistribution(2, 60)
    assert len(found.trials_dataframe()) == 6


def test_a_study_is_added_once_and_one_that_is_there_in_part_is_replaced(place: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    added(place, run, windows=1)
    StudyStorage(place, run, SPACE, SHARPE_ONLY, {})
    part = optuna.create_study(study_name="run-w01", storage=opened(place, run), direction="maximize")
    part.set_user_attr("run", str(run))
    part.add_trial(optuna.trial.create_trial(value=1.0))
    added(place, run)
    summaries = optuna.study.get_all_study_summaries(opened(place, run))
    assert sorted((one.study_name, one.n_trials) for one in summaries) == [("run-w00", 6), ("run-w01", 6)]


def test_runs_of_one_name_share_a_database(tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path / 'studies.db'}"
    for root in ("one", "other"):
        for _ in range(2):
            added(place, tmp_path / root / "run", windows=1)
    assert sorted(optuna.study.get_all_study_names(place)) == ["run-w00", "run-w00-2"]


def test_nothing_is_said_of_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)
    added("journal", tmp_path / "run")
    assert capfd.readouterr().err == ""


def test_several_objectives_have_their_directions(tmp_path: Path) -> None:
    added("journal", tmp_path / "run", 1, Choice("sharpe", 1, ("sharpe", "trades")))
    found = optuna.load_study(study_name="run-w00", storage=journal(tmp_path / "run"))
    assert [direction.name for direction in found.directions] == ["MAXIMIZE", "MAXIMIZE"]
    assert sorted(trial.number for trial in found.best_trials) == [1]


@pytest.mark.parametrize("cut", [1, 40, 700])
def test_a_journal_that_was_being_written_is_mended(tmp_path: Path, cut: int) -> None:
    run = tmp_path / "run"
    added("journal", run)
    path = run / "phases" / "discovery" / "optuna.journal"
    expected = [trial.params for trial in optuna.load_study(study_name="run-w01", storage=journal(run)).trials]
    path.write_bytes(path.read_bytes()[:-cut])
    path.with_name("optuna.journal.lock").symlink_to(path)
    added("journal", run)
    assert all(json.loads(line) for line in path.read_text().splitlines())
    found = optuna.load_study(study_name="run-w01", storage=journal(run))
    assert [trial.params for trial in found.trials] == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql+psycopg2://ann:secret@127.0.0.1:1/studies", "Connection refused"),
        ("nosuch://ann:secret@127.0.0.1/studies", "nosuch"),
        ("sqlite:////nowhere/at/all.db", "unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        open_database(url)
    assert f"search.storage: '{shown_place(url)}' cannot be opened" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_password_that_was_not_kept_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="the password of .* is not kept; allowed: search.storage="):
        open_database(shown_place("postgresql+psycopg2://ann:secret@127.0.0.1/studies"))


def test_a_database_that_stops_taking_studies_is_named(tmp_path: Path) -> None:
    path = tmp_path / "studies.db"
    storage = StudyStorage(f"sqlite:///{path}", tmp_path / "run", SPACE, SHARPE_ONLY, {})
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE trials")
    with pytest.raises(ConfigError, match=r"does not take window 0 .*its trials are kept: go on with"):
        storage.add(study(0, SHARPE_ONLY), 0, {})


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("postgresql://ann:secret@db:5432/studies", f"postgresql://ann:{HIDDEN}@db:5432/studies"),
        ("postgresql://ann@db/studies?password=secret&x=1", f"postgresql://ann@db/studies?password={HIDDEN}&x=1"),
        ("postgresql://ann@db/studies", "postgresql://ann@db/studies"),
        ("sqlite:////data/a:b@c.db", "sqlite:////data/a:b@c.db"),
        ("journal", "journal"),
    ],
)
def test_places_are_shown_without_passwords(place: str, shown: str) -> None:
    assert shown_place(place) == shown


def test_places(elsewhere: Path) -> None:
    assert checked_place("sqlite:///studies.db") == f"sqlite:///{elsewhere}/studies.db"
    assert [checked_place(one) for one in ("none", "journal", "sqlite://")] == [None, "journal", "sqlite://"]
    with pytest.raises(ConfigError, match=r"search.storage: 'studies.db' is no place; allowed: journal, null"):
        checked_place("studies.db")


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_trials_hold_what_was_in_play_only(kind: str, tmp_path: Path, sp500: Bars) -> None:
    run = tmp_path / "run"
    place = kind if kind == "journal" else f"sqlite:///{tmp_path / 'studies.db'}"
    one_of = Composition(
        (Member("cross", STRATEGIES["sma_cross"]), Member("dip", STRATEGIES["rsi_reversion"])), (), "one_of", (0.5, 0.5)
    )
    ranges = {"risk.size": DrawnRange(0.2, 1.0), "fast": DrawnRange(2, 9), "dip_period": DrawnRange(2, 30)}
    space = plan_space(one_of, {}, ranges)
    example = draw_candidates(space, "random", 1, seed=1)
    search = plan_search(sp500.head(500), one_of, example, AccountRules())
    adaptive = Adaptive("tpe", 20, 3, 5, ranges, points=[{"risk.size": 0.5, "member": 1, "dip_period": 7}])
    found = run_study(0, replace(search, adaptive=adaptive).study_bundle([(0, 500)], SHARPE_ONLY))
    StudyStorage(place, run, space, SHARPE_ONLY, {}).add(found, 0, {})
    stored = optuna.load_study(study_name="run-w00", storage=opened(place, run)).trials
    expected = []
    for row in found.proposed.tolist():
        size, member, fast, _, period = row[:5]
        expected.append({"risk.size": size, "member": member})
        expected[-1] |= {"dip_period": int(period)} if member else {"fast": int(fast)}
    assert [trial.params for trial in stored] == expected
    assert expected[0] == {"risk.size": 0.5, "member": 1.0, "dip_period": 7}
    assert {one["member"] for one in expected} == {0.0, 1.0}
    # Every set that was evaluated is found again as the candidate that it is.
    assert {trial.user_attrs["candidate"] for trial in stored if trial.user_attrs} == set(range(20))
