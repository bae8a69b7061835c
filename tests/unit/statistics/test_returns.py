import math

import numpy as np
import pytest
from scipy import stats

from admf_ray.statistics import (
    calendar_returns,
    drawdown,
    per_bar_returns,
    relative,
    rolling_sharpe,
    volatility_matched,
)

RNG = np.random.default_rng(5)
BENCHMARK = RNG.normal(0.0004, 0.01, 2_000)
OWN = 0.0001 + 0.6 * BENCHMARK + RNG.normal(0, 0.004, 2_000)


def test_returns_and_drawdown_by_hand() -> None:
    equity = np.array([90.0, 99.0, 121.0, 60.5])
    np.testing.assert_allclose(per_bar_returns(equity, 100.0), [-0.1, 0.1, 22 / 99, -0.5], rtol=1e-12)
    np.testing.assert_allclose(drawdown(equity, 100.0), [-0.1, -0.01, 0.0, -0.5], rtol=1e-12)


def test_once_all_is_lost_returns_are_0() -> None:
    np.testing.assert_array_equal(per_bar_returns(np.array([50.0, 0.0, 0.0]), 100.0), [-0.5, -1.0, 0.0])


def test_calendar_returns_compound_to_the_whole() -> None:
    moments = np.arange("2019-11-15", "2021-03-10", dtype="datetime64[D]").astype("datetime64[ns]").astype(np.int64)
    equity = 100.0 * np.cumprod(1.0 + RNG.normal(0, 0.01, len(moments)))
    for unit, periods in (("M", 17), ("Y", 3)):
        found = calendar_returns(moments, equity, 100.0, unit)
        assert len(found.returns) == periods
        assert np.prod(1.0 + found.returns) == pytest.approx(equity[-1] / 100.0, rel=1e-12)
    assert [str(start) for start in calendar_returns(moments, equity, 100.0, "Y").starts] == [
        "2019-01-01", "2020-01-01", "2021-01-01",
    ]  # fmt: skip


def test_a_bar_that_ends_at_midnight_belongs_to_the_day_that_ends() -> None:
    moments = np.array(["2020-02-01T00:00", "2020-02-02T00:00"], dtype="datetime64[ns]").astype(np.int64)
    found = calendar_returns(moments, np.array([110.0, 121.0]), 100.0, "M")
    assert [str(start) for start in found.starts] == ["2020-01-01", "2020-02-01"]
    np.testing.assert_allclose(found.returns, [0.1, 0.1], rtol=1e-12)


def test_rolling_figures_are_those_of_each_window() -> None:
    sharpe, volatility = rolling_sharpe(OWN, 50, 252, 0.0001)
    assert np.isnan(sharpe[:49]).all()
    for t in (49, 1_072, 1_073, 1_999):
        window = OWN[t - 49 : t + 1]
        deviation = window.std(ddof=1)
        assert volatility[t] == pytest.approx(deviation * math.sqrt(252), rel=1e-10)
        assert sharpe[t] == pytest.approx((window.mean() - 0.0001) / deviation * math.sqrt(252), rel=1e-9)


def test_the_rolling_sharpe_of_equal_returns_is_undefined() -> None:
    sharpe, volatility = rolling_sharpe(np.full(30, 0.1), 20, 252, 0.0)
    assert np.isnan(sharpe).all()
    assert (volatility[19:] == 0.0).all()
    assert np.isnan(rolling_sharpe(0.1 + 1e-8 * (np.arange(30) % 2), 20, 252, 0.0)[0]).all()
    assert np.isnan(rolling_sharpe(np.zeros(5), 20, 252, 0.0)[0]).all()


def test_alpha_and_beta_are_those_of_a_regression() -> None:
    risk_free = 0.0001
    found = relative(OWN, BENCHMARK, 252, risk_free)
    oracle = stats.linregress(BENCHMARK - risk_free, OWN - risk_free)
    assert found["beta"] == pytest.approx(oracle.slope, rel=1e-12)
    assert found["alpha"] == pytest.approx(oracle.intercept * 252, rel=1e-9)
    assert found["correlation"] == pytest.approx(oracle.rvalue, rel=1e-12)


def test_information_ratio_and_tracking_error_by_their_definition() -> None:
    found = relative(OWN, BENCHMARK, 252, 0.0)
    active = OWN - BENCHMARK
    assert found["tracking_error"] == pytest.approx(active.std(ddof=1) * math.sqrt(252), rel=1e-12)
    assert found["information_ratio"] == pytest.approx(active.mean() / active.std(ddof=1) * math.sqrt(252), rel=1e-12)


def test_the_matched_benchmark_has_the_volatility_of_the_strategy() -> None:
    matched = volatility_matched(OWN, BENCHMARK, 0.0001)
    assert matched.std(ddof=1) == pytest.approx(OWN.std(ddof=1), rel=1e-12)
    found = relative(OWN, BENCHMARK, 252, 0.0001)
    assert found["matched_cagr"] == pytest.approx(np.prod(1 + matched) ** (252 / 2_000) - 1, rel=1e-12)
    growth = np.prod(1 + OWN) ** (252 / 2_000) - 1
    assert found["matched_excess"] == pytest.approx(growth - found["matched_cagr"], rel=1e-9)


def test_what_is_undefined_is_nan() -> None:
    still = np.zeros(10)
    assert all(math.isnan(value) for value in relative(np.zeros(1), np.zeros(1), 252, 0.0).values())
    found = relative(OWN[:10], still, 252, 0.0)
    assert math.isnan(found["beta"])
    assert math.isnan(found["matched_cagr"])
    assert math.isnan(relative(BENCHMARK + 0.001, BENCHMARK, 252, 0.0)["information_ratio"])
    assert math.isnan(relative(OWN, np.full(2_000, 0.1), 252, 0.0)["matched_cagr"])
    assert math.isnan(relative(np.full(2_000, 0.1), BENCHMARK, 252, 0.0001)["correlation"])
    same = relative(OWN, OWN, 252, 0.0)
    assert math.isnan(same["information_ratio"])
    assert same["beta"] == pytest.approx(1.0)


def test_a_benchmark_levered_beyond_its_fall_is_lost() -> None:
    fall = np.append(BENCHMARK[:-2], [-0.5, 0.01])
    matched = volatility_matched(5 * OWN, fall, 0.0)
    assert matched[-2:].tolist() == [-1.0, 0.0]
    assert relative(5 * OWN, fall, 252, 0.0)["matched_cagr"] == -1.0


def test_rolling_figures_of_a_year_of_minutes_do_not_take_a_year() -> None:
    returns = np.random.default_rng(7).normal(0, 1e-4, 1_000_000)
    sharpe, volatility = rolling_sharpe(returns, 98_280, 98_280, 0.0)
    window = returns[-98_280:]
    assert volatility[-1] == pytest.approx(window.std(ddof=1) * math.sqrt(98_280), rel=1e-9)
    assert sharpe[-1] == pytest.approx(window.mean() / window.std(ddof=1) * math.sqrt(98_280), rel=1e-7)
