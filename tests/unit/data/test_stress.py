import math

import numpy as np
import pytest

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.data import check_stress, stress_of
from admf_ray.data.stress import stress_by_year
from tests.series import daily_bars


def test_a_fall_of_a_fifth_within_a_year_is_stress() -> None:
    # 15 bars are too few for a volatility: only the fall below the highest close counts. A year has 252 bars.
    bars = daily_bars([100.0] * 5 + [81.0] * 3 + [79.0] * 4 + [90.0] * 3)
    before, near, fallen, whole = stress_of(bars, [(0, 5), (5, 8), (8, 12), (0, 15)])
    assert (before.share, near.share, fallen.share) == (0.0, 0.0, 1.0)
    assert whole.share == 4 / 15
    assert whole.worst_drawdown == pytest.approx(-0.21)
    assert fallen.worst_drawdown == 0.0
    assert math.isnan(whole.volatility_decile)
    # After a year below it the old high is forgotten.
    long = daily_bars([100.0, *[79.0] * 400])
    assert stress_of(long, [(1, 252), (252, 401)])[0].share == 1.0


def test_volatility_is_ranked_by_deciles_of_the_series() -> None:
    rng = np.random.default_rng(3)
    sigma = np.repeat([0.005, 0.03, 0.005], [900, 100, 1_000])
    close = 100 * np.exp(np.cumsum(sigma * rng.standard_normal(2_000) - sigma**2 / 2))
    calm, wild = stress_of(daily_bars(close), [(100, 800), (925, 1_000)])
    assert wild.volatility_decile == 10.0
    assert wild.share == 1.0
    assert calm.volatility_decile < 6.5
    returns = close[1:] / close[:-1] - 1
    by_hand = np.array([returns[t - 21 : t].std(ddof=1) for t in range(21, 2_000)])
    edges = np.quantile(np.append(np.full(21, by_hand[0]), by_hand), np.arange(1, 10) / 10)
    assert calm.volatility_decile == pytest.approx(np.mean(np.searchsorted(edges, by_hand[79:779]) + 1))


def test_spans_that_lack_one_of_the_two_are_named(sp500) -> None:
    assert check_stress(sp500, [("all", 0, 5_031)]) is None
    message = check_stress(sp500, [("calm", 4_529, 4_780), ("all", 0, 5_031)])
    assert message == (
        "windows.require_stress: spans whose share of bars in stress is not between 5% and 95%: calm (0%)"
    )


def test_years_add_up_to_the_series(sp500) -> None:
    years = stress_by_year(sp500)
    assert [year for year, _, _ in years] == list(range(1999, 2019))
    assert sum(bars for _, bars, _ in years) == 5_031
    worst = {year: one.worst_drawdown for year, _, one in years}
    # The index fell from 1,447.16 on 2008-01-02 to 752.44 on 2008-11-20.
    assert worst[2008] == pytest.approx(752.440002 / 1447.160034 - 1)


def test_symbols_are_averaged_and_spans_without_prices_are_unknown() -> None:
    one = daily_bars([100.0, 50.0, 50.0, 50.0])
    close = np.array([[100.0, 50.0, 50.0, 50.0], [np.nan, np.nan, 10.0, 10.0]])
    fields = {name: getattr(one, name) for name in Bars.__dataclass_fields__} | dict.fromkeys(FIELDS, close)
    panel = Bars(**{**fields, "symbols": ("A", "B")})
    first, last = stress_of(panel, [(0, 2), (2, 4)])
    assert (first.share, first.worst_drawdown) == (0.5, -0.5)
    assert last.share == 0.5
    assert math.isnan(stress_of(panel, [(0, 0)])[0].share)
