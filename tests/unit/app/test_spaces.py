"""Spaces of runs: options of the account, one of several strategies, what strategies declare."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import admf_ray
from admf_ray import Bars
from admf_ray.launch import main
from admf_ray.plugins import activate
from admf_ray.report.window_charts import window_sections
from admf_ray.workflow import RunResult
from admf_ray.workflow.attribution import member_shares
from admf_ray.workflow.surface import best_cells

SEARCHED = [
    "strategy.space.fast=[20,50]",
    "strategy.space.slow=[100,200]",
    "ensemble=one_of",
    "ensemble.members.dip={strategy: rsi_reversion, space: {period: [2, 14]}}",
    "search.space.risk.size=[0.5,1]",
    "search.space.risk.exits.stop_loss.percent={low: 0.05, high: 0.1, step: 0.05}",
    "windows.train=4y",
    "windows.test=4y",
    "cluster=serial",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A walk-forward in whose windows the one strategy was chosen and the other."""
    root = tmp_path_factory.mktemp("runs")
    assert main(["+experiment=walkforward", *SEARCHED, f"run_root={root}", "run_name=found"]) == 0
    return admf_ray.load_run(root / "found")


def chosen(run: RunResult) -> list[dict[str, Any]]:
    return [json.loads(text) for text in run.windows["parameters"].to_list()]


def test_candidates_have_columns_of_options_by_their_paths_and_of_the_parameters_of_all(run: RunResult) -> None:
    assert run.candidates.columns == [
        *("candidate", "risk.size", "risk.exits.stop_loss.percent", "member", "fast", "slow"),
        *("dip_period", "dip_oversold", "dip_exit"),
    ]
    # 2 sizes x 2 stops x (4 crosses + 2 periods)
    assert len(run.candidates) == 4 * (4 + 2)
    assert run.candidates["fast"].is_nan().sum() == 4 * 2


def test_a_window_names_the_strategy_and_its_own_parameters_only(run: RunResult) -> None:
    options = ["risk.size", "risk.exits.stop_loss.percent"]
    own = {"sma_cross": ["fast", "slow"], "dip": ["period", "oversold", "exit"]}
    assert {one["strategy"] for one in chosen(run)} == set(own)
    for one in chosen(run):
        assert list(one) == ["strategy", *own[one["strategy"]], *options]
    for window, one in enumerate(chosen(run)):
        assert set(run.trades.filter(run.trades["window"] == window)["strategies"]) == {one["strategy"]}


def test_every_winner_runs_by_itself_and_comes_to_the_same(run: RunResult, tmp_path: Path) -> None:
    assert run.directory is not None
    for window, row in enumerate(run.windows.iter_rows(named=True)):
        best = ["--config-dir", str(run.directory / "best"), "--config-name", f"w{window:02d}"]
        assert main([*best, "cluster=serial", "report=none", f"run_root={tmp_path}", f"run_name=w{window}"]) == 0
        found = admf_ray.load_run(tmp_path / f"w{window}")
        for name, value in found.summary["metrics"].items():
            np.testing.assert_array_equal(row[f"test_{name}"], np.nan if value is None else value)
        # It searches nothing and trades one strategy.
        assert found.summary["composition"]["ensemble"] is None
        assert found.candidates.columns[1:] == [name for name in chosen(run)[window] if "." not in name][1:]


def test_the_surface_pairs_parameters_that_meet(run: RunResult) -> None:
    surface = best_cells(run)
    assert surface is not None
    pairs = {pair.names: pair for pair in surface.pairs}
    assert ("fast", "dip_period") not in pairs
    assert {("risk.size", "member"), ("fast", "slow"), ("risk.size", "dip_period")} <= set(pairs)
    # Of a window in which the other strategy was chosen there is no star.
    assert [one is not None for one in pairs["fast", "slow"].chosen] == [
        one["strategy"] == "sma_cross" for one in chosen(run)
    ]
    trials = run.trials.join(run.candidates, on="candidate")
    of_cross = trials.filter((trials["window"] == 0) & (trials["fast"] == 20.0) & (trials["slow"] == 200.0))
    cell = pairs["fast", "slow"]
    place = next(
        k for k, (x, y) in enumerate(zip(cell.column, cell.row, strict=True)) if (cell.x[x], cell.y[y]) == (20, 200)
    )
    assert cell.best[0, place] == of_cross["objective"].max()


def test_the_report_draws_parameters_by_their_strategy(run: RunResult) -> None:
    (stability,) = [one for one in window_sections(run) if one.name == "stability"]
    drawn = {trace["name"]: trace["y"] for trace in stability.traces}  # type: ignore[union-attr]
    assert drawn["strategy"] == [one["strategy"] for one in chosen(run)]
    assert drawn["dip period"] == [one.get("period") for one in chosen(run)]
    assert drawn["risk.size"] == [one["risk.size"] for one in chosen(run)]
    assert run.directory is not None
    assert "dip period" in (run.directory / "report.html").read_text()


def test_the_net_result_is_attributed_to_the_strategies_that_traded(run: RunResult) -> None:
    shares = member_shares(run)
    assert shares["member"].to_list() == ["sma_cross", "dip"]
    assert shares["trades"].sum() == len(run.trades)
    assert shares["net"].sum() == pytest.approx(run.trades["net"].sum())


def test_both_engines_give_the_same_tables(sp500: Bars) -> None:
    given: dict[str, Any] = {
        "windows": {"train": "2y", "test": "1y"},
        "ensemble": {"kind": "one_of", "members": {"rsi_reversion": {"params": {"period": 3}}}},
        "search": {
            "sampler": "random",
            "trials": 6,
            "space": {"risk.size": [0.5, 1.0], "execution.impact": [0.0, 0.3]},
        },
    }
    space = {"fast": {"low": 2, "high": 20}, "slow": [40, 60]}
    one, other = (
        admf_ray.walk_forward(sp500.head(1_000), "sma_cross", space, engine={"kind": kind}, **given)
        for kind in ("compiled", "event_driven")
    )
    assert one.fingerprints() == other.fingerprints()
    assert one.candidates["member"].n_unique() == 2


def test_an_option_that_does_nothing_is_told(sp500: Bars) -> None:
    found = admf_ray.sweep(sp500.head(300), "sma_cross", {"fast": [5]}, search={"space": {"risk.cap": [0.5, 1.0]}})
    assert found.summary["warnings"] == ["risk.cap does nothing without risk.sizing=volatility_target"]


DECLARING = '''"""Long above an average."""

from admf_ray.plugins import Parameter, strategy


@strategy(inputs=("sma(close,{period})",), warm_up=lambda params: int(params[0]), parameters=(
    Parameter("period", 20, 2, 500, space={"low": 10, "high": 30, "step": 10}),
    Parameter("margin", 0.0, 0.0, 0.5, "float", space=[0.0, 0.01]),
))
def above(view):
    average = view.inputs[0][-1]
    return view.close[-1] > average * (1 + view.params.margin) if average == average else None
'''


class TestDeclared:
    @pytest.fixture
    def plugin(self, tmp_path: Path) -> Iterator[list[str]]:
        path = tmp_path / "above.py"
        path.write_text(DECLARING)
        yield [str(path)]
        activate(())

    def tried(self, bars: Bars, plugin: list[str], space: Any, **given: Any) -> list[tuple[float, ...]]:
        found = admf_ray.sweep(bars.head(200), "above", space, plugins=plugin, **given)
        return found.candidates.select("period", "margin").rows()

    def test_a_strategy_is_searched_through_what_it_declares(self, sp500: Bars, plugin: list[str]) -> None:
        every = [(period, margin) for period in (10.0, 20.0, 30.0) for margin in (0.0, 0.01)]
        assert self.tried(sp500, plugin, {}) == every
        assert self.tried(sp500, plugin, {}, params={"margin": 0.02}) == [(10.0, 0.02), (20.0, 0.02), (30.0, 0.02)]
        assert self.tried(sp500, plugin, {"margin": [0.05]}) == [(20.0, 0.05)]

    def test_so_is_a_further_member(self, sp500: Bars, plugin: list[str]) -> None:
        ensemble = {"kind": "one_of", "members": {"above": {"params": {"margin": 0.1}}}}
        found = admf_ray.sweep(sp500.head(200), "buy_and_hold", {}, plugins=plugin, ensemble=ensemble)
        np.testing.assert_array_equal(
            found.candidates.select("member", "above_period", "above_margin").to_numpy(),
            [[0, np.nan, np.nan], [1, 10, 0.1], [1, 20, 0.1], [1, 30, 0.1]],
        )


@pytest.mark.parametrize(
    ("point", "options", "message"),
    [
        ("{fast: 70, slow: 200}", ["strategy.space.fast={low: 5, high: 60}"], "fast: 70, which tpe does not search"),
        ("{fast: 7, slow: 200}", ["strategy.space.fast={low: 6, high: 62, step: 4}"], "fast: 7, which tpe does not"),
        ("{fast: 15, slow: 200}", ["strategy.space.fast=[10, 20]"], "fast: 15, which tpe does not search; allowed: "),
        ("{fast: 15, slow: 200}", ["strategy.params.fast=10"], "fast: 15, which tpe does not search; allowed: values"),
    ],
)
def test_points_that_a_study_could_not_propose_are_refused(tmp_path, point, options, message, capsys) -> None:
    asked = [
        "search=tpe",
        f"search.points=[{{fast: 10, slow: 100}},{point}]",
        "strategy.space.slow={low: 80, high: 240}",
    ]
    # Of a space that strategy.space names, what it does not is fixed.
    assert main(["+experiment=walkforward", *asked, *options, f"run_root={tmp_path}", "cluster=serial"]) == 2
    assert f"search.points[1].{message}" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())
