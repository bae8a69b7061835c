"""Metrics against their definitions, computed by numpy over the whole path, against empyrical and Welford's sums."""

import math

import empyrical
import numpy as np
import pytest

from admf_ray.core.bars import Bars
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


def returns_of(kind: str, count: int = 2_000) -> np.ndarray:
    rng = np.random.default_rng(11)
    return {
        "calm": rng.normal(0.0004, 0.008, count),
        "wild": rng.normal(0.001, 0.06, count),
        "heavy tails": np.clip(0.01 * rng.standard_t(2, count), -0.5, 1.0),
        "mostly flat": np.where(rng.random(count) < 0.02, rng.normal(0.01, 0.03, count), 0.0),
        "falling": rng.normal(-0.002, 0.01, count),
        "alternating": np.where(np.arange(count) % 2, 0.02, -0.019),
        "two bars": np.array([0.01, -0.02]),
    }[kind]


@pytest.mark.parametrize("risk_free", [0.0, 0.03])
@pytest.mark.parametrize(
    "kind", ["calm", "wild", "heavy tails", "mostly flat", "falling", "alternating", "two bars", "sp500"]
)
def test_metrics_equal_those_of_empyrical(kind: str, risk_free: float, sp500: Bars) -> None:
    close = sp500.close[0]
    equity = close[1:] / close[0] if kind == "sp500" else np.cumprod(1.0 + returns_of(kind))
    returns = equity / np.append(1.0, equity[:-1]) - 1.0
    found = metrics_of(equity, cash=1.0, risk_free=risk_free)
    year = {"annualization": 252}
    expected = {
        "sharpe": empyrical.sharpe_ratio(returns, risk_free / 252, **year),
        "sortino": empyrical.sortino_ratio(returns, risk_free / 252, **year),
        "calmar": empyrical.calmar_ratio(returns, **year),
        "cagr": empyrical.cagr(returns, **year),
        "volatility": empyrical.annual_volatility(returns, **year),
        "max_drawdown": empyrical.max_drawdown(returns),
        "total_return": empyrical.cum_returns_final(returns),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-12), name


def welford(returns: np.ndarray) -> tuple[float, float]:
    """Give mean and sample deviation in one pass; Welford, Technometrics 4 (1962)."""
    mean = centred = 0.0
    for count, value in enumerate(returns.tolist(), 1):
        before = value - mean
        mean += before / count
        centred += before * (value - mean)
    return mean, math.sqrt(centred / (len(returns) - 1))


def sums_and_welford(returns: np.ndarray) -> tuple[dict[str, float], np.ndarray, float, float]:
    """Give the metrics of a path, its returns as they are computed from it, and their mean and deviation."""
    equity = 100.0 * np.exp(np.cumsum(np.log1p(returns)))
    computed = equity / np.append(100.0, equity[:-1]) - 1.0
    return metrics_of(equity), computed, *welford(computed)


def hostile(kind: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    million = np.arange(1_000_000)
    return {
        "long": rng.normal(0.0, 0.001, len(million)),
        "long with a drift": rng.normal(5e-4, 5e-6, len(million)),
        "large mean": rng.normal(0.1, 0.001, 5_000),
        "tiny variance": rng.normal(0.0, 1e-9, 100_000),
        "alternating signs": np.where(million % 2, 0.01, -0.01 / 1.01),
        "heavy tails": np.clip(0.001 * rng.standard_t(1.5, len(million)), -0.9, 5.0),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["long", "long with a drift", "large mean", "tiny variance", "alternating signs", "heavy tails"]
)
def test_running_sums_agree_with_welford_on_hostile_returns(kind: str) -> None:
    """The centred sum of squares is at least 1e-4 of the raw one: a Sharpe ratio of at most 100 a bar."""
    found, _, mean, deviation = sums_and_welford(hostile(kind))
    assert found["volatility"] == pytest.approx(deviation * math.sqrt(252), rel=1e-9)
    assert found["sharpe"] == pytest.approx(mean / deviation * math.sqrt(252), rel=1e-9)


@pytest.mark.parametrize("spread", [1e-3, 1e-4, 1e-5])
def test_where_returns_hardly_vary_the_sums_lose_what_the_centred_share_says(spread: float) -> None:
    """Below 1e-4 of the raw sum of squares, 1e-9 cannot be held: n rounding errors are all of the raw sum's size."""
    count = 2_000
    found, returns, mean, deviation = sums_and_welford(0.1 * (1 + spread * np.random.default_rng(2).normal(size=count)))
    centred_share = deviation**2 * (count - 1) / np.square(returns).sum()
    assert 1e-12 < centred_share < 1e-4
    bound = count * np.finfo(float).eps / centred_share
    assert found["sharpe"] == pytest.approx(mean / deviation * math.sqrt(252), rel=bound)


def test_beyond_that_sharpe_is_undefined() -> None:
    found, returns, _, deviation = sums_and_welford(0.1 * (1 + 1e-7 * np.random.default_rng(2).normal(size=2_000)))
    assert deviation**2 * (len(returns) - 1) / np.square(returns).sum() < 1e-12
    assert math.isnan(found["sharpe"])


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
