"""The compiled simulation equals the plain-Python reference, bit for bit."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admf_ray.core.records import Boundary, FillPolicy, Limit, Reason
from admf_ray.engine.spec import AccountRules
from tests.parity.kernel import simulate_targets
from tests.parity.reference import Account, metrics
from tests.series import daily_bars

COSTS = (
    "commission_bps",
    "commission_per_share",
    "commission_minimum",
    "commission_fixed",
    "slippage_bps",
    "half_spread",
)


@st.composite
def bars_and_targets(draw: st.DrawFn) -> tuple[Any, list[float]]:
    """Random walks with gaps, split-like jumps, missing bars, at tiny and huge prices; targets that come and go."""
    count = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([1e-6, 0.3, 10.0, 100.0, 2_500.0, 1e9]))
    jumps = np.where(rng.random(count) < draw(st.sampled_from([0.0, 0.1])), rng.choice([0.5, 2.0, 0.1], count), 1.0)
    close = scale * np.cumprod(jumps * np.exp(rng.normal(0, draw(st.sampled_from([0.0, 0.01, 0.2])), count)))
    open_ = close * np.exp(rng.normal(0, draw(st.sampled_from([0.0, 0.01, 0.1])), count))
    missing = rng.random(count) < draw(st.sampled_from([0.0, 0.0, 0.2]))
    close[missing] = open_[missing] = math.nan
    bars = daily_bars(close, open=open_, high=np.maximum(open_, close), low=np.minimum(open_, close))
    choices = draw(
        st.sampled_from(
            [[0.0, 1.0], [0.0, 1.0, math.nan], [0.0, 0.3, 0.5, 1.0, math.nan], [-1.0, 0.0, 1.0], [0.0, 1.0, math.inf]]
        )
    )
    stay = draw(st.sampled_from([0.0, 0.5, 0.9]))
    targets = [float(rng.choice(choices))]
    for _ in range(count - 1):
        targets.append(targets[-1] if rng.random() < stay else float(rng.choice(choices)))
    return bars, targets


@st.composite
def rules(draw: st.DrawFn) -> AccountRules:
    """Every sizing, lot, fill policy, boundary and cost, at zero and above."""
    sizes = {
        "fixed_quantity": [0.5, 1.0, 7.0, 1_000.0, 1e19],
        "fixed_cash": [10.0, 999.0, 1e6],
        "percent_equity": [0.1, 0.5, 1.0, 2.0, 1e300],
    }
    sizing = draw(st.sampled_from(sorted(sizes)))
    return AccountRules(
        cash=draw(st.sampled_from([1e-3, 50.0, 10_000.0, 1e7])),
        risk_free=draw(st.sampled_from([0.0, 0.03, -0.01])),
        sizing=sizing,
        size=draw(st.sampled_from(sizes[sizing])),
        lot=draw(st.sampled_from([0.0, 1e-12, 0.1, 1.0, 100.0])),
        fill=draw(st.sampled_from(FillPolicy)),
        boundary=draw(st.sampled_from(Boundary)),
        commission_bps=draw(st.sampled_from([0.0, 1.0, 250.0])),
        commission_per_share=draw(st.sampled_from([0.0, 0.005])),
        commission_minimum=draw(st.sampled_from([0.0, 1.0])),
        commission_fixed=draw(st.sampled_from([0.0, 0.5])),
        slippage_bps=draw(st.sampled_from([0.0, 2.0, 300.0])),
        half_spread=draw(st.sampled_from([0.0, 0.01])),
    )


def reference_of(bars: Any, targets: list[float], given_rules: AccountRules, start: int, stop: int) -> Account:
    account = Account(
        sizing=given_rules.sizing,
        size=given_rules.size,
        lot=given_rules.lot,
        fill=given_rules.fill.name.lower(),
        boundary=given_rules.boundary.name.lower(),
        cash=given_rules.cash,
        **{name: getattr(given_rules, name) for name in COSTS},
    )
    account.run(bars.open[0].tolist(), bars.close[0].tolist(), targets, start, stop)
    return account


def check_equal(data: tuple[Any, list[float]], given_rules: AccountRules, span: tuple[float, float]) -> None:
    bars, targets = data
    start, stop = sorted(int(part * len(bars)) for part in span)
    stop = max(stop, start + 1)
    start = stop - 1 if start >= len(bars) else start
    stop = min(stop, len(bars))
    start = min(start, stop - 1)
    expected = reference_of(bars, targets, given_rules, start, stop)
    found = simulate_targets(bars, targets, given_rules, start, stop)
    np.testing.assert_array_equal(found.equity, expected.equity)
    np.testing.assert_array_equal(found.position, expected.positions)
    columns = ("bar", "quantity", "price", "commission", "position", "cash", "order", "signal")
    assert [fill[list(columns)].item() for fill in found.fills] == [
        tuple(getattr(fill, name) for name in columns) for fill in expected.fills
    ]
    assert [Reason(reason).name.lower() for reason in found.fills["reason"]] == [fill.reason for fill in expected.fills]
    names = [frozenset(str(limit.name).lower() for limit in Limit(int(bits))) for bits in found.fills["limits"]]
    assert names == [fill.limits for fill in expected.fills]
    assert found.account["signals"] == expected.signals
    assert found.account["orders"] == expected.orders
    wanted = metrics(expected, given_rules.cash, given_rules.risk_free / 252, 252)
    for name, value in wanted.items():
        np.testing.assert_array_equal(found.metrics[name], value, err_msg=name)


@settings(max_examples=400)
@given(bars_and_targets(), rules(), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_kernel_equals_the_reference(data: Any, given_rules: AccountRules, span: Any) -> None:
    check_equal(data, given_rules, span)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@settings(settings.get_profile("slow"))
@given(bars_and_targets(), rules(), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_kernel_equals_the_reference_at_length(data: Any, given_rules: AccountRules, span: Any) -> None:
    check_equal(data, given_rules, span)


@given(bars_and_targets(), rules(), st.lists(st.floats(0, 1), max_size=5))
def test_any_cut_of_a_segment_gives_the_same_bits(data: Any, given_rules: AccountRules, cuts: list[float]) -> None:
    bars, targets = data
    whole = simulate_targets(bars, targets, given_rules)
    pieces = simulate_targets(bars, targets, given_rules, cuts=[int(cut * len(bars)) for cut in cuts])
    assert whole.account.tobytes() == pieces.account.tobytes()
    assert whole.equity.tobytes() == pieces.equity.tobytes()
    assert whole.fills.tobytes() == pieces.fills.tobytes()


@given(bars_and_targets(), rules())
def test_cash_is_never_negative_and_cash_and_value_are_equity(data: Any, given_rules: AccountRules) -> None:
    bars, targets = data
    found = simulate_targets(bars, targets, given_rules)
    assert (found.fills["cash"] >= 0).all()
    assert found.account["cash"] >= 0
    last = bars.close[0][~np.isnan(bars.close[0])]
    value = found.account["cash"] + (found.position[-1] * last[-1] if len(last) else 0.0)
    assert found.equity[-1] == value


@given(bars_and_targets(), rules())
def test_flatten_ends_flat_and_trades_sum_to_the_change_of_equity(data: Any, given_rules: AccountRules) -> None:
    bars, targets = data
    found = simulate_targets(bars, targets, given_rules)
    if given_rules.boundary == Boundary.FLATTEN:
        assert found.position[-1] == 0
        result = found.account["gross_profit"] - found.account["gross_loss"]
        scale = max(given_rules.cash, abs(found.fills["quantity"] * found.fills["price"]).max(initial=0.0))
        assert result == pytest.approx(found.equity[-1] - given_rules.cash, abs=1e-9 * scale)


def test_flat_prices_without_costs_earn_nothing() -> None:
    bars = daily_bars(np.full(50, 20.0))
    found = simulate_targets(bars, [float(t % 3 == 0) for t in range(50)], AccountRules(cash=1_000))
    assert set(found.equity.tolist()) == {1_000.0}
