"""Options of the account in a search: each does to the rules what it does in the configuration."""

from typing import Any

import numpy as np
import pytest

from admf_ray.app.parsing import parse_settings
from admf_ray.core.records import DistanceKind
from admf_ray.engine.account_options import ACCOUNT_OPTIONS, check_options, with_options
from admf_ray.engine.composition import Composition, Member
from admf_ray.engine.kinds import Columns
from admf_ray.engine.spec import AccountRules, Distance
from admf_ray.errors import ConfigError
from admf_ray.strategies import STRATEGIES

CROSS, DIP = STRATEGIES["sma_cross"], STRATEGIES["rsi_reversion"]


def configured(path: str, value: float) -> AccountRules:
    """Rules of an account whose options are the defaults but for two limits and the one of this path."""
    values: dict[str, Any] = {
        "experiment": "backtest",
        "risk": {"limits": {"portfolio": {"max_exposure": 0.9}, "symbol": {"max_gross_leverage": 0.8}}},
    }
    section = values
    *sections, option = path.split(".")
    for name in sections:
        section = section.setdefault(name, {})
    section[option] = value
    return parse_settings(values).account


@pytest.mark.parametrize("path", ACCOUNT_OPTIONS)
def test_an_option_in_a_search_is_the_option_of_the_configuration(path: str) -> None:
    option = ACCOUNT_OPTIONS[path]
    rules = configured("risk.size", 1.0)
    for value in (option.low, min(option.high, 1.0), option.high):
        found, expected = with_options(rules, {path: value}), configured(path, value)
        assert found == expected
        assert found.record(252.0) == expected.record(252.0)
        assert found.limit_records(["X"]).tolist() == expected.limit_records(["X"]).tolist()


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (
            ["risk.sise"],
            r"search.space.risk.sise: no option .* is named 'risk.sise' \(did you mean risk.size\?\); allow",
        ),
        (["fast"], "search.space.fast: no option that can be searched is named 'fast'; allowed: risk.size, risk.cap"),
        (["execution.fill"], "no option that can be searched is named 'execution.fill'"),
        (
            ["risk.exits.stop_loss.atr", "risk.exits.stop_loss.price"],
            "stop_loss.price: risk.exits.stop_loss.atr is searched, too; allowed: one of the two",
        ),
        (
            ["risk.exits.take_profit.atr"],
            r"take_profit.atr: the account has risk.exits.take_profit.percent; allowed: search that, or .*percent=null",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(paths: list[str], message: str) -> None:
    rules = AccountRules(take_profit=Distance(DistanceKind.PERCENT, 0.1))
    with pytest.raises(ConfigError, match=message):
        check_options(rules, paths)


def test_kinds_are_the_different_accounts_and_members_each_with_its_candidates_in_order() -> None:
    composition = Composition((Member("cross", CROSS), Member("dip", DIP)), (), "one_of", (0.5, 0.5))
    nan = np.nan
    candidates = np.array(
        [
            [0.5, 1.0, nan, nan, 2.0, 20.0, 60.0],
            [1.0, 0.0, 5.0, 50.0, nan, nan, nan],
            [0.5, 1.0, nan, nan, 3.0, 30.0, 70.0],
            [0.5, 0.0, 9.0, 90.0, nan, nan, nan],
        ]
    )
    columns = Columns.of(composition, AccountRules(lot=0.0), ("risk.size", *composition.parameter_names))
    found = [
        (kind.rules.size, kind.composition.name, numbers.tolist(), candidates[numbers][:, kind.params].tolist())
        for kind, numbers in columns.kinds(candidates)
    ]
    assert found == [
        (0.5, "cross", [3], [[9.0, 90.0]]),
        (0.5, "dip", [0, 2], [[2.0, 20.0, 60.0], [3.0, 30.0, 70.0]]),
        (1.0, "cross", [1], [[5.0, 50.0]]),
    ]
    assert all(kind.rules.lot == 0.0 for kind, _ in columns.kinds(candidates))
    assert columns.members(candidates).tolist() == [2, 2]
