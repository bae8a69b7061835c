"""Which regime held when, and what members had a share in: worked by hand on tables of a few rows."""

import numpy as np
import polars as pl
import pytest

from admf_ray.workflow import RunResult
from admf_ray.workflow.attribution import member_shares, regime_bands
from admf_ray.workflow.stored import Tables


def result(summary: dict | None = None, **tables: pl.DataFrame) -> RunResult:
    return RunResult(summary or {}, Tables(tables, {}))


def equity(*windows: tuple[int, list[int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"time": time, "window": window, "equity": 1.0} for window, times in windows for time in times]
    )


def switches(*rows: tuple[int, int, str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["time", "window", "classifier", "before", "after"], orient="row")


def test_regimes_last_until_the_next_change() -> None:
    changes = switches((12, 0, "trend", "unknown", "up"), (14, 0, "trend", "up", "down"))
    (band,) = regime_bands(result(equity=equity((0, [10, 11, 12, 13, 14, 15])), switches=changes))
    assert band.edges.tolist() == [10, 12, 14, 15]
    assert band.labels == ("unknown", "up", "down")
    assert (band.book, band.classifier, band.changes) == (None, "trend", 2)


def test_a_regime_known_at_the_first_bar_has_no_unknown_before_it() -> None:
    changes = switches((10, 0, "trend", "unknown", "up"))
    (band,) = regime_bands(result(equity=equity((0, [10, 11, 12])), switches=changes))
    assert (band.edges.tolist(), band.labels) == ([10, 12], ("up",))


def test_windows_begin_anew_and_those_in_cash_have_no_regime() -> None:
    changes = switches((10, 0, "trend", "unknown", "up"), (31, 2, "trend", "unknown", "down"))
    windows = pl.DataFrame({"window": [0, 1, 2], "candidate": [4, None, 4]})
    tables = {"equity": equity((0, [10, 11]), (1, [20, 21]), (2, [30, 31, 32])), "windows": windows}
    (band,) = regime_bands(result(switches=changes, **tables))
    shown = list(zip(band.edges.tolist(), [*band.labels, "end"], strict=True))
    assert shown == [(10, "up"), (11, None), (20, None), (21, None), (30, "unknown"), (31, "down"), (32, "end")]


def test_each_book_and_classifier_has_a_band() -> None:
    both = pl.concat([equity((0, [10, 11])).with_columns(book=pl.lit(book)) for book in ("a", "b")])
    changes = pl.concat(
        [
            switches((10, 0, "slow", "unknown", "up"), (11, 0, "fast", "unknown", "up")).with_columns(book=pl.lit("a")),
            switches((11, 0, "slow", "unknown", "down")).with_columns(book=pl.lit("b")),
        ]
    )
    bands = regime_bands(result(equity=both, switches=changes, books=pl.DataFrame({"book": ["a", "b"]})))
    assert [(band.book, band.classifier) for band in bands] == [("a", "slow"), ("a", "fast"), ("b", "slow")]
    assert bands[2].labels == ("unknown",)


def test_without_a_classifier_there_is_no_band() -> None:
    assert regime_bands(result(equity=equity((0, [10, 11])))) == []


def composition(ensemble: str | None, *members: str) -> dict:
    return {"ensemble": ensemble, "members": [{"name": name} for name in members], "classifiers": []}


def test_members_get_their_share_of_each_trade() -> None:
    trades = pl.DataFrame(
        {
            "strategies": ["trend", "trend+dip", "trend+dip"],
            "strengths": ["0.5", "0.3+0.1", "0.25+-0.75"],
            "net": [100.0, 40.0, -8.0],
        }
    )
    shares = member_shares(result({"composition": composition("weighted", "trend", "dip", "idle")}, trades=trades))
    assert shares.select("member", "trades").rows() == [("trend", 3), ("dip", 2), ("idle", 0)]
    # trend: 100 + 40 x 0.3 / 0.4 - 8 x 0.25 / 1; dip: 40 x 0.1 / 0.4 - 8 x 0.75 / 1.
    assert shares["net"].to_list() == pytest.approx([100 + 30 - 2, 10 - 6, 0])
    assert shares["net"].sum() == pytest.approx(trades["net"].sum())


def test_a_strategy_without_an_ensemble_is_no_member() -> None:
    trades = pl.DataFrame({"strategies": ["trend"], "strengths": ["1"], "net": [100.0]})
    assert len(member_shares(result({"composition": composition(None, "trend")}, trades=trades))) == 0


def test_members_of_books_are_told_apart() -> None:
    trades = pl.DataFrame({"strategies": ["x", "x"], "strengths": ["1", "1"], "net": [5.0, 7.0], "book": ["a", "b"]})
    books = [
        {"book": "a", "composition": composition("vote", "x", "y")},
        {"book": "b", "composition": composition(None, "x")},
    ]
    shares = member_shares(result({"books": books}, trades=trades, books=pl.DataFrame({"book": ["a", "b"]})))
    assert shares.rows() == [("a", "x", 1, 5.0), ("a", "y", 0, 0.0)]


def test_edges_of_bands_ascend() -> None:
    times = np.arange(100)
    changes = switches(*((int(time), 0, "c", "", str(time % 3)) for time in times[5::7]))
    (band,) = regime_bands(result(equity=equity((0, times.tolist())), switches=changes))
    assert (np.diff(band.edges) > 0).all()
    assert len(band.labels) == len(band.edges) - 1
