"""Adaptive searches: an Optuna study for each window, which is asked for batches and told what they came to.

Optuna proposes and never evaluates. Whether a study is stepped by a host that evaluates its sets itself or by the
driver, which spreads them over hosts, and how many there are, never enters its trials: each batch is proposed by a
sampler that is seeded by the run's seed, the window and the batch, and told in the order of the proposals.
"""

import math
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import optuna

from admf_ray._types import ChunkDone
from admf_ray.cluster import SerialExecutor
from admf_ray.engine import hosting
from admf_ray.engine.composition import MEMBER, Composition
from admf_ray.errors import ConfigError
from admf_ray.optimize.distributions import distributions_of
from admf_ray.optimize.evaluation import EVALUATE, Known, Params, Proposed, Stage, as_params, parted
from admf_ray.optimize.objective import STATUSES, Choice, trial_status
from admf_ray.optimize.pruning import going_on, pruner
from admf_ray.optimize.sampling import Adaptive, Studied, draw_candidates
from admf_ray.optimize.space import Space, plan_space
from admf_ray.optimize.trials import Failed
from admf_ray.plugins import activate
from admf_ray.portfolio.metrics import METRICS
from admf_ray.seeding import seed_of

__all__ = ["Studies", "Study", "planned_study", "run_study"]


def _cmaes(seed: int) -> optuna.samplers.BaseSampler:
    """Give a sampler that keeps a margin around whole numbers: without it, it stays at one (Hamano et al. 2022)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # What is no number is drawn; Optuna would warn of it at every trial.
        return optuna.samplers.CmaEsSampler(seed=seed, with_margin=True, warn_independent_sampling=False)


_SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    "cmaes": _cmaes,
}
_BLIND = ("cmaes",)
"""Samplers that take no notice of constraints, and say so whenever there are any."""

_FRUITLESS = 20
"""Proposals for each trial, at most, that break constraints or were made before."""

_IN_A_ROW = 100
"""So many of them, or as many as there may be trials, say that a space is exhausted."""

_LOST = 10
"""After so many in a row a set is drawn that obeys the constraints: a sampler may not find one where few do."""

_COMPLETE, _FAILED, _PRUNED = STATUSES[0], STATUSES[3], STATUSES[4]


class Study:
    """The study of one window: proposes sets and is told what they came to; evaluates nothing.

    Parameters
    ----------
    window : int
    space : Space
    adaptive : Adaptive
    choice : Choice
    """

    def __init__(self, window: int, space: Space, adaptive: Adaptive, choice: Choice) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.window = window
        self._space = space
        self._adaptive = adaptive
        self._choice = choice
        self._distributions = distributions_of(space)
        is_pruning = adaptive.pruning != "none"
        self._study = optuna.create_study(
            directions=["maximize"] * len(choice.formulas),
            pruner=pruner() if is_pruning else optuna.pruners.NopPruner(),
        )
        for point in space.points(adaptive.points):
            self._enqueue(as_params(point.tolist()))
        self._drawn: deque[Params] | None = None
        # Sets that may be given up are evaluated block by block first, and over the whole span last.
        self._stages: list[Stage] = [*(range(choice.blocks) if is_pruning else ()), None]
        self._step = 0
        self._batch = 0
        self._fruitless = self._in_a_row = 0
        self._trials: list[optuna.Trial] = []
        self._going: dict[Params, optuna.Trial] = {}
        self._found: dict[Params, Known] = {}
        self._pruned: set[Params] = set()
        self._proposed: list[Params] = []
        self._told: list[Sequence[float]] = []
        self._worst = np.zeros(len(choice.formulas))

    @property
    def stage(self) -> Stage:
        """What the sets that `ask` gives are to be evaluated on."""
        return self._stages[self._step]

    def ask(self) -> list[Params]:
        """Propose the next batch; give those sets of it that were not evaluated yet, none at the study's end.

        Where sets are given up on the way, those that are left come again, for the next stage.
        """
        if self._going:
            return list(self._going)
        trials, adaptive = self._adaptive.trials, self._adaptive
        most = _FRUITLESS * trials, max(_IN_A_ROW, trials)
        while len(self._found) < trials and self._fruitless < most[0] and self._in_a_row < most[1]:
            seed = seed_of(adaptive.seed, "study", adaptive.first + self.window, self._batch)
            self._study.sampler = _SAMPLERS[adaptive.sampler](seed)
            asked = min(adaptive.batch, trials - len(self._found))
            if self._in_a_row >= _LOST:
                self._enqueue_drawn(asked)
            self._trials = []
            for _ in range(asked):
                self._trials.append(self._study.ask())
                self._proposed.append(self._set_of(self._trials[-1]))
            fresh = [one for one in dict.fromkeys(self._proposed[-asked:]) if one not in self._found]
            if fresh:
                params = np.array(fresh).reshape(len(fresh), len(self._space.names))
                fresh = [one for one, obeys in zip(fresh, self._space.obeying(params), strict=True) if obeys]
            self._fruitless += asked - len(fresh)
            self._in_a_row = 0 if fresh else self._in_a_row + asked
            # Of trials with the same set the first one stands for it.
            first = dict(zip(reversed(self._proposed[-asked:]), reversed(self._trials), strict=True))
            self._going = {params: first[params] for params in fresh}
            if fresh:
                return fresh
            self._tell_batch()
        return []

    def _enqueue(self, params: Params) -> None:
        """Have a set proposed next."""
        named = zip(self._space.names, params, strict=True)
        self._study.enqueue_trial(
            {name: value for name, value in named if name in self._distributions and not math.isnan(value)}
        )

    def _enqueue_drawn(self, most: int) -> None:
        """Have sets proposed next that obey the constraints and were not tried, as far as some were drawn."""
        if self._drawn is None:
            adaptive = self._adaptive
            seed = seed_of(adaptive.seed, "study", adaptive.first + self.window, "drawn")
            self._drawn = deque()
            # So few may obey that none is drawn.
            with suppress(ConfigError):
                drawn = draw_candidates(self._space, "random", adaptive.trials, seed)
                self._drawn += map(as_params, drawn.values.tolist())
        while self._drawn and most:
            params = self._drawn.popleft()
            if params not in self._found:
                self._enqueue(params)
                most -= 1

    def _set_of(self, trial: optuna.Trial) -> Params:
        """Have Optuna propose a set: of what is in play by the member that it proposed."""
        found: dict[str, float] = {}
        for one in self._space.dimensions:
            name = one.parameter.name
            if one.owner is not None and one.owner != found[MEMBER]:
                found[name] = math.nan
            else:
                found[name] = _suggested(trial, name, self._distributions[name]) if one.fixed is None else one.fixed
        return as_params(found.values())

    def tell(self, known: Mapping[Params, Known]) -> None:
        """Tell what the sets that `ask` gave came to at the stage."""
        if self.stage is None:
            self._found.update(known)
            self._going = {}
        else:
            self._tell_block(self.stage, known)
        if self._going:
            self._step += 1
        else:
            self._tell_batch()

    def _tell_block(self, block: int, known: Mapping[Params, Known]) -> None:
        """Leave out the sets that failed in a block, and those that the study's pruner gives up after it."""
        failed = {params: one for params, one in known.items() if one.failed is not None}
        left = [params for params in self._going if params not in failed]
        rows = np.array([known[params].metrics for params in left]).reshape(len(left), len(METRICS))
        scores = self._choice.scores({name: rows[:, METRICS.index(name)] for name in self._choice.metrics})
        goes_on = going_on([self._going[params] for params in left], scores, block)
        given_up = [params for params, goes in zip(left, goes_on, strict=True) if not goes]
        self._pruned.update(given_up)
        self._found.update(failed)
        self._found.update({params: Known(np.full(len(METRICS), np.nan)) for params in given_up})
        self._going = {params: trial for params, trial in self._going.items() if params not in self._found}

    def _tell_batch(self) -> None:
        """Tell the sampler what all of its proposals came to, in the order in which it made them."""
        self._step = 0
        known = [self._values(one) for one in self._proposed[-len(self._trials) :]]
        for trial, (status, values) in zip(self._trials, known, strict=True):
            if status in (_FAILED, _PRUNED):
                state = optuna.trial.TrialState.FAIL if status == _FAILED else optuna.trial.TrialState.PRUNED
                self._study.tell(trial, state=state)
                self._told.append([np.nan] * len(values))
                continue
            if status != _COMPLETE and self._adaptive.sampler not in _BLIND:
                trial.set_constraint("may_win", 1.0)
            self._told.append(values if status == _COMPLETE else self._worst.tolist())
            self._study.tell(trial, self._told[-1])
        self._batch += 1

    def _values(self, params: Params) -> tuple[str, list[float]]:
        """Give the status of a set (that of one that breaks constraints has no name), and its objectives."""
        if params not in self._found:
            return "", []
        if params in self._pruned:
            return _PRUNED, [np.nan] * len(self._worst)
        columns = {name: self._found[params].metrics[[METRICS.index(name)]] for name in self._choice.metrics}
        (status,) = trial_status(self._choice.scores(columns), columns["trades"], self._choice)
        values = self._choice.values(columns)[0]
        if STATUSES[status] == _COMPLETE:
            self._worst = np.minimum(self._worst, values)
        return STATUSES[status], values.tolist()

    def studied(self) -> Studied:
        """Give what was evaluated, with why sets failed."""
        width, known = len(self._space.names), list(self._found.values())
        failed = [(row, one.failed) for row, one in enumerate(known)]
        return Studied(
            self.window,
            np.array(list(self._found), dtype=np.float64).reshape(len(self._found), width),
            np.array([one.metrics for one in known]).reshape(len(known), len(METRICS)),
            np.array([one.worst_block for one in known], dtype=np.float64),
            np.array([params in self._pruned for params in self._found], dtype=np.bool_),
            np.array(self._proposed, dtype=np.float64).reshape(len(self._proposed), width),
            np.array(self._told, dtype=np.float64).reshape(len(self._told), len(self._worst)),
            failures=[replace(one, candidate=row) for row, one in failed if one is not None],
        )


def _suggested(trial: optuna.Trial, name: str, distribution: optuna.distributions.BaseDistribution) -> float:
    match distribution:
        case optuna.distributions.CategoricalDistribution(choices=choices):
            return float(trial.suggest_categorical(name, choices))  # type: ignore[arg-type]
        case optuna.distributions.IntDistribution(low=low, high=high, step=step, log=log):
            return float(trial.suggest_int(name, low, high, step=step, log=log))
        case optuna.distributions.FloatDistribution(low=low, high=high, step=step, log=log):
            return trial.suggest_float(name, low, high, step=step, log=log)
    raise AssertionError(distribution)


class Studies:
    """Studies of several windows, each of which goes on as soon as everything is known that it asked for.

    An iteration gives the chunks that are to be evaluated, and None where there is none until others are done: what
    `admf_ray._types.Executor.each` takes.

    Parameters
    ----------
    studies : iterable of Study
    size : int
        Sets of a chunk, at most.
    known : mapping of int to mapping of (stage, set) to Known, optional
        By window, sets that are told and not evaluated.

    Attributes
    ----------
    finished : list of Studied
        Grows as studies come to their end.
    """

    def __init__(
        self,
        studies: Iterable[Study],
        size: int,
        known: Mapping[int, Mapping[tuple[Stage, Params], Known]] | None = None,
    ) -> None:
        self.finished: list[Studied] = []
        self._size = size
        self._open = {study.window: study for study in studies}
        self._known = {window: dict((known or {}).get(window, {})) for window in self._open}
        self._bars = dict.fromkeys(self._open, 0)
        self._asked: dict[int, list[Params]] = {}
        self._ready: deque[Proposed] = deque()
        for window in list(self._open):
            self._go_on(window)

    def __iter__(self) -> Iterator[Proposed | None]:
        """Go through the chunks."""
        while self._open:
            yield self._ready.popleft() if self._ready else None

    def take(self, done: ChunkDone) -> dict[tuple[Stage, Params], Known]:
        """Take a chunk that was evaluated; give what is known of its sets."""
        window, sets, stage = done.chunk.window, done.chunk.sets, done.chunk.stage
        if done.failure is None:
            rows = zip(sets, done.result.metrics, done.result.worst_block.tolist(), strict=True)
            found = {(stage, params): Known(metrics, worst) for params, metrics, worst in rows}
            self._bars[window] += len(sets) * done.result.bars
        else:
            failed = Failed.of(done, 0, window)
            found = {(stage, params): Known(np.full(len(METRICS), np.nan), failed=failed) for params in sets}
        self._known[window].update(found)
        if all((stage, params) in self._known[window] for params in self._asked[window]):
            self._tell(window)
            self._go_on(window)
        return found

    def _go_on(self, window: int) -> None:
        """Have a study propose until something is to be evaluated, or it has come to its end."""
        known, study = self._known[window], self._open[window]
        while asked := study.ask():
            self._asked[window] = asked
            if left := [params for params in asked if (study.stage, params) not in known]:
                parts = range(0, len(left), self._size)
                self._ready += [Proposed(window, left[first : first + self._size], study.stage) for first in parts]
                return
            self._tell(window)
        self.finished.append(replace(self._open.pop(window).studied(), bars=self._bars[window]))

    def _tell(self, window: int) -> None:
        study, known = self._open[window], self._known[window]
        study.tell({params: known[study.stage, params] for params in self._asked[window]})


def planned_study(window: int, bundle: Mapping[str, Any]) -> Study:
    """Give the study of a window, before its first proposal.

    Parameters
    ----------
    window : int
    bundle : mapping
        See `admf_ray.optimize.search.Search.study_bundle`.
    """
    adaptive: Adaptive = bundle["adaptive"]
    space = plan_space(Composition.named(bundle["composition"]), {}, adaptive.ranges, adaptive.constraints)
    return Study(window, space, adaptive, bundle["choice"])


def run_study(window: int, bundle: Mapping[str, Any]) -> Studied:
    """Run the study of one window from its first trial to its last; what hosts call.

    Parameters as of `planned_study`. A set that fails costs itself only, as long as it does not end the host.
    """
    activate(bundle["plugins"])
    studies = Studies([planned_study(window, bundle)], bundle["adaptive"].batch)
    with SerialExecutor() as executor:
        for done in executor.each(EVALUATE, studies, {**bundle, "kept": {}}, parted):
            studies.take(done)
    (studied,) = studies.finished
    return replace(studied, containers=hosting.live_containers())
