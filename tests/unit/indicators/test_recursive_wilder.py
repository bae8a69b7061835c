import math

import numpy as np
import pytest
import talib

from tests.series import daily_bars
from tests.unit.indicators.test_recursive import computed

NAN = math.nan


def test_atr_by_hand() -> None:
    bars = daily_bars([9.0, 10.0, 14.0, NAN, 11.0], high=[10.0, 11.0, 15.0, NAN, 13.0], low=[8.0, 9.0, 12.0, NAN, 10.0])
    # ranges from the second bar on: 11-9 = 2; 15-10 = 5 from the last close; after the gap 14-10 = 4
    # (2 + 5)/2 = 3.5, (3.5 x 1 + 4)/2 = 3.75
    np.testing.assert_array_equal(computed("atr(high,low,close,2)", bars), [NAN, NAN, 3.5, NAN, 3.75])


def test_adx_by_hand() -> None:
    bars = daily_bars([9.0, 11.0, 7.0, 13.0, 8.0], high=[10.0, 12.0, 11.0, 14.0, 13.0], low=[8.0, 9.0, 6.0, 8.0, 7.0])
    # moves: up 2, down 3, up 3, down 1; ranges: 3, 5, 7, 6
    # sums of 2, from the third bar on: ups 2-1+0 = 1, 0.5+3 = 3.5, 1.75; downs 0+3 = 3, 1.5, 0.75+1 = 1.75
    # ranges 3-1.5+5 = 6.5, 3.25+7 = 10.25, 5.125+6 = 11.125
    # index: 100 x 2/4 = 50, 100 x 2/5 = 40, 0; average (50+40)/2 = 45, (45 x 1 + 0)/2 = 22.5
    plus, minus = np.array([1.0, 3.5, 1.75]), np.array([3.0, 1.5, 1.75])
    extents = np.array([6.5, 10.25, 11.125])
    text = "adx(high,low,close,2)"
    np.testing.assert_allclose(computed(f"{text}.plus_di", bars), [NAN, NAN, *(100 * plus / extents)], rtol=1e-14)
    np.testing.assert_allclose(computed(f"{text}.minus_di", bars), [NAN, NAN, *(100 * minus / extents)], rtol=1e-14)
    np.testing.assert_allclose(computed(f"{text}.adx", bars), [NAN, NAN, NAN, 45.0, 22.5], rtol=1e-14)


def test_prices_that_never_moved_have_no_range_and_no_direction() -> None:
    still = daily_bars(np.full(50, 7.0))
    assert (computed("atr(high,low,close,5)", still)[5:] == 0.0).all()
    for output, first in (("adx", 9), ("plus_di", 5), ("minus_di", 5)):
        assert (computed(f"adx(high,low,close,5).{output}", still)[first:] == 0.0).all()


def test_the_average_index_stays_where_no_bar_moves_either_way() -> None:
    """Inside bars from the start: each lies within the one before, so neither sum of moves is ever above 0."""
    width = np.linspace(5, 1, 40)
    inside = daily_bars(np.full(40, 10.0), high=10 + width, low=10 - width)
    assert (computed("adx(high,low,close,5)", inside)[9:] == 0.0).all()
    assert (computed("atr(high,low,close,5)", inside)[5:] > 0.0).all()


@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e6])
def test_the_average_index_outlives_its_moves(sp500, factor: float) -> None:
    """Halved at every still bar, the sums would after 1,100 of them stand at the smallest number there is."""
    rows = {name: np.append(getattr(sp500, name)[0][:50], np.full(1_300, 1_250.0)) for name in ("high", "low", "close")}
    still = daily_bars(**{name: values * factor for name, values in rows.items()})
    adx, plus, minus = (computed(f"adx(high,low,close,2).{name}", still) for name in ("adx", "plus_di", "minus_di"))
    # One sum is 0.5^n of what it was: below 1e-14 of the price from about the 45th still bar on.
    assert (plus[60:80] + minus[60:80] > 0.0).all()
    assert (plus[100:] == 0.0).all()
    assert (minus[100:] == 0.0).all()
    assert (adx[100:] == adx[100]).all()
    assert adx[100] > 0.0


@pytest.mark.parametrize("period", [1, 2, 14, 200])
def test_atr_agrees_with_ta_lib(sp500, period: int) -> None:
    high, low, close = (getattr(sp500, name)[0] for name in ("high", "low", "close"))
    oracle = talib.ATR(high, low, close, period)
    np.testing.assert_allclose(computed(f"atr(high,low,close,{period})", sp500), oracle, rtol=1e-9)


@pytest.mark.parametrize(("output", "name"), [("adx", "ADX"), ("plus_di", "PLUS_DI"), ("minus_di", "MINUS_DI")])
@pytest.mark.parametrize("period", [2, 14, 200])
def test_adx_agrees_with_ta_lib(sp500, output: str, name: str, period: int) -> None:
    high, low, close = (getattr(sp500, field)[0] for field in ("high", "low", "close"))
    oracle = getattr(talib, name)(high, low, close, period)
    values = computed(f"adx(high,low,close,{period}).{output}", sp500)
    np.testing.assert_allclose(values, oracle, rtol=1e-9, atol=1e-7)
