"""Markets whose truth is known: what is asked for is what the bars have."""

import numpy as np
import pytest

import admf_ray
from admf_ray import load_bars
from admf_ray.data.sources.synthetic import KINDS
from admf_ray.errors import ConfigError, DataError


def made(kind: str, **options):
    return load_bars("synthetic", synthetic={"kind": kind, **options})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_bars_are_sound_and_drawn_from_the_seed(kind: str) -> None:
    bars = made(kind, bars=500, symbols=2)
    assert bars.symbols == ("S0", "S1")
    assert set(bars.report.counts()) <= {"warned"}
    assert bars.fingerprint() == made(kind, bars=500, symbols=2).fingerprint()
    assert kind == "sine" or bars.fingerprint() != made(kind, bars=500, symbols=2, seed=1).fingerprint()
    # A symbol's path does not depend on how many there are.
    alone = made(kind, bars=500)
    there = ~np.isnan(bars.close[0])
    np.testing.assert_array_equal(bars.close[0][there], alone.close[0])


def test_a_shorter_market_is_the_beginning_of_a_longer_one_where_nothing_else_is_drawn() -> None:
    np.testing.assert_array_equal(made("sine", bars=200).close[0], made("sine", bars=300).close[0, :200])


def test_geometric_brownian_motion_has_its_drift_and_volatility() -> None:
    returns = np.diff(np.log(made("gbm", bars=50_000, drift=0.1, volatility=0.2).close[0]))
    # Standard errors: 0.2 / sqrt(198 years) = 0.014 a year, and 0.2 / sqrt(2 x 50,000) = 0.0006.
    assert returns.mean() * 252 == pytest.approx(0.1 - 0.2**2 / 2, abs=0.05)
    assert returns.std() * np.sqrt(252) == pytest.approx(0.2, abs=0.003)


def test_a_sine_repeats_on_its_trend() -> None:
    bars = made("sine", bars=600, period=50, amplitude=0.2, drift=0.1)
    trend = 100 * np.exp(0.1 / 252 * np.arange(600))
    expected = trend * (1 + 0.2 * np.sin(2 * np.pi * np.arange(600) / 50))
    np.testing.assert_allclose(bars.close[0], expected, rtol=1e-12)


def test_garch_clusters_and_regimes_switch() -> None:
    def clustering(kind: str) -> float:
        square = np.diff(np.log(made(kind, bars=20_000).close[0])) ** 2
        return float(np.corrcoef(square[1:], square[:-1])[0, 1])

    assert clustering("garch") > 0.05
    assert clustering("regimes") > 0.05
    assert abs(clustering("gbm")) < 0.03


@pytest.mark.parametrize("strength", [1.0, 4.0])
def test_a_planted_edge_has_its_strength(strength: float) -> None:
    close = made("edge", bars=50_000, strength=strength).close[0]
    returns = np.diff(np.log(close))
    followed = np.sign(returns[:-1]) * returns[1:]
    sharpe = followed.mean() / followed.std() * np.sqrt(252)
    # The standard error of a yearly Sharpe ratio over 198 years is 1 / sqrt(198) = 0.07.
    assert sharpe == pytest.approx(strength, abs=0.25)


def test_a_strategy_finds_the_edge_and_none_where_there_is_none() -> None:
    def followed(kind: str) -> float:
        bars = made(kind, bars=20_000, strength=6.0, drift=0.0)
        rules = {"execution": {"fill": "close", "commission_bps": 0, "slippage_bps": 0}}
        return admf_ray.backtest(bars, "price_sma", {"period": 2}, **rules).summary["metrics"]["sharpe"]

    assert followed("edge") > 3.0
    assert abs(followed("gbm")) < 0.5


def test_intraday_bars_lie_inside_sessions_with_gaps() -> None:
    bars = load_bars("synthetic", timeframe="15min", synthetic={"kind": "intraday", "bars": 5_000, "missing": 0.1})
    assert bars.periods_per_year == pytest.approx(252 * 26, rel=0.15)
    sessions = bars.sessions
    assert bool((bars.known_at > sessions.open[bars.session]).all())
    assert bool((bars.known_at <= sessions.close[bars.session]).all())
    assert 4_300 < len(bars) < 4_700
    assert bars.report.counts()["warned"]["gaps"] > 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "gmb"}, r"data.synthetic.kind: no kind is named 'gmb' \(did you mean gbm\?\)"),
        ({"bars": 1}, r"data.synthetic.bars: 1 is not allowed; allowed: a whole number from 2"),
        ({"bars": 100.5}, r"data.synthetic.bars: 100.5 is not allowed"),
        ({"volatility": -1}, r"data.synthetic.volatility: -1 is not allowed; allowed: a number from 0 to 100"),
        ({"sigma": 1}, r"data.synthetic.sigma: no option is named 'sigma'"),
        ({"seed": True}, r"data.synthetic.seed: True is not allowed"),
    ],
)
def test_wrong_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_bars("synthetic", synthetic=options)


def test_it_takes_no_path() -> None:
    with pytest.raises(DataError, match="source synthetic brings its own data"):
        load_bars("synthetic", "x.csv")
