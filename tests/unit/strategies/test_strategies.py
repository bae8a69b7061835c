"""What strategies decide, on prices that can be followed by hand."""

import math

import numpy as np
import pytest

from admf_ray.indicators import Key, compute_hub, plan_keys
from admf_ray.strategies import STRATEGIES
from tests.series import daily_bars, indicate


def targets(name: str, close: list[float], **params: float) -> np.ndarray:
    entry, bars = STRATEGIES[name], daily_bars(close)
    values = entry.complete(params)
    keys = [Key.parse(text.format(**values)).bind("X") for text in entry.inputs]
    plan = plan_keys(("X",), keys)
    rows = np.array([[plan.rows[key] for key in keys]])
    out = np.empty((1, len(bars)))
    parameters = np.array(list(values.values()))
    state = np.zeros(entry.state_size(tuple(parameters)))
    hub = compute_hub(bars, plan, len(keys), len(keys))
    entry.kernel(hub.matrix, rows, hub.session, parameters, state, 0, len(bars), out)
    return out[0]


def test_bollinger_reversion_buys_below_the_band_and_sells_at_the_average() -> None:
    # period 3, width 1: at 7 the mean is 9 and the deviation sqrt(2), so 7 < 7.58 buys; 7.5 is below the mean 8.17 and
    # above the band, so it holds; 9 is above the mean 7.83 and sells.
    close = [10, 10, 10, 7, 7.5, 9, 9]
    found = targets("bollinger_reversion", close, period=3, width=1)
    np.testing.assert_array_equal(found, [math.nan, math.nan, 0, 1, 1, 0, 0])


def test_rsi_reversion_holds_from_oversold_to_its_exit() -> None:
    close = [10, 9, 8, 7, 8, 7.9, 9, 8.5]
    index = indicate("rsi", close, 2)
    found = targets("rsi_reversion", close, period=2, oversold=30, exit=70)
    held, expected = 0.0, []
    for value in index:
        held = 1.0 if value < 30 else 0.0 if value >= 70 else held
        expected.append(math.nan if math.isnan(value) else held)
    np.testing.assert_array_equal(found, expected)
    assert {0.0, 1.0} <= set(found[2:])


@pytest.mark.parametrize(("name", "average"), [("sma_cross", "sma"), ("ema_cross", "ema")])
def test_crossings_are_long_while_the_fast_average_is_above(sp500, name: str, average: str) -> None:
    close = sp500.close[0][:500]
    fast, slow = indicate(average, close, 10), indicate(average, close, 30)
    expected = np.where(np.isnan(slow), math.nan, fast > slow)
    np.testing.assert_array_equal(targets(name, close, fast=10, slow=30), expected)
