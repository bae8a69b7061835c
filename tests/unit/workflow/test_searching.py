"""Searching windows again with what an earlier attempt left: only the rest is computed, and the result is the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import admf_ray
from admf_ray import Bars
from admf_ray.cluster import SerialExecutor
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import Candidates, Choice, Search, expand_grid, plan_search, recorded_metrics
from admf_ray.plugins import activate, find_plugins
from admf_ray.strategies import STRATEGIES
from admf_ray.workflow.searching import Searched, search_windows
from tests import late
from tests.series import daily_bars

CROSS = STRATEGIES["sma_cross"]
CHOICE = Choice("sharpe", 1)
SPANS = [(0, 300), (100, 400)]


@pytest.fixture(scope="module")
def search() -> Search:
    bars = daily_bars(100.0 * np.exp(np.cumsum(np.random.default_rng(7).normal(0.0, 0.01, 500))))
    axes = {"fast": list(range(2, 30)), "slow": list(range(30, 60))}
    candidates: Candidates = expand_grid(CROSS, {}, axes)
    return plan_search(bars, CROSS, candidates, AccountRules())


def searched(search: Search, folder: Path, choice: Choice = CHOICE) -> tuple[Searched, list[str], int]:
    """Search, and give the kinds of records with the number of sets that were computed."""
    kinds: list[str] = []
    computed = [0]

    def observe(kind: str, record: Any) -> None:
        kinds.append(kind)
        computed[0] += record["sets"] if kind == "CHUNK" else 0

    with SerialExecutor(0.001) as executor:
        recorded = recorded_metrics("all", choice)
        found = search_windows(search, SPANS, choice, recorded, executor, observe, folder)
    return found, kinds, computed[0]


def test_chunks_that_are_there_are_not_computed_again(search: Search, tmp_path: Path) -> None:
    whole, kinds, computed = searched(search, tmp_path / "whole")
    assert computed == len(search.candidates) == 840
    assert "KEPT" not in kinds
    expected = pa.concat_tables(whole.trials(0))

    first, _, _ = searched(search, tmp_path / "again")
    del first
    files = sorted((tmp_path / "again").glob("*.parquet"))
    assert len(files) > 4
    # The first, two in the middle, and one whose best were written and itself not.
    for lost in (files[0], files[2], files[3], files[-1]):
        lost.unlink()
    again, kinds, computed = searched(search, tmp_path / "again")
    assert "KEPT" in kinds
    assert 0 < computed < 840
    assert pa.concat_tables(again.trials(0)).equals(expected)
    for one, other in zip(again.leaders, whole.leaders, strict=True):
        np.testing.assert_array_equal(one.candidates, other.candidates)
        np.testing.assert_array_equal(one.metrics, other.metrics)


def test_where_everything_is_there_nothing_is_computed(search: Search, tmp_path: Path) -> None:
    searched(search, tmp_path)
    again, _, computed = searched(search, tmp_path)
    assert computed == 0
    assert len(again.timings) == 0
    assert len(pa.concat_tables(again.trials(0))) == 840 * len(SPANS)


@pytest.mark.parametrize("rule", ["plateau", "worst_block"])
def test_whoever_goes_on_with_a_search_selects_the_same(search: Search, tmp_path: Path, rule: str) -> None:
    choice = Choice("total_return", 1, selection=rule)
    whole, _, _ = searched(search, tmp_path, choice)
    rows = pa.concat_tables(whole.trials(0))
    for lost in sorted(tmp_path.glob("*.parquet"))[1::2]:
        lost.unlink()
    again, kinds, _ = searched(search, tmp_path, choice)
    assert "KEPT" in kinds
    assert again.chosen == whole.chosen
    assert None not in whole.chosen
    assert pa.concat_tables(again.trials(0)).equals(rows)
    assert ("worst_block" in rows.column_names) == (rule == "worst_block")


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[str]:
    yield late.written(tmp_path)
    activate(())


@pytest.mark.parametrize("engine", ["compiled", "event_driven"])
@pytest.mark.parametrize("rule", ["best", "worst_block"])
def test_a_candidate_fails_in_the_windows_in_which_it_raises_and_in_no_earlier_one(
    sp500: Bars, plugin: str, engine: str, rule: str
) -> None:
    given: dict[str, Any] = {
        "windows": {"train": "200b", "test": "50b", "align": "none"},
        "engine": {"kind": engine},
        "search": {"selection": rule, "blocks": 2},
        "plugins": [plugin],
    }
    bars = sp500.head(400)
    found = admf_ray.walk_forward(bars, "late", {"lag": [3, 5], "fails": [320, 10_000]}, **given)
    without = admf_ray.walk_forward(bars, "late", {"lag": [3, 5]}, **given)
    # Bar 320 is in the train span of the last of four windows only: 150 to 350; and in the test of the third.
    status = pl.col("status").cast(pl.String)
    assert found.trials.filter(status == "failed").select("window", "candidate").rows() == [(3, 0), (3, 2)]
    trained = found.failures.filter(~pl.col("message").str.starts_with("in the test of"))
    assert trained.select("candidate", "window", "error").rows() == [(0, 3, "ValueError"), (2, 3, "ValueError")]
    # Candidates 0 and 1 are the same, and so are 2 and 3, up to where one of them raises.
    for window in range(3):
        rows = found.trials.filter(window=window).drop("candidate")
        expected = without.trials.filter(window=window).drop("candidate")
        assert rows[::2].equals(expected)
        assert rows[1::2].equals(expected)
    assert (
        found.trials.filter((pl.col("window") == 3) & (status != "failed"))
        .drop("candidate")
        .equals(without.trials.filter(window=3).drop("candidate"))
    )


def test_whoever_goes_on_tries_again_what_failed_in_some_windows(search: Search, plugin: str, tmp_path: Path) -> None:
    activate(find_plugins([plugin]))
    candidates = expand_grid(STRATEGIES["late"], {}, {"lag": [3.0, 5.0, 9.0], "fails": [350.0, 10_000.0]})
    planned = plan_search(search.bars, STRATEGIES["late"], candidates, AccountRules())
    whole, _, computed = searched(planned, tmp_path / "chunks")
    assert computed == 6
    rows = pl.DataFrame(pa.concat_tables(whole.trials(0)))
    again, kinds, computed = searched(planned, tmp_path / "chunks")
    assert computed == kinds.count("FAILURE") == 3
    assert pl.DataFrame(pa.concat_tables(again.trials(0))).equals(rows)
    assert again.chosen == whole.chosen

    def plain(found: Searched) -> list[Any]:
        return sorted((one.candidate, one.window, one.fault.message) for one in found.failures)

    assert plain(again) == plain(whole) == [(0, 1, "too late"), (2, 1, "too late"), (4, 1, "too late")]
