import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from admf_ray.core.bars import FIELDS
from admf_ray.errors import ConfigError, DataError
from admf_ray.indicators import (
    INDICATORS,
    Hub,
    Indicator,
    Key,
    Stream,
    check_plan,
    compute_hub,
    plan_keys,
    template_keys,
)
from admf_ray.indicators.memory import Matrix
from admf_ray.indicators.timeframes import aggregate
from tests.series import daily_bars

BARS = daily_bars(np.arange(1.0, 31.0), open=np.arange(2.0, 32.0), volume=np.arange(30.0))


def key(text: str) -> Key:
    return Key.parse(text).bind("X")


def test_raw_fields_come_first_and_need_no_computation() -> None:
    hub = compute_hub(BARS, [key("close"), key("volume")])
    assert hub.matrix.shape == (5, 30)
    np.testing.assert_array_equal(hub.matrix[hub.rows[key("close")]], BARS.close[0])
    np.testing.assert_array_equal(hub.matrix[hub.rows[key("volume")]], BARS.volume[0])
    assert hub.counters.computed == 0


def test_shared_parts_are_computed_once_and_before_what_needs_them() -> None:
    nested, part = key("sma(sma(close,3),2)"), key("sma(close,3)")
    hub = compute_hub(BARS, [nested, part, key("sma(sma(close,3),4)")])
    assert hub.counters.computed == 3
    inner = np.convolve(BARS.close[0], np.ones(3) / 3, "valid")
    np.testing.assert_allclose(hub.matrix[hub.rows[nested]][3:], (inner[1:] + inner[:-1]) / 2)


def test_the_matrix_cannot_be_written() -> None:
    hub = compute_hub(BARS, [key("sma(close,3)")])
    with pytest.raises(ValueError, match="read-only"):
        hub.matrix[0, 0] = 1


def test_candidates_share_what_they_have_in_common() -> None:
    values = np.array([[2.0, 5.0], [3.0, 5.0], [2.0, 9.0], [5.0, 9.0]])
    keys, wanted = template_keys(["sma(close,{fast})", "sma(close,{slow})"], ["fast", "slow"], values, ("X",))
    assert sorted(str(k) for k in keys) == [f"sma(close[X],{period})" for period in (2, 3, 5, 9)]
    for row, places in zip(values, wanted[:, 0], strict=True):
        assert [keys[place].parameters[0] for place in places] == row.tolist()
    hub = compute_hub(BARS, keys, wanted.size)
    counted = hub.counters.record()
    assert counted.pop("seconds") > 0
    assert counted == {
        "requested": 8,
        "unique": 4,
        "computed": 4,
        "released": 0,
        "bytes": 9 * 30 * 8,
        "isolated_bytes": 8 * 30 * 8,
        "reused": 4,
        "hit_rate": 0.5,
    }


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


def test_a_second_subscription_computes_what_is_new_only() -> None:
    hub = Hub(BARS)
    hub.subscribe([key("sma(close,3)"), key("sma(close,4)")])
    before = hub.matrix
    rows = hub.subscribe([key("sma(close,4)"), key("ema(sma(close,3),2)")])
    assert hub.counters.computed == 3
    assert rows.tolist() == [hub.rows[key("sma(close,4)")], hub.rows[key("ema(sma(close,3),2)")]]
    np.testing.assert_array_equal(before, hub.matrix[: len(before)])


def test_a_subscription_that_is_refused_leaves_the_hub_as_it_was(sp500) -> None:
    hub = Hub(sp500)
    good = [Key.parse(text).bind("SPX") for text in ("sma(close,3)", "sma(close,4)@1w", "ema(sma(close,3),2)")]
    hub.subscribe(good[:1])
    for wrong in ("sma(foo(close),3)", "sma(sma(close@1d,3),3)@1w", "sma(close,0)@1mo"):
        with pytest.raises(ConfigError):
            hub.subscribe([*good, Key.parse(wrong).bind("SPX")])
    assert hub.counters.computed == 1
    rows = hub.subscribe(good)
    assert hub.counters.computed == 3
    np.testing.assert_array_equal(hub.matrix[rows], compute_hub(sp500, good).matrix[rows])


def test_rows_are_freed_when_nobody_needs_them_and_used_again() -> None:
    hub = Hub(BARS)
    nested, part, other = key("ema(sma(close,3),2)"), key("sma(close,3)"), key("sma(close,9)")
    hub.subscribe([nested])
    hub.subscribe([nested, other])
    hub.release([nested, other])
    assert other not in hub.rows
    assert part in hub.rows
    height = len(hub.matrix)
    hub.release([nested])
    assert part not in hub.rows
    assert hub.counters.released == 3
    hub.subscribe([key("sma(close,5)"), nested])
    assert len(hub.matrix) == height
    np.testing.assert_array_equal(hub.matrix[hub.rows[nested]], compute_hub(BARS, [nested]).window(nested, 30, 30))


def test_a_window_is_a_view_of_the_shared_rows_that_cannot_be_written() -> None:
    hub, average = Hub(BARS), key("sma(close,3)")
    hub.subscribe([average])
    view = hub.window(average, 20, 5)
    assert np.shares_memory(view, hub.matrix)
    np.testing.assert_array_equal(view, hub.matrix[hub.rows[average], 15:20])
    assert len(hub.window(average, 3, 10)) == 3


def test_nothing_that_can_be_reached_from_a_window_changes_the_shared_rows() -> None:
    hub, average = Hub(BARS), key("sma(close,3)")
    hub.subscribe([average])
    before = hub.matrix.tobytes()
    reached: Any = hub.window(average, 20, 5)
    while isinstance(reached, np.ndarray):
        for attempt in (
            lambda array: array.__setitem__(0, 1.0),
            lambda array: array.setflags(write=True),
            lambda array: array.view(np.int64).__setitem__(0, 1),
            lambda array: array.fill(1.0),
            lambda array: array.sort(),
            lambda array: np.copyto(array, 1.0),
            lambda array: np.add(array, 1.0, out=array),
        ):
            with pytest.raises(ValueError, match=r"read-only|WRITEABLE"):
                attempt(reached)
        reached = reached.base
    assert reached.readonly
    with pytest.raises(TypeError):
        reached.obj[0] = 1
    with pytest.raises(TypeError):
        reached.obj.write(b"1")
    copy = pickle.loads(pickle.dumps(hub.window(average, 20, 5)))
    copy[:] = 1.0
    private = hub.window(average, 20, 5, private=True)
    private[:] = 1.0
    assert hub.matrix.tobytes() == before


@pytest.mark.parametrize(
    ("text", "stop", "length"), [("sma(close,9)", 20, 5), ("close", 0, 5), ("close", 31, 5), ("close", 20, -1)]
)
def test_a_window_that_is_not_there_is_refused(text: str, stop: int, length: int) -> None:
    with pytest.raises(ConfigError, match=r"indicator key 'sma|window of"):
        Hub(BARS).window(key(text), stop, length)


def test_bar_by_bar_gives_the_bits_of_all_at_once(sp500) -> None:
    keys = [Key.parse(text).bind("SPX") for text in ("ema(sma(close,20),9)", "rsi(close,14)", "sma(close,3)@1w")]
    whole = compute_hub(sp500, keys)
    plan = plan_keys(("SPX",), keys)
    matrix = np.full((plan.height, len(sp500)), np.nan)
    weekly = aggregate(sp500, "1w")
    frames = {"1w": (weekly, compute_hub(weekly.bars, list(plan.frames["1w"].rows)).matrix)}
    for f, name in enumerate(FIELDS):
        matrix[f] = getattr(sp500, name)[0]
    stream = Stream(sp500, plan.steps, matrix, frames)
    for stop in [*range(1, 600), 1_024, 1_025, 3_000, len(sp500)]:
        stream.advance(stop)
    assert matrix.tobytes() == whole.matrix.tobytes()


def test_a_key_that_needs_itself_is_refused() -> None:
    sma = INDICATORS["sma"]
    fields = {name: getattr(sma, name) for name in Indicator.__dataclass_fields__}
    entries = [
        INDICATORS.add(Indicator(**{**fields, "name": "hen", "parts": ("egg({0},{period})",)})),
        INDICATORS.add(Indicator(**{**fields, "name": "egg", "parts": ("hen({0},{period})",)})),
    ]
    try:
        with pytest.raises(ConfigError, match=r"'hen\(close\[X\],3\)' needs itself: hen.* > egg.* > hen"):
            plan_keys(("X",), [key("hen(close,3)")])
    finally:
        for entry in entries:
            INDICATORS.remove(entry)


def test_fitted_keys_say_what_they_were_fitted_on() -> None:
    sma = INDICATORS["sma"]
    fields = {name: getattr(sma, name) for name in Indicator.__dataclass_fields__}
    entry = INDICATORS.add(Indicator(**{**fields, "name": "fitted_sma", "fitted": True}))
    try:
        with pytest.raises(
            ConfigError, match=r"'fitted_sma\(close\[X\],3\)': fitted_sma is fitted and does not say on what"
        ):
            plan_keys(("X",), [key("fitted_sma(close,3)")])
        spans = [key("fitted_sma(close,3)~0:86400"), key("fitted_sma(close,3)~0:172800")]
        assert len(plan_keys(("X",), spans).steps) == 2
    finally:
        INDICATORS.remove(entry)
    with pytest.raises(ConfigError, match="sma is not fitted, but names a span"):
        plan_keys(("X",), [key("sma(close,3)~0:86400")])


def test_what_could_have_no_value_is_refused_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"'sma\(close\[X\],31\)': it needs more than 30 bars, the series has 30"):
        check_plan(BARS, plan_keys(("X",), [key("sma(close,31)")]))
    check_plan(BARS, plan_keys(("X",), [key("sma(close,30)")]))
    silent = replace(BARS, volume=np.full((1, 30), np.nan))
    with pytest.raises(DataError, match=r"'sma\(volume\[X\],3\)': X has no volume"):
        check_plan(silent, plan_keys(("X",), [key("sma(volume,3)")]))


def test_memory_may_be_a_file_that_goes_with_it(tmp_path) -> None:
    memory = Matrix(1_000, tmp_path)
    memory.grow(2)
    memory.write()[1] = 7.0
    memory.grow(5_000)
    assert memory.read().shape == (5_000, 1_000)
    assert (memory.read()[1] == 7.0).all()
    assert list(tmp_path.iterdir()) == []
