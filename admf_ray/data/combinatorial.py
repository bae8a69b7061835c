"""Combinatorial purged cross-validation: groups of bars, of which every combination is held out once."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb

import numpy as np

from admf_ray.core.bars import Bars
from admf_ray.data.spans import Pieces, Span, TimeAxis, bars_in
from admf_ray.data.windows import Window
from admf_ray.errors import AdmfError, ConfigError

__all__ = ["CombinatorialPlan", "Fold", "FoldSeparation", "Split"]

_MOST_TESTS = 2**15 - 1  # that tables can number


@dataclass(frozen=True, slots=True)
class Split:
    """One choice of groups that are held out.

    Attributes
    ----------
    index : int
    tests : tuple of int
        The groups, ascending.
    train : tuple of (start, stop)
        Pieces of the other groups that are trained on, half-open, in bars; groups that touch are one piece.
    """

    index: int
    tests: tuple[int, ...]
    train: Pieces


@dataclass(frozen=True, slots=True)
class Fold:
    """One group that a split tests.

    Attributes
    ----------
    split : Split
    group : int
    path : int
        The path of which it is a part.
    window : Window
        Its number, counted over all splits; the test; the pieces that are trained on; and as train span their hull,
        from the first bar to the last that is trained on.
    """

    split: Split
    group: int
    path: int
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinatorialPlan:
    """Splits of a whole series.

    Four groups, two of which are held out (``-`` train, ``#`` test, ``.`` purged or embargoed), and the path of each
    test::

        split 0  ####....----    0 0
        split 1  ###...--####    1   0
        split 2  ###..---..###   2     0
        ...

    Attributes
    ----------
    groups : int
        Contiguous and as equal as can be: the first ones have a bar more where the bars do not divide.
    tests : int
        Groups that a split holds out.
    gap : Span
        Purged before a group that is held out.
    embargo : Span
        Dropped after a group that is held out.

    References
    ----------
    López de Prado, Advances in Financial Machine Learning (2018), chapter 12; purging and embargo: section 7.4.
    """

    groups: int
    tests: int
    gap: Span
    embargo: Span

    @property
    def splits(self) -> int:
        """How many splits there are."""
        return comb(self.groups, self.tests)

    @property
    def paths(self) -> int:
        """How many paths: each group is in so many tests."""
        return self.splits * self.tests // self.groups

    def edges(self, bars: int) -> list[int]:
        """Give the first bar of each group, and the number of bars last."""
        size, longer = divmod(bars, self.groups)
        return [group * size + min(group, longer) for group in range(self.groups + 1)]

    def cut(self, bars: Bars) -> tuple[Split, ...]:
        """Give every split, in the lexicographic order of the groups that they test.

        Raises
        ------
        ConfigError
            Where there are no splits or too many, or one of them leaves nothing to train on; shows the arithmetic.
        """
        if not 2 <= self.groups <= len(bars):
            raise ConfigError(f"windows.groups: {self.groups} of {len(bars):,} bars; allowed: 2 to the number of bars")
        if not 1 <= self.tests < self.groups:
            raise ConfigError(
                f"windows.tests: {self.tests} of {self.groups} groups; allowed: 1 to {self.groups - 1}, so that there "
                "is something to train on"
            )
        if self.splits * self.tests > _MOST_TESTS:
            raise ConfigError(
                f"windows.groups: {self.tests} of {self.groups} groups can be chosen in {self.splits:,} ways, each of "
                f"which is a search with {self.tests} tests; allowed: at most {_MOST_TESTS:,} tests"
            )
        axis, edges = TimeAxis.of(bars), self.edges(len(bars))
        stops = [self._purged_from(axis, edge) for edge in edges]
        starts = [self.embargoed_until(axis, edge) for edge in edges]
        found = []
        for index, tests in enumerate(combinations(range(self.groups), self.tests)):
            pieces = []
            # A stretch of train groups lies between two that are tested, or one and an end of the series.
            for before, after in pairwise([-1, *tests, self.groups]):
                first = 0 if before < 0 else starts[before + 1]
                last = len(bars) if after == self.groups else stops[after]
                if before + 1 < after and first < last:
                    pieces.append((first, last))
            if sum(stop - start for start, stop in pieces) < 2:
                raise ConfigError(self._nothing_left(tests, edges))
            found.append(Split(index, tests, tuple(pieces)))
        return tuple(found)

    def folds(self, bars: Bars, splits: Sequence[Split]) -> tuple[Fold, ...]:
        """Give every test, in the order of splits and groups.

        A group is part of path p in the p-th of the splits that test it, as in López de Prado's figure 12.1.
        """
        edges = self.edges(len(bars))
        tested = [0] * self.groups
        found: list[Fold] = []
        for split in splits:
            for group in split.tests:
                hull = split.train[0][0], split.train[-1][1]
                window = Window(len(found), *hull, edges[group], edges[group + 1], split.train)
                found.append(Fold(split, group, tested[group], window))
                tested[group] += 1
        return tuple(found)

    def embargoed_until(self, axis: TimeAxis, test_stop: int) -> int:
        """Give the first bar after a test that may be trained on."""
        return min(axis.index(axis.shift(test_stop, self.embargo)), len(axis.known_at))

    def _purged_from(self, axis: TimeAxis, test_start: int) -> int:
        """Give the first bar before a test that may not be trained on: the gap walks from it to the test, or beyond."""
        reached = bisect_right(range(test_start + 1), test_start, key=lambda bar: axis.index(axis.shift(bar, self.gap)))
        return max(reached - 1, 0)

    def _nothing_left(self, tests: tuple[int, ...], edges: Sequence[int]) -> str:
        sizes = sorted({stop - start for start, stop in pairwise(edges)})
        return (
            f"windows: gap {self.gap} and embargo {self.embargo} around the tests of groups "
            f"{', '.join(map(str, tests))} leave fewer than 2 bars to train on: {edges[-1]:,} bars in {self.groups} "
            f"groups are {' to '.join(map(str, sizes))} bars each; allowed: fewer groups or tests, longer data, or "
            "parameters that remember fewer bars, so that the embargo is shorter"
        )


@dataclass(frozen=True, slots=True)
class FoldSeparation:
    """Proof that no split was trained on its tests or too close to them, made by looking at the pieces themselves.

    Attributes
    ----------
    splits, windows, paths : int
        Windows are tests.
    train_bars, test_bars : int
        In all splits, and in all tests.
    smallest_gap, smallest_embargo : int or None
        Bars between a test and the train bars before, and after it, at least; None where nothing lies there.
    """

    splits: int
    windows: int
    paths: int
    train_bars: int
    test_bars: int
    smallest_gap: int | None
    smallest_embargo: int | None

    @classmethod
    def prove(cls, plan: CombinatorialPlan, folds: Sequence[Fold], bars: Bars, memory: int) -> "FoldSeparation":
        """Check every split and every path.

        Bar by bar, no bar that a split is trained on is one that it tests, is nearer before such than the gap, or
        nearer after it than the embargo and than what the search remembers. Each path tests every bar once.

        Parameters
        ----------
        plan : CombinatorialPlan
        folds : sequence of Fold
        bars : Bars
        memory : int
            Bars; see `admf_ray.optimize.longest_memory`.

        Raises
        ------
        AdmfError
            Names the split, or the path, that violates it.
        """
        axis = TimeAxis.of(bars)
        gaps: list[int] = []
        embargoes: list[int] = []
        tests: dict[int, list[Fold]] = {}
        paths: dict[int, list[tuple[int, int]]] = {}
        for fold in folds:
            tests.setdefault(fold.split.index, []).append(fold)
            paths.setdefault(fold.path, []).append((fold.window.test_start, fold.window.test_stop))
        for index, own in tests.items():
            trained = np.zeros(len(bars), dtype=np.bool_)
            for start, stop in own[0].split.train:
                trained[start:stop] = True
            for window in (fold.window for fold in own):
                before = np.flatnonzero(trained[: window.test_start])[-1:] + 1
                after = np.flatnonzero(trained[window.test_stop :])[:1] + window.test_stop
                is_purged = all(axis.index(axis.shift(int(bar), plan.gap)) <= window.test_start for bar in before)
                least = max(window.test_stop + memory, axis.index(axis.shift(window.test_stop, plan.embargo)))
                if trained[window.test_start : window.test_stop].any() or not is_purged or (after < least).any():
                    raise AdmfError(
                        f"split {index} is trained on bars that it tests, or too close to them: window {window.index}, "
                        f"bars {window.test_start} to {window.test_stop}"
                    )
                gaps += (window.test_start - before).tolist()
                embargoes += (after - window.test_stop).tolist()
        for path, spans in paths.items():
            edges = [0, *(edge for span in sorted(spans) for edge in span), len(bars)]
            if edges[::2] != edges[1::2]:
                raise AdmfError(f"path {path} does not test every bar of the data once")
        return cls(
            splits=len(tests),
            windows=len(folds),
            paths=len(paths),
            train_bars=sum(bars_in(own[0].split.train) for own in tests.values()),
            test_bars=sum(fold.window.test_stop - fold.window.test_start for fold in folds),
            smallest_gap=min(gaps, default=None),
            smallest_embargo=min(embargoes, default=None),
        )
