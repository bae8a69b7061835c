"""The walk-forward against one that is put together by hand from single backtests."""

import math

import numpy as np
import pytest

import admf_ray
from admf_ray.core.records import Boundary
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import Candidates, expand_grid, plan_search
from admf_ray.optimize.walk_forward import buy_and_hold
from admf_ray.strategies import STRATEGIES
from tests.series import daily_bars, run_single

SPACE = {"fast": [5, 10, 20], "slow": [15, 40, 90]}
COSTS = {"commission_bps": 1.0, "slippage_bps": 2.0}


@pytest.fixture(scope="module")
def found(sp500):
    return admf_ray.walk_forward(sp500, "sma_cross", SPACE, windows={"train": "4y", "test": "1y"})


def test_every_trial_equals_its_own_backtest(sp500, found) -> None:
    for row in found.trials.sample(25, seed=1).iter_rows(named=True):
        window = found.windows.row(row["window"], named=True)
        params = found.candidates.row(row["candidate"], named=True)
        start, stop = np.searchsorted(sp500.known_at, [window["train_start"], window["train_stop"]])
        alone = single(sp500, {"fast": params["fast"], "slow": params["slow"]}, int(start), int(stop))
        assert {name: row[name] for name in alone} == pytest.approx(alone, nan_ok=True, rel=0, abs=0)


def single(bars, params, start: int, stop: int) -> dict[str, float]:
    rules = AccountRules(**COSTS)
    search = plan_search(bars, STRATEGIES["sma_cross"], Candidates.single(params), rules)
    return search.segment(search.hub(), 0, start, stop).metrics


def test_the_winner_has_the_best_sharpe_of_its_train_span(found) -> None:
    for window in found.windows.iter_rows(named=True):
        trials = found.trials.filter(window=window["window"]).sort("candidate")
        sharpe = np.where(trials["trades"] >= 1, trials["sharpe"].fill_nan(-math.inf), -math.inf)
        assert window["candidate"] == int(np.argmax(sharpe))
        assert window["train_sharpe"] == sharpe.max()


def test_test_spans_are_chained_from_the_initial_cash(sp500, found) -> None:
    equity, chained = found.equity, []
    level = 100_000.0
    for window in found.windows.iter_rows(named=True):
        start, stop = np.searchsorted(sp500.known_at, [window["test_start"], window["test_stop"]])
        params = found.candidates.row(window["candidate"], named=True)
        rules = AccountRules(**COSTS)
        values = {name: params[name] for name in ("fast", "slow")}
        search = plan_search(sp500, STRATEGIES["sma_cross"], Candidates.single(values), rules)
        segment = search.segment(search.hub(), 0, int(start), int(stop))
        chained.append(level * segment.equity / 100_000.0)
        level = chained[-1][-1]
    np.testing.assert_allclose(equity["equity"], np.concatenate(chained), rtol=1e-12)
    assert found.summary["out_of_sample"]["final_equity"] == equity["equity"][-1]
    assert equity["time"].is_sorted()


def test_the_benchmark_is_one_position_with_one_entry_and_one_exit(sp500, found) -> None:
    first, last = np.searchsorted(sp500.known_at, [found.equity["time"][0], found.equity["time"][-1]])
    price_in = sp500.open[0, first + 1] * (1 + 2e-4)
    shares = math.floor(100_000 / sp500.close[0, first] + 1e-9)
    while shares * price_in * (1 + 1e-4) > 100_000:
        shares -= 1
    cash = 100_000 - shares * price_in * (1 + 1e-4)
    price_out = sp500.close[0, last] * (1 - 2e-4)
    assert found.equity["benchmark"][-1] == pytest.approx(cash + shares * price_out * (1 - 1e-4), rel=1e-12)
    assert found.summary["benchmark"]["trades"] == 1


def test_the_counts_are_what_was_done(found) -> None:
    candidates = len(expand_grid(STRATEGIES["sma_cross"], {}, SPACE))
    assert found.summary["candidates"] == candidates == len(found.candidates)
    assert len(found.trials) == candidates * 16
    assert found.summary["backtests"] == candidates * 16 + 16
    assert found.summary["hub"]["computed"] == 6
    assert found.trials["window"].is_sorted()


def test_what_survived_is_the_ratio_of_the_mean_sharpes(found) -> None:
    train, test = found.windows["train_sharpe"].mean(), found.windows["test_sharpe"].fill_nan(0.0).mean()
    assert found.summary["sharpe_survived"] == pytest.approx(test / train)


def test_a_window_without_a_winner_is_spent_in_cash(sp500) -> None:
    found = admf_ray.walk_forward(sp500, "sma_cross", SPACE, search={"min_trades": 10_000})
    assert found.windows["candidate"].null_count() == 16
    assert set(found.equity["equity"].to_list()) == {100_000.0}
    assert set(found.trials["status"]) == {"few_trades"}
    assert len(found.fills) == 0
    assert found.summary["out_of_sample"]["trades"] == 0
    assert math.isnan(found.summary["sharpe_survived"])


@pytest.mark.parametrize("objective", ["sharpe", "sortino", "calmar", "total_return", "profit_factor"])
def test_every_objective_chooses_its_own_best(sp500, objective: str) -> None:
    found = admf_ray.walk_forward(sp500, "sma_cross", SPACE, search={"objective": objective})
    for window in found.windows.iter_rows(named=True):
        trials = found.trials.filter(
            (found.trials["window"] == window["window"]) & (found.trials["status"] == "complete")
        )
        assert window[f"train_{objective}"] == trials["objective"].max()


def test_steps_beyond_the_test_chain_only_the_stitched_bars(sp500) -> None:
    found = admf_ray.walk_forward(sp500, "sma_cross", SPACE, windows={"train": "4y", "test": "1y", "step": "2y"})
    assert len(found.windows) == 8
    years = {np.datetime64(int(time), "ns").astype("datetime64[Y]").astype(int) + 1970 for time in found.equity["time"]}
    assert years == set(range(2003, 2018, 2))


def test_buy_and_hold_ignores_sizing_and_marks() -> None:
    bars = daily_bars([10.0, 10, 12, 15])
    rules = AccountRules(cash=100, sizing="fixed_quantity", size=1, boundary=Boundary.MARK)
    search = plan_search(bars, STRATEGIES["price_threshold"], Candidates.single({"threshold": 1.0}), rules)
    held = buy_and_hold(search, 0, 4)
    # 10 shares at the open of bar 1 (10), sold at the close of bar 3 (15).
    assert held.equity.tolist() == [100, 100, 120, 150]
    assert held.metrics["trades"] == 1
    assert run_single(bars, "buy_and_hold", {}, cash=100).equity.tolist() == held.equity.tolist()
