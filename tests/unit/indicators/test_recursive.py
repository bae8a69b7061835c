import math

import numpy as np
import pytest
import talib

from admf_ray import Bars
from admf_ray.indicators import INDICATORS, Key, compute_hub
from tests.series import daily_bars, indicate

LEVELS = [  # of the prices: they scale with them
    "dema(close,14)",
    "tema(close,14)",
    "macd(close,12,26,9)",
    "macd(close,12,26,9).signal",
    "macd(close,12,26,9).histogram",
    "atr(high,low,close,14)",
    "kama(close,10,2,10)",
    "kama(close,100,5,9)",
    "vidya(close,20,9)",
    "vidya(close,5,50)",
    "mesa(close,0.5,0.05)",
    "mesa(close,0.5,0.05).fama",
    "parabolic_sar(high,low,0.02,0.2)",
    "parabolic_sar(high,low,0.1,0.1)",
    "supertrend(high,low,close,10,3)",
    "supertrend(high,low,close,20,1.5)",
]
RATIOS = [
    "rsi(close,14)",
    "adx(high,low,close,14)",
    "adx(high,low,close,14).plus_di",
    "adx(high,low,close,14).minus_di",
    "ewm_volatility(close,11)",
    "supertrend(high,low,close,10,3).direction",
]


def computed(text: str, bars: Bars) -> np.ndarray:
    """Compute an indicator key, its parts included."""
    key = Key.parse(text).bind(bars.symbols[0])
    hub = compute_hub(bars, [key])
    return hub.matrix[hub.rows[key]]


def kernel_output(name: str, matrix: np.ndarray, parameters: tuple[float, ...]) -> np.ndarray:
    """All outputs of an indicator whose kernel reads the first rows of a matrix."""
    entry, bars = INDICATORS[name], matrix.shape[1]
    out = np.empty((len(entry.outputs), bars))
    reads, session = np.arange(len(matrix)), np.zeros(bars, np.int32)
    state = np.zeros(entry.state_size(parameters))
    entry.kernel(matrix, reads, session, np.array(parameters, float), state, 0, bars, out)
    return out


def with_prices(bars: Bars, change) -> Bars:
    """The bars with the same change to open, high, low and close."""
    return daily_bars(**{name: change(getattr(bars, name)[0].copy()) for name in ("open", "high", "low", "close")})


def test_ema_by_hand() -> None:
    values = np.array([1.0, 2.0, 6.0, math.nan, 5.0])
    # (1+2+6)/3 = 3; the missing bar keeps the state; 3 + (5-3) x 2/4 = 4
    np.testing.assert_array_equal(indicate("ema", values, 3), [math.nan, math.nan, 3.0, math.nan, 4.0])


def test_rsi_by_hand() -> None:
    values = np.array([10.0, 12.0, 11.0, math.nan, 15.0])
    # changes +2, -1: averages 1 and 0.5, 100 x 1/1.5; then +4: (1+4)/2 = 2.5 and (0.5+0)/2 = 0.25, 100 x 2.5/2.75
    np.testing.assert_allclose(
        indicate("rsi", values, 2), [math.nan, math.nan, 100 / 1.5, math.nan, 250 / 2.75], rtol=1e-15
    )


def test_rsi_of_prices_that_never_changed_is_neutral() -> None:
    assert (indicate("rsi", np.full(50, 7.0), 14)[14:] == 50.0).all()


@pytest.mark.parametrize(("name", "oracle"), [("ema", talib.EMA), ("rsi", talib.RSI)])
@pytest.mark.parametrize("period", [2, 14, 200])
def test_recursive_indicators_agree_with_ta_lib(sp500, name: str, oracle, period: int) -> None:
    close = sp500.close[0]
    np.testing.assert_allclose(indicate(name, close, period), oracle(close, period), rtol=1e-10)


@pytest.mark.parametrize("name", ["ema", "rsi"])
@pytest.mark.parametrize("period", [2, 14, 100])
def test_values_forget_where_the_series_began(sp500, name: str, period: int) -> None:
    close = sp500.close[0]
    convergence = INDICATORS[name].convergence((float(period),))
    late = indicate(name, close[1_000:], period)[convergence:]
    scale = np.abs(close).max() if name == "ema" else 100.0
    np.testing.assert_allclose(late, indicate(name, close, period)[1_000 + convergence :], atol=1e-9 * scale)


@pytest.mark.parametrize("text", [*LEVELS, *RATIOS])
def test_missing_bars_keep_the_state(sp500, text: str) -> None:
    missing = np.zeros(len(sp500), dtype=bool)
    missing[[3, 29, 700, 701, 702, 2_000]] = True
    missing[3_000:3_050] = True

    def with_gaps(prices: np.ndarray) -> np.ndarray:
        prices[missing] = math.nan
        return prices

    values = computed(text, with_prices(sp500, with_gaps))
    assert np.isnan(values[missing]).all()
    np.testing.assert_array_equal(values[~missing], computed(text, with_prices(sp500, lambda prices: prices[~missing])))


@pytest.mark.parametrize(
    ("name", "parameters", "row"),
    [
        (name, parameters, row)
        for name, parameters, count in [
            ("dema", (5,), 2),
            ("tema", (5,), 3),
            ("macd", (3, 5, 4), 2),
            ("atr", (5,), 3),
            ("adx", (5,), 3),
            ("parabolic_sar", (0.02, 0.2), 2),
            ("supertrend", (5, 3.0), 4),
        ]
        for row in range(count)
    ],
)
def test_a_bar_of_which_anything_is_missing_is_missing(name: str, parameters: tuple[float, ...], row: int) -> None:
    rows = np.random.default_rng(1).normal(100, 1, (4, 60))
    rows[row, [2, 30, 31]] = math.nan
    nothing = np.where(np.isnan(rows[row]), math.nan, rows)
    one, other = (kernel_output(name, matrix, parameters) for matrix in (rows, nothing))
    assert np.isnan(one[:, [2, 30, 31]]).all()
    assert np.isfinite(one[:, 40:]).all()
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("factor", [1e-9, 1e6])
@pytest.mark.parametrize("text", [*LEVELS, *RATIOS])
def test_prices_may_be_of_any_size(sp500, text: str, factor: float) -> None:
    """The index is of the order of 1e3: at 1e-6 and 1e9 the indicators say the same."""
    usual = computed(text, sp500)
    other = computed(text, with_prices(sp500, lambda prices: prices * factor)) / (factor if text in LEVELS else 1.0)
    np.testing.assert_allclose(other, usual, rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(usual)))


@pytest.mark.parametrize("text", [*LEVELS, *RATIOS])
def test_series_forget_where_they_began(sp500, text: str) -> None:
    key = Key.parse(text)
    convergence = INDICATORS[key.name].convergence(key.parameters)
    usual = computed(text, sp500)
    scale = sp500.close[0].max() if text in LEVELS else np.nanmax(np.abs(usual))
    for begin in range(30, 2_800, 110):
        late = computed(text, with_prices(sp500, lambda prices, begin=begin: prices[begin:]))
        assert convergence < len(late) - 500
        np.testing.assert_allclose(late[convergence:], usual[begin + convergence :], rtol=0, atol=1e-9 * scale)
