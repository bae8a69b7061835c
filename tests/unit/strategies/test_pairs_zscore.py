"""Pairs: opposite targets of two symbols, by hand and against the score of their spread."""

import math

import numpy as np
import pytest

from admf_ray import Bars, load_bars
from admf_ray.indicators import Key, compute_hub
from admf_ray.strategies import STRATEGIES
from tests.series import DAY
from tests.unit.strategies.decided import decided

NAN = math.nan


def pair(*closes: list[float] | np.ndarray) -> Bars:
    """Daily bars of symbols A, B, ..., all of whose prices are the close."""
    rows = np.array(closes, dtype=float)
    count = rows.shape[1]
    return Bars(
        symbols=tuple("ABC"[: len(rows)]),
        open=rows,
        high=rows,
        low=rows,
        close=rows,
        volume=np.full(rows.shape, NAN),
        known_at=(np.arange(count) + 1) * DAY,
        session=np.arange(count, dtype=np.int32),
        covers_until=(count + 1) * DAY,
        periods_per_year=252,
    )


def targets(bars: Bars, **params: float) -> np.ndarray:
    return decided(bars, "pairs_zscore", **params)


def test_it_sells_a_high_spread_buys_a_low_one_and_leaves_near_the_mean() -> None:
    # length 3, entry 1.2, exit 0.5; the score of the newest of three spreads, from bar 2 on:
    # 0 1 2: 1 over the root of 2/3 is 1.22, sold; 1 2 2: 1/3 over the root of 2/9 is 0.71, held; 2 2 2: unknown, held;
    # 2 2 1: -2/3 over the root of 2/9 is -1.41, bought; 2 1 1.5: 0, out.
    # Bar 7 is missing in B; three spreads are known again at bar 10: 1 1 0: -1.41, bought.
    spread = np.array([0, 1, 2, 2, 2, 1, 1.5, 1, 1, 1, 0])
    other = np.array([10, 9, 12, 12.5, 8, 9, 10, NAN, 11, 10, 12])
    first = np.where(np.isnan(other), 11, other + spread)
    found = targets(pair(first, other), length=3, exit=0.5, entry=1.2)
    expected = np.array([NAN, NAN, -1, -1, -1, 1, 0, NAN, NAN, NAN, 1])
    np.testing.assert_array_equal(found, [expected, -expected])


def test_it_leaves_when_the_score_jumps_over_the_exit() -> None:
    # 0 1 2: 1.22, sold; 1 2 1.25: mean 17/12, so -1/6 over the root of 0.1806 is -0.39: out, though it was never
    # between 0.3 and -0.3.
    found = targets(pair([10, 11, 12, 11.25], [10, 10, 10, 10]), length=3, exit=0.3, entry=1.2)
    np.testing.assert_array_equal(found[0], [NAN, NAN, -1, 0])


def test_targets_are_opposite_or_both_none_whatever_is_missing() -> None:
    rng = np.random.default_rng(3)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (2, 2_000)), axis=1))
    closes[rng.random(closes.shape) < 0.02] = NAN
    found = targets(pair(*closes), length=10, exit=0.5, entry=1.5)
    assert {-1.0, 0.0, 1.0} == set(found[0][np.isfinite(found[0])])
    np.testing.assert_array_equal(found[0], -found[1])


def test_it_does_not_trade_a_spread_that_does_not_move() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        spread = np.concatenate([rng.normal(size=15), np.full(40, rng.normal())])
        found = targets(pair(200 + spread, np.full(55, 200.0)), length=10, exit=0.5, entry=1.5)
        assert len(set(found[0, 15 + 10 :])) == 1


def score(spread: np.ndarray, length: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(spread, length)
    return np.append(np.full(length - 1, NAN), (windows[:, -1] - windows.mean(axis=1)) / windows.std(axis=1))


@pytest.mark.parametrize("length", [20, 250])
def test_it_agrees_with_plain_numpy(sp500, length: int) -> None:
    nasdaq = load_bars("nasdaq")
    np.testing.assert_array_equal(nasdaq.known_at, sp500.known_at)
    state, expected = 0.0, []
    for value in score(sp500.close[0] - nasdaq.close[0], length):
        if value > 2:
            state = -1.0
        elif value < -2:
            state = 1.0
        elif (state < 0 and value <= 0.5) or (state > 0 and value >= -0.5):
            state = 0.0
        expected.append(NAN if math.isnan(value) else state)
    found = targets(pair(sp500.close[0], nasdaq.close[0]), length=length, exit=0.5, entry=2)
    assert {-1.0, 0.0, 1.0} == set(found[0][length - 1 :])
    np.testing.assert_array_equal(found, [expected, np.negative(expected)])


def test_the_score_is_that_of_the_key_that_its_docstring_names(sp500) -> None:
    bars = pair(sp500.close[0], load_bars("nasdaq").close[0])
    hub = compute_hub(bars, [Key.parse("zscore(spread(close[A],close[B]),20)")])
    expected = score(bars.close[0] - bars.close[1], 20)
    np.testing.assert_allclose(hub.matrix[-1], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("symbols", [1, 3])
def test_other_numbers_of_symbols_get_no_target(symbols: int) -> None:
    closes = np.random.default_rng(0).uniform(90, 110, (symbols, 50))
    out = np.zeros(closes.shape)
    rows = np.arange(symbols)[:, np.newaxis]
    params, state, session = np.array([5, 0.5, 1.5]), np.zeros(6 * symbols), np.zeros(50, np.int32)
    STRATEGIES["pairs_zscore"].kernel(closes, rows, session, params, state, 0, 50, out)
    assert np.isnan(out).all()
