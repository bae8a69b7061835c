"""What happened in which regime: by hand on a few bars, and as parts of a whole on the S&P 500."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from admf_ray import Bars, backtest, walk_forward
from admf_ray.classifiers import CLASSIFIERS
from admf_ray.core.records import FillPolicy
from admf_ray.engine.composition import Composition, Member, Watch
from admf_ray.engine.result import Segment
from admf_ray.engine.spec import AccountRules
from admf_ray.indicators import Hub
from admf_ray.optimize import Candidates, Search, plan_search
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow.frames import account_frames
from admf_ray.workflow.regimes import fitted_numbers, regime_frames
from tests.unit.engine.account import bars_of

# The close is above its average of two: unknown, up, up, down, down, up, down, up.
CLOSE = [10.0, 11.0, 12.0, 9.0, 8.0, 16.0, 12.0, 15.0]
LABELS = [-1, 1, 1, 0, 0, 1, 0, 1]
TREND = Watch("classifier", CLASSIFIERS["trend"])
ABOVE = Member("above", STRATEGIES["price_threshold"])
# Ten units, bought and sold at the close that decides, so that every figure can be followed.
RULES = AccountRules(cash=1_000.0, sizing="fixed_quantity", size=10.0, fill=FillPolicy.CLOSE)


def found(
    composition: Composition, start: int = 0, rules: AccountRules = RULES, **params: float
) -> tuple[Search, Hub, Segment]:
    complete = composition.complete({"classifier_period": 2, **params})
    search = plan_search(bars_of(CLOSE), composition, Candidates.single(complete), rules)
    hub = search.hub()
    return search, hub, search.segment(hub, 0, start, len(CLOSE))


def rows(frame: pl.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return frame.select(columns).rows()


def test_returns_belong_to_the_regime_of_the_bar_before_and_trades_to_that_of_their_entry_decision() -> None:
    search, hub, segment = found(Composition((ABOVE,), (TREND,)), threshold=9.5)
    # Long at 10 (bar 0, unknown), out at 9 (bar 3); long at 16 (bar 5, up) until the end at 15.
    assert segment.equity.tolist() == [1_000, 1_010, 1_020, 990, 990, 990, 950, 980]
    frames = regime_frames(search, hub, [(0, 0, segment)])
    # Known before each bar: -1 -1 1 1 0 0 1 0.
    unknown = (1_000 / 1_000) * (1_010 / 1_000) - 1
    down = (990 / 990) * (990 / 990) * (980 / 950) - 1
    up = (1_020 / 1_010) * (990 / 1_020) * (950 / 990) - 1
    table = frames["regimes"]
    assert rows(table, "regime", "label", "bars", "trades", "net") == [
        (-1, "unknown", 2, 1, -10.0),
        (0, "down", 3, 0, 0.0),
        (1, "up", 3, 1, -10.0),
    ]
    np.testing.assert_allclose(table["total_return"], [unknown, down, up], rtol=0, atol=1e-15)
    # Yearly Sharpe of the three returns after bars that were up, of 256 bars a year.
    returns = np.array([1_020 / 1_010, 990 / 1_020, 950 / 990]) - 1
    sharpe = returns.mean() / np.sqrt(((returns - returns.mean()) ** 2).sum() / 2) * 16
    assert table["sharpe"][2] == pytest.approx(sharpe, rel=1e-12)


def test_every_change_of_a_label_is_a_switch() -> None:
    search, hub, segment = found(Composition((ABOVE,), (TREND,)))
    switches = regime_frames(search, hub, [(3, 0, segment)])["switches"]
    # The moment at which a bar is known is its number plus one.
    assert rows(switches, "time", "window", "classifier", "before", "after") == [
        (2, 3, "classifier", "unknown", "up"),
        (4, 3, "classifier", "up", "down"),
        (6, 3, "classifier", "down", "up"),
        (7, 3, "classifier", "up", "down"),
        (8, 3, "classifier", "down", "up"),
    ]


def test_the_first_return_of_a_segment_belongs_to_no_regime_though_one_was_known() -> None:
    search, hub, segment = found(Composition((ABOVE,), (TREND,)), start=2, threshold=9.5)
    assert segment.regimes.tolist() == [LABELS[2:]]
    frames = regime_frames(search, hub, [(0, 0, segment)])
    assert rows(frames["regimes"], "regime", "bars", "trades") == [(-1, 1, 0), (0, 3, 0), (1, 2, 2)]
    assert rows(frames["switches"], "time", "before", "after")[0] == (3, "unknown", "up")


def test_a_trade_that_is_filled_later_belongs_to_the_regime_of_its_decision() -> None:
    rules = AccountRules(cash=1_000.0, sizing="fixed_quantity", size=10.0)
    search, hub, segment = found(Composition((ABOVE,), (TREND,)), rules=rules, threshold=11.5)
    # Decided at 12 (bar 2, up), filled at the next open (9); decided at 16 (bar 5, up), filled at 12 in a fall.
    assert segment.trades["decided"].tolist() == [2, 5]
    assert segment.trades["entry_bar"].tolist() == [3, 6]
    assert segment.trade_regimes.tolist() == [1, 1]
    assert rows(regime_frames(search, hub, [(0, 0, segment)])["regimes"], "label", "trades")[-1] == ("up", 2)


def test_several_windows_are_put_together_and_keep_their_switches_apart() -> None:
    search, hub, segment = found(Composition((ABOVE,), (TREND,)), threshold=9.5)
    one, two = (
        regime_frames(search, hub, judged) for judged in ([(0, 0, segment)], [(0, 0, segment), (1, 0, segment)])
    )
    for name in ("bars", "trades", "net"):
        assert two["regimes"][name].to_list() == [2 * value for value in one["regimes"][name]]
    assert two["switches"]["window"].to_list() == [0] * 5 + [1] * 5


def test_without_a_classifier_there_are_no_tables_and_without_windows_they_are_empty() -> None:
    search = plan_search(bars_of(CLOSE), Composition((ABOVE,)), Candidates.single({"threshold": 9.5}), RULES)
    segment = search.segment(search.hub(), 0, 0, 8)
    assert regime_frames(search, search.hub(), [(0, 0, segment)]) == {}
    assert segment.trade_regimes.tolist() == [-1, -1]
    watched, hub, _ = found(Composition((ABOVE,), (TREND,)))
    assert [frame.height for frame in regime_frames(watched, hub, []).values()] == [0, 0]


class TestTrades:
    def test_a_trade_names_its_regime_and_all_of_its_only_strategy(self) -> None:
        search, _, segment = found(Composition((ABOVE,), (TREND,)), threshold=9.5)
        trades = account_frames(search.bars, [(0, segment)])["trades"]
        assert rows(trades, "regime", "strategies", "strengths") == [(-1, "above", "1"), (1, "above", "1")]

    def test_a_trade_names_those_who_wanted_it_and_how_much(self) -> None:
        low, high = Member("low", ABOVE.strategy), Member("high", ABOVE.strategy)
        composition = Composition((low, high), (TREND,), "weighted", (0.75, 0.25))
        search, _, segment = found(composition, threshold=8.5, high_threshold=15.5)
        # Until bar 4, at 8, low alone is long; at 16 both are.
        trades = account_frames(search.bars, [(0, segment)])["trades"]
        assert rows(trades, "regime", "strategies", "strengths") == [(-1, "low", "0.75"), (1, "low+high", "0.75+0.25")]

    def test_of_the_strongest_the_one_that_was_heard_is_named(self) -> None:
        low, high = Member("low", ABOVE.strategy), Member("high", ABOVE.strategy)
        composition = Composition((low, high), (TREND,), "strongest", (0.25, 0.75))
        search, _, segment = found(composition, threshold=8.5, high_threshold=15.5)
        trades = account_frames(search.bars, [(0, segment)])["trades"]
        assert rows(trades, "strategies", "strengths") == [("low", "1"), ("high", "1")]


class TestFittedNumbers:
    COMPOSITION = Composition((ABOVE,), (TREND, Watch("level", CLASSIFIERS["volatility"])))

    def search(self) -> Search:
        params = {"classifier_period": 2, "level_period": 2, "level_states": 3}
        candidates = Candidates.single(self.COMPOSITION.complete(params))
        return plan_search(bars_of(CLOSE), self.COMPOSITION, candidates, RULES)

    def test_no_bit_is_lost_in_words(self) -> None:
        search = self.search()
        hub = search.hub()
        said = fitted_numbers(search, hub, [(0, 0, (0, 6)), (4, 0, (1, 8))])
        assert [(one["window"], one["classifier"], one["bars"]) for one in said] == [
            (0, "level", [1, 6]),
            (4, "level", [2, 8]),
        ]
        for one, span in zip(said, [(0, 6), (1, 8)], strict=True):
            numbers = np.array([float.fromhex(text) for text in one["numbers"]])
            assert numbers.tobytes() == search.setup(hub, 0, span).fitted[1].tobytes()

    def test_what_is_not_fitted_says_nothing(self) -> None:
        search, hub, _ = found(Composition((ABOVE,), (TREND,)))
        assert fitted_numbers(search, hub, [(0, 0, (0, 6))]) == []


SETTINGS: dict[str, Any] = {
    "classifier": {"name": "trend_chop_volatile"},
    "ensemble": {
        "kind": "weighted",
        "members": {"dip": {"strategy": "rsi_reversion", "params": {"period": 3}}},
        "weights": {"sma_cross": 0.6, "dip": 0.4},
    },
}


def test_regimes_of_a_backtest_add_up_to_the_whole(sp500: Bars) -> None:
    run = backtest(sp500, "sma_cross", {"fast": 10, "slow": 50}, **SETTINGS)
    table, metrics = run.regimes, run.summary["metrics"]
    assert table["label"].to_list() == ["unknown", "trend", "chop", "volatile"]
    assert table["bars"].sum() == run.equity.height
    assert table["trades"].sum() == run.trades.height == metrics["trades"]
    assert table["net"].sum() == pytest.approx(run.trades["net"].sum(), rel=1e-12)
    chained = math.prod(1.0 + one for one in table["total_return"])
    assert chained == pytest.approx(1.0 + metrics["total_return"], rel=1e-9)
    by_trade = run.trades.group_by("regime").agg(pl.len().alias("trades"), pl.col("net").sum()).sort("regime")
    with_trades = table.filter(pl.col("trades") > 0)
    assert with_trades["regime"].to_list() == by_trade["regime"].to_list()
    assert with_trades["trades"].to_list() == by_trade["trades"].to_list()
    np.testing.assert_allclose(with_trades["net"], by_trade["net"], rtol=1e-12)
    assert set(run.trades["strategies"]) == {"sma_cross", "dip", "sma_cross+dip"}
    assert set(run.trades["strengths"]) == {"0.6", "0.4", "0.6+0.4"}


def test_regimes_of_a_walk_forward_are_those_of_its_tests(sp500: Bars) -> None:
    run = walk_forward(
        sp500.head(2_600),
        "sma_cross",
        {"fast": [10, 20]},
        params={"slow": 50},
        windows={"train": "4y", "test": "2y"},
        **SETTINGS | {"classifier": {"name": "volatility"}},
    )
    assert run.regimes["bars"].sum() == run.equity.height
    assert run.regimes["trades"].sum() == run.trades.height
    assert [one["window"] for one in run.summary["fitted"]] == run.windows["window"].to_list()
    # Each window is fitted on the bars that it was trained on.
    first_and_last = [one["bars"] for one in run.summary["fitted"]]
    assert [first for first, _ in first_and_last] == run.windows["train_start"].to_list()
    assert all(last < stop for (_, last), stop in zip(first_and_last, run.windows["train_stop"], strict=True))
