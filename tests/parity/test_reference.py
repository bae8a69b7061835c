"""The reference simulation and the cases that it is compared on: they reach everything that can happen."""

import math

from hypothesis import Phase, example, given, seed, settings

from admf_ray.core.records import Halt, Level, Limit, Reason
from tests.parity import reference
from tests.parity.cases import Case, cases, full_book


def account_of(case: Case) -> reference.Account:
    panel = case.panel
    return reference.run(
        panel.bars, panel.targets, case.rules, 0, len(panel.bars), panel.volatility, panel.atr, panel.last_bar
    )


@settings(max_examples=300)
@given(cases())
def test_the_account_stays_finite(case: Case) -> None:
    account = account_of(case)
    assert all(math.isfinite(equity) for equity in account.equity)
    assert math.isfinite(account.cash)
    assert all(math.isfinite(fill.price + fill.quantity + fill.commission) for fill in account.fills)


def test_cases_reach_every_reason_limit_and_halt() -> None:
    missing = {value.name for value in [*Reason, *Limit]} | {f"{halt.name} halt" for halt in Halt}

    @settings(max_examples=300, database=None, phases=[Phase.explicit, Phase.generate])
    @example(full_book(Level.PORTFOLIO))
    @example(full_book(Level.STRATEGY))
    @given(cases())
    def simulate(case: Case) -> None:
        account = account_of(case)
        missing.difference_update(str(fill.reason.name) for fill in account.fills)
        missing.difference_update(str(flag.name) for fill in account.fills for flag in fill.limits)
        missing.difference_update(f"{halt.name} halt" for halt in account.halts)

    for number in range(10):
        if missing:
            seed(number)(simulate)()
    assert sorted(missing) == []
