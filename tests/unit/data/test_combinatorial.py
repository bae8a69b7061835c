"""Splits and paths of combinatorial purged cross-validation; skfolio is the oracle."""

from collections import Counter
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from skfolio.model_selection import CombinatorialPurgedCV

from admf_ray import Bars
from admf_ray.data import CombinatorialPlan, Fold, FoldSeparation, Span
from admf_ray.errors import AdmfError, ConfigError
from tests.series import daily_bars


def plan(groups: int, tests: int, gap: str = "0b", embargo: str = "0b") -> CombinatorialPlan:
    spans = {"gap": Span.parse(gap, "gap"), "embargo": Span.parse(embargo, "embargo")}
    return CombinatorialPlan(groups=groups, tests=tests, **spans)


def indices(spans) -> list[int]:
    return [bar for start, stop in spans for bar in range(start, stop)]


def folds_of(planned: CombinatorialPlan, bars: Bars) -> tuple[Fold, ...]:
    return planned.folds(bars, planned.cut(bars))


def test_four_groups_of_ten_bars_by_hand() -> None:
    bars = daily_bars(np.ones(40))
    planned = plan(4, 2, gap="1b", embargo="3b")
    splits = planned.cut(bars)
    assert [(split.tests, split.train) for split in splits] == [
        ((0, 1), ((23, 40),)),
        ((0, 2), ((13, 19), (33, 40))),
        ((0, 3), ((13, 29),)),
        ((1, 2), ((0, 9), (33, 40))),
        ((1, 3), ((0, 9), (23, 29))),
        ((2, 3), ((0, 19),)),
    ]
    found = planned.folds(bars, splits)
    # Each group is tested by three splits: the first of them is on path 0, the second on path 1, the third on path 2.
    assert [(fold.split.index, fold.group, fold.path) for fold in found] == [
        *((0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 2, 0), (2, 0, 2), (2, 3, 0)),
        *((3, 1, 1), (3, 2, 1), (4, 1, 2), (4, 3, 1), (5, 2, 2), (5, 3, 2)),
    ]
    assert [fold.window.index for fold in found] == list(range(12))
    assert found[3].window.train == (13, 40)
    proof = FoldSeparation.prove(planned, found, bars, 3)
    assert (proof.splits, proof.windows, proof.paths) == (6, 12, 3)
    assert (proof.train_bars, proof.test_bars) == (17 + 13 + 16 + 16 + 15 + 19, 120)
    assert (proof.smallest_gap, proof.smallest_embargo) == (1, 3)


def test_groups_that_do_not_divide_the_bars_differ_by_one() -> None:
    assert plan(4, 2).edges(42) == [0, 11, 22, 32, 42]
    assert np.diff(plan(4, 2).edges(42)).tolist() == [len(part) for part in np.array_split(np.arange(42), 4)]


def test_a_group_that_purge_and_embargo_use_up_is_no_piece() -> None:
    splits = plan(4, 2, gap="4b", embargo="6b").cut(daily_bars(np.ones(40)))
    assert splits[1].tests == (0, 2)
    assert splits[1].train == ((36, 40),)


@given(
    groups=st.integers(3, 8),
    data=st.data(),
    size=st.integers(4, 30),
    gap=st.integers(0, 6),
    beyond=st.integers(0, 6),
)
def test_skfolio_splits_and_joins_in_the_same_way(groups: int, data, size: int, gap: int, beyond: int) -> None:
    # Its purge is on both sides of a test and its embargo comes on top: ours after a test is the sum of the two. It has
    # groups of one size, and what is left over in the last; it refuses to drop a whole group, ours to train on one bar.
    assume(2 * gap + beyond <= size - 2)
    tests = data.draw(st.integers(2, groups - 1))
    bars = daily_bars(np.ones(groups * size))
    oracle = CombinatorialPurgedCV(n_folds=groups, n_test_folds=tests, purged_size=gap, embargo_size=beyond)
    planned = plan(groups, tests, gap=f"{gap}b", embargo=f"{gap + beyond}b")
    splits = planned.cut(bars)
    expected = list(oracle.split(np.zeros((len(bars), 1))))
    assert len(splits) == len(expected) == planned.splits == oracle.n_splits
    edges = planned.edges(len(bars))
    for split, (train, held_out) in zip(splits, expected, strict=True):
        assert indices(split.train) == train.tolist()
        assert [indices([edges[group : group + 2]]) for group in split.tests] == [part.tolist() for part in held_out]
    assert planned.paths == oracle.n_test_paths
    own = [fold.path for fold in planned.folds(bars, splits)]
    assert np.array(own).reshape(-1, tests).tolist() == oracle.get_path_ids().tolist()


@given(
    groups=st.integers(2, 7),
    data=st.data(),
    count=st.integers(20, 200),
    gap=st.integers(0, 12),
    embargo=st.integers(0, 30),
)
def test_tests_partition_paths_and_no_split_is_trained_too_close_to_one(
    groups: int, data, count: int, gap: int, embargo: int
) -> None:
    tests = data.draw(st.integers(1, groups - 1))
    bars = daily_bars(np.ones(count))
    planned = plan(groups, tests, gap=f"{gap}b", embargo=f"{embargo}b")
    try:
        found = folds_of(planned, bars)
    except ConfigError:
        assume(False)
    tested = Counter(bar for fold in found for bar in range(fold.window.test_start, fold.window.test_stop))
    assert set(tested) == set(range(count))
    assert set(tested.values()) == {comb(groups, tests) * tests // groups} == {planned.paths}
    for path in range(planned.paths):
        own = sorted(indices((one.window.test_start, one.window.test_stop) for one in found if one.path == path))
        assert own == list(range(count))
    for fold in found:
        trained = set(indices(fold.split.train))
        start, stop = fold.window.test_start, fold.window.test_stop
        assert trained.isdisjoint(range(start - gap, stop + embargo))
        # Nothing else is dropped.
        near = {bar for other in found if other.split is fold.split for bar in _near(other, gap, embargo)}
        assert trained | near >= set(range(count))
        for (_, before), (after, _) in zip(fold.split.train, fold.split.train[1:], strict=False):
            assert before < after
    FoldSeparation.prove(planned, found, bars, embargo)


def _near(fold: Fold, gap: int, embargo: int) -> range:
    return range(fold.window.test_start - gap, fold.window.test_stop + embargo)


def test_a_gap_of_months_is_walked_from_the_last_train_bar(sp500: Bars) -> None:
    planned = plan(6, 2, gap="1mo", embargo="3mo")
    found = folds_of(planned, sp500)
    split = next(fold.split for fold in found if fold.split.tests == (1, 4))
    edges = planned.edges(len(sp500))
    around = [split.train[0][1] - 1, edges[1], edges[2] - 1, split.train[1][0]]
    # A month after the close of 2002-04-08 is after that of 2002-05-07; three after that of 2005-09-02, at 20:00 in
    # summer, are before that of 2005-12-02, at 21:00 in winter.
    assert [str(np.datetime64(int(sp500.known_at[bar]), "ns"))[:10] for bar in around] == [
        *("2002-04-05", "2002-05-08"),
        *("2005-09-02", "2005-12-02"),
    ]
    FoldSeparation.prove(planned, found, sp500, 60)


@pytest.mark.parametrize(
    ("groups", "tests", "embargo", "message"),
    [
        (1, 1, "0b", "windows.groups: 1 of 40 bars; allowed: 2 to the number of bars"),
        (41, 1, "0b", "windows.groups: 41 of 40 bars"),
        (4, 4, "0b", "windows.tests: 4 of 4 groups; allowed: 1 to 3"),
        (
            20,
            10,
            "0b",
            "can be chosen in 184,756 ways, each of which is a search with 10 tests; allowed: at most 32,767",
        ),
        (
            4,
            3,
            "9b",
            "around the tests of groups 0, 1, 2 leave fewer than 2 bars to train on: 40 bars in 4 groups are 10",
        ),
    ],
)
def test_absurd_plans_are_refused_with_the_arithmetic(groups: int, tests: int, embargo: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(groups, tests, embargo=embargo).cut(daily_bars(np.ones(40)))


class TestTheProofFinds:
    planned = plan(4, 2, gap="2b", embargo="3b")
    bars = daily_bars(np.ones(40))

    @pytest.mark.parametrize("train", [((12, 18), (33, 40)), ((13, 19), (33, 40)), ((13, 18), (32, 40)), ((0, 4),)])
    def test_a_train_bar_too_close_to_a_test(self, train) -> None:
        found = list(folds_of(self.planned, self.bars))
        split = replace(found[2].split, train=train)
        found[2:4] = [replace(fold, split=split) for fold in found[2:4]]
        with pytest.raises(AdmfError, match="split 1 is trained on bars that it tests, or too close to them"):
            FoldSeparation.prove(self.planned, found, self.bars, 3)

    def test_an_embargo_below_what_is_remembered(self) -> None:
        found = folds_of(self.planned, self.bars)
        FoldSeparation.prove(self.planned, found, self.bars, 3)
        with pytest.raises(AdmfError, match="split 0 is trained"):
            FoldSeparation.prove(self.planned, found, self.bars, 4)

    def test_a_path_that_tests_a_group_twice(self) -> None:
        found = list(folds_of(self.planned, self.bars))
        found[2] = replace(found[2], path=0)
        with pytest.raises(AdmfError, match="path 0 does not test every bar of the data once"):
            FoldSeparation.prove(self.planned, found, self.bars, 3)
