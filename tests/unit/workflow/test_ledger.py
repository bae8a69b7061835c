"""The ledger: what was ever tried on which data, whoever stopped in between."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from admf_ray.core.bars import Bars
from admf_ray.errors import ConfigError
from admf_ray.workflow.ledger import Effort, Ledger, Warmth, tried_alone
from tests.series import DAY, daily_bars

CLOSE = 100.0 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, 0.01, 300)))
EFFORT = Effort("sma_cross", 10, 40)


@pytest.fixture
def bars() -> Bars:
    return daily_bars(CLOSE)


def entered(root: Path, run: str, bars: Bars, effort: Effort = EFFORT) -> Ledger:
    ledger = Ledger(root, run, "2026-01-01T00:00:00+00:00")
    ledger.begin("walkforward", bars, effort)
    return ledger


def counted(ledger: Ledger, bars: Bars, candidates: int = 0, trials: int = 0) -> tuple[int, int, int]:
    found = ledger.tried(bars, {"candidates": candidates, "trials": trials}, None)
    return found["runs"], found["candidates"], found["trials"]


def test_a_run_counts_what_it_set_out_to_try_until_it_has_ended(tmp_path: Path, bars: Bars) -> None:
    first = entered(tmp_path, "first", bars)
    second = entered(tmp_path, "second", bars)
    assert counted(second, bars, 7, 8) == (2, 10 + 7, 40 + 8)
    first.end({"candidates": 9, "trials": 35})
    assert counted(second, bars, 7, 8) == (2, 9 + 7, 35 + 8)
    found = second.tried(bars, {"candidates": 7, "trials": 8}, None)
    assert found["own"] == {"candidates": 7, "trials": 8}
    assert (found["warm"], found["openings"]) == (0, [])


def test_going_on_with_a_run_counts_it_once_and_another_one_of_its_name_twice(tmp_path: Path, bars: Bars) -> None:
    entered(tmp_path, "first", bars)
    entered(tmp_path, "first", bars)
    other = Ledger(tmp_path, "other", "2026-02-02T00:00:00+00:00")
    assert counted(other, bars) == (2, 10, 40)
    Ledger(tmp_path, "first", "2026-03-03T00:00:00+00:00").begin("sweep", bars, EFFORT)
    assert counted(other, bars) == (3, 20, 80)


@pytest.mark.parametrize("stop", [299, 256, 255, 200, 3])
def test_longer_and_shorter_series_are_the_same_data(tmp_path: Path, bars: Bars, stop: int) -> None:
    """300 bars are hashed up to 1, 2, 4, ... 256 and 300: shorter series meet them at the next one below."""
    entered(tmp_path, "long", bars)
    short = entered(tmp_path, "short", bars.head(stop))
    assert counted(short, bars.head(stop))[0] == 2
    assert counted(entered(tmp_path, "again", bars), bars)[0] == 3


def test_what_was_declared_of_prices_does_not_make_other_data(tmp_path: Path, bars: Bars) -> None:
    entered(tmp_path, "first", bars)
    other = replace(bars, min_history=17, periods_per_year=365.0, adjustment="splits")
    assert counted(entered(tmp_path, "second", other), other)[0] == 2


def test_other_prices_symbols_and_beginnings_are_other_data(tmp_path: Path, bars: Bars) -> None:
    entered(tmp_path, "first", bars)
    close = CLOSE.copy()
    close[100] *= 1.00001
    changed = daily_bars(close)
    renamed = daily_bars(CLOSE, symbol="Y")
    later = replace(bars, known_at=bars.known_at + DAY, covers_until=bars.covers_until + DAY)
    for name, other in (("changed", changed), ("renamed", renamed), ("later", later)):
        assert counted(entered(tmp_path, name, other), other) == (1, 0, 0), name


def test_trials_of_a_warm_start_count_unless_its_run_is_there(tmp_path: Path, bars: Bars) -> None:
    warm = Warmth("elsewhere", 5, 50)
    entered(tmp_path, "first", bars, replace(EFFORT, warm=warm))
    second = entered(tmp_path, "second", bars)
    assert counted(second, bars) == (3, 10 + 5, 40 + 50)
    entered(tmp_path, "elsewhere", bars)
    assert counted(second, bars) == (3, 20, 80)
    alone = tried_alone({"candidates": 1, "trials": 2}, warm)
    assert (alone["runs"], alone["candidates"], alone["trials"], alone["warm"]) == (2, 6, 52, 50)


def test_a_torn_last_line_is_cut_and_a_damaged_one_told_of(
    tmp_path: Path, bars: Bars, caplog: pytest.LogCaptureFixture
) -> None:
    entered(tmp_path, "first", bars)
    path = tmp_path / "ledger.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b"nonsense\n" + whole[: len(whole) // 2])
    second = entered(tmp_path, "second", bars)
    assert counted(second, bars)[0] == 2
    first, damaged, last = path.read_text().splitlines()
    assert (f"{first}\n".encode(), damaged, json.loads(last)["run"]) == (whole, "nonsense", "second")
    assert f"line 2 of '{path}' cannot be read" in caplog.text


def appended(root: Path, name: str, count: int, bars: Bars) -> None:
    for number in range(count):
        ledger = entered(root, f"{name}-{number}", bars, Effort("x" * 5_000, 2, 3))
        if name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        ledger.end({"candidates": 1, "trials": 1})


def test_processes_append_whole_lines_and_a_killed_one_has_looked(tmp_path: Path, bars: Bars) -> None:
    spawning = multiprocessing.get_context("spawn")
    parts = [("a", 20), ("b", 20), ("killed", 1)]
    processes = [spawning.Process(target=appended, args=(tmp_path, name, count, bars)) for name, count in parts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, -signal.SIGKILL]
    assert len([json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]) == 2 * 40 + 1
    # 40 that ended with a trial each, and the killed one with what it set out to try.
    after = entered(tmp_path, "after", bars)
    assert counted(after, bars) == (42, 40 + 2, 40 + 3)
    entered(tmp_path, "killed-0", bars).end({"candidates": 2, "trials": 2})
    assert counted(after, bars) == (42, 40 + 2, 40 + 2)


def test_a_holdout_opens_once(tmp_path: Path, bars: Bars) -> None:
    first, second = (Ledger(tmp_path, name, "then") for name in ("first", "second"))
    first.open_holdout(bars, (200, 250), EFFORT)
    first.open_holdout(bars, (200, 250), EFFORT)
    assert (tmp_path / "ledger.jsonl").read_text().count("OPENED") == 1
    longer = daily_bars([*CLOSE, 100.0])
    for data, span in ((bars, (249, 300)), (bars, (100, 201)), (longer, (240, 301))):
        with pytest.raises(ConfigError, match=r"run 'first' opened the bars from 1970-07-21 to 1970-09-08 at 20"):
            second.refuse_opened(data, span)
    second.open_holdout(bars, (250, 300), EFFORT)
    openings = second.tried(bars, {"candidates": 1, "trials": 1}, None)["openings"]
    assert [(one["run"], one["first"], one["last"]) for one in openings] == [
        ("first", 201 * DAY, 250 * DAY),
        ("second", 251 * DAY, 300 * DAY),
    ]
    second.refuse_opened(daily_bars(CLOSE, symbol="Y"), (200, 300))


def test_runs_that_saw_a_moment_are_its_witnesses(tmp_path: Path, bars: Bars) -> None:
    entered(tmp_path, "before", bars.head(200))
    entered(tmp_path, "after", bars)
    own = entered(tmp_path, "own", bars)
    assert own.witnesses(bars, int(bars.known_at[200])) == ["after"]
    assert own.witnesses(bars, int(bars.known_at[199])) == ["before", "after"]
