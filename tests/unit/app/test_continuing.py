"""Going on with a run: what now, and newer windows."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.launch import main

SMALL = [
    "strategy.space.fast={low:10,high:60,step:10}",
    "strategy.space.slow=[80,120,200]",
    "cluster=serial",
    "report=none",
]
EXTENDED = 4_300
"""Bars of the older file: it ends on 2016-02-04, in the test span of window 13."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index as a CSV, an older one, and one whose past was changed."""
    folder = tmp_path_factory.mktemp("files")
    bars = admf_ray.load_bars("sp500")
    fields = {name: getattr(bars, name)[0] for name in ("open", "high", "low", "close", "volume")}
    frame = pl.DataFrame({"date": np.datetime_as_string(bars.known_at.astype("datetime64[ns]"), unit="D"), **fields})
    frame.write_csv(folder / "newer.csv")
    frame.head(EXTENDED).write_csv(folder / "older.csv")
    close = pl.col("close")
    shifted = pl.when(pl.int_range(pl.len()) == 50).then(close * 1.00001).otherwise(close)
    frame.with_columns(shifted.alias("close")).write_csv(folder / "changed.csv")
    assert (
        main(["+experiment=walkforward", *csv(folder / "older.csv"), *SMALL, f"run_root={folder}", "run_name=old"]) == 0
    )
    return folder


def csv(path: Path) -> list[str]:
    return ["data=csv", f"data.path={path}", "data.calendar=XNYS"]


def extend(files: Path, name: str, *more: str) -> int:
    command = ["+experiment=walkforward", f"run={files / 'old'}", "cluster=serial", "report=none"]
    return main([*command, f"run_root={files}", f"run_name={name}", *more])


def test_an_extended_run_is_the_run_of_the_newer_file(files: Path) -> None:
    before = {path: path.read_bytes() for path in (files / "old").rglob("*") if path.is_file()}
    assert extend(files, "extended", f"data.path={files / 'newer.csv'}") == 0
    fresh = [*csv(files / "newer.csv"), "data.symbol=older", f"run_root={files}", "run_name=fresh"]
    assert main(["+experiment=walkforward", *fresh, *SMALL]) == 0
    old, extended, whole = (admf_ray.load_run(files / name) for name in ("old", "extended", "fresh"))
    assert len(old.windows) == 13
    assert len(extended.windows) == len(whole.windows) == 16
    assert extended.windows[:13].equals(old.windows, null_equal=True)
    described = {name for name in whole.windows.columns if "stress" in name or "decile" in name or "market" in name}
    assert extended.windows.drop(described).equals(whole.windows.drop(described), null_equal=True)
    same = {name: value for name, value in whole.fingerprints().items() if name != "windows"}
    assert {name: extended.fingerprints()[name] for name in same} == same
    assert extended.summary["out_of_sample"] == whole.summary["out_of_sample"]
    assert extended.summary["extends"] == {"run": "old", "windows": 13}
    # Only the three newer windows were swept.
    assert extended.summary["bars_swept"] < 0.25 * whole.summary["bars_swept"]
    assert {path: path.read_bytes() for path in (files / "old").rglob("*") if path.is_file()} == before


def test_a_run_that_recorded_the_objective_is_extended_as_such(files: Path) -> None:
    recorded = [*SMALL, "search.record=objective", f"run_root={files}"]
    assert main(["+experiment=walkforward", *csv(files / "older.csv"), *recorded, "run_name=short"]) == 0
    command = ["+experiment=walkforward", f"run={files / 'short'}", f"data.path={files / 'newer.csv'}"]
    assert main([*command, "cluster=serial", "report=none", f"run_root={files}", "run_name=longer"]) == 0
    fresh = [*csv(files / "newer.csv"), "data.symbol=older", "run_name=whole"]
    assert main(["+experiment=walkforward", *fresh, *recorded]) == 0
    longer, whole = (admf_ray.load_run(files / name).fingerprints() for name in ("longer", "whole"))
    assert {name: longer[name] for name in ("trials", "equity")} == {name: whole[name] for name in ("trials", "equity")}


FAILING = """
from admf_ray.plugins import Parameter, strategy


@strategy(parameters=(Parameter("lag", 60, 1, 400),))
def failing(view):
    lag = view.params.lag
    if lag == 90 or (lag == 30 and view.bar == 4_600):
        raise ValueError(f"lag {lag} is unlucky")
    return view.bar >= lag and view.close[-1] > view.close[-1 - lag]
"""


def test_failures_of_the_earlier_run_stay_and_newer_ones_are_added(files: Path) -> None:
    (files / "failing.py").write_text(FAILING)
    strategy = ["strategy=custom", "strategy.name=failing", "strategy.space.lag=[30,60,90]", "report=none"]
    options = [*csv(files / "older.csv"), *strategy, "cluster=serial", f"plugins=[{files / 'failing.py'}]"]
    assert main(["+experiment=walkforward", *options, f"run_root={files}", "run_name=failing"]) == 0
    command = ["+experiment=walkforward", f"run={files / 'failing'}", f"data.path={files / 'newer.csv'}"]
    assert main([*command, "cluster=serial", f"run_root={files}", "run_name=failing_on"]) == 0
    fresh = [*csv(files / "newer.csv"), *strategy, "data.symbol=older", "cluster=serial", *options[-1:]]
    assert main(["+experiment=walkforward", *fresh, f"run_root={files}", "run_name=failing_anew"]) == 0
    old, extended, anew = (admf_ray.load_run(files / name) for name in ("failing", "failing_on", "failing_anew"))
    assert old.failures.select("candidate", "message").rows() == [(2, "lag 90 is unlucky")]
    assert extended.failures.select("candidate", "window", "message").rows() == [
        *((0, window, "lag 30 is unlucky") for window in anew.failures.filter(candidate=0)["window"]),
        *((2, window, "lag 90 is unlucky") for window in range(16)),
    ]
    assert anew.failures["window"].null_count() == 1
    failed = extended.trials.filter(pl.col("status") == "failed")
    assert failed.group_by("candidate").len().sort("candidate").rows() == [(0, 1), (2, 16)]
    # What fails in a later window decides nothing in an earlier one.
    for name in ("trials", "equity", "fills", "trades"):
        assert extended.tables[name].equals(anew.tables[name])
    assert extended.windows["candidate"].equals(anew.windows["candidate"])


def test_a_run_of_two_symbols_is_extended_and_asked_about_with_both(files: Path, capsys) -> None:
    whole = pl.read_csv(files / "newer.csv")
    both = [whole.with_columns(symbol=pl.lit("A")), whole.with_columns(pl.col("open", "high", "low", "close") * 0.5)]
    both[1] = both[1].with_columns(symbol=pl.lit("B"))
    dates = whole["date"][EXTENDED]
    for name, frame in (("two_newer", pl.concat(both)), ("two_older", pl.concat(both).filter(pl.col("date") < dates))):
        frame.write_csv(files / f"{name}.csv")
    limits = "risk.limits.symbol.max_position={A:0.5,B:0.3}"
    recorded = [*csv(files / "two_older.csv"), *SMALL, limits, f"run_root={files}", "run_name=two"]
    assert main(["+experiment=walkforward", *recorded]) == 0
    command = ["+experiment=walkforward", f"run={files / 'two'}", f"data.path={files / 'two_newer.csv'}"]
    assert main([*command, "cluster=serial", "report=none", f"run_root={files}", "run_name=two_longer"]) == 0
    old, longer = (admf_ray.load_run(files / name) for name in ("two", "two_longer"))
    assert set(longer.tables["positions"]["symbol"]) == {"A", "B"}
    known = longer.tables["positions"].filter(pl.col("window") < len(old.windows))
    assert known.equals(old.tables["positions"])
    capsys.readouterr()
    assert main(["+experiment=today", f"run={files / 'two'}", "cluster=serial"]) == 0
    assert "A closed at" in (said := capsys.readouterr().out)
    assert "target B" in said


def test_a_truncated_last_window_is_done_anew(files: Path) -> None:
    truncated = [*csv(files / "older.csv"), *SMALL, f"run_root={files}", "windows.allow_truncated_final=true"]
    assert main(["+experiment=walkforward", *truncated, "run_name=truncated"]) == 0
    command = [
        "+experiment=walkforward",
        f"run={files / 'truncated'}",
        f"data.path={files / 'newer.csv'}",
        "report=none",
    ]
    assert main([*command, "cluster=serial", f"run_root={files}", "run_name=grown"]) == 0
    fresh = [*csv(files / "newer.csv"), "data.symbol=older", *SMALL, f"run_root={files}"]
    assert main(["+experiment=walkforward", *fresh, "windows.allow_truncated_final=true", "run_name=regrown"]) == 0
    short, grown, regrown = (admf_ray.load_run(files / name) for name in ("truncated", "grown", "regrown"))
    assert len(short.windows) == 14
    assert grown.summary["extends"] == {"run": "truncated", "windows": 13}
    for name in ("trials", "equity", "fills", "trades"):
        assert grown.fingerprints()[name] == regrown.fingerprints()[name]


def test_an_extended_run_can_be_extended(files: Path) -> None:
    frame = pl.read_csv(files / "newer.csv")
    frame.head(4_700).write_csv(files / "between.csv")
    assert extend(files, "once", f"data.path={files / 'between.csv'}") == 0
    command = ["+experiment=walkforward", f"run={files / 'once'}", "cluster=serial", "report=none", f"run_root={files}"]
    assert main([*command, f"data.path={files / 'newer.csv'}", "run_name=twice"]) == 0
    assert extend(files, "at-once", f"data.path={files / 'newer.csv'}") == 0
    twice, at_once = admf_ray.load_run(files / "twice"), admf_ray.load_run(files / "at-once")
    for name in ("trials", "equity", "fills", "trades"):
        assert twice.fingerprints()[name] == at_once.fingerprints()[name]


REFUSED = {
    "another past": (["data.path=changed.csv"], "the bars up to 2016-02-04 are not those of run 'old'"),
    "nothing newer": ([], "'old' has all 13 windows of this data already; allowed: data.path=<newer file>"),
    "another space": (
        ["data.path=newer.csv", "strategy.space.fast.high=50"],
        "strategy.space.fast.high: 50.0 is not the 60.0 of 'old'",
    ),
    "other windows": (["data.path=newer.csv", "windows.train=3y"], "windows.train: 3y is not the 4y of 'old'"),
    "other costs": (
        ["data.path=newer.csv", "execution.slippage_bps=50"],
        "execution.slippage_bps: 50.0 is not the 2.0 of 'old'; allowed: what the run has that is extended",
    ),
}


@pytest.mark.parametrize(("more", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_continue_a_run_is_refused_and_leaves_nothing(
    files: Path, monkeypatch, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    monkeypatch.chdir(files)
    assert extend(files, "refused", *more) == 2
    assert message in capsys.readouterr().err
    assert not (files / "refused").exists()


def tampered(files: Path, folder: Path, table: str, column: str, known: bool) -> Path:
    """A copy of the old run in which one number is another, and the manifest knows of it or not."""
    run = folder / "old"
    shutil.copytree(files / "old", run)
    path = run / f"phases/discovery/{table}.parquet"
    frame = pl.read_parquet(path)
    first = pl.int_range(pl.len()) == 0
    frame.with_columns(pl.when(first).then(pl.col(column) + 1).otherwise(pl.col(column))).write_parquet(path)
    if known:
        manifest = json.loads((run / "manifest.json").read_text())
        manifest["fingerprints"] = admf_ray.load_run(run).fingerprints()
        (run / "manifest.json").write_text(json.dumps(manifest))
    return run


@pytest.mark.parametrize(
    ("table", "column", "known", "message"),
    [
        ("trials", "sortino", False, "is no longer as it was left: trials"),
        ("fills", "price", True, "the earlier windows of 'old' do not come out again (fills differs)"),
    ],
)
def test_a_run_that_does_not_come_out_again_is_refused(
    files: Path, tmp_path: Path, capsys, table: str, column: str, known: bool, message: str
) -> None:
    run = tampered(files, tmp_path, table, column, known)
    command = ["+experiment=walkforward", f"run={run}", f"data.path={files / 'newer.csv'}", "report=none"]
    assert main([*command, "cluster=serial", f"run_root={tmp_path}", "run_name=refused"]) == 1
    assert message in capsys.readouterr().err
    if known:
        # It had begun: its log says why it ended.
        assert "ERROR   ReproductionError: run: the earlier windows" in (tmp_path / "refused/run.log").read_text()


def test_a_backtest_cannot_be_extended(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["+experiment=backtest", "report=none", f"run_root={files}", "run_name=single"]) == 0
    assert main(["+experiment=walkforward", f"run={files / 'single'}", "cluster=serial"]) == 2
    assert "experiment: walkforward is not the backtest of 'single'" in capsys.readouterr().err


def test_a_run_whose_windows_have_candidates_of_their_own_is_not_extended(files: Path, capsys) -> None:
    studies = ["search=tpe", "search.trials=3", "windows.test=8y", *SMALL, f"run_root={files}"]
    assert main(["+experiment=walkforward", *csv(files / "older.csv"), *studies, "run_name=studies"]) == 0
    newer = [f"run={files / 'studies'}", f"data.path={files / 'newer.csv'}", f"run_root={files}", "cluster=serial"]
    assert main(["+experiment=walkforward", *newer, "report=none", "run_name=studies-longer"]) == 2
    assert "run: search.sampler=tpe proposes candidates for each window" in " ".join(capsys.readouterr().err.split())
    assert not (files / "studies-longer").exists()


def today(files: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict:
    """What ``today`` says, as JSON."""
    capsys.readouterr()
    assert main(["+experiment=today", f"run={files / 'old'}", "cluster=serial", "logging=json", *more]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return next(record for record in records if record["kind"] == "TODAY")


def test_today_is_the_winner_of_the_newest_window_at_the_last_bar(files: Path, capsys) -> None:
    """On a file that goes on, the window of today is one of the walk-forward, and says what it went on to do."""
    found = today(files, capsys)
    assert (
        main(["+experiment=walkforward", *csv(files / "newer.csv"), *SMALL, f"run_root={files}", "run_name=later"]) == 0
    )
    later = admf_ray.load_run(files / "later")
    window = later.windows.row(13, named=True)
    assert found["window"] == 13
    assert found["parameters"] == json.loads(window["parameters"])
    assert found["train"]["sharpe"] == window["train_sharpe"]
    assert (found["train_start"], found["train_stop"], found["test_start"]) == (
        window["train_start"], window["train_stop"], window["test_start"],
    )  # fmt: skip
    held = later.equity.filter(pl.col("time") == found["as_of"])
    assert found["standings"][0]["position"] == held["position"][0]
    following = later.fills.filter(pl.col("timestamp") > found["as_of"]).row(0, named=True)
    next_bar = later.equity.filter(pl.col("time") > found["as_of"])["time"][0]
    signed = following["quantity"] * (1 if following["side"] == "buy" else -1)
    assert found["standings"][0]["order"] == (signed if following["timestamp"] == next_bar else 0.0)


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_the_order_of_today_is_the_fill_of_tomorrow(files: Path, capsys, fill: str) -> None:
    """Cut off at the bar of a decision, the data asks for the order that the walk-forward then fills."""
    more = [f"execution.fill={fill}"]
    name = f"whole-{fill}"
    assert (
        main(
            [
                "+experiment=walkforward",
                *csv(files / "newer.csv"),
                *SMALL,
                *more,
                f"run_root={files}",
                f"run_name={name}",
            ]
        )
        == 0
    )
    whole = admf_ray.load_run(files / name)
    frame = pl.read_csv(files / "newer.csv")
    times = admf_ray.load_bars("sp500").known_at
    inside = whole.fills.filter((pl.col("window") == 13) & (pl.col("reason") != "flatten"))
    assert len(inside) >= 2
    for row in inside.head(3).iter_rows(named=True):
        decided = int(np.searchsorted(times, row["timestamp"])) - (fill == "next_open")
        frame.head(decided + 1).write_csv(files / "cut.csv")
        found = today(files, capsys, f"data.path={files / 'cut.csv'}", *more)
        assert found["window"] == 13
        assert found["standings"][0]["order"] == row["quantity"] * (1 if row["side"] == "buy" else -1)
        # The first order of a window follows a target that may be older than its account.
        assert row["signal_id"] == 1 or found["standings"][0]["since"] == found["as_of"]
        assert found["standings"][0]["target"] == (1.0 if row["side"] == "buy" else 0.0)


def test_before_the_first_test_bar_there_is_no_order_yet(files: Path, capsys) -> None:
    found = today(files, capsys, f"data.path={files / 'newer.csv'}")
    assert (found["window"], found["state"]) == (16, "before")
    assert (found["equity"], *(found["standings"][0][name] for name in ("position", "order"))) == (100_000.0, 0.0, 0.0)
    capsys.readouterr()
    assert (
        main(["+experiment=today", f"run={files / 'old'}", f"data.path={files / 'newer.csv'}", "cluster=serial"]) == 0
    )
    printed = capsys.readouterr().out
    assert "window 16, trained from 2015-01-02 to before 2019-01-02" in printed
    assert "the first test bar of this window is still to come" in printed


def test_today_in_cash_says_so(files: Path, capsys) -> None:
    found = today(files, capsys, "search.min_trades=999")
    assert (found["parameters"], *(found["standings"][0][name] for name in ("target", "order"))) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["+experiment=today"], "run: which run? allowed: run=<dir>"),
        (["+experiment=today", "run=nowhere"], "nowhere' holds no finished run"),
        (["+experiment=walkforward", "run=nowhere"], "nowhere' holds no finished run"),
        (["+experiment=report"], "run: which run? allowed: run=<dir>"),
        (["+experiment=report", "run=nowhere"], "nowhere' holds no finished run"),
    ],
)
def test_without_a_run_there_is_nothing_to_go_on_with(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("command", ["today", "walkforward", "compare"])
@pytest.mark.parametrize("text", [None, "", "data: [1,", "data: {pth: 1}\n"], ids=["gone", "empty", "cut", "wrong"])
def test_a_damaged_configuration_is_told(files: Path, tmp_path: Path, capsys, command: str, text: str | None) -> None:
    run = tmp_path / "old"
    shutil.copytree(files / "old", run)
    (run / "config.yaml").unlink()
    if text is not None:
        (run / "config.yaml").write_text(text)
    runs = [f"runs=[{run},{files / 'old'}]"] if command == "compare" else [f"run={run}"]
    assert main([f"+experiment={command}", *runs, "cluster=serial", f"run_root={tmp_path}"]) == 1
    assert "config.yaml' cannot be read: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "compare", "walkforward", "fingerprint"])
def test_a_lost_table_is_told(files: Path, tmp_path: Path, capsys, command: str) -> None:
    run = tmp_path / "old"
    shutil.copytree(files / "old", run)
    (run / "phases/discovery/windows.parquet").unlink()
    runs = [f"runs=[{run},{files / 'old'}]"] if command == "compare" else [f"run={run}"]
    assert main([f"+experiment={command}", *runs, "cluster=serial"]) == 1
    assert "has lost its tables: windows" in capsys.readouterr().err
