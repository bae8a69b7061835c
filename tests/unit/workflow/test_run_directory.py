import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import admf_ray
from admf_ray.errors import ConfigError
from admf_ray.files import write_whole
from admf_ray.launch import main
from admf_ray.workflow.run_directory import RunDirectory

SMALL = ["+experiment=walkforward", "cluster=serial", "strategy.space.fast=[10,20]", "strategy.space.slow=[50,100]"]
TABLES = ("candidates", "trials", "windows", "equity", "fills", "trades", "timings")
FILES = {
    *("config.yaml", "data_report.json", "manifest.json", "lock", "status.json", "progress.jsonl", "summary.json"),
    *("report.html", "run.log"),
    *(f"phases/discovery/{name}.parquet" for name in TABLES),
    "phases/discovery/fills.csv",
    *(f"best/w{window:02d}.yaml" for window in range(16)),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    assert main([*SMALL, f"run_root={root}", "run_name=first"]) == 0
    return root


def test_a_run_directory_holds_what_is_promised_and_latest_points_to_it(root: Path) -> None:
    run = root / "first"
    assert {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} == FILES
    assert (root / "latest").resolve() == run


def test_tables_have_the_frozen_columns(root: Path) -> None:
    tables = admf_ray.load_run(root / "first").tables
    assert tables["candidates"].schema == {"candidate": pl.Int32, "fast": pl.Float64, "slow": pl.Float64}
    assert tables["trials"].columns[:5] == ["window", "candidate", "status", "objective", "sharpe"]
    assert tables["trials"].schema["window"] == pl.Int16
    assert tables["windows"].columns[:7] == [
        "window", "train_start", "train_stop", "test_start", "test_stop", "candidate", "parameters",
    ]  # fmt: skip
    assert {"train_sharpe", "test_sharpe"} <= set(tables["windows"].columns)
    assert tables["equity"].schema == {
        "time": pl.Int64, "window": pl.Int16, "equity": pl.Float64, "benchmark": pl.Float64, "position": pl.Float64,
    }  # fmt: skip
    assert tables["fills"].columns[:11] == [
        "timestamp", "symbol", "side", "quantity", "price", "commission", "position_value", "remaining_cash",
        "order_id", "signal_id", "reason",
    ]  # fmt: skip


def test_fills_csv_has_the_same_fills(root: Path) -> None:
    fills = admf_ray.load_run(root / "first").fills
    with (root / "first" / "phases" / "discovery" / "fills.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == fills.columns
    assert [float(row["price"]) for row in rows] == fills["price"].to_list()
    stamps = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    assert [int(stamp.timestamp()) * 10**9 for stamp in stamps] == fills["timestamp"].to_list()
    assert stamps[0].tzinfo == UTC


def test_the_manifest_says_what_the_run_was_made_from(root: Path) -> None:
    manifest = json.loads((root / "first" / "manifest.json").read_text())
    assert manifest["data"]["fingerprint"] == admf_ray.load_bars("sp500").fingerprint()
    assert manifest["data"]["symbols"] == ["SPX"]
    assert manifest["packages"]["numba"]
    assert manifest["machine"]["cpu"]
    assert manifest["fingerprints"] == admf_ray.load_run(root / "first").fingerprints()


def test_progress_tells_phase_chunks_windows_and_summary(root: Path) -> None:
    lines = [json.loads(line) for line in (root / "first" / "progress.jsonl").read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds[0] == "PHASE"
    assert kinds[-1] == "WALK_FORWARD_SUMMARY"
    assert kinds.count("TRAIN_WINDOW") == kinds.count("TEST_WINDOW") == kinds.count("NEXT_WINDOW") == 16
    assert sum(line["sets"] for line in lines if line["kind"] == "CHUNK") == 4
    assert json.loads((root / "first" / "status.json").read_text())["state"] == "completed"


def test_every_best_configuration_reproduces_its_test_exactly(root: Path) -> None:
    run = admf_ray.load_run(root / "first")
    for window in list(run.windows.iter_rows(named=True))[::5]:
        name = f"w{window['window']:02d}"
        best = ["--config-dir", str(root / "first" / "best"), "--config-name", name]
        assert main([*best, f"run_root={root}", f"run_name=again-{name}"]) == 0
        again = admf_ray.load_run(root / f"again-{name}")
        assert {key: again.summary["metrics"][key] for key in ("sharpe", "final_equity", "trades")} == {
            key: window[f"test_{key}"] for key in ("sharpe", "final_equity", "trades")
        }
        own = run.fills.filter(pl.col("window") == window["window"]).drop("window")
        assert again.fills.drop("window").equals(own)


@pytest.mark.parametrize(
    ("dataset", "first"), [("train", "1999-01-04"), ("validation", "2011-01-03"), ("test", "2015-01-02")]
)
def test_a_best_configuration_runs_on_another_span(root: Path, dataset: str, first: str) -> None:
    best = ["--config-dir", str(root / "first" / "best"), "--config-name", "w03"]
    assert main([*best, f"run_root={root}", "windows=split", f"dataset={dataset}"]) == 0
    equity = admf_ray.load_run(root / "latest").equity
    assert str(np.datetime64(int(equity["time"][0]), "ns"))[:10] == first


def test_a_second_run_is_not_written_over_the_first(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, f"run_root={root}", "run_name=first"]) == 2
    assert "run_name: " in capsys.readouterr().err


def test_fingerprint_prints_and_refutes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, f"run_root={tmp_path}"]) == 0
    capsys.readouterr()
    command = ["+experiment=fingerprint", f"run={tmp_path / 'latest'}"]
    assert main(command) == 0
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert printed.items() >= admf_ray.load_run(tmp_path / "latest").fingerprints().items()
    path = tmp_path / "latest" / "phases" / "discovery" / "equity.parquet"
    frame = pl.read_parquet(path)
    frame.with_columns(pl.col("equity") * (1 + 1e-15)).write_parquet(path)
    assert main(command) == 1
    assert "no longer as the run left them: equity" in capsys.readouterr().err


def directory(root: Path, name: str | None = None) -> RunDirectory:
    return RunDirectory(root, name, {"experiment": "sweep"}, "experiment: sweep\n")


def test_a_failed_run_says_so(tmp_path: Path) -> None:
    run = directory(tmp_path)
    with pytest.raises(ZeroDivisionError), run:
        raise ZeroDivisionError("too much")
    status = json.loads((run.path / "status.json").read_text())
    assert (status["state"], status["error"]) == ("failed", "ZeroDivisionError: too much")
    with pytest.raises(ConfigError, match="holds no finished run"):
        admf_ray.load_run(run.path)


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    run = directory(tmp_path, "stopped")
    with pytest.raises(KeyboardInterrupt), run:
        raise KeyboardInterrupt
    assert json.loads((run.path / "status.json").read_text())["state"] == "interrupted"


def test_a_name_is_free_again_where_its_driver_was_killed_before_it_had_begun(tmp_path: Path) -> None:
    # As the directory is when the driver is killed: it says that it runs, and nobody does.
    killed = directory(tmp_path, "stopped")
    with killed:
        left = (killed.path / "status.json").read_text()
    (killed.path / "status.json").write_text(left)
    with directory(tmp_path, "stopped") as run:
        with pytest.raises(ConfigError, match=f"process {os.getpid()} works on"), directory(tmp_path, "stopped"):
            pass
        run.write_json("manifest.json", {})
    assert run.path == killed.path
    with pytest.raises(ConfigError, match="run_name: .* exists"), directory(tmp_path, "stopped"):
        pass


def test_runs_of_one_second_get_names_of_their_own(tmp_path: Path) -> None:
    names = set()
    for _ in range(3):
        with directory(tmp_path) as run:
            names.add(run.path)
    assert len(names) == 3


def test_status_keeps_the_newest_that_each_host_said_of_its_containers(tmp_path: Path) -> None:
    told = []
    with directory(tmp_path) as run:
        observe = run.observing(lambda kind, record: told.append(kind))
        for host, uses in (("a", 1), ("b", 1), ("a", 2)):
            observe("CONTAINERS", {"host": host, "containers": [{"id": f"{host}-1", "uses": uses}]})
        running = json.loads((run.path / "status.json").read_text())
    hosts = {"a": {"containers": [{"id": "a-1", "uses": 2}]}, "b": {"containers": [{"id": "b-1", "uses": 1}]}}
    assert (running["state"], running["hosts"]) == ("running", hosts)
    final = json.loads((run.path / "status.json").read_text())
    assert (final["state"], final["hosts"]) == ("completed", hosts)
    assert told == ["CONTAINERS"] * 3


def test_a_walk_forward_in_containers_says_which_of_them_ran_it(tmp_path: Path) -> None:
    windows = ["windows.train=8y", "windows.test=8y"]
    assert main([*SMALL, *windows, "engine=event_driven", "report=none", f"run_root={tmp_path}"]) == 0
    run = tmp_path / "latest"
    ((host, said),) = json.loads((run / "status.json").read_text())["hosts"].items()
    assert host == "driver"
    containers = [
        one
        for one in said["containers"]
        if one["pattern"] == "one strategy: feed > strategy > risk > execution > portfolio"
    ]
    assert containers
    for one in containers:
        assert set(one) == {"id", "pattern", "state", "uses", "events", "memory"}
    # 4 candidates over 1 span each, at least: others of this process may have used the same containers before.
    assert sum(one["uses"] for one in containers) >= 4
    records = [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]
    assert [one["containers"] for one in records if one["kind"] == "CONTAINERS"][-1] == said["containers"]
    held = json.loads((run / "containers.json").read_text())
    assert "strategy_runner" in held["components"]


def test_a_compiled_run_has_neither_containers_nor_hosts(root: Path) -> None:
    assert not (root / "first" / "containers.json").exists()
    assert "hosts" not in json.loads((root / "first" / "status.json").read_text())


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, lambda stream: stream.write(b"old"))

    def fail(stream) -> None:
        stream.write(b"new")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"


def test_a_best_configuration_of_own_data_runs_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = np.arange(np.datetime64("2001-01-01"), np.datetime64("2004-01-01"))
    closes = 100 + 10 * np.sin(np.arange(len(days)) / 20)
    rows = "".join(f"{day},{close},{close},{close},{close}\n" for day, close in zip(days, closes, strict=True))
    (tmp_path / "mine.csv").write_text("date,open,high,low,close\n" + rows)
    monkeypatch.chdir(tmp_path)
    spans = ["windows.train=1y", "windows.test=6mo"]
    assert main([*SMALL, "data=csv", "data.path=mine.csv", "data.periods_per_year=365", *spans, "run_name=own"]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    best = ["--config-dir", str(tmp_path / "runs" / "own" / "best"), "--config-name", "w01"]
    assert main([*best, "run_name=again"]) == 0
    window = admf_ray.load_run(tmp_path / "runs" / "own").windows.row(1, named=True)
    again = admf_ray.load_run(tmp_path / "runs" / "again")
    assert again.summary["metrics"]["final_equity"] == window["test_final_equity"]


def test_a_directory_named_latest_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "latest").mkdir()
    assert main(["+experiment=backtest", f"run_root={tmp_path}"]) == 2
    assert "is in the way of the link to the newest run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["latest"]


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["+experiment=backtest", f"run_root={tmp_path / 'file'}"]) == 2
    assert f"run_root: '{tmp_path / 'file'}' cannot be written: Not a directory" in capsys.readouterr().err
