import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.core.records import HOLDING, RULES
from admf_ray.execution.cash import affordable
from admf_ray.execution.costs import commission, taker_price


def rules(**fields: float):
    record = np.zeros(1, RULES)
    for name, value in fields.items():
        record[name] = value
    return record[0]


def cash_after(quantity: float, price: float, cash: float, record) -> float:
    return cash - quantity * price - commission(quantity, price, record)


amounts = st.floats(1e-6, 1e9)
costs = st.fixed_dictionaries(
    {
        "commission_rate": st.sampled_from([0.0, 1e-4, 0.025]),
        "commission_per_share": st.sampled_from([0.0, 0.005]),
        "commission_minimum": st.sampled_from([0.0, 1.0]),
        "commission_fixed": st.sampled_from([0.0, 0.5]),
    }
)


def test_commission_adds_up_its_parts() -> None:
    record = rules(commission_rate=1e-4, commission_per_share=0.005, commission_minimum=1.0, commission_fixed=0.25)
    # 100 x 50 = 5000 x 1 bp = 0.50; 100 x 0.005 = 0.50, at least 1.00; 0.25 fixed.
    assert commission(100.0, 50.0, record) == pytest.approx(1.75)
    assert commission(-100.0, 50.0, record) == commission(100.0, 50.0, record)


def test_prices_move_against_the_order_and_not_below_zero() -> None:
    record = rules(slippage_rate=0.01, half_spread=0.5)
    holding = np.zeros(1, HOLDING)[0]
    assert taker_price(1.0, 100.0, holding, record, None) == 101.5
    assert taker_price(-1.0, 100.0, holding, record, None) == 98.5
    assert taker_price(-1.0, 0.25, holding, record, True) == 0.0


@given(st.integers(1, 10_000_000), amounts, amounts, costs, st.sampled_from([0.1, 1.0, 100.0]))
def test_whole_lots_are_cut_to_the_last_one_that_can_be_paid(lots, price, cash, parts, lot) -> None:
    record = rules(**parts)
    wanted = lots * lot
    paid = affordable(wanted, price, cash, lot, record)
    assert paid == 0 or cash_after(paid, price, cash, record) >= 0
    if paid < wanted:
        assert paid == round(paid / lot) * lot
        assert cash_after((round(paid / lot) + 1) * lot, price, cash, record) < 0


@given(st.floats(1e-9, 1e9), amounts, amounts, costs)
def test_fractions_are_cut_to_the_last_float_that_can_be_paid(wanted, price, cash, parts) -> None:
    record = rules(**parts)
    paid = affordable(wanted, price, cash, 0.0, record)
    assert paid == 0 or cash_after(paid, price, cash, record) >= 0
    if paid < wanted:
        assert cash_after(math.nextafter(paid, math.inf), price, cash, record) < 0
