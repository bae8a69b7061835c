"""Studies in an Optuna storage, for its dashboard and other tools: written by the driver, read by nobody here."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend
from sqlalchemy.exc import SQLAlchemyError

from admf_ray.errors import ConfigError, first_line
from admf_ray.files import cut_torn_line
from admf_ray.optimize.distributions import distributions_of
from admf_ray.optimize.evaluation import Params, as_params
from admf_ray.optimize.objective import Choice, may_win
from admf_ray.optimize.place import HIDDEN, JOURNAL, shown_place
from admf_ray.optimize.sampling import Studied
from admf_ray.optimize.space import Space

__all__ = ["StudyStorage", "open_database"]

_CONNECT_SECONDS = 10
_REFUSALS = (SQLAlchemyError, optuna.exceptions.OptunaError, ImportError, OSError, RuntimeError, ValueError)


class _Journal(BaseJournalBackend):
    """A journal file that is appended to once for all that was collected: a sync for each trial takes milliseconds.

    Whoever opens it is its only writer: what a killed one left half-written, a line or a lock, goes.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        cut_torn_line(path)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        self._file = JournalFileBackend(str(path))
        self._logs = list(self._file.read_logs(0))
        self._written = len(self._logs)

    def read_logs(self, log_number_from: int) -> Sequence[dict[str, Any]]:
        """Give what was written or collected."""
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Collect."""
        self._logs += logs

    def write(self) -> None:
        """Append what was collected."""
        if len(self._logs) > self._written:
            self._file.append_logs(self._logs[self._written :])
            self._written = len(self._logs)


def open_database(url: str) -> RDBStorage:
    """Open a database; its tables are made where they are not there.

    Raises
    ------
    ConfigError
        Where it cannot be reached, or is of a kind that is not installed.
    """
    if HIDDEN in url:
        raise ConfigError(
            f"search.storage: the password of '{url}' is not kept; allowed: search.storage=<the URL with it>, or one "
            "without a password, which the database's own means then give (PGPASSWORD, ~/.pgpass)"
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # By default the network decides how long nobody answers.
    waits = url.startswith(("postgresql", "mysql"))
    connect = {"connect_args": {"connect_timeout": _CONNECT_SECONDS}} if waits else {}
    try:
        return RDBStorage(url, engine_kwargs=connect)
    except _REFUSALS as error:
        raise ConfigError(
            f"search.storage: '{shown_place(url)}' cannot be opened ({_said(error, url)}); allowed: journal, null, or "
            "the URL of a database such as sqlite:///studies.db or postgresql+psycopg2://user@host/name"
        ) from None


def _said(error: Exception, url: str) -> str:
    """Give what an error says, which can hold the URL."""
    return first_line(error).replace(url, shown_place(url))


def _came_to(trial: optuna.trial.FrozenTrial) -> tuple[Any, ...]:
    """Give what a trial was and came to."""
    return trial.state, trial.params, trial.values


class StudyStorage:
    """Adds studies that are done, each once: one that was added in part before is replaced.

    Parameters
    ----------
    place : str
        `JOURNAL` or the URL of a database.
    run : Path
        The run directory: studies are named after it, and the journal is in it.
    space : Space
    choice : Choice
    facts : mapping
        What is to be known of every study: its user attributes.

    Raises
    ------
    ConfigError
        As of `open_database`.
    """

    def __init__(self, place: str, run: Path, space: Space, choice: Choice, facts: Mapping[str, Any]) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._place = place
        self._run = run
        self._space = space
        self._choice = choice
        self._facts = {"run": str(run), **facts}
        self._distributions = distributions_of(space)
        self._journal = _Journal(run / "phases" / "discovery" / "optuna.journal") if place == JOURNAL else None
        self._storage: BaseStorage = open_database(place) if self._journal is None else JournalStorage(self._journal)

    def add(self, studied: Studied, first: int, facts: Mapping[str, Any]) -> None:
        """Add a study, with all its proposals in their order.

        Parameters
        ----------
        studied : Studied
        first : int
            Number of its first candidate.
        facts : mapping
            What is to be known of it besides.

        Raises
        ------
        ConfigError
            Where the database does not take it.
        """
        try:
            self._add(studied, first, facts)
        except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
            raise ConfigError(
                f"search.storage: '{shown_place(self._place)}' does not take window {studied.window} "
                f"({_said(error, self._place)}); its trials are kept: go on with +experiment=resume"
            ) from None

    def _add(self, studied: Studied, first: int, facts: Mapping[str, Any]) -> None:
        name, existing = self._named(studied.window)
        trials = list(self._trials(studied, first))
        if existing is not None:
            if list(map(_came_to, existing.get_trials(deepcopy=False))) == list(map(_came_to, trials)):
                return
            optuna.delete_study(study_name=name, storage=self._storage)
        directions = [optuna.study.StudyDirection.MAXIMIZE] * studied.told.shape[1]
        study = optuna.create_study(study_name=name, storage=self._storage, directions=directions)
        for key, value in {**self._facts, "window": studied.window, **facts}.items():
            study.set_user_attr(key, value)
        study.add_trials(trials)
        if self._journal is not None:
            self._journal.write()

    def _named(self, window: int) -> tuple[str, optuna.Study | None]:
        """Give the name of a window's study, and the study where this run has added it before.

        Runs of one name in different places can share a database.
        """
        name = f"{self._run.name}-w{window:02d}"
        for number in count(2):
            try:
                study = optuna.load_study(study_name=name, storage=self._storage)
            except KeyError:
                return name, None
            if study.user_attrs.get("run") == str(self._run):
                return name, study
            name = f"{self._run.name}-w{window:02d}-{number}"
        raise AssertionError

    def _trials(self, studied: Studied, first: int) -> Iterator[optuna.trial.FrozenTrial]:
        rows = {as_params(params): row for row, params in enumerate(studied.params.tolist())}
        causes = {one.candidate: f"{one.fault.error}: {one.fault.message}" for one in studied.failures}
        eligible = set(may_win(studied.metrics, self._choice).tolist())
        states = optuna.trial.TrialState
        for proposed, told in zip(studied.proposed.tolist(), studied.told.tolist(), strict=True):
            params = as_params(proposed)
            row, played = rows.get(params), self._played(params)
            state, why = states.COMPLETE, {}
            if np.isnan(told[0]):
                state = states.PRUNED if row is not None and studied.pruned[row] else states.FAIL
            elif row is None:
                # The sampler was told the worst; nothing was evaluated.
                state, why = states.FAIL, {"error": "breaks a constraint"}
            known = {} if row is None else {"candidate": first + row}
            yield optuna.trial.create_trial(
                state=state,
                values=told if state == states.COMPLETE else None,
                params=played,
                distributions={name: self._distributions[name] for name in played},
                user_attrs=known | why | ({"error": causes[row]} if row in causes else {}),
                constraints=None if state != states.COMPLETE or row in eligible else {"may_win": 1.0},
            )

    def _played(self, params: Params) -> dict[str, float]:
        """Give what was in play of a set, as Optuna writes it."""
        given = dict(zip(self._space.names, params, strict=True))
        return {
            name: int(given[name]) if isinstance(one, optuna.distributions.IntDistribution) else given[name]
            for name, one in self._distributions.items()
            if not np.isnan(given[name])
        }
