"""What decides: strategies, what classifies the market for them, and the ensemble that makes one target of theirs."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.classifiers import CLASSIFIERS, Classifier
from admf_ray.core.bars import Bars
from admf_ray.core.parameters import Parameter, check_constraints, check_names, complete
from admf_ray.core.registry import unknown_name
from admf_ray.ensembles import ENSEMBLES
from admf_ray.errors import ConfigError
from admf_ray.strategies import STRATEGIES, Strategy

__all__ = ["MEMBER", "ONE_OF", "Alternative", "Composition", "Fits", "Member", "Voice", "Watch", "fits_of"]

ONE_OF = "one_of"
"""Kind of an ensemble of which one member trades and the others are not there; see `Composition.alternatives`."""

MEMBER = "member"
"""The parameter that says which one, by number."""

Fits = Mapping[tuple[int, tuple[float, ...]], Sequence[npt.NDArray[np.float64]]]
"""Fitted numbers of each span, by watch and its declared parameters; empty for classifiers that are not fitted."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A classifier that watches one symbol.

    Attributes
    ----------
    name : str
        By which members refer to it, and the beginning of the names of its parameters.
    classifier : Classifier
    symbol : str or None
        None for the first one of the data.
    timeframe : str or None
        Of the bars that it looks at; None for those of the data.
    """

    name: str
    classifier: Classifier
    symbol: str | None = None
    timeframe: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A strategy in a composition.

    Attributes
    ----------
    name : str
    strategy : Strategy
    trades_in : tuple of (watch, labels)
        Labels of watches, by name, in which it trades: where any of them has another one its target is 0. A regime that
        is not known yet is another one.
    sets : tuple of str
        Labels of the first watch in which it has parameters of their own; in the others it has its global ones.
    """

    name: str
    strategy: Strategy
    trades_in: tuple[tuple[str, tuple[str, ...]], ...] = ()
    sets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Voice:
    """A member with one of its parameter sets.

    Attributes
    ----------
    member : int
    label : str or None
        Of the first watch; None for the global set.
    slots, params : slice
        Where its rows and its parameters are among those of the composition.
    """

    member: int
    label: str | None
    slots: slice
    params: slice


@dataclass(frozen=True, slots=True)
class Alternative:
    """What decides once it is known which member trades: the member by itself, with the watches.

    Attributes
    ----------
    composition : Composition
        With the parameters under their own names.
    slots, params : int64 array
        Which slots and which parameters of the composition that it is an alternative of are its.
    """

    composition: "Composition"
    slots: npt.NDArray[np.int64]
    params: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Composition:
    """Members, watches and an ensemble; to a search it is one strategy with the parameters of all of them.

    The parameters of the first member have their own names, those of others begin with the member's name, those of the
    set of a regime with the label's, those of a watch with the watch's: ``fast``, ``dip_period``, ``up_fast``,
    ``classifier_period``. Of the kind `ONE_OF` the first parameter is `MEMBER`, and those of members that do not trade
    are not in play: they are NaN.

    Attributes
    ----------
    members : tuple of Member
    watches : tuple of Watch
        The first one says in which regime the account is.
    ensemble : str or None
        Registered name, or `ONE_OF`; None for a single member with all of the weight.
    weights : tuple of float
        Of the members, from 0 on, at most 1 together.

    Raises
    ------
    ConfigError
        Where parts do not fit together.

    Examples
    --------
    >>> from admf_ray.strategies import STRATEGIES
    >>> members = (Member("trend", STRATEGIES["sma_cross"]), Member("dip", STRATEGIES["rsi_reversion"]))
    >>> both = Composition(members, ensemble="weighted", weights=(0.6, 0.4))
    >>> both.name, both.parameter_names
    ('weighted(trend, dip)', ('fast', 'slow', 'dip_period', 'dip_oversold', 'dip_exit'))
    """

    members: tuple[Member, ...]
    watches: tuple[Watch, ...] = ()
    ensemble: str | None = None
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together."""
        self._check_names()
        self._check_ensemble()
        for watch in self.watches:
            if watch.timeframe is not None and not watch.classifier.is_stateless:
                raise ConfigError(
                    f"classifier '{watch.name}': {watch.classifier.name} keeps state from bar to bar and cannot look "
                    f"at bars of {watch.timeframe}; allowed: the bars of the data, or a classifier without state"
                )
        check_names(self.parameters, self.name)

    def _check_names(self) -> None:
        names = [*(member.name for member in self.members), *(watch.name for watch in self.watches)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"two members or classifiers are named '{twice[0]}'; allowed: a name for each")
        watched = [watch.name for watch in self.watches]
        for member in self.members:
            for name, _ in member.trades_in:
                if name not in watched:
                    raise ConfigError(f"trades_in of '{member.name}': {unknown_name('classifier', name, watched)}")
            if member.sets and not self.watches:
                raise ConfigError(f"by_regime of '{member.name}': there are no regimes; allowed: with a classifier")

    def _check_ensemble(self) -> None:
        kinds = [ONE_OF, *ENSEMBLES.names()]
        if self.ensemble is None and (len(self.members) != 1 or self.weights != (1.0,)):
            raise ConfigError(f"ensemble.kind: none, for {len(self.members)} members; allowed: {', '.join(kinds)}")
        if self.ensemble is not None and self.ensemble not in kinds:
            raise ConfigError(f"ensemble.kind: {unknown_name('ensemble', self.ensemble, kinds)}")
        shown = ", ".join(f"{weight:g}" for weight in self.weights)
        if len(self.weights) != len(self.members):
            raise ConfigError(f"ensemble.weights: {shown}; allowed: one for each of {len(self.members)} members")
        if not all(weight >= 0.0 for weight in self.weights) or not 0.0 < sum(self.weights) <= 1.0 + 1e-9:
            raise ConfigError(f"ensemble.weights: {shown}; allowed: from 0 on, more than 0 and at most 1 together")

    @classmethod
    def of(cls, strategy: "Strategy | Composition") -> "Composition":
        """Give a composition of one strategy, or the composition itself."""
        return cls((Member(strategy.name, strategy),)) if isinstance(strategy, Strategy) else strategy

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the members, in order."""
        return tuple(member.name for member in self.members)

    def together(self, count: int) -> "Composition":
        """Give an ensemble of so many members of its only strategy, with equal weights; of one itself.

        Examples
        --------
        >>> from admf_ray.strategies import STRATEGIES
        >>> Composition.of(STRATEGIES["sma_cross"]).together(3).parameter_names[:4]
        ('fast', 'slow', 'sma_cross_2_fast', 'sma_cross_2_slow')
        """
        if count == 1:
            return self
        (member,) = self.members
        others = (replace(member, name=f"{member.name}_{number}") for number in range(2, count + 1))
        return Composition((member, *others), ensemble="weighted", weights=(1.0 / count,) * count)

    # As one strategy

    @property
    def name(self) -> str:
        """Of the only member, or the ensemble with its members."""
        if self.ensemble is None:
            return self.members[0].name
        return f"{self.ensemble}({', '.join(self.member_names)})"

    @cached_property
    def _parts(self) -> tuple[tuple[str, Strategy | Classifier, str | None], ...]:
        """Give everything that has parameters and inputs: the prefix of its names, what it is, its timeframe."""
        found: list[tuple[str, Strategy | Classifier, str | None]] = []
        for index, member in enumerate(self.members):
            own = f"{member.name}_" if index else ""
            sets = ("", *(f"{name}_" for name in member.sets))
            found += [(f"{own}{prefix}", member.strategy, None) for prefix in sets]
        found += [(f"{watch.name}_", watch.classifier, watch.timeframe) for watch in self.watches]
        return tuple(found)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Of all parts, in the order of `voices` and then of the watches."""
        return (
            *((Parameter(MEMBER, 0, 0, len(self.members) - 1),) if self.is_one_of else ()),
            *(
                replace(parameter, name=f"{prefix}{parameter.name}")
                for prefix, part, _ in self._parts
                for parameter in part.parameters
            ),
        )

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """One indicator key for each slot, as of `Strategy`."""
        return tuple(
            re.sub(r"\{(\w+)\}", rf"{{{prefix}\1}}", key) + (f"@{timeframe}" if timeframe else "")
            for prefix, part, timeframe in self._parts
            for key in part.inputs
        )

    @cached_property
    def constraints(self) -> tuple[str, ...]:
        """Expressions that the parameters must obey."""
        found = []
        for prefix, part, _ in self._parts:
            names = "|".join(map(re.escape, part.parameter_names))
            found += [re.sub(rf"\b({names})\b", rf"{prefix}\1", text) for text in part.constraints]
        return tuple(found)

    def complete(self, given: Mapping[str, float], where: str = "strategy.params") -> dict[str, float]:
        """Fill in defaults and check values, names and constraints.

        Raises
        ------
        ConfigError
            Names the parameter or the constraint that does not hold.
        """
        values = complete(self.parameters, given, where)
        for parameter, owner in zip(self.parameters, self.owners, strict=True):
            if owner is not None and owner != values[MEMBER]:
                values[parameter.name] = math.nan
        check_constraints(values, self.constraints, where, self.name)
        return values

    def check_symbols(self, symbols: Sequence[str]) -> None:
        """Refuse bars of other symbols than members trade and watches look at.

        Raises
        ------
        ConfigError
        """
        for member in self.members:
            member.strategy.check_symbols(symbols)
        for watch in self.watches:
            if watch.symbol is not None and watch.symbol not in symbols:
                unknown = unknown_name("symbol of the data", watch.symbol, list(symbols))
                raise ConfigError(f"classifier.symbol: {unknown}")

    # Its parts

    @cached_property
    def _places(self) -> tuple[tuple[slice, slice], ...]:
        """Give the slots and the parameters of each of `_parts`."""
        found, slot, parameter = [], 0, int(self.is_one_of)
        for _, part, _ in self._parts:
            slots, params = slot + len(part.inputs), parameter + len(part.parameters)
            found.append((slice(slot, slots), slice(parameter, params)))
            slot, parameter = slots, params
        return tuple(found)

    @cached_property
    def voices(self) -> tuple[Voice, ...]:
        """Members with each of their parameter sets, the global one first."""
        labels = [(m, label) for m, member in enumerate(self.members) for label in (None, *member.sets)]
        return tuple(Voice(m, label, *place) for (m, label), place in zip(labels, self._places, strict=False))

    def watched(self, index: int) -> tuple[slice, slice]:
        """Give the slots and the parameters of a watch."""
        return self._places[len(self.voices) + index]

    @property
    def is_one_of(self) -> bool:
        """Whether one member trades and the others are not there."""
        return self.ensemble == ONE_OF

    @cached_property
    def owners(self) -> tuple[int | None, ...]:
        """For each parameter the only member with which it is in play, None where it always is."""
        found: list[int | None] = [None] * len(self.parameters)
        for voice in self.voices if self.is_one_of else ():
            found[voice.params] = [voice.member] * (voice.params.stop - voice.params.start)
        return tuple(found)

    @cached_property
    def alternatives(self) -> tuple[Alternative, ...]:
        """What may decide: each member of `ONE_OF` by itself, else the composition as it is."""
        slots, params = np.arange(len(self.inputs)), np.arange(len(self.parameters))
        if not self.is_one_of:
            return (Alternative(self, slots, params),)
        watched = [self.watched(watch) for watch in range(len(self.watches))]
        found = []
        for number, member in enumerate(self.members):
            own = [(voice.slots, voice.params) for voice in self.voices if voice.member == number] + watched
            found.append(
                Alternative(
                    Composition((member,), self.watches),
                    np.concatenate([slots[of] for of, _ in own]),
                    np.concatenate([params[of] for _, of in own]),
                )
            )
        return tuple(found)

    @cached_property
    def is_plain(self) -> bool:
        """Whether its targets are those of one kernel, so that a sweep may run it by itself."""
        member = self.members[0]
        return self.ensemble is None and not member.trades_in and not member.sets and not member.strategy.is_python

    @property
    def is_single(self) -> bool:
        """Whether it is one strategy that no classifier has a say in."""
        return self.ensemble is None and not self.watches

    @property
    def is_python(self) -> bool:
        """Whether a member has no kernel."""
        return any(member.strategy.is_python for member in self.members)

    @property
    def is_fitted(self) -> bool:
        """Whether a watch is fitted on a span of the data."""
        return any(watch.classifier.fit is not None for watch in self.watches)

    def begins(self, bars: Bars) -> npt.NDArray[np.int64]:
        """Give the first bar at which each member may have a target, shape [member, symbol]."""
        return np.stack([member.strategy.begins(bars) for member in self.members])

    # On its way to a host

    def names(self) -> tuple[Any, ...]:
        """Give it with names in place of what is registered: compiled functions do not travel."""
        return (
            tuple((one.name, one.strategy.name, one.trades_in, one.sets) for one in self.members),
            tuple((one.name, one.classifier.name, one.symbol, one.timeframe) for one in self.watches),
            self.ensemble,
            self.weights,
        )

    @classmethod
    def named(cls, names: tuple[Any, ...]) -> "Composition":
        """Give it back out of `names`."""
        members, watches, ensemble, weights = names
        return cls(
            tuple(Member(name, STRATEGIES[strategy], *rest) for name, strategy, *rest in members),
            tuple(Watch(name, CLASSIFIERS[classifier], *rest) for name, classifier, *rest in watches),
            ensemble,
            weights,
        )


def fits_of(
    composition: Composition, params: npt.NDArray[np.float64], fits: Fits
) -> list[Sequence[npt.NDArray[np.float64]]]:
    """Give, for each watch, the fitted numbers of each span for one candidate."""
    declared = [tuple(params[composition.watched(w)[1]].tolist()) for w in range(len(composition.watches))]
    return [fits[w, own] for w, own in enumerate(declared)]
