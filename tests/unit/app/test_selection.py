"""Rules of selection from the command line: files that run by themselves, extension, resume, what now, refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.launch import main
from admf_ray.workflow import RunResult

SPACE = ["strategy.space.fast={low:10,high:60,step:10}", "strategy.space.slow=[80,120,200]"]
SMALL = [*SPACE, "cluster=serial", "windows.train=4y", "windows.test=4y"]


def slow(value: str) -> Any:
    return pytest.param(value, marks=pytest.mark.slow)


def walk_forward(root: Path, name: str, *options: str) -> RunResult:
    assert main(["+experiment=walkforward", *SMALL, f"run_root={root}", f"run_name={name}", *options]) == 0
    return admf_ray.load_run(root / name)


@pytest.mark.parametrize("engine", ["compiled", slow("event_driven")])
def test_several_sets_together_run_by_themselves_and_come_out_again(elsewhere: Path, engine: str, capsys) -> None:
    options = ["search.selection=top_n", "search.top=3", f"engine={engine}", "report=none"]
    found = walk_forward(elsewhere, "three", *options)
    assert "selected by top 3: so many of the highest sharpe together" in " ".join(capsys.readouterr().out.split())
    for window in found.windows.iter_rows(named=True):
        name = f"w{window['window']:02d}"
        command = ["--config-dir", str(elsewhere / "three" / "best"), "--config-name", name, "cluster=serial"]
        assert main([*command, "report=none", f"run_root={elsewhere}", f"run_name={name}"]) == 0
        alone = admf_ray.load_run(elsewhere / name)
        assert alone.summary["metrics"] == {key: window[f"test_{key}"] for key in alone.summary["metrics"]}
        assert alone.summary["parameters"] == json.loads(window["parameters"])
        assert alone.summary["composition"] == found.summary["composition"]
        fills = found.fills.filter(window=window["window"]).drop("window")
        assert alone.fills.drop("window").equals(fills)


@pytest.mark.parametrize("rule", ["plateau", "worst_block"])
def test_a_rule_is_part_of_what_a_run_says(elsewhere: Path, rule: str, capsys) -> None:
    found = walk_forward(elsewhere, rule, f"search.selection={rule}", "search.blocks=3")
    assert found.summary["selection"] == {"rule": rule, "blocks": 3, "top": 5}
    assert f"selection: {rule}" in (elsewhere / rule / "config.yaml").read_text()
    shown, page = capsys.readouterr().out, (elsewhere / rule / "report.html").read_text()
    text = rule.replace("_", " ")
    assert f"selected by {text}: the highest m" in " ".join(shown.split())
    assert f"The set was selected by {text}: the highest m" in page
    first = found.windows.row(0, named=True)
    for figure in (first["objective"], first["selected_by"]):
        assert f"{figure:.3g}" in shown
        assert f">{figure:.3g}<" in page
    assert ("worst_block" in found.trials.columns) == (rule == "worst_block")
    # Blocks are simulated as well, and are no trials.
    assert found.summary["tried"]["own"]["trials"] == len(found.trials)


def test_by_the_best_objective_tables_have_no_further_columns(elsewhere: Path) -> None:
    found = walk_forward(elsewhere, "best", "report=none")
    assert not {"objective", "selected_by"} & set(found.windows.columns)
    assert "worst_block" not in found.trials.columns
    assert found.summary["selection"]["rule"] == "best"


@pytest.mark.parametrize("rule", [slow("plateau"), "worst_block", slow("top_n")])
def test_an_extended_run_selects_in_its_earlier_windows_as_it_did(elsewhere: Path, rule: str) -> None:
    bars = admf_ray.load_bars("sp500")
    fields = {name: getattr(bars, name)[0] for name in ("open", "high", "low", "close", "volume")}
    frame = pl.DataFrame({"date": np.datetime_as_string(bars.known_at.astype("datetime64[ns]"), unit="D"), **fields})
    frame.head(3_900).write_csv("older.csv")
    frame.write_csv("newer.csv")
    data = ["data=csv", "data.calendar=XNYS", "report=none", f"search.selection={rule}", "search.record=objective"]
    old = walk_forward(elsewhere, "old", *data, "data.path=older.csv")
    command = ["+experiment=walkforward", "run=old", "data.path=newer.csv", "cluster=serial", "report=none"]
    assert main([*command, f"run_root={elsewhere}", "run_name=extended"]) == 0
    whole = walk_forward(elsewhere, "whole", *data, "data.path=newer.csv", "data.symbol=older")
    extended = admf_ray.load_run(elsewhere / "extended")
    assert len(old.windows) < len(extended.windows)
    names = ["candidate", "parameters", "objective", "selected_by", "train_sharpe", "test_sharpe"]
    assert extended.windows.select(names).equals(whole.windows.select(names))
    for name in ("trials", "equity", "fills"):
        assert extended.fingerprints()[name] == whole.fingerprints()[name]


@pytest.mark.parametrize("rule", [slow("plateau"), slow("worst_block"), "top_n"])
def test_what_now_is_what_was_selected_wants(elsewhere: Path, rule: str, capsys) -> None:
    # A test span that the series does not fill is being traded.
    options = [f"search.selection={rule}", "windows.test=3y", "windows.allow_truncated_final=true", "report=none"]
    found = walk_forward(elsewhere, "run", *options)
    capsys.readouterr()
    assert main(["+experiment=today", "run=run", "cluster=serial"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    newest = found.windows.row(-1, named=True)
    values = [f"{value:g}" for value in json.loads(newest["parameters"]).values()]
    sets = [f"{fast}/{slow}" for fast, slow in zip(values[::2], values[1::2], strict=True)]
    chosen = f"fast={values[0]} slow={values[1]}" if len(sets) == 1 else f"fast/slow {', '.join(sets)}"
    assert f"chosen sma_cross {chosen}, out of 18" in shown
    assert f"window {newest['window']}, " in shown
    assert f"({newest['train_sharpe']:.2f} Sharpe in training" in shown


def test_the_best_together_are_refused_where_members_are_there_already(elsewhere: Path, capsys) -> None:
    ensemble = ["ensemble=weighted", "ensemble.members={dip:{strategy:rsi_reversion}}", "search.selection=top_n"]
    assert main(["+experiment=walkforward", *SMALL, *ensemble, f"run_root={elsewhere}"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "search.selection: top_n, and weighted(sma_cross, dip) has members or classifiers of its own" in said
    assert not list(elsewhere.iterdir())


def test_blocks_that_are_too_short_are_refused_before_anything_is_written(elsewhere: Path, capsys) -> None:
    options = ["search.selection=worst_block", "search.blocks=600", f"run_root={elsewhere}"]
    assert main(["+experiment=walkforward", *SMALL, *options]) == 2
    assert "search.blocks: 600 blocks of a train span of" in " ".join(capsys.readouterr().err.split())
    assert not list(elsewhere.iterdir())


def test_options_that_do_nothing_are_named(sp500: admf_ray.Bars) -> None:
    search = {"blocks": 6, "top": 3}
    found = admf_ray.walk_forward(
        sp500, "sma_cross", {"fast": [5, 10]}, windows={"train": "8y", "test": "8y"}, search=search
    )
    assert found.summary["warnings"] == [
        "search.blocks does nothing without search.selection=worst_block or search.pruning",
        "search.top does nothing without search.selection=top_n",
    ]
