"""Adaptive searches: an Optuna study for each window, on one host from its first trial to its last.

Optuna proposes and never evaluates. Which host runs a study, and how many there are, never enters its trials: its
sampler is seeded by the run's seed and the window, and told what it proposed in the order in which it did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna

from admf_ray.core.parameters import Parameter
from admf_ray.engine import hosting, sweep
from admf_ray.engine.composition import Composition
from admf_ray.indicators import Hub
from admf_ray.optimize.objective import Choice, trial_status
from admf_ray.optimize.sampling import Adaptive, Studied
from admf_ray.optimize.search import Search, plan_search
from admf_ray.optimize.space import Candidates, Dimension, DrawnRange, Space, plan_space
from admf_ray.plugins import activate
from admf_ray.portfolio.metrics import METRICS
from admf_ray.seeding import seed_of

__all__ = ["run_study"]

_SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
}

_FRUITLESS = 20
"""Proposals for each trial, at most, that break constraints or were made before."""

Array = npt.NDArray[np.float64]


def run_study(window: int, bundle: Mapping[str, Any]) -> Studied:
    """Run the study of one window; what hosts call.

    Parameters
    ----------
    window : int
    bundle : mapping
        ``plugins``, ``composition`` (names), ``bars``, ``account`` (`AccountRules`), ``engine``, ``fit``, ``spans``,
        ``choice``, and the ``adaptive`` part of the search.
    """
    activate(bundle["plugins"])
    composition = Composition.named(bundle["composition"])
    adaptive: Adaptive = bundle["adaptive"]
    space = plan_space(composition, {}, adaptive.ranges, adaptive.constraints)
    evaluated = _Evaluation(composition, space, window, bundle)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = _SAMPLERS[adaptive.sampler](seed_of(adaptive.seed, "study", window))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for point in space.points(adaptive.points):
        study.enqueue_trial(dict(zip(space.names, point.tolist(), strict=True)))
    fruitless = 0
    while len(evaluated) < adaptive.trials and fruitless < _FRUITLESS * adaptive.trials:
        asked = [study.ask() for _ in range(min(adaptive.batch, adaptive.trials - len(evaluated)))]
        before = len(evaluated)
        # In the order in which they were asked for, whatever took how long.
        for trial, score in zip(asked, evaluated.scores([_proposed(trial, space) for trial in asked]), strict=True):
            if score is None:
                trial.set_constraint("may_win", 1.0)
            study.tell(trial, evaluated.worst if score is None else score)
        fruitless += len(asked) - (len(evaluated) - before)
    return Studied(window, *evaluated.tables(), hosting.live_containers())


def _proposed(trial: optuna.Trial, space: Space) -> tuple[float, ...]:
    """Have Optuna propose a parameter set."""
    return tuple(_suggested(trial, one) for one in space.dimensions)


def _suggested(trial: optuna.Trial, dimension: Dimension) -> float:
    parameter: Parameter = dimension.parameter
    span = dimension.span
    if not isinstance(span, DrawnRange):
        if dimension.fixed is not None:
            return dimension.fixed
        return float(trial.suggest_categorical(parameter.name, span.tolist()))
    if parameter.kind == "int" and (span.step is None or span.step == int(span.step)):
        step = 1 if span.step is None else int(span.step)
        return float(trial.suggest_int(parameter.name, int(span.low), int(span.high), step=step, log=span.log))
    return trial.suggest_float(parameter.name, span.low, span.high, step=span.step, log=span.log)


class _Evaluation:
    """Evaluates parameter sets over a window's train span, each once, and keeps what came out."""

    def __init__(self, composition: Composition, space: Space, window: int, bundle: Mapping[str, Any]) -> None:
        self._composition = composition
        self._space = space
        self._span: tuple[int, int] = bundle["spans"][window]
        self._bundle = bundle
        self._choice: Choice = bundle["choice"]
        self._hub = Hub(bundle["bars"])
        self._found: dict[tuple[float, ...], Array] = {}
        self.worst = 0.0

    def __len__(self) -> int:
        return len(self._found)

    def scores(self, proposed: Sequence[tuple[float, ...]]) -> list[float | None]:
        """Give the objective of each set, None of those that may not win."""
        fresh = [one for one in dict.fromkeys(proposed) if one not in self._found]
        if fresh:
            params = np.array(fresh, dtype=np.float64).reshape(len(fresh), len(self._space.names))
            allowed = self._space.obeying(params)
            if allowed.any():
                metrics = self._metrics(params[allowed])
                sets = [one for one, holds in zip(fresh, allowed, strict=True) if holds]
                self._found.update(zip(sets, metrics, strict=True))
        return [self._score(one) for one in proposed]

    def _score(self, params: tuple[float, ...]) -> float | None:
        metrics = self._found.get(params)
        if metrics is None:
            return None
        columns = {name: metrics[index : index + 1] for index, name in enumerate(METRICS)}
        score = self._choice.scores(columns)
        if trial_status(score, columns["trades"], self._choice)[0] != 0:
            return None
        self.worst = min(self.worst, float(score[0]))
        return float(score[0])

    def _metrics(self, params: Array) -> Array:
        bundle = self._bundle
        planned = plan_search(
            bundle["bars"], self._composition, Candidates.listed(self._space.names, params), bundle["account"]
        )
        search: Search = replace(planned, engine=bundle["engine"], fit=bundle["fit"])
        self._hub.subscribe(search.keys)
        wanted = search.requests.wanted(search.candidates, 0, len(params))
        run = hosting.run_chunk if bundle["engine"] == "event_driven" else sweep.run_chunk
        found: Array = run(params, wanted, search.bundle(self._hub, [self._span], self._choice, ()))[:, 0]
        return found

    def tables(self) -> tuple[Array, Array]:
        """Give all sets and their metrics, in the order in which they were evaluated."""
        params = np.array(list(self._found), dtype=np.float64).reshape(len(self._found), len(self._space.names))
        return params, np.array(list(self._found.values())).reshape(len(self._found), len(METRICS))
