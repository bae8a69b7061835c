"""Expressions: what they may say, and that numbers and columns agree about what it means."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.core.expressions import Expression
from admf_ray.errors import ConfigError

NAN, INF = math.nan, math.inf


def holds(text: str, **values: float) -> bool:
    return Expression.parse(text, "rule").holds(values)


@pytest.mark.parametrize(
    "text",
    [
        "print(a) > 0",
        "__import__('os')",
        "a().b > 0",
        "a[0].b > 0",
        "(a < 1).b",
        "'text'.b > 0",
        "1 .real > 0",
        "a[0] > 0",
        "(lambda: 1) < 2",
        "__builtins__ > 0",
        "a.__class__ > 0",
        "a.__dict__.b > 0",
        "a > 'text'",
        "a > b'x'",
        "f'{a}' > 0",
        "a ** 2 > 0",
        "9 ** 9 ** 9 ** 9 > 0",
        "a % 2 > 0",
        "a // 2 > 0",
        "a << 9 > 0",
        "+a > 0",
        "~a > 0",
        "a > True",
        "None == a",
        "1j > 0",
        "... == a",
        "a in b",
        "a is b",
        "[a] > 0",
        "(a, b) > 0",
        "{a: b} > 0",
        "[a for a in b] > 0",
        "1 if a else 0",
        "(a := 1) > 0",
        "*a > 0",
        "(a < b) + 1 > 1",
        "-(a < b) < 0",
    ],
)
def test_nothing_but_comparisons_of_named_numbers_is_allowed(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^rule .* is (not allowed; allowed: names, numbers, <|no expression: )"):
        Expression.parse(text, "rule")


@pytest.mark.parametrize("text", ["", "a <", "a < 1; b", "a = 1", "import os", "a < 1\nb < 1"])
def test_what_is_no_expression_says_where_it_goes_wrong(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no expression: \w"):
        Expression.parse(text, "rule")


@pytest.mark.parametrize("text", ["a", "a + 1", "-2", "1.5", "a.b / 2"])
def test_a_number_is_no_condition(text: str) -> None:
    with pytest.raises(ConfigError, match=r"rule '.*' is a number; allowed: a comparison"):
        Expression.parse(text, "rule")


@pytest.mark.parametrize("text", ["-" * 100_000 + "a < 1", "not " * 100_000 + "a", "a.b" + ".c" * 100_000 + " < 1"])
def test_depth_is_refused_and_does_not_crash(text: str) -> None:
    with pytest.raises(ConfigError, match=r"nested too deeply|is no expression"):
        Expression.parse(text, "rule")


def test_numbers_that_divide_by_zero_are_refused_when_they_are_read() -> None:
    with pytest.raises(ConfigError, match=r"rule '1 / 0 < a' cannot be computed: division by zero"):
        Expression.parse("1 / 0 < a", "rule")


def test_a_number_beyond_all_floats_is_refused_when_it_is_used() -> None:
    rule = Expression.parse(f"a * 1{'0' * 400} > 0", "rule")
    with pytest.raises(ConfigError, match=r"cannot be computed: int too large to convert to float"):
        rule.holds({"a": 1.0})


def test_names_are_known_in_order_of_appearance_before_anything_is_evaluated() -> None:
    rule = Expression.parse("events.FILL >= 10 and (b < metrics.total_pnl or b > 2 * a.b.c)", "rule")
    assert rule.names == ("events.FILL", "b", "metrics.total_pnl", "a.b.c")


def test_a_name_beyond_those_allowed_is_refused_with_what_was_probably_meant() -> None:
    allowed = ["metrics.sharpe", "metrics.trades"]
    Expression.parse("metrics.sharpe > 1", "tracing.rule", allowed)
    with pytest.raises(ConfigError) as refused:
        Expression.parse("metrics.trade > 1", "tracing.rule", allowed, "metric")
    assert str(refused.value) == (
        "tracing.rule 'metrics.trade > 1': no metric is named 'metrics.trade' (did you mean metrics.trades?); "
        "allowed: metrics.sharpe, metrics.trades"
    )


def test_dots_are_refused_where_no_name_has_any() -> None:
    with pytest.raises(ConfigError, match=r"rule 'a.real < 1' is not allowed; allowed: parameters \(a, b\), numbers"):
        Expression.parse("a.real < 1", "rule", ["a", "b"], "parameter")


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("a < b", {"a": 1, "b": 2}, True),
        ("a >= b", {"a": 1.0, "b": 2.0}, False),
        ("0 < a < b != 3", {"a": 1, "b": 2}, True),
        ("0 < a < b < 2", {"a": 1, "b": 2}, False),
        ("1 + a * 2 - b / 4 == 2.5", {"a": 1, "b": 2}, True),
        ("-a < -1", {"a": 1.5}, True),
        ("not a > 1 or b == 2 and a == 5", {"a": 1, "b": 0}, True),
        ("(not a > 1 or b == 2) and a == 5", {"a": 1, "b": 0}, False),
        ("a and not b", {"a": 0.5, "b": 0}, True),
        ("a and b and 1", {"a": 0.5, "b": 0}, False),
        ("1 < 2", {}, True),
        ("(a < 1) == (b < 1)", {"a": 0, "b": 0}, True),
    ],
)
def test_values_are_compared_as_written(text: str, values: dict[str, float], expected: bool) -> None:
    assert holds(text, **values) is expected


@pytest.mark.parametrize("text", ["a < 1", "a <= 1", "a > 1", "a >= 1", "a == a", "0 < a < 1", "a * 0 == 0"])
def test_comparisons_with_nan_are_false(text: str) -> None:
    assert holds(text, a=NAN) is False


def test_only_unequal_is_true_of_nan() -> None:
    assert holds("a != a", a=NAN) is True


@pytest.mark.parametrize("zero", [0, 0.0, np.float64(0), np.int64(0)])
def test_what_is_divided_by_zero_is_infinite_or_nan(zero: float) -> None:
    assert holds("1 / a > 1e308", a=zero)
    assert holds("b / a < -1e308", a=zero, b=-1.0)
    assert holds("a / a != a / a", a=zero)
    assert not holds("a / a > 0", a=zero)


def test_the_sign_of_a_zero_counts_as_in_arrays() -> None:
    assert holds("1 / a < 0", a=-0.0)


def test_a_name_of_several_parts_is_one_name() -> None:
    rule = Expression.parse("metrics.total_pnl > 0 and events.FILL >= 10", "rule")
    assert rule.holds({"metrics.total_pnl": 0.5, "events.FILL": 10}) is True
    assert rule.holds({"metrics.total_pnl": 0.5, "events.FILL": 9}) is False


NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 3.0, 1e308, -1e308, 5e-324, INF, -INF, NAN])
LEAVES = st.sampled_from(["a", "b", "0", "1", "2.5", "1e308"])
ARITHMETIC = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({} / {})".format, inner, st.sampled_from("ab")),
        st.builds("-{}".format, inner),
    ),
    max_leaves=6,
)
COMPARISONS = st.builds("{} {} {}".format, ARITHMETIC, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), ARITHMETIC)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, st.one_of(inner, LEAVES), st.sampled_from(["and", "or"]), inner),
        st.builds("(not {})".format, inner),
    ),
    max_leaves=4,
)


@given(CONDITIONS, st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_numbers_rows_and_numpy_itself_agree(text: str, rows: list[tuple[float, float]]) -> None:
    rule = Expression.parse(text, "rule")
    columns = dict(zip("ab", np.array(rows).T, strict=True))
    by_row = [rule.holds({"a": a, "b": b}) for a, b in rows]
    assert np.broadcast_to(rule.holds_for(columns), len(rows)).tolist() == by_row
    with np.errstate(all="ignore"):
        for (a, b), found in zip(rows, by_row, strict=True):
            assert found == bool(eval(text, {"__builtins__": {}}, {"a": np.float64(a), "b": np.float64(b)}))
