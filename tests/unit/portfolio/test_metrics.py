"""Metrics against their definitions, computed by numpy over the whole path."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.engine.spec import AccountRules
from admf_ray.portfolio.metrics import METRICS, path_metrics


def metrics_of(equity, *, cash=100.0, risk_free=0.0, nets=(), exposed=None, periods=252):
    equity = np.asarray(equity, float)
    record = AccountRules(cash=cash, risk_free=risk_free).record(periods)
    held = np.ones(len(equity), bool) if exposed is None else np.asarray(exposed)
    return path_metrics(equity, held, np.asarray(nets, float), 0.0, record)


def test_every_metric_by_its_definition() -> None:
    rng = np.random.default_rng(3)
    returns = rng.normal(0.0005, 0.01, 750)
    equity = 100 * np.cumprod(1 + returns)
    found = metrics_of(equity, risk_free=0.02, nets=[5, -2, 1, -1], exposed=np.arange(750) % 3 == 0)
    excess = returns - 0.02 / 252
    peak = np.maximum.accumulate(np.append(100.0, equity))[1:]
    drawdown = (equity / peak - 1).min()
    cagr = (equity[-1] / 100) ** (252 / 750) - 1
    expected = {
        "sharpe": excess.mean() / returns.std(ddof=1) * math.sqrt(252),
        "sortino": excess.mean() / math.sqrt(np.mean(np.minimum(excess, 0) ** 2)) * math.sqrt(252),
        "calmar": cagr / -drawdown,
        "total_return": equity[-1] / 100 - 1,
        "cagr": cagr,
        "volatility": returns.std(ddof=1) * math.sqrt(252),
        "max_drawdown": drawdown,
        "profit_factor": 6 / 3,
        "win_rate": 2 / 4,
        "trades": 4,
        "exposure": 250 / 750,
        "commission": 0,
        "final_equity": equity[-1],
    }
    assert tuple(found) == METRICS
    assert set(expected) == set(METRICS)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-10), name


@given(st.integers(0, 10_000), st.sampled_from([1e-8, 1e-4, 0.01, 0.3]), st.sampled_from([0.0, 0.001, -0.01]))
def test_plain_sums_are_as_good_as_two_passes(seed: int, deviation: float, drift: float) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, deviation, 500) + drift
    equity = 1e6 * np.cumprod(1 + np.maximum(returns, -0.9))
    found = metrics_of(equity, cash=1e6)["volatility"]
    exact = (equity / np.append(1e6, equity[:-1]) - 1).std(ddof=1) * math.sqrt(252)
    centred_share = exact**2 / 252 / (exact**2 / 252 + drift**2)
    if centred_share > 1e-9:
        assert found == pytest.approx(exact, rel=1e-9 / math.sqrt(centred_share) if centred_share < 1e-2 else 1e-9)


def test_the_first_return_and_the_peak_start_from_the_initial_equity() -> None:
    found = metrics_of([90.0, 95.0])
    assert found["max_drawdown"] == pytest.approx(-0.1)
    returns = np.array([-0.1, 95 / 90 - 1])
    assert found["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))


@pytest.mark.parametrize("equity", [[100.0], [100.0, 100.0, 100.0], [110.0]])
def test_sharpe_is_undefined_without_two_bars_or_without_variation(equity: list[float]) -> None:
    found = metrics_of(equity)
    assert math.isnan(found["sharpe"])
    assert math.isnan(found["volatility"])


def test_a_constant_return_has_no_sharpe_although_rounding_leaves_a_variance() -> None:
    assert math.isnan(metrics_of(100 * 1.001 ** np.arange(1, 1_000))["sharpe"])


def test_ratios_without_a_denominator_are_undefined() -> None:
    found = metrics_of([101.0, 103.0], nets=[2.0])
    assert math.isnan(found["sortino"])
    assert math.isnan(found["calmar"])
    assert math.isnan(found["profit_factor"])
    assert found["win_rate"] == 1
    assert math.isnan(metrics_of([101.0])["win_rate"])


def test_all_lost_stays_lost() -> None:
    found = metrics_of([50.0, 0.0, 0.0])
    assert found["total_return"] == -1
    assert found["max_drawdown"] == -1
    assert math.isfinite(found["sharpe"])
