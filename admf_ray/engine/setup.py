"""One candidate on its series: everything that a simulation of any span of it needs, for either engine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import Bars
from admf_ray.core.registry import unknown_name
from admf_ray.engine.composition import Composition
from admf_ray.engine.simulate import withhold
from admf_ray.engine.spec import AccountRules
from admf_ray.ensembles import ENSEMBLES
from admf_ray.errors import ConfigError
from admf_ray.strategies import Stage

__all__ = [
    "ClassifierStage",
    "Route",
    "Setup",
    "Wanted",
    "combined",
    "spoken_targets",
    "wanted_targets",
    "watched_regimes",
]

_UNKNOWN = 1
"""Places before label 0 in tables by label."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a member does in each regime.

    Attributes
    ----------
    voices : int64 array, shape [1 + label of the first watch]
        Which of its voices speaks; unknown comes first.
    trades : tuple of (int, bool array of shape [1 + label])
        For watches, by number, whether it trades.
    """

    voices: npt.NDArray[np.int64]
    trades: tuple[tuple[int, npt.NDArray[np.bool_]], ...]

    def at(self, regimes: Sequence[int]) -> tuple[int, bool]:
        """Give the voice that speaks, and whether the member trades, where the watches have these labels."""
        trades = all(allowed[regimes[watch] + _UNKNOWN] for watch, allowed in self.trades)
        return int(self.voices[regimes[0] + _UNKNOWN]), trades


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a candidate wants at each bar.

    Attributes
    ----------
    targets : float64 array, shape [symbol, bar]
        NaN where it is not known.
    regimes : int64 array, shape [watch, bar]
        Labels, -1 where the regime is unknown.
    shares : float64 array, shape [member, symbol, bar], or None
        Of the members in the targets; None where there is one member with all of it.
    """

    targets: npt.NDArray[np.float64]
    regimes: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class Setup:
    """One candidate on its series.

    Attributes
    ----------
    composition : Composition
    bars : Bars
    matrix : float64 array, shape [key, time]
        The hub of these bars.
    rows : int64 array, shape [symbol, slot]
    params : float64 array, shape [parameter]
    rules : AccountRules
    flat : `HOLDING` array, shape [symbol]
        What ``rules.holdings`` gave for these bars and this hub.
    fitted : tuple of float64 array
        For each watch, the numbers that were fitted, empty where nothing is.
    """

    composition: Composition
    bars: Bars
    matrix: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    params: npt.NDArray[np.float64]
    rules: AccountRules
    flat: npt.NDArray[Any]
    fitted: tuple[npt.NDArray[np.float64], ...] = ()

    def reading(self, matrix: npt.NDArray[np.float64]) -> "Setup":
        """Give the same candidate that reads another matrix, with the same rows."""
        return self if matrix is self.matrix else replace(self, matrix=matrix)

    def stage(self, voice: int) -> Stage:
        """Give a voice at work, at the beginning of the series."""
        said = self.composition.voices[voice]
        strategy = self.composition.members[said.member].strategy
        rows = np.ascontiguousarray(self.rows[:, said.slots])
        return strategy.stage(self.bars, self.matrix, rows, self.params[said.params])

    def classifier(self, watch: int) -> "ClassifierStage":
        """Give a watch at work, at the beginning of the series.

        Raises
        ------
        ConfigError
            Where it is fitted and the numbers are not there.
        """
        composition = self.composition
        slots, params = composition.watched(watch)
        watching = composition.watches[watch]
        symbol = self.watched_symbol(watch)
        own = self.params[params]
        declared = tuple(own.tolist())
        if watching.classifier.fit is not None:
            if not self.fitted or not len(self.fitted[watch]):
                raise ConfigError(
                    f"classifier '{watching.name}': {watching.classifier.name} is fitted on a span of the data, and "
                    "none is given; allowed: classifier.fit.start and stop, or a walk-forward, which fits on its train "
                    "spans"
                )
            own = np.concatenate([own, self.fitted[watch]])
        return ClassifierStage(
            watching.classifier.kernel,
            (self.matrix, np.ascontiguousarray(self.rows[symbol, slots]), self.bars.session, own),
            watching.classifier.state_size(declared),
            watching.classifier.outputs(declared),
            len(self.bars),
        )

    def watched_symbol(self, watch: int) -> int:
        """Give the number of the symbol that a watch looks at."""
        symbol = self.composition.watches[watch].symbol
        return 0 if symbol is None else self.bars.symbols.index(symbol)

    def labels(self, watch: int) -> tuple[str, ...]:
        """Give the names of a watch's labels."""
        _, params = self.composition.watched(watch)
        return self.composition.watches[watch].classifier.labels(tuple(self.params[params].tolist()))

    def route(self, member: int) -> Route:
        """Say what a member does in each regime.

        Raises
        ------
        ConfigError
            Where it names a label that there is not.
        """
        composition, own = self.composition, self.composition.members[member]
        first = len(self.labels(0)) if composition.watches else 0
        voices = np.zeros(_UNKNOWN + first, dtype=np.int64)
        for number, label in enumerate(own.sets, start=1):
            voices[_UNKNOWN + self._label(0, label, f"by_regime of '{own.name}'")] = number
        watches = {watch.name: index for index, watch in enumerate(composition.watches)}
        trades = []
        for name, labels in own.trades_in:
            allowed = np.zeros(_UNKNOWN + len(self.labels(watches[name])), dtype=np.bool_)
            for label in labels:
                allowed[_UNKNOWN + self._label(watches[name], label, f"trades_in of '{own.name}'")] = True
            trades.append((watches[name], allowed))
        return Route(voices, tuple(trades))

    def _label(self, watch: int, label: str, where: str) -> int:
        known = self.labels(watch)
        if label not in known:
            raise ConfigError(f"{where}: {unknown_name('label', label, list(known))}")
        return known.index(label)


class ClassifierStage:
    """A classifier's kernel and its state, on one series.

    Attributes
    ----------
    out : float64 array, shape [output, time]
        Labels, and what else it gives.
    """

    __slots__ = ("_inputs", "_kernel", "_state", "out")

    def __init__(self, kernel: Any, inputs: tuple[Any, ...], state_size: int, outputs: int, bars: int) -> None:
        self._kernel = kernel
        self._inputs = inputs
        self._state = np.zeros(state_size)
        self.out = np.empty((outputs, bars))

    def advance(self, start: int, stop: int) -> None:
        """Classify the next bars."""
        if stop > start:
            self._kernel(*self._inputs, self._state, start, stop, self.out)


def wanted_targets(setup: Setup, stop: int) -> Wanted:
    """Give what a candidate wants at the bars ``[0, stop)``."""
    return combined(setup, spoken_targets(setup, stop), watched_regimes(setup, stop))


def watched_regimes(setup: Setup, stop: int) -> npt.NDArray[np.int64]:
    """Give the labels of a candidate's watches at the bars ``[0, stop)``, shape [watch, bar]."""
    regimes = np.empty((len(setup.composition.watches), stop), dtype=np.int64)
    for w in range(len(regimes)):
        stage = setup.classifier(w)
        stage.advance(0, stop)
        regimes[w] = stage.out[0, :stop]
    return regimes


def spoken_targets(setup: Setup, stop: int) -> npt.NDArray[np.float64]:
    """Give what each of a candidate's voices says at the bars ``[0, stop)``, whatever the regime.

    Returns
    -------
    float64 array, shape [voice, symbol, bar]
    """
    composition = setup.composition
    begins = composition.begins(setup.bars)
    spoken = np.empty((len(composition.voices), len(setup.bars.symbols), stop))
    for v, voice in enumerate(composition.voices):
        setup.stage(v).advance(0, stop, spoken[v])
        withhold(spoken[v], begins[voice.member])
    return spoken


def combined(setup: Setup, spoken: npt.NDArray[np.float64], regimes: npt.NDArray[np.int64]) -> Wanted:
    """Make one target of what voices say in these regimes.

    Parameters
    ----------
    setup : Setup
    spoken : float64 array, shape [voice, symbol, bar]
    regimes : int64 array, shape [watch, bar]
    """
    composition = setup.composition
    own = [
        [v for v, voice in enumerate(composition.voices) if voice.member == m] for m in range(len(composition.members))
    ]
    found = [_routed(setup.route(m), spoken[voices[0] : voices[-1] + 1], regimes) for m, voices in enumerate(own)]
    if composition.ensemble is None:
        return Wanted(found[0], regimes, None)
    targets, shares = np.empty(found[0].shape), np.empty((len(found), *found[0].shape))
    weights = np.array(composition.weights)
    ENSEMBLES[composition.ensemble].kernel(np.stack(found), weights, 0, spoken.shape[2], shares, targets)
    return Wanted(targets, regimes, shares)


def _routed(route: Route, voices: npt.NDArray[np.float64], regimes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Take at each bar what the voice of its regime says, 0 where the member does not trade."""
    targets: npt.NDArray[np.float64] = voices[0]
    if len(voices) > 1:
        chosen = route.voices[regimes[0] + _UNKNOWN]
        targets = np.ascontiguousarray(voices[chosen, :, np.arange(len(chosen))].T)
    for watch, allowed in route.trades:
        targets = np.where(allowed[regimes[watch] + _UNKNOWN], targets, 0.0)
    return targets
