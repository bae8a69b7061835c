"""How many bars back a search remembers: what decides at a bar may still depend on bars so long before it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from admf_ray.classifiers import Classifier
from admf_ray.core.bars import Bars
from admf_ray.engine.account_options import is_option
from admf_ray.engine.composition import MEMBER, Composition
from admf_ray.errors import ConfigError
from admf_ray.indicators import INDICATORS, Key
from admf_ray.indicators.convergence import NEVER
from admf_ray.optimize.sampling import Adaptive
from admf_ray.optimize.search import Search, plan_search
from admf_ray.optimize.space import Candidates, Dimension, DrawnRange, Space, plan_space
from admf_ray.strategies import Strategy

__all__ = ["Memory", "longest_memory"]

_CORNERS = 4_096


@dataclass(frozen=True, slots=True)
class Memory:
    """The longest memory of a search.

    Attributes
    ----------
    bars : int
        `NEVER` where something never forgets.
    arithmetic : str
        What remembers so long, and how that adds up.
    """

    bars: int
    arithmetic: str

    @property
    def is_endless(self) -> bool:
        """Whether no number of bars is enough."""
        return self.bars >= NEVER


def longest_memory(search: Search) -> Memory:
    """Give the longest warm-up plus convergence of everything that decides, over all candidates and the account.

    An indicator remembers its warm-up and its convergence, and before these what its sources remember; on bars of a
    timeframe so many buckets, and one that is not complete. Strategies and classifiers remember what they declare. Of
    a search that proposes candidates as it goes these are the corners of its space: every memory grows, or falls, with
    each parameter by itself.

    Raises
    ------
    ConfigError
        Where the space of an adaptive search has too many corners.
    """
    if search.adaptive is not None:
        corners = _corners(search.composition, search.adaptive)
        search = plan_search(search.bars, search.composition, corners, search.rules)
    found = [
        *(_of_key(key, search.bars) for key in search.keys),
        *_of_parts(search),
    ]
    return max(found, key=lambda one: one.bars, default=Memory(0, "nothing is remembered"))


def _of_key(key: Key, bars: Bars) -> Memory:
    """Give what a key remembers, in bars of the series."""
    own, said = 0, f"{key}: the bar itself"
    if not key.is_raw:
        indicator = INDICATORS[key.name]
        own, said = _declared(str(key), indicator.warm_up(key.parameters), indicator.convergence(key.parameters))
        before = max((_of_key(source, bars) for source in key.sources), key=lambda one: one.bars)
        if before.bars:
            own, said = own + before.bars, f"{said}, after {before.arithmetic}"
    if key.timeframe is not None and own < NEVER:
        _, sizes = np.unique(bars.bucket_closes(key.timeframe), return_counts=True)
        longest = int(sizes.max())
        own, said = (own + 1) * longest, f"{said}, and 1 that is not complete, each of up to {longest} bars"
    return Memory(min(own, NEVER), said)


def _of_parts(search: Search) -> Iterator[Memory]:
    """Give what strategies and classifiers remember by themselves, with each of the parameter sets that they have."""
    composition, candidates, options = search.composition, search.candidates, len(search.columns.options)
    parts: list[tuple[str, Strategy | Classifier, slice]] = [
        (composition.members[voice.member].name, composition.members[voice.member].strategy, voice.params)
        for voice in composition.voices
    ]
    # What looks at bars of a timeframe keeps no state: its keys say all.
    parts += [
        (watch.name, watch.classifier, composition.watched(index)[1])
        for index, watch in enumerate(composition.watches)
        if watch.timeframe is None
    ]
    for first, last in candidates.blocks():
        block = candidates.block(first, last)[:, options:]
        for name, part, params in parts:
            own_sets = block[:, params]
            # What is not in play is NaN, and remembers nothing.
            for own in map(tuple, np.unique(own_sets[~np.isnan(own_sets).any(axis=1)], axis=0).tolist()):
                yield Memory(*_declared(name, part.warm_up(own), part.convergence(own)))


def _declared(name: str, warm_up: int, convergence: int) -> tuple[int, str]:
    if convergence >= NEVER:
        return NEVER, f"{name}: it never forgets where the series began"
    return warm_up + convergence, f"{name}: warm-up {warm_up:,} + convergence {convergence:,}"


def _corners(composition: Composition, adaptive: Adaptive) -> Candidates:
    """Give the parameter sets that have the lowest or the highest value of each parameter in play, by members."""
    space = plan_space(composition, {}, adaptive.ranges)
    grids = [[_ends(one, member) for one in space.dimensions] for member in _alone(space)]
    corners = sum(math.prod(map(len, ends)) for ends in grids)
    if corners > _CORNERS:
        raise ConfigError(
            f"strategy.space: {corners:,} corners, at each of which the memory would have to be looked at for "
            f"windows.kind=cpcv; allowed: at most {_CORNERS:,}, so fewer parameters that are searched"
        )
    found = [corner for ends in grids for corner in product(*ends)]
    return Candidates.listed(space.names, np.array(found, dtype=np.float64).reshape(corners, len(space.names)))


def _alone(space: Space) -> Sequence[float | None]:
    """Give the members of which one trades; where all of them do, None in their place."""
    if not Composition.of(space.strategy).is_one_of:
        return [None]
    span = space.dimensions[space.names.index(MEMBER)].span
    # In between are others, which need not remember less.
    return np.arange(span.low, span.high + 1.0).tolist() if isinstance(span, DrawnRange) else span.tolist()


def _ends(dimension: Dimension, member: float | None) -> list[float]:
    name, span = dimension.parameter.name, dimension.span
    if dimension.owner not in (None, member):
        return [math.nan]
    if name == MEMBER and member is not None:
        return [member]
    low, high = (span.low, span.high) if isinstance(span, DrawnRange) else (float(span[0]), float(span[-1]))
    # An account asks for most where an option of it is at its highest.
    return [high] if is_option(name) else sorted({low, high})
