"""Winners are run again by the other engine, wherever the executor computes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from admf_ray import Bars, walk_forward
from admf_ray.cluster.serial import SerialExecutor
from admf_ray.data import Span, WindowPlan
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ReproductionError
from admf_ray.optimize import (
    Choice,
    WindowOutcome,
    certify,
    evaluate_window,
    expand_grid,
    plan_search,
    rerun,
    select,
    sweep_spans,
)
from admf_ray.optimize.certification import segment_fingerprint
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from tests import late

SPACE = {"fast": [10, 20], "slow": [50, 100]}


def searched(bars: Bars):  # type: ignore[no-untyped-def]
    """Give a search, its hub, and what its windows came to."""
    strategy = STRATEGIES["sma_cross"]
    axes = {name: [float(value) for value in values] for name, values in SPACE.items()}
    search = plan_search(bars, strategy, expand_grid(strategy, {}, axes), AccountRules(commission_bps=1.0))
    plan = WindowPlan(kind="rolling", train=Span(8, "y"), test=Span(4, "y"), step=Span(4, "y"), gap=Span(0, "b"))
    windows, hub, choice = plan.cut(bars), search.hub(), Choice("sharpe", 1)
    with SerialExecutor() as executor:
        spans = [(window.train_start, window.train_stop) for window in windows]
        (done,) = sweep_spans(search, hub, spans, choice, METRICS, executor, [(0, len(search.candidates))])
    outcomes = [
        evaluate_window(search, hub, window, select(choice, leaders, dict, search.candidates))
        for window, leaders in zip(windows, done.result.leaders, strict=True)
    ]
    return search, hub, outcomes


def certified(search, hub, outcomes: list[WindowOutcome], executor: SerialExecutor) -> int:  # type: ignore[no-untyped-def]
    """Run the winners again and compare; none of them fails."""
    windows = [outcome.window for outcome in outcomes]
    chosen = {outcome.window.index: outcome.chosen for outcome in outcomes if outcome.chosen is not None}
    prints, failures = rerun(search, hub, windows, chosen, executor)
    assert failures == []
    certify(outcomes, prints)
    return len(prints)


def test_winners_come_out_bit_for_bit_by_the_other_engine(sp500: Bars) -> None:
    search, hub, outcomes = searched(sp500)
    with SerialExecutor() as executor:
        assert certified(search, hub, outcomes, executor) == len(outcomes) == 2
        assert certified(replace(search, engine="event_driven"), hub, outcomes, executor) == 2
        assert certified(search, hub, [], executor) == 0
        assert certified(search, hub, [WindowOutcome(outcomes[0].window, None, None, None)], executor) == 0


@pytest.mark.parametrize("changed", ["fills", "equity", "position", "metrics"])
def test_a_winner_that_comes_out_otherwise_stops_the_run(sp500: Bars, changed: str) -> None:
    search, hub, outcomes = searched(sp500)
    test = outcomes[1].test
    if changed == "fills":
        wrong = test.fills.copy()
        wrong["price"][0] = np.nextafter(wrong["price"][0], 0.0)
    elif changed == "metrics":
        wrong = test.metrics | {"sharpe": np.nextafter(test.metrics["sharpe"], 0.0)}
    else:
        wrong = getattr(test, changed).copy()
        wrong[..., -1] += 1e-9
    outcomes[1] = replace(outcomes[1], test=replace(test, **{changed: wrong}))
    with (
        SerialExecutor() as executor,
        pytest.raises(ReproductionError, match="windows 1 come out otherwise"),
    ):
        certified(search, hub, outcomes, executor)


def test_a_winner_that_fails_by_the_other_engine_only_stops_the_run(sp500: Bars, monkeypatch: Any) -> None:
    def fails(*given: Any, **named: Any) -> None:
        raise ValueError("only here")

    monkeypatch.setattr("admf_ray.optimize.certification.run_segment_in_container", fails)
    with pytest.raises(ReproductionError, match="winner of window 0 fails in its test by the other engine only: only"):
        walk_forward(sp500, "sma_cross", SPACE, windows={"train": "8y", "test": "4y"})


def test_both_engines_search_alike(sp500: Bars) -> None:
    compiled, driven = (
        walk_forward(sp500, "sma_cross", SPACE, windows={"train": "8y", "test": "4y"}, engine={"kind": kind})
        for kind in ("compiled", "event_driven")
    )
    for name in ("trials", "windows", "equity", "fills", "trades"):
        assert getattr(driven, name).equals(getattr(compiled, name), null_equal=True), name
    assert compiled.summary["certified"] == driven.summary["certified"] == len(compiled.windows)


def test_a_fingerprint_is_of_all_that_a_segment_came_to(sp500: Bars) -> None:
    _, _, outcomes = searched(sp500)
    one, other = (outcome.test for outcome in outcomes)
    assert segment_fingerprint(one) != segment_fingerprint(other)
    assert segment_fingerprint(one) == segment_fingerprint(replace(one, holdings=other.holdings))


def test_a_winner_that_raises_only_in_its_test_costs_that_test_only(sp500: Bars, tmp_path: Path) -> None:
    options = {"windows": {"train": "200b", "test": "50b", "align": "none"}, "plugins": [late.written(tmp_path)]}
    bars = sp500.head(400)
    without = walk_forward(bars, "late", {"lag": [3]}, **options)
    told: list[tuple[str, Mapping[str, Any]]] = []
    found = walk_forward(
        bars, "late", {"lag": [3], "fails": [390]}, observer=lambda *record: told.append(record), **options
    )
    # Bar 390 is in the last test, and in no train span.
    last = len(without.windows) - 1
    assert (found.summary["certified"], without.summary["certified"]) == (last, last + 1)
    for name in ("equity", "fills", "trades"):
        before = pl.col("window") < last
        assert found.tables[name].filter(before).equals(without.tables[name].filter(before)), name
    assert found.equity.filter(window=last)["position"].unique().to_list() == [0.0]
    assert found.equity.filter(window=last)["equity"].n_unique() == 1
    (row,) = found.windows.filter(window=last).to_dicts()
    assert (row["candidate"], row["train_sharpe"]) == (0, without.windows["train_sharpe"][last])
    assert np.isnan(row["test_final_equity"])
    (failure,) = found.failures.to_dicts()
    assert (failure["candidate"], failure["window"]) == (0, last)
    assert (failure["error"], failure["message"]) == ("ValueError", f"in the test of window {last}: too late")
    assert "in late" in failure["traceback"]
    (shown,) = (record for kind, record in told if kind == "FAILURE")
    assert (shown["window"], shown["number"], shown["parameters"]) == (last, 0, {"lag": 3, "fails": 390})
    cause = "windows were spent in cash, as the winner failed: table failures says why"
    assert found.summary["causes"][0] == {"cause": cause, "count": 1, "of": last + 1}
