"""Combinatorial purged cross-validation from the command to its tables."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.cluster import SerialExecutor
from admf_ray.core.bars import Bars
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import ConfigError
from admf_ray.launch import main
from admf_ray.optimize import Choice, Chosen, expand_grid, plan_search, sweep_spans, trained
from admf_ray.portfolio.metrics import METRICS
from admf_ray.statistics import per_bar_returns
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow import RunResult
from tests import late

CASH = 100_000.0
OPTIONS = [
    *("+experiment=walkforward", "windows=cpcv", "windows.gap=5b", "cluster=serial", "execution.slippage_bps=2"),
    *("strategy.space.fast=[5,20]", "strategy.space.slow=[50,100]"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    assert main([*OPTIONS, f"run_root={root}", "run_name=crossed"]) == 0
    return root


@pytest.fixture(scope="module")
def run(root: Path) -> RunResult:
    return admf_ray.load_run(root / "crossed")


def small(bars: Bars, **sections) -> RunResult:
    space = sections.pop("space", {"fast": [5, 10], "slow": [20, 40]})
    windows = {"kind": "cpcv", "groups": 4, **sections.pop("windows", {})}
    return admf_ray.walk_forward(bars.head(1_200), "sma_cross", space, windows=windows, **sections)


def test_every_split_has_its_trials_once_and_one_winner_that_tests_each_of_its_groups(run: RunResult) -> None:
    assert run.trials["window"].to_list() == np.repeat(np.arange(15), 4).tolist()
    assert run.windows["window"].to_list() == list(range(30))
    assert run.windows["split"].to_list() == np.repeat(np.arange(15), 2).tolist()
    best = run.trials.sort("objective", "candidate", descending=[True, False]).unique("window", keep="first")
    chosen = dict(best.select("window", "candidate").rows())
    for row in run.windows.iter_rows(named=True):
        assert row["candidate"] == chosen[row["split"]]
        own = run.trials.filter((pl.col("window") == row["split"]) & (pl.col("candidate") == row["candidate"]))
        assert {name: own[name][0] for name in METRICS} == {name: row[f"train_{name}"] for name in METRICS}


def test_the_windows_say_which_bars_were_trained_on(run: RunResult, sp500: Bars) -> None:
    # 5,031 bars in 6 groups; 99 + 99 bars of the slowest average are the embargo.
    row = run.windows.row(by_predicate=pl.col("window") == 2, named=True)
    assert (row["split"], row["group"], row["path"]) == (1, 0, 1)
    moments = [[int(edge) for edge in piece.split(":")] for piece in row["train_pieces"].split()]
    # Groups 0 and 2 are tested: bars 0 to 838 and 1,678 to 2,516.
    assert moments == [
        [int(sp500.known_at[839 + 198]), int(sp500.known_at[1_678 - 5])],
        [int(sp500.known_at[2_517 + 198]), sp500.covers_until],
    ]
    assert (row["train_start"], row["train_stop"]) == (moments[0][0], moments[1][1])
    assert run.summary["embargo"] == "198b"
    assert run.summary["separation"] == {
        "splits": 15, "windows": 30, "paths": 5, "train_bars": run.summary["separation"]["train_bars"],
        "test_bars": 5 * 5_031, "smallest_gap": 5, "smallest_embargo": 198,
    }  # fmt: skip


def test_each_path_chains_its_groups_beside_one_position_of_buy_and_hold(run: RunResult, sp500: Bars) -> None:
    assert run.equity["path"].to_list() == np.repeat(np.arange(5), 5_031).tolist()
    assert run.summary["benchmark"]["trades"] == 1.0
    change = np.diff(sp500.close[0])
    for path in range(5):
        own = run.equity.filter(pl.col("path") == path)
        assert own["time"].to_numpy().tobytes() == sp500.known_at.tobytes()
        # 100,000 / 1,228.10 at the first close: 81 shares, from the open of the second bar to the close of the last.
        shares = np.diff(own["benchmark"].to_numpy())[1:-1] / np.where(change == 0.0, np.nan, change)[1:-1]
        assert shares[~np.isnan(shares)] == pytest.approx(81.0, rel=1e-6)
        factor = 1.0
        for window in own["window"].unique(maintain_order=True):
            assert run.windows["path"][window] == path
            factor *= 1.0 + run.windows["test_total_return"][window]
        assert own["equity"][-1] == pytest.approx(CASH * factor, rel=1e-12)


def test_the_declared_result_is_the_mean_over_paths(run: RunResult) -> None:
    paths, summary = run.paths, run.summary
    assert summary["headline"] == "combinatorial purged cross-validation: distribution over 5 paths"
    sharpe = []
    for path in range(5):
        returns = per_bar_returns(run.equity.filter(pl.col("path") == path)["equity"].to_numpy(), CASH)
        sharpe.append(returns.mean() / returns.std(ddof=1) * np.sqrt(252))
    assert paths["sharpe"].to_list() == pytest.approx(sharpe, rel=1e-9)
    assert summary["out_of_sample"]["sharpe"] == pytest.approx(np.mean(sharpe))
    held = summary["benchmark"]["sharpe"]
    expected = {"mean": np.mean(sharpe), "median": np.median(sharpe), "min": min(sharpe), "max": max(sharpe)}
    expected["above_benchmark"] = np.mean(np.array(sharpe) > held)
    assert summary["paths"]["sharpe"] == pytest.approx(expected)
    assert summary["out_of_sample"]["final_equity"] == pytest.approx(paths["final_equity"].mean())


def test_a_best_configuration_reproduces_its_test(root: Path, run: RunResult) -> None:
    for window in (0, 28):
        best = ["--config-dir", str(root / "crossed" / "best"), "--config-name", f"w{window:02d}"]
        assert main([*best, f"run_root={root}", f"run_name=again-{window}", "report=none"]) == 0
        again, row = admf_ray.load_run(root / f"again-{window}"), run.windows.row(window, named=True)
        assert {name: again.summary["metrics"][name] for name in METRICS} == pytest.approx(
            {name: row[f"test_{name}"] for name in METRICS}, rel=0, abs=0, nan_ok=True
        )
        assert again.fills.drop("window").equals(run.fills.filter(pl.col("window") == window).drop("window"))


def test_both_engines_give_one_fingerprint(sp500: Bars) -> None:
    compiled, driven = (small(sp500, engine={"kind": kind}) for kind in ("compiled", "event_driven"))
    assert compiled.fingerprints() == driven.fingerprints()
    assert compiled.summary["certified"] == 12


def test_the_worst_block_of_the_pieces_chooses(sp500: Bars) -> None:
    search = {"selection": "worst_block", "blocks": 3}
    found, driven = (small(sp500, search=search, engine={"kind": kind}) for kind in ("compiled", "event_driven"))
    assert found.fingerprints() == driven.fingerprints()
    best = found.trials.sort("worst_block", "candidate", descending=[True, False]).unique("window", keep="first")
    chosen = dict(best.select("window", "candidate").rows())
    assert found.windows["candidate"].to_list() == [chosen[split] for split in found.windows["split"]]
    assert found.windows["selected_by"].to_list() != found.windows["objective"].to_list()


def test_the_plateau_chooses(sp500: Bars) -> None:
    found = small(sp500, space={"fast": [5, 10, 15], "slow": [20, 60, 100]}, search={"selection": "plateau"})
    for row in found.windows.iter_rows(named=True):
        grid = found.trials.filter(window=row["split"])["objective"].to_numpy().reshape(3, 3)
        means = [grid[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].mean() for i in range(3) for j in range(3)]
        assert row["candidate"] == int(np.argmax(means))
        assert row["selected_by"] == pytest.approx(max(means))
        own = found.trials.filter(window=row["split"], candidate=row["candidate"])
        assert {name: own[name][0] for name in METRICS} == {name: row[f"train_{name}"] for name in METRICS}


@pytest.mark.parametrize("engine", ["compiled", "event_driven"])
def test_metrics_that_a_search_did_not_keep_are_simulated_over_all_pieces(sp500: Bars, engine: Any) -> None:
    pieces = ((100, 400), (600, 1_000))
    candidates = expand_grid(STRATEGIES["sma_cross"], {}, {"fast": [5.0, 10.0], "slow": [20.0, 40.0]})
    search = plan_search(sp500, STRATEGIES["sma_cross"], candidates, AccountRules(commission_bps=1.0))
    with SerialExecutor() as executor:
        given = search, search.hub(), [pieces], Choice("sharpe", 1), METRICS, executor
        (done,) = sweep_spans(*given, [(0, len(candidates))])
    for candidate in range(len(candidates)):
        found = trained(replace(search, engine=engine), search.hub(), pieces, Chosen((candidate,), 0.0, 0.0, None))
        assert found == {name: done.result.columns[name][0, candidate] for name in METRICS}


def test_a_winner_that_fails_in_its_test_is_listed_with_its_split(sp500: Bars, tmp_path: Path) -> None:
    found = admf_ray.walk_forward(
        sp500.head(600),
        "late",
        {"lag": [3, 5], "fails": [500]},
        windows={"kind": "cpcv", "groups": 3, "tests": 2, "embargo": "9b"},
        search={"sampler": "tpe", "trials": 2},
        plugins=[late.written(tmp_path)],
    )
    # Bar 500 is in the third group, which the first of the three splits trains on, and the others test.
    tested = found.failures.filter(pl.col("message").str.starts_with("in the test of"))
    assert tested["window"].to_list() == [1, 2]
    assert [text.split(":")[0] for text in tested["message"]] == ["in the test of window 3", "in the test of window 5"]
    assert found.trials.filter(window=0)["status"].to_list() == ["failed", "failed"]
    assert found.windows["candidate"].is_null().to_list() == [True, True, False, False, False, False]
    assert found.windows["test_final_equity"].is_nan().to_list() == [True, True, False, True, False, True]


def test_paths_in_cash_count_as_a_sharpe_of_nothing(sp500: Bars) -> None:
    found = small(sp500, search={"min_trades": 999})
    assert found.windows["candidate"].null_count() == 12
    assert found.paths["sharpe"].is_nan().all()
    assert found.summary["paths"]["sharpe"]["median"] == 0.0
    assert found.summary["out_of_sample"]["sharpe"] == 0.0
    assert found.summary["out_of_sample"]["final_equity"] == CASH


def test_regimes_are_those_of_all_tests(sp500: Bars) -> None:
    found = small(sp500, classifier={"name": "trend", "params": {"period": 50}})
    # Of the 3 paths of 1,200 bars.
    assert found.tables["regimes"]["bars"].sum() == 3 * 1_200


def test_a_study_proposes_for_each_split(sp500: Bars) -> None:
    space = {"fast": {"low": 5, "high": 10}, "slow": {"low": 20, "high": 40}}
    found = small(sp500, space=space, search={"sampler": "tpe", "trials": 4})
    assert found.trials["window"].value_counts().sort("window")["count"].to_list() == [4] * 6
    # 39 + 39 bars, of the slowest average that it may propose.
    assert found.summary["embargo"] == "78b"


@pytest.mark.slow
def test_a_run_that_was_stopped_before_its_end_goes_on_to_be_the_run(root: Path, run: RunResult) -> None:
    again = root / "stopped"
    assert main([*OPTIONS, f"run_root={root}", "run_name=stopped", "report=none"]) == 0
    (again / "summary.json").unlink()
    assert main(["+experiment=resume", f"run={again}", "cluster=serial", "report=none"]) == 0
    assert admf_ray.load_run(again).fingerprints() == run.fingerprints()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"windows": {"embargo": "77b"}},
            r"77b drops 77 bars .* sma\(close\[SPX\],40\): warm-up 39 \+ convergence 39 = 78 bars; allowed: .* 78b",
        ),
        ({"windows": {"embargo": "2mo"}}, "windows.embargo: 2mo drops 4. bars after a test"),
        ({"windows": {"embargo": "1x"}}, "windows.embargo: '1x' is no span"),
        ({"windows": {"tests": 4}}, "windows.tests: 4 of 4 groups; allowed: 1 to 3"),
        ({"space": {"fast": [5], "slow": [400]}}, "windows: gap 0b and embargo 798b around the tests of groups"),
        (
            {"search": {"selection": "top_n"}},
            "search.selection: top_n with windows.kind=cpcv; allowed: best, plateau, worst_block",
        ),
        ({"dataset": "test"}, "dataset: test needs windows=split; windows.kind is cpcv"),
        (
            {"classifier": {"name": "hmm"}},
            "classifier: hmm is fitted, and a train set of windows.kind=cpcv is in pieces",
        ),
        (
            {"risk": {"sizing": "volatility_target", "size": 0.1, "volatility": "volatility(obv(close,volume),20)"}},
            r"windows.kind: cpcv trains on bars after a test, and .* obv\(close\[SPX\],volume\[SPX\]\): it never",
        ),
    ],
)
def test_what_does_not_go_with_it_is_refused(sp500: Bars, sections: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(sp500, **sections)


def test_what_goes_by_the_order_of_time_refuses_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = f"run={root / 'crossed'}"
    assert main(["+experiment=today", run, "cluster=serial"]) == 2
    assert "windows.kind: today goes by the order of time, and cpcv trains on later bars" in capsys.readouterr().err
    assert main(["+experiment=walkforward", run, "cluster=serial"]) == 2
    assert "run: newer windows are added at the end, and of windows.kind=cpcv every split has all of the data" in (
        capsys.readouterr().err
    )


def test_progress_tells_of_splits_and_tests(root: Path) -> None:
    lines = [json.loads(line) for line in (root / "crossed" / "progress.jsonl").read_text().splitlines()]
    assert lines[0]["kind"] == "PHASE"
    assert lines[0]["spans"] == 15
    assert [line["kind"] for line in lines].count("TEST_WINDOW") == 30
