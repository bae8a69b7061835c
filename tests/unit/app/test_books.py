"""Books of one backtest: their names, and what each leaves in the run directory."""

import json
from pathlib import Path

import pytest

import admf_ray
from admf_ray.errors import ConfigError

LIMITED = {"risk": {"limits": {"symbol": {"max_position": 0.5}}}}


@pytest.mark.parametrize("name", ["../above", "a.b", "a b", ""])
def test_a_name_that_is_no_directory_is_refused(sp500, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name; allowed: up to 100 letters, digits, - _"):
        admf_ray.backtest(sp500, "sma_cross", books={name: {}})


def test_one_book_under_a_name_of_its_own_is_the_backtest_itself(sp500) -> None:
    found = admf_ray.backtest(sp500, "sma_cross", books={"only": {}})
    assert found.summary["books"][0]["metrics"] == admf_ray.backtest(sp500, "sma_cross").summary["metrics"]


def test_the_run_directory_says_what_each_book_is(sp500, tmp_path: Path) -> None:
    books = {"free": {}, "limited": LIMITED}
    admf_ray.backtest(sp500, "sma_cross", books=books, run_root=tmp_path, run_name="two", report={"page": False})
    summary = json.loads((tmp_path / "two/summary.json").read_text())
    assert summary["options"] == books
    for book in summary["books"]:
        assert json.loads((tmp_path / f"two/containers/{book['book']}/metrics.json").read_text()) == book["metrics"]
        (member,) = book["composition"]["members"]
        assert (member["strategy"], member["trades_in"]) == ("sma_cross", {})
    held = json.loads((tmp_path / "two/containers.json").read_text())
    assert [child["container_id"] for child in held["children"]] == ["backtest.free", "backtest.limited"]


def test_tables_are_given_for_each_account(sp500) -> None:
    books = admf_ray.backtest(sp500, "sma_cross", books={"free": {}, "limited": LIMITED})
    accounts = books.accounts("equity", "trades")
    assert [*accounts] == ["free", "limited"]
    for book, tables in accounts.items():
        assert set(tables["equity"]["book"]) == {book}
    assert sum(len(tables["trades"]) for tables in accounts.values()) == len(books.trades)
    alone = admf_ray.backtest(sp500, "sma_cross")
    assert alone.accounts("equity")[None]["equity"].equals(alone.equity)
    assert alone.accounts("equity", "switches") == {}
