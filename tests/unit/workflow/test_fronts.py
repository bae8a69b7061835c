"""Several objectives: each window has the front of its trials, and the winner is one of it."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray import Bars
from admf_ray.errors import ConfigError
from admf_ray.launch import main
from admf_ray.workflow import RunResult
from admf_ray.workflow.fronts import drawn_fronts

SPACE = {"fast": list(range(5, 60, 5)), "slow": list(range(60, 200, 20))}
OBJECTIVES = ["sharpe", "max_drawdown", "cagr - exposure"]
SEARCH = {"objectives": OBJECTIVES[:2], "min_trades": 4}


def walked(bars: Bars, **search: Any) -> RunResult:
    return admf_ray.walk_forward(
        bars, "sma_cross", SPACE, windows={"train": "4y", "test": "4y"}, search={**SEARCH, **search}
    )


def fronts(run: RunResult, objectives: list[str]) -> dict[int, list[int]]:
    """Find the fronts pair by pair."""
    found = {}
    could = run.trials.filter(status="complete").with_columns(
        (pl.col("cagr") - pl.col("exposure")).alias(OBJECTIVES[2])
    )
    for (window,), rows in could.group_by("window", maintain_order=True):
        values = rows.select(objectives).to_numpy()
        above = (values >= values[:, np.newaxis]).all(axis=2) & (values > values[:, np.newaxis]).any(axis=2)
        found[int(window)] = rows["candidate"].to_numpy()[~above.any(axis=1)].tolist()
    return found


@pytest.mark.parametrize("objectives", [OBJECTIVES[:2], OBJECTIVES])
def test_the_front_of_a_grid_is_what_the_definition_says(sp500: Bars, objectives: list[str]) -> None:
    run = walked(sp500, objectives=objectives)
    table = run.front
    assert table.columns == ["window", "candidate", *objectives]
    expected = fronts(run, objectives)
    assert {window: table.filter(window=window)["candidate"].to_list() for window in expected} == expected
    assert run.summary["front"] == {"objectives": objectives, "sizes": [len(one) for one in expected.values()]}
    assert max(run.summary["front"]["sizes"]) > 1
    known = table.join(run.trials, on=["window", "candidate"], suffix="_of_trial")
    assert len(known) == len(table)
    assert (known["sharpe"] == known["sharpe_of_trial"]).all()
    assert "front" in run.fingerprints()
    # What is recorded of trials, and how they are cut into chunks, changes nothing.
    again = walked(sp500, objectives=objectives, record="objective")
    assert again.fingerprints()["front"] == run.fingerprints()["front"]


def test_the_winner_is_the_best_of_the_front_by_the_objective(sp500: Bars) -> None:
    # By itself this formula would choose sets that others are better than in both.
    run = walked(sp500, objective="0 - 1 * exposure")
    chosen = {
        window: run.trials.filter(pl.col("candidate").is_in(front), window=window).sort(
            "objective", "candidate", descending=[True, False]
        )["candidate"][0]
        for window, front in fronts(run, OBJECTIVES[:2]).items()
    }
    assert dict(run.windows.select("window", "candidate").rows()) == chosen
    best = run.trials.filter(status="complete").group_by("window").agg(pl.col("objective").max()).sort("window")
    at = run.windows.join(run.trials, on=["window", "candidate"])["objective"]
    assert (at < best["objective"]).any()


def test_studies_and_sweeps_have_fronts_too(sp500: Bars) -> None:
    bars, space = sp500.head(1_500), {"fast": {"low": 2, "high": 60}, "slow": {"low": 61, "high": 200}}
    run = admf_ray.sweep(bars, "sma_cross", space, search={**SEARCH, "sampler": "nsga2", "trials": 30})
    assert {0: run.front["candidate"].to_list()} == fronts(run, OBJECTIVES[:2])
    assert run.summary["best"]["candidate"] in run.front["candidate"].to_list()


def test_the_terminal_and_the_page_show_fronts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["strategy.space.fast=[5,10,20,40]", "strategy.space.slow=[50,100,200]", "windows.test=4y"]
    options += ["cluster=serial", "search.objectives=[sharpe,max_drawdown]", f"run_root={tmp_path}"]
    assert main(["+experiment=walkforward", *options]) == 0
    said = " ".join(capsys.readouterr().out.split())
    run = admf_ray.load_run(tmp_path / "latest")
    sizes = run.summary["front"]["sizes"]
    assert f"Pareto fronts of sharpe and max_drawdown: {min(sizes)} to {max(sizes)} sets" in said
    drawn = drawn_fronts(run)
    assert [len(one.points) for one in drawn] == sizes
    assert sum(len(one.trials) for one in drawn) == len(run.trials.filter(status="complete"))
    for one, (window, text) in zip(drawn, run.windows.select("window", "parameters").rows(), strict=True):
        assert one.chosen is not None
        assert text == str(one.parameters[one.chosen]).replace("'", '"').replace(".0", "")
        assert (
            one.points[one.chosen].tolist()
            in run.front.filter(window=window).select(OBJECTIVES[:2]).to_numpy().tolist()
        )
    assert 'data-chart="front"' in (tmp_path / "latest" / "report.html").read_text()


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"objectives": ["sharpe"]}, r"search.objectives: \[sharpe\]; allowed: two or more different ones"),
        ({"objectives": ["sharpe", "sharpe"]}, r"search.objectives: \[sharpe, sharpe\]; allowed"),
        ({"objectives": ["sharpe", "drawdwn"]}, "search.objectives 'drawdwn': no metric is named 'drawdwn'"),
        (
            {"objectives": ["calmar", "cagr"]},
            "search.objective: sharpe chooses among .* allowed: calmar, cagr, or a for",
        ),
        ({"objectives": ["sharpe", "cagr"], "sampler": "cmaes"}, "search.objectives: cmaes learns from one number"),
        ({"storage": "studies.db"}, "search.storage: 'studies.db' is no place; allowed: journal"),
    ],
)
def test_what_cannot_be_maximized_together_is_refused(sp500: Bars, search: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        admf_ray.walk_forward(sp500, "sma_cross", {"fast": [5]}, search=search)
