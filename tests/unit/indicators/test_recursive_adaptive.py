import math

import numpy as np
import pandas as pd
import pytest
import talib

from admf_ray.indicators import INDICATORS
from tests.series import indicate
from tests.unit.indicators.test_recursive import computed

NAN = math.nan


def plain_kama(close: np.ndarray, period: int, fast: int, slow: int) -> np.ndarray:
    """From the definition, every window summed for itself."""
    values = np.full(len(close), NAN)
    average = close[period - 1]
    for t in range(period, len(close)):
        window = close[t - period : t + 1]
        travelled = np.abs(np.diff(window)).sum()
        efficiency = min(abs(window[-1] - window[0]) / travelled, 1.0) if travelled else 1.0
        average += (efficiency * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1)) ** 2 * (close[t] - average)
        values[t] = average
    return values


def plain_vidya(close: np.ndarray, period: int, cmo_period: int) -> np.ndarray:
    """From the definition, every window summed for itself."""
    values = np.full(len(close), NAN)
    average = close[cmo_period - 1]
    for t in range(cmo_period, len(close)):
        changes = np.diff(close[t - cmo_period : t + 1])
        moved = np.abs(changes).sum()
        momentum = abs(changes.sum()) / moved if moved else 0.0
        average += 2 / (period + 1) * momentum * (close[t] - average)
        values[t] = average
    return values


def test_kama_by_hand() -> None:
    values = np.array([10.0, 12.0, NAN, 11.0, 14.0])
    # fast 1 and slow 3: weights 1 and 1/2. Changes +2, -1: efficiency 1/3, weight (1/6 + 1/2)^2 = 4/9, from 12 on:
    # 12 - 4/9 = 104/9. Changes -1, +3: efficiency 2/4, weight (1/4 + 1/2)^2 = 9/16: 104/9 + 9/16 x 22/9
    np.testing.assert_allclose(
        indicate("kama", values, 2, 1, 3), [NAN, NAN, NAN, 104 / 9, 104 / 9 + 22 / 16], rtol=1e-14
    )


def test_vidya_by_hand() -> None:
    values = np.array([10.0, 12.0, NAN, 11.0, 14.0])
    # weight 2/4. Rises 2, falls 1: momentum 1/3, 12 - 1/6 = 71/6. Falls 1, rises 3: momentum 1/2, 71/6 + (14 - 71/6)/4
    np.testing.assert_allclose(indicate("vidya", values, 3, 2), [NAN, NAN, NAN, 71 / 6, 71 / 6 + 13 / 24], rtol=1e-14)


def test_where_nothing_moves_kama_is_at_its_fastest_and_vidya_stands() -> None:
    values = np.array([10.0, 10.0, 16.0, 16.0, 16.0, 16.0])
    # After the rise both go by efficiency and momentum 1, weights (2/3)^2 and 2/3: 10 + 6 x 4/9 and 14. Then changes
    # +6, 0: the same weights. From the third 16 on nothing has changed.
    kama, vidya = indicate("kama", values, 2, 2, 30), indicate("vidya", values, 2, 2)
    np.testing.assert_allclose(16 - kama[2:], 6 * (5 / 9) ** np.arange(1, 5), rtol=1e-12)
    np.testing.assert_allclose(16 - vidya[2:], [2, 2 / 3, 2 / 3, 2 / 3], rtol=1e-12)


@pytest.mark.parametrize("period", [2, 10, 200])
def test_kama_agrees_with_ta_lib(sp500, period: int) -> None:
    close = sp500.close[0]
    np.testing.assert_allclose(indicate("kama", close, period, 2, 30), talib.KAMA(close, period), rtol=1e-9)


@pytest.mark.parametrize("parameters", [(1, 2, 30), (10, 2, 30), (30, 5, 5), (97, 20, 3), (600, 1, 100)])
def test_kama_is_what_its_definition_says(sp500, parameters: tuple[int, int, int]) -> None:
    close = sp500.close[0]
    np.testing.assert_allclose(indicate("kama", close, *parameters), plain_kama(close, *parameters), rtol=1e-12)


@pytest.mark.parametrize("parameters", [(1, 1), (20, 9), (5, 97), (200, 600)])
def test_vidya_is_what_its_definition_says(sp500, parameters: tuple[int, int]) -> None:
    close = sp500.close[0]
    np.testing.assert_allclose(indicate("vidya", close, *parameters), plain_vidya(close, *parameters), rtol=1e-12)


def test_an_outlier_leaves_no_rounding_errors_in_the_sums(sp500) -> None:
    close = sp500.close[0] * 1e-9
    close[1_000] = 1e9
    np.testing.assert_allclose(indicate("kama", close, 10, 2, 3), plain_kama(close, 10, 2, 3), rtol=1e-9)
    np.testing.assert_allclose(indicate("vidya", close, 3, 9), plain_vidya(close, 3, 9), rtol=1e-9)


def test_mesa_of_prices_that_never_moved_is_the_price(sp500) -> None:
    still = np.full(100, 7.0)
    np.testing.assert_array_equal(indicate("mesa", still, 0.5, 0.05), np.where(np.arange(100) < 32, NAN, 7.0))


def test_mesa_with_equal_limits_is_an_exponential_average_from_the_first_price_on(sp500) -> None:
    mama = pd.Series(sp500.close[0]).ewm(alpha=0.4, adjust=False).mean()
    fama = mama.ewm(alpha=0.2, adjust=False).mean()
    np.testing.assert_allclose(computed("mesa(close,0.4,0.4).mama", sp500)[32:], mama[32:], rtol=1e-12)
    np.testing.assert_allclose(computed("mesa(close,0.4,0.4).fama", sp500)[32:], fama[32:], rtol=1e-12)


def test_mesa_follows_as_fast_as_its_limits_allow(sp500) -> None:
    close = sp500.close[0]
    mama = indicate("mesa", close, 0.5, 0.05)
    weights = np.diff(mama[32:]) / (close[33:] - mama[32:-1])
    assert weights.min() == pytest.approx(0.05, abs=1e-6)
    assert weights.max() == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("limits", [(0.5, 0.05), (0.9, 0.3), (0.3, 0.02)])
def test_mesa_agrees_with_ta_lib_after_the_convergence(sp500, limits: tuple[float, float]) -> None:
    close = sp500.close[0]
    late = INDICATORS["mesa"].convergence(limits)
    for output, oracle in zip(["mama", "fama"], talib.MAMA(close, *limits), strict=True):
        values = computed("mesa(close,{},{}).".format(*limits) + output, sp500)
        np.testing.assert_array_equal(np.isnan(values), np.isnan(oracle))
        np.testing.assert_allclose(values[late:], oracle[late:], rtol=1e-9)
