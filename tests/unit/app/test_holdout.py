"""A holdout: kept from everything that trades, opened once, and for one evaluation."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.app.holdout import kept_back
from admf_ray.app.parsing import parse_settings
from admf_ray.errors import ConfigError
from admf_ray.launch import main
from tests.series import daily_bars

START = "holdout.start=2016-01-01"
WALK = [
    "+experiment=walkforward",
    "cluster=serial",
    "strategy.space.fast=[10,20]",
    "strategy.space.slow=[50,100]",
    "windows.train=6y",
    START,
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    assert main([*WALK, f"run_root={root}", "run_name=walked"]) == 0
    return root


def opening(root: Path, *more: str, variant: str = "w10") -> list[str]:
    best = ["--config-dir", str(root / "walked" / "best"), "--config-name", variant]
    return [*best, f"run_root={root}", "holdout.open=true", "cluster=serial", *more]


def test_bars_known_after_its_start_are_kept_back() -> None:
    bars = daily_bars(np.arange(1.0, 11.0))
    for start, left in (("1970-01-05", 4), ("1970-01-05T00:00:01", 4), ("1970-01-04T23:59:59", 3), ("1999-01-01", 10)):
        settings = parse_settings({"experiment": "sweep", "holdout": {"start": start}})
        assert len(kept_back(settings, bars)) == left, start
    with pytest.raises(ConfigError, match="no bar is known up to 1970-01-01"):
        kept_back(parse_settings({"experiment": "sweep", "holdout": {"start": "1970-01-01"}}), bars)
    with pytest.raises(ConfigError, match="holdout.start: 'soon' is no date"):
        parse_settings({"experiment": "sweep", "holdout": {"start": "soon"}})


def test_a_search_is_that_of_a_series_that_ends_before(sp500: admf_ray.Bars) -> None:
    """The first bar of 2016 is known at its close on 2016-01-04."""
    stop = int(np.searchsorted(sp500.known_at, np.datetime64("2016-01-01", "ns").astype(np.int64)))
    options = {"space": {"period": [50, 200]}, "windows": {"train": "6y"}}
    held = admf_ray.walk_forward(sp500, "price_sma", holdout={"start": "2016-01-01"}, **options)
    cut = admf_ray.walk_forward(sp500.head(stop), "price_sma", **options)
    assert held.fingerprints() == cut.fingerprints()
    for found in (held, admf_ray.backtest(sp500, "price_sma", holdout={"start": "2016-01-01"})):
        assert found.equity["time"].max() == sp500.known_at[stop - 1]
    assert held.summary["holdout"] == {"start": "2016-01-01", "open": False}


def test_terminal_and_page_say_what_is_kept_back(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WALK, f"run_root={root}", "run_name=said"]) == 0
    assert "holdout: bars known after 2016-01-01 are kept back" in (said := capsys.readouterr().out)
    assert "trials on this data, 4 in 44 of them by this run, the others by " in said
    page = (root / "said" / "report.html").read_text()
    assert "holdout: bars known after 2016-01-01 are kept back" in page
    tried = json.loads((root / "said" / "summary.json").read_text())["tried"]
    assert f"Tried: {tried['candidates']} sets in {tried['trials']} trials on this data" in page
    assert main(["+experiment=report", f"run={root / 'said'}"]) == 0
    assert f"tried: {tried['candidates']} sets in {tried['trials']} trials" in capsys.readouterr().out


def test_a_best_set_opens_it_once_by_one_option(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(opening(root, "run_name=opened")) == 0
    said = capsys.readouterr().out
    assert "holdout: bars known after 2016-01-01 are opened by this run" in said
    assert "opened by opened 20" in said
    found = admf_ray.load_run(root / "opened")
    assert found.equity["time"].min() == pl.Series([found.summary["span"][0]]).item()
    assert str(np.datetime64(found.summary["span"][0], "ns"))[:10] == "2016-01-04"
    assert "holdout.open" not in " ".join(found.summary["warnings"])
    assert [one["run"] for one in found.summary["tried"]["openings"]] == ["opened"]

    before = {path.name for path in root.iterdir()}
    assert main(opening(root, variant="w09")) == 2
    refusal = capsys.readouterr().err
    assert "holdout.open: run 'opened' opened the bars from 2016-01-04T21:00 to 2018-12-31T21:00 at 20" in refusal
    assert "allowed: holdout.open=false, or holdout.start=2018-12-31T21:00 or later" in refusal
    assert main(opening(root, "holdout.start=2018-12-31T21:00")) == 2
    assert "0 bars are known after 2018-12-31T21:00" in capsys.readouterr().err
    assert {path.name for path in root.iterdir()} == before

    # Whoever goes on with the run that opened it does not open it again.
    (root / "opened" / "summary.json").unlink()
    assert main(["+experiment=resume", f"run={root / 'opened'}", "cluster=serial"]) == 0
    assert (root / "ledger.jsonl").read_text().count('"OPENED"') == 1
    again = admf_ray.load_run(root / "opened")
    assert again.fingerprints() == found.fingerprints()
    assert again.summary["tried"]["runs"] == found.summary["tried"]["runs"]


def test_runs_that_saw_it_are_told_of_when_it_is_opened(tmp_path: Path, sp500: admf_ray.Bars) -> None:
    common = {"run_root": tmp_path, "report": {"page": False}}
    admf_ray.sweep(sp500, "price_sma", {"period": [50]}, run_name="saw", **common)
    opened = admf_ray.backtest(sp500, "price_sma", holdout={"start": "2016-01-01", "open": True}, **common)
    warning = "holdout.open: 1 runs had seen bars of the holdout before, the newest of them 'saw'"
    assert warning in opened.summary["warnings"]


REFUSED = {
    "a search": (["+experiment=sweep", START], "holdout.open: true, and sweep chooses by what it sees"),
    "a walk-forward": (["+experiment=walkforward", START], "holdout.open: true, and walkforward chooses"),
    "no holdout": (["+experiment=backtest"], "holdout.open: there is no holdout"),
    "a data set": (
        ["+experiment=backtest", START, "windows=split", "dataset=test"],
        "dataset: it does not go with holdout.open=true",
    ),
    "books": (["+experiment=backtest", START, "+books={a:{risk:{lot:0}}}"], "books: it does not go with"),
    "no ledger": (["+experiment=backtest", START, "run_root=null"], "run_root: it does not go with"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_single_evaluation_opens_nothing(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, said = REFUSED[case]
    assert main([f"run_root={tmp_path}", *options, "holdout.open=true", "cluster=serial"]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_check_of_the_data_sees_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=check_data", START, f"run_root={tmp_path}"]) == 0
    assert "5,031 bars" in capsys.readouterr().out
    assert not (tmp_path / "ledger.jsonl").exists()


def test_a_run_is_extended_by_moving_its_holdout(root: Path) -> None:
    moved = ["+experiment=walkforward", f"run={root / 'walked'}", "holdout.start=2018-01-01", f"run_root={root}"]
    assert main([*moved, "run_name=moved", "cluster=serial", "report=none"]) == 0
    old, longer = (admf_ray.load_run(root / name) for name in ("walked", "moved"))
    assert len(longer.windows) == len(old.windows) + 2
    assert longer.summary["extends"] == {"run": "walked", "windows": len(old.windows)}
    assert longer.summary["tried"]["own"] == {"candidates": 4, "trials": 4 * 2}
