import numpy as np
import pytest

from admf_ray.core.records import FillPolicy, Reason
from tests.series import daily_bars, run_single

BARS = daily_bars(
    [10, 12, 13, 9, 12, 12.5], open=[10, 11, 12, 11, 10, 12], high=[10, 12, 15, 11, 13, 14], low=[9, 11, 8, 7, 9, 11]
)


def test_excursions_cover_what_the_trade_saw() -> None:
    segment = run_single(BARS, "price_threshold", {"threshold": 11}, sizing="fixed_quantity", size=1)
    first, second = segment.trades
    # In at the open of bar 2 (12), out at the open of bar 4 (10): bars 2 and 3, low 7, high 15.
    assert (first["entry_bar"], first["exit_bar"]) == (2, 4)
    assert first["mae"] == pytest.approx(7 / 12 - 1)
    assert first["mfe"] == pytest.approx(15 / 12 - 1)
    # In at the open of bar 5 (12), flattened at its close: bar 5 itself, low 11, high 14.
    assert Reason(int(second["exit_reason"])) == Reason.FLATTEN
    assert second["mae"] == pytest.approx(11 / 12 - 1)
    assert second["mfe"] == pytest.approx(14 / 12 - 1)


def test_an_entry_at_the_close_did_not_see_its_bar() -> None:
    segment = run_single(
        BARS, "price_threshold", {"threshold": 11}, sizing="fixed_quantity", size=1, fill=FillPolicy.CLOSE
    )
    # In at the close of bar 1 (12), out at the close of bar 3 (9): bars 2 and 3.
    assert segment.trades["mae"][0] == pytest.approx(7 / 12 - 1)
    assert segment.trades["mfe"][0] == pytest.approx(15 / 12 - 1)


def test_trades_agree_with_the_account(sp500) -> None:
    segment = run_single(sp500, "sma_cross", {"fast": 5, "slow": 20}, commission_bps=3, slippage_bps=5, half_spread=0.1)
    trades = segment.trades
    assert len(trades) == segment.metrics["trades"] > 50
    assert trades["costs"].sum() == pytest.approx(segment.metrics["commission"])
    assert trades["net"].sum() == pytest.approx(segment.equity[-1] - 100_000)
    assert np.count_nonzero(trades["net"] > 0) / len(trades) == segment.metrics["win_rate"]
    assert (trades["entry_bar"] <= trades["exit_bar"]).all()
