import pytest

import admf_ray


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
