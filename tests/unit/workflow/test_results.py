import numpy as np
import pytest

import admf_ray
from admf_ray.errors import ConfigError
from admf_ray.launch import main


def test_a_backtest_is_a_result_object_without_any_file(sp500, elsewhere) -> None:
    found = admf_ray.backtest(sp500, "sma_cross", {"fast": 10, "slow": 50}, span={"start": "2010-01-01"})
    assert found.directory is None
    assert found.equity.height == found.equity["time"].n_unique() == 2_264
    assert found.summary["metrics"]["trades"] == found.trades.height
    assert list(elsewhere.iterdir()) == []
    with pytest.raises(AttributeError, match="this run has no table 'windows'; it has: candidates, equity"):
        _ = found.windows


def test_a_sweep_lists_every_candidate_and_the_best(sp500) -> None:
    found = admf_ray.sweep(sp500, "price_sma", {"period": {"low": 50, "high": 250, "step": 50}})
    assert found.trials.height == 5
    best = found.trials.sort("sharpe", descending=True).row(0, named=True)
    assert found.summary["best"]["candidate"] == best["candidate"]
    assert found.summary["best"]["metrics"]["sharpe"] == best["sharpe"]


def test_results_survive_the_run_directory(sp500, tmp_path) -> None:
    found = admf_ray.walk_forward(sp500, "price_sma", {"period": [50, 200]}, run_root=str(tmp_path))
    loaded = admf_ray.load_run(tmp_path / "latest")
    assert loaded.fingerprints() == found.fingerprints()
    assert loaded.directory == found.directory
    assert loaded.windows.equals(found.windows)


def test_bars_of_a_python_caller_are_not_taken_for_a_source(sp500, tmp_path, capsys) -> None:
    run = admf_ray.walk_forward(admf_ray.load_bars("nasdaq"), "price_sma", {"period": [50]}, run_root=str(tmp_path))
    best = ["--config-dir", str(run.directory / "best"), "--config-name", "w00", f"run_root={tmp_path}"]
    assert main(best) == 2
    assert "data.source: these bars were handed over in Python" in capsys.readouterr().err
    assert main([*best, "data.source=nasdaq"]) == 0
    again = admf_ray.load_run(tmp_path / "latest").summary["metrics"]
    assert again["final_equity"] == run.windows["test_final_equity"][0]
    with pytest.raises(ConfigError, match="data: the bars are handed over"):
        admf_ray.backtest(sp500, "price_sma", data={"source": "nasdaq"})


def test_axes_may_be_arrays_and_ranges_and_nothing_else(sp500) -> None:
    arrays = admf_ray.sweep(sp500, "sma_cross", {"fast": np.array([5, 10]), "slow": range(20, 40, 10)})
    assert arrays.candidates.height == 4
    with pytest.raises(ConfigError, match=r"strategy.space.fast: 'x' is not allowed"):
        admf_ray.sweep(sp500, "sma_cross", {"fast": "x"})


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("phases/discovery/equity.parquet", b"PAR1"),
        ("phases/discovery/trials.parquet", b"PAR1"),
        ("summary.json", b"{"),
        ("manifest.json", None),
    ],
)
def test_a_damaged_run_is_refuted_by_the_file(sp500, tmp_path, capsys, file: str, damage: bytes | None) -> None:
    run = admf_ray.walk_forward(sp500, "price_sma", {"period": [50]}, run_root=str(tmp_path))
    path = run.directory / file
    path.unlink() if damage is None else path.write_bytes(damage)
    assert main(["+experiment=fingerprint", f"run={run.directory}"]) == 1
    assert f"error: '{path}' cannot be read" in capsys.readouterr().err


def test_a_test_that_never_traded_counts_as_nothing_survived(sp500) -> None:
    found = admf_ray.walk_forward(
        sp500, "price_threshold", {"threshold": [1_100, 1_300, 1_500]}, windows={"train": "1y", "test": "6mo"}
    )
    chosen = found.windows.filter(found.windows["train_sharpe"].is_finite())
    flat = chosen["test_sharpe"].is_nan().sum()
    assert flat > 0
    ratio = chosen["test_sharpe"].fill_nan(0.0).mean() / chosen["train_sharpe"].mean()
    assert found.summary["sharpe_survived"] == pytest.approx(ratio)


def test_the_observer_is_told_what_happens(sp500) -> None:
    records = []
    admf_ray.walk_forward(
        sp500, "price_sma", {"period": [50, 200]}, observer=lambda kind, record: records.append((kind, dict(record)))
    )
    assert records[0] == ("PHASE", {"phase": "discovery", "sets": 2, "spans": 16, "workers": 1})
    assert sum(record["sets"] for kind, record in records if kind == "CHUNK") == 2


def test_a_split_trains_on_train_and_tests_on_the_data_set_that_is_asked_for(sp500) -> None:
    split = {"kind": "split", "validation": "2011-01-01", "test": "2015-01-01"}
    for dataset, year in (("validation", 2011), ("test", 2015)):
        found = admf_ray.walk_forward(sp500, "price_sma", {"period": [50, 200]}, windows=split, dataset=dataset)
        assert found.windows.height == 1
        assert found.equity["time"][0] // 10**9 // 31_556_952 + 1970 == year
