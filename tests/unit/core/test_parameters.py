import math
from typing import Any

import numpy as np
import pytest

from admf_ray.core.parameters import Parameter, check_names, complete, satisfied
from admf_ray.core.registry import Registry
from admf_ray.errors import ConfigError

PERIOD = Parameter("period", 20, 1, 500)
LEVEL = Parameter("level", 0.5, 0, 1, "float")


@pytest.mark.parametrize("value", [0, 501, 2.5, math.nan, math.inf, "20", True, None])
def test_a_value_out_of_bounds_or_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"strategy\.params\.period: .* allowed: int from 1 to 500"):
        PERIOD.check(value, "strategy.params.period")  # type: ignore[arg-type]


def test_values_come_back_as_floats_with_defaults_filled_in() -> None:
    assert complete([PERIOD, LEVEL], {"period": 7}, "p") == {"period": 7.0, "level": 0.5}


def test_an_unknown_name_is_refused_with_what_was_probably_meant() -> None:
    with pytest.raises(ConfigError, match=r"p\.peroid: .*did you mean period.*allowed: period, level"):
        complete([PERIOD, LEVEL], {"peroid": 7}, "p")


@pytest.mark.parametrize(
    ("constraint", "rows"),
    [
        ("a < b", [True, False, False]),
        ("a <= b", [True, True, False]),
        ("2 * a + 1 >= b and not b == 2", [False, False, True]),
        ("a > b or b == 2", [False, True, True]),
        ("0 < a < b", [True, False, False]),
        ("1 < 2 < a", [False, False, True]),
        ("-a / 2 != -1", [True, False, True]),
        ("1 < 2", [True, True, True]),
    ],
)
def test_constraints(constraint: str, rows: list[bool]) -> None:
    columns = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([4.0, 2.0, 1.0])}
    assert satisfied(constraint, columns).tolist() == rows


def test_a_constraint_says_nothing_of_what_is_not_in_play() -> None:
    columns = {"a": np.array([1.0, math.nan, 3.0]), "b": np.array([2.0, 2.0, 2.0]), "risk.size": np.array([1.0] * 3)}
    assert satisfied("a < b", columns).tolist() == [True, True, False]
    assert satisfied("not a < b", columns).tolist() == [False, True, True]
    assert satisfied("b < 2 * risk.size", columns).tolist() == [False] * 3


@pytest.mark.parametrize("space", [[], {"low": 1}, {"low": 1, "high": 5, "stop": 1}, [0], {"low": 1, "high": 501}])
def test_a_space_that_a_parameter_does_not_allow_is_refused(space: Any) -> None:
    with pytest.raises(ConfigError, match="parameter 'period': space"):
        Parameter("period", 20, 1, 500, space=space)


def test_a_path_is_no_name_of_a_parameter_of_a_registered_part() -> None:
    with pytest.raises(ConfigError, match="'mine': parameter 'risk.size': no name; allowed: letters, digits and _"):
        check_names([Parameter("risk.size", 1, 0, 2)], "mine")


@pytest.mark.parametrize(
    "constraint",
    ["a <", "c < 1", "__import__('os')", "a.real < 1", "a ** b < 1", "a in b", "'x' < a", "True < a", "a[0]"],
)
def test_nothing_but_comparisons_of_parameters_is_evaluated(constraint: str) -> None:
    with pytest.raises(ConfigError, match="constraint"):
        satisfied(constraint, {"a": np.ones(1), "b": np.ones(1)})


def test_a_name_is_registered_once_and_an_unknown_one_lists_what_there_is() -> None:
    registry: Registry[Parameter] = Registry("thing")
    registry.add(PERIOD)
    with pytest.raises(ConfigError, match="two entries of family thing are named 'period'"):
        registry.add(PERIOD)
    with pytest.raises(ConfigError, match=r"no thing is named 'periods' \(did you mean period\?\); allowed: period"):
        registry["periods"]
    assert list(registry) == [PERIOD]
