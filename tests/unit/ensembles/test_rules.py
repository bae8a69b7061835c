"""Three ways to make one target of several, by hand: what is combined, and whose share it is."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.core.kernels import STRATEGY, compiled
from admf_ray.ensembles import ENSEMBLES, Ensemble
from admf_ray.errors import ConfigError

NAN = math.nan
RULES = ("strongest", "vote", "weighted")


def combined(rule: str, targets: np.ndarray, weights: Sequence[float], *cuts: int) -> tuple[np.ndarray, np.ndarray]:
    """Combine targets [member, symbol, bar] in pieces; give the shares of the same shape, and the targets."""
    targets = np.ascontiguousarray(targets)
    shares, out = np.full(targets.shape, 9.0), np.full(targets.shape[1:], 9.0)
    borders = [0, *cuts, targets.shape[2]]
    for start, stop in pairwise(borders):
        ENSEMBLES[rule].kernel(targets, np.array(weights), start, stop, shares, out)
    return shares, out


def of(rule: str, weights: Sequence[float], *targets: float) -> tuple[float, list[float]]:
    """The combined target of one symbol at one bar, and the shares of the members."""
    shares, out = combined(rule, np.array(targets).reshape(-1, 1, 1), weights)
    return float(out[0, 0]), shares[:, 0, 0].tolist()


def same(found: tuple[float, list[float]], target: float, *shares: float) -> bool:
    return bool(np.array_equal([found[0], *found[1]], [target, *shares], equal_nan=True))


def test_the_rules_are_found_by_their_names() -> None:
    assert sorted(ENSEMBLES.names()) == list(RULES)


@pytest.mark.parametrize("rule", RULES)
class TestWhatAllRulesShare:
    def test_where_no_member_knows_nobody_does_and_nobody_has_a_share(self, rule: str) -> None:
        assert same(of(rule, (0.6, 0.4), NAN, NAN), NAN, 0.0, 0.0)

    def test_where_all_are_flat_it_is_flat(self, rule: str) -> None:
        assert same(of(rule, (0.6, 0.4), 0.0, 0.0), 0.0, 0.0, 0.0)

    def test_a_member_that_does_not_know_has_no_share(self, rule: str) -> None:
        _, shares = of(rule, (0.6, 0.4), NAN, 0.5)
        assert shares[0] == 0.0
        assert shares[1] > 0.0

    def test_a_member_without_weight_decides_nothing(self, rule: str) -> None:
        for target in (-1.0, 0.5, 1.0, NAN):
            assert same(of(rule, (0.0, 1.0), target, 0.0), 0.0, 0.0, 0.0)
            assert same(of(rule, (1.0, 0.0), 0.0, target), 0.0, 0.0, 0.0)

    def test_each_symbol_is_combined_by_itself(self, rule: str) -> None:
        targets = np.array([[[0.5], [-1.0]], [[0.0], [NAN]]])
        shares, out = combined(rule, targets, (0.5, 0.5))
        for s in range(2):
            alone_shares, alone = combined(rule, targets[:, s : s + 1], (0.5, 0.5))
            assert out[s : s + 1].tobytes() == alone.tobytes()
            assert np.ascontiguousarray(shares[:, s : s + 1]).tobytes() == alone_shares.tobytes()


class TestWeighted:
    def test_weights_times_targets_are_added_up(self) -> None:
        # 0.5 x 1 + 0.25 x 0.5 - 0.25 x 1
        assert same(of("weighted", (0.5, 0.25, 0.25), 1.0, 0.5, -1.0), 0.375, 0.5, 0.125, -0.25)

    def test_a_member_that_does_not_know_adds_nothing_and_the_others_get_no_more_for_it(self) -> None:
        assert same(of("weighted", (0.75, 0.25), NAN, 1.0), 0.25, 0.0, 0.25)

    def test_weights_below_one_leave_money_out_of_the_market(self) -> None:
        assert same(of("weighted", (0.25, 0.25), 1.0, 1.0), 0.5, 0.25, 0.25)

    def test_opposite_wishes_cancel_out_and_each_keeps_its_share(self) -> None:
        assert same(of("weighted", (0.5, 0.5), 1.0, -1.0), 0.0, 0.5, -0.5)

    def test_a_rounding_above_one_is_no_exposure_above_one(self) -> None:
        # 0.7 + 0.2 + 0.1 is below 1, 0.3 + 0.3 + 0.4 + 1e-10 above it.
        over = 0.4 + 1e-10
        assert same(of("weighted", (0.3, 0.3, over), 1.0, 1.0, 1.0), 1.0, 0.3, 0.3, over)
        assert same(of("weighted", (0.3, 0.3, over), -1.0, -1.0, -1.0), -1.0, -0.3, -0.3, -over)


class TestVote:
    def test_the_side_that_more_weight_is_on_gets_all(self) -> None:
        assert same(of("vote", (0.6, 0.4), 0.1, -1.0), 1.0, 0.6, -0.4)
        assert same(of("vote", (0.4, 0.3, 0.3), 1.0, -0.2, -0.1), -1.0, 0.4, -0.3, -0.3)

    def test_a_tie_is_flat(self) -> None:
        assert same(of("vote", (0.5, 0.5), 1.0, -0.1), 0.0, 0.5, -0.5)

    @pytest.mark.parametrize("members", [4, 6, 10])
    def test_a_tie_of_equal_weights_is_flat_however_many_there_are(self, members: int) -> None:
        sides = [1.0] * (members // 2) + [-1.0] * (members // 2)
        target, _ = of("vote", (1.0 / members,) * members, *sides)
        assert target == 0.0

    def test_members_that_are_flat_or_do_not_know_take_no_side(self) -> None:
        assert same(of("vote", (0.1, 0.5, 0.4), 0.2, 0.0, NAN), 1.0, 0.1, 0.0, 0.0)


class TestStrongest:
    def test_the_largest_weight_times_target_decides_and_has_all_of_the_share(self) -> None:
        assert same(of("strongest", (0.5, 0.5), 0.4, -0.9), -0.9, 0.0, -0.9)
        # 0.8 x 0.5 is more than 0.2 x 1
        assert same(of("strongest", (0.8, 0.2), 0.5, -1.0), 0.5, 0.5, 0.0)

    def test_of_equal_ones_the_first_decides(self) -> None:
        assert same(of("strongest", (0.5, 0.5), 0.5, -0.5), 0.5, 0.5, 0.0)
        assert same(of("strongest", (0.25, 0.5), -1.0, 0.5), -1.0, -1.0, 0.0)

    def test_a_member_that_does_not_know_is_passed_over(self) -> None:
        assert same(of("strongest", (0.9, 0.1), NAN, 0.25), 0.25, 0.0, 0.25)


# Only what can be told apart to the last bit: targets that add up without a rounding.
TARGETS = st.sampled_from([NAN, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0])


@st.composite
def panels(draw: st.DrawFn) -> tuple[np.ndarray, list[float]]:
    members, symbols, bars = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 8))
    count = members * symbols * bars
    targets = np.array(draw(st.lists(TARGETS, min_size=count, max_size=count))).reshape(members, symbols, bars)
    return targets, [draw(st.sampled_from([0.0, 0.1, 0.25, 0.3])) for _ in range(members)]


@pytest.mark.parametrize("rule", RULES)
@given(panels(), st.lists(st.integers(0, 8), max_size=3))
def test_pieces_and_single_bars_give_the_bits_of_the_whole(
    rule: str, given_: tuple[np.ndarray, list[float]], cuts: list[int]
) -> None:
    targets, weights = given_
    bars = targets.shape[2]
    shares, out = combined(rule, targets, weights)
    for pieces in (sorted(min(cut, bars) for cut in cuts), range(1, bars)):
        again_shares, again = combined(rule, targets, weights, *pieces)
        assert (again_shares.tobytes(), again.tobytes()) == (shares.tobytes(), out.tobytes())
    for t in range(bars):
        now_shares, now = combined(rule, targets[:, :, t : t + 1], weights)
        assert now.tobytes() == np.ascontiguousarray(out[:, t : t + 1]).tobytes()
        assert now_shares.tobytes() == np.ascontiguousarray(shares[:, :, t : t + 1]).tobytes()


@pytest.mark.parametrize("rule", RULES)
@given(panels())
def test_shares_add_up_to_what_is_combined(rule: str, given_: tuple[np.ndarray, list[float]]) -> None:
    shares, out = combined(rule, *given_)
    speaking = given_[0][np.array(given_[1]) > 0.0]
    known = ~np.isnan(speaking).all(axis=0)
    together = shares.sum(axis=0)
    assert np.array_equal(np.isnan(out), ~known)
    assert (np.abs(out[known]) <= 1.0).all()
    assert not together[~known].any()
    if rule == "vote":
        # What cancels out leaves at most a rounding.
        sides = np.where(np.abs(together) < 1e-12, 0.0, np.sign(together))
        assert np.array_equal(out[known], sides[known])
    else:
        np.testing.assert_allclose(out[known], together[known], atol=1e-12)


def test_a_kernel_of_another_signature_is_no_ensemble() -> None:
    @compiled(STRATEGY, cache=False)
    def other(matrix, rows, session, params, state, start, stop, out):  # type: ignore[no-untyped-def]
        """Decides nothing."""

    with pytest.raises(ConfigError, match="'other'"):
        Ensemble(name="other", kernel=other, source="tests")
