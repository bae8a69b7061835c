"""What a combinatorial purged cross-validation shows: on its page and on the console."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import admf_ray
from admf_ray.launch import main
from admf_ray.report import print_combinatorial
from admf_ray.workflow import RunResult
from tests.unit.report.browser import needs_chromium, opened
from tests.unit.report.test_console import printed

CHARTS = ("equity", "path_sharpe", "splits", "decay", "stability")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    root = tmp_path_factory.mktemp("pages")
    space = ["strategy.space.fast=[5,20]", "strategy.space.slow=[50,100]"]
    options = [*space, "windows=cpcv", "windows.gap=20b", "cluster=serial", f"run_root={root}", "run_name=crossed"]
    assert main(["+experiment=walkforward", *options]) == 0
    return admf_ray.load_run(root / "crossed")


@pytest.fixture(scope="module")
def drawn(run: RunResult) -> dict:
    assert run.directory is not None
    text = (run.directory / "report.html").read_text()
    return json.loads(re.search(r'<script type="application/json" id="payload">(.*?)</script>', text)[1])


def test_the_fan_has_every_path_and_buy_and_hold(run: RunResult, drawn: dict) -> None:
    lines = {trace["name"]: trace for trace in drawn["charts"]["equity"]["data"]}
    assert set(lines) == {*(f"path {number}" for number in range(5)), "paths", "buy and hold"}
    for number in range(5):
        last = run.equity.filter(run.equity["path"] == number)["equity"][-1]
        assert lines[f"path {number}"]["y"][-1] == pytest.approx(last, rel=1e-6)
    assert len(lines["path 0"]["y"]) == len(drawn["series"]["time"])


def test_the_strip_has_the_sharpe_of_every_path(run: RunResult, drawn: dict) -> None:
    (strip, held) = drawn["charts"]["path_sharpe"]["data"]
    assert strip["x"] == pytest.approx(run.paths["sharpe"].to_list(), rel=1e-6)
    assert held["x"][0] == pytest.approx(run.summary["benchmark"]["sharpe"], rel=1e-6)


def test_the_picture_of_the_splits_is_that_of_the_pieces(run: RunResult, drawn: dict) -> None:
    picture = drawn["charts"]["splits"]["data"][0]
    assert picture["y"][1] == "1: 0, 2"
    assert len(picture["y"]) == 15
    # Groups 0 and 2 are tested: embargo after each, train, purged before the second.
    said = [picture["text"][1][place] for place in np.flatnonzero(np.diff(picture["z"][1], prepend=-1))]
    assert said == ["test", "embargo", "train", "purged", "test", "embargo", "train"]
    # Split 0 tests groups 0 and 1 without a break, and the last one the last two to the end.
    assert list(dict.fromkeys(picture["text"][0])) == ["test", "embargo", "train"]
    assert list(dict.fromkeys(picture["text"][14])) == ["train", "purged", "test"]


def test_the_train_surface_is_of_splits(drawn: dict) -> None:
    pair = drawn["series"]["surface"]["pairs"][0]
    assert len(pair["values"]) == len(pair["winners"]) == 15


@pytest.mark.slow
@needs_chromium
def test_a_browser_draws_all_of_it(run: RunResult, tmp_path: Path) -> None:
    with opened(run.directory / "report.html") as page:
        for name in CHARTS:
            assert page.locator(f'[data-chart="{name}"] .main-svg').count() > 0, name


def test_the_console_shows_every_path_and_how_they_spread(run: RunResult) -> None:
    text = " ".join(printed(print_combinatorial, run).split())
    assert "15 splits of 6 groups, 2 held out in each; gap 20b, embargo 198b" in text
    for row in run.paths.iter_rows(named=True):
        assert f"{row['total_return']:+.1%}" in text
    spread = run.summary["paths"]["sharpe"]
    assert f"mean {spread['mean']:.2f} (the declared result), median {spread['median']:.2f}" in text
    assert f"{spread['above_benchmark']:.0%} of them" in text
    assert "certified: 30/30 winners" in text


def test_a_narrow_console_loses_no_figure(run: RunResult) -> None:
    text = printed(print_combinatorial, run, width=80)
    assert "…" not in text
    for row in run.paths.iter_rows(named=True):
        assert f"{row['total_return']:+.1%}" in text
