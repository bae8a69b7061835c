import numpy as np
import pytest

from admf_ray.errors import ConfigError
from admf_ray.indicators import Key, compute_hub, plan_keys, template_keys
from tests.series import daily_bars

BARS = daily_bars(np.arange(1.0, 31.0), open=np.arange(2.0, 32.0), volume=np.arange(30.0))


def key(text: str) -> Key:
    return Key.parse(text).bind("X")


def test_raw_fields_come_first_and_need_no_computation() -> None:
    plan = plan_keys(("X",), [key("close"), key("volume")])
    hub = compute_hub(BARS, plan, 2, 2)
    assert hub.matrix.shape == (5, 30)
    np.testing.assert_array_equal(hub.matrix[hub.rows[key("close")]], BARS.close[0])
    np.testing.assert_array_equal(hub.matrix[hub.rows[key("volume")]], BARS.volume[0])
    assert hub.counters.computed == 0


def test_shared_parts_are_computed_once_and_before_what_needs_them() -> None:
    nested, part = key("sma(sma(close,3),2)"), key("sma(close,3)")
    hub = compute_hub(BARS, plan_keys(("X",), [nested, part, key("sma(sma(close,3),4)")]), 3, 3)
    assert hub.counters.computed == 3
    inner = np.convolve(BARS.close[0], np.ones(3) / 3, "valid")
    np.testing.assert_allclose(hub.matrix[hub.rows[nested]][3:], (inner[1:] + inner[:-1]) / 2)


def test_the_matrix_cannot_be_written() -> None:
    hub = compute_hub(BARS, plan_keys(("X",), [key("sma(close,3)")]), 1, 1)
    with pytest.raises(ValueError, match="read-only"):
        hub.matrix[0, 0] = 1


def test_candidates_share_what_they_have_in_common() -> None:
    values = np.array([[2.0, 5.0], [3.0, 5.0], [2.0, 9.0], [5.0, 9.0]])
    keys, wanted = template_keys(["sma(close,{fast})", "sma(close,{slow})"], ["fast", "slow"], values, ("X",))
    assert sorted(str(k) for k in keys) == [f"sma(close[X],{period})" for period in (2, 3, 5, 9)]
    for row, places in zip(values, wanted[:, 0], strict=True):
        assert [keys[place].parameters[0] for place in places] == row.tolist()
    hub = compute_hub(BARS, plan_keys(("X",), keys), wanted.size, len(keys))
    assert hub.counters.record() == {"requested": 8, "unique": 4, "computed": 4, "bytes": 9 * 30 * 8, "reused": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo(close,3)", "no indicator is named 'foo'"),
        ("sma(close,0)", r"sma\(close\[X\],0\)': period: 0.0 is out of bounds"),
        ("sma(close)", r"allowed: sma\(close, period\)"),
        ("sma(close,open,3)", r"allowed: sma\(close, period\)"),
        ("sma(close[Y],3)", "no symbol is named 'Y'"),
        ("sma(close,3).upper", "no output is named 'upper'"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_its_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_keys(("X",), [key(text)])
