"""The audit finds nothing in what the simulation writes, and everything that is done to it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from admf_ray.core.records import Reason
from admf_ray.engine.spec import AccountRules, Instrument
from admf_ray.errors import ContractError
from admf_ray.portfolio.audit import Ledger, audit, violations
from tests.parity.cases import Case, cases
from tests.parity.kernel import simulate_targets
from tests.series import daily_bars, run_single


def ledger_of(case: Case) -> Ledger:
    panel, rules = case.panel, case.rules
    found = simulate_targets(
        panel.bars, panel.targets, rules, volatility=panel.volatility, atr=panel.atr, last_bar=panel.last_bar
    )
    return Ledger(
        bars=panel.bars,
        start=0,
        fills=found.fills,
        equity=found.equity,
        position=found.position,
        holdings=rules.holdings(panel.bars.symbols),
        rules=rules.record(panel.bars.periods_per_year),
    )


@given(cases())
def test_nothing_is_wrong_with_what_the_simulation_writes(case: Case) -> None:
    assert list(violations(ledger_of(case))) == []


def test_nothing_is_wrong_with_prices_on_decimal_ticks() -> None:
    instruments = {"X": Instrument(tick=0.1)}
    bars = daily_bars([100.0, 100.0, 100.3])
    found = run_single(bars, "price_threshold", {"threshold": 50.0}, size=0.5, instruments=instruments)
    assert found.fills["quantity"].tolist() == [500, -500]


def two_trades() -> Ledger:
    bars = daily_bars([10, 11, 12, 11, 10, 9, 10, 12], high=np.full(8, 13), low=np.full(8, 8))
    rules = AccountRules(cash=1_000, commission_bps=10, slippage_bps=5)
    found = simulate_targets(bars, [0, 1, 1, 0, 0, 1, 1, 1], rules)
    assert found.fills["reason"].tolist() == [Reason.SIGNAL, Reason.SIGNAL, Reason.SIGNAL, Reason.FLATTEN]
    return Ledger(
        bars=bars,
        start=0,
        fills=found.fills.copy(),
        equity=found.equity.copy(),
        position=found.position.copy(),
        holdings=rules.holdings(bars.symbols),
        rules=rules.record(bars.periods_per_year),
    )


@pytest.mark.parametrize(
    ("row", "field", "value", "said"),
    [
        (1, "bar", 100, "outside of 0 to 8"),
        (1, "bar", 1, "after one at bar"),
        (0, "symbol", 3, "there are 1"),
        (1, "decided", 5, "before its order was decided"),
        (3, "decided", 6, "not at once"),
        (2, "order", 1, "than that order"),
        (1, "signal", 1, "not one each and in order"),
        (0, "price", 7.0, "not possible"),
        (0, "commission", -1.0, "not possible"),
        (1, "quantity", 0.0, "not possible"),
        (1, "cash", 1.0, "in cash, the ledger says"),
        (1, "position", 1.0, "a position of"),
    ],
)
def test_whatever_is_changed_in_a_ledger_is_found(row: int, field: str, value: Any, said: str) -> None:
    ledger = two_trades()
    audit(ledger, "the whole")
    ledger.fills[row][field] = value
    with pytest.raises(ContractError, match=said):
        audit(ledger, "the changed one")


def test_a_changed_path_is_found() -> None:
    ledger = two_trades()
    ledger.equity[3] += 0.01
    with pytest.raises(ContractError, match="equity at bar 3"):
        audit(ledger, "equity")
    ledger = two_trades()
    ledger.position[0, 3] = 0.0
    with pytest.raises(ContractError, match="positions at bar 3"):
        audit(ledger, "positions")


@pytest.mark.parametrize("left_out", range(4))
def test_a_fill_that_is_left_out_is_found(left_out: int) -> None:
    ledger = two_trades()
    assert list(violations(replace(ledger, fills=np.delete(ledger.fills, left_out))))
