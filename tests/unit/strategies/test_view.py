"""What a strategy in Python can see, and that nothing it can name lies ahead."""

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from admf_ray.core.parameters import Parameter
from admf_ray.errors import ConfigError, LookaheadError
from admf_ray.strategies.view import Inputs, Now, PanelView, Params, Past, View

BARS = 40
SERIES = np.arange(BARS) + 0.5
DAY = 86_400 * 10**9


def past_at(bar: int, series: np.ndarray = SERIES) -> Past:
    now = Now(np.arange(BARS) * DAY)
    now.bar = bar
    return Past("close", series, now)


bars = st.integers(0, BARS - 1)
bounds = st.none() | st.integers(-2 * BARS, 2 * BARS)
steps = st.none() | st.integers(-5, 5).filter(bool)


@given(bars, st.integers(-2 * BARS, 2 * BARS))
def test_an_index_gives_what_it_gives_of_the_known_values_or_nothing(bar: int, index: int) -> None:
    known, past = SERIES[: bar + 1], past_at(bar)
    if index > bar:
        with pytest.raises(LookaheadError, match=rf"close: bar {index} is not known at bar {bar} \(1970-0"):
            past[index]
    elif index < -len(known):
        with pytest.raises(ConfigError, match=f"index {index} is before the first bar at bar {bar} "):
            past[index]
    else:
        assert past[index] == known[index]
        assert type(past[index]) is float
        assert past[np.int64(index)] == known[index]


@given(bars, bounds, bounds, steps)
def test_a_slice_gives_what_it_gives_of_the_known_values_or_nothing(
    bar: int, start: int | None, stop: int | None, step: int | None
) -> None:
    known, past = SERIES[: bar + 1], past_at(bar)
    if any(bound is not None and bound > len(known) for bound in (start, stop)):
        with pytest.raises(LookaheadError, match=f"is not known at bar {bar} .*; allowed: up to {len(known)}"):
            past[start:stop:step]
        return
    part = past[start:stop:step]
    np.testing.assert_array_equal(part, known[start:stop:step])
    assert part.dtype == np.float64
    assert part.base is None
    assert part.flags.writeable


@given(bars)
def test_everything_that_goes_through_it_ends_at_the_bar(bar: int) -> None:
    past, known = past_at(bar), SERIES[: bar + 1].tolist()
    assert len(past) == len(known)
    assert list(past) == list(reversed(list(reversed(past)))) == np.asarray(past).tolist() == known
    assert past[:].tolist() == past[-BARS:].tolist() == known
    assert max(past) == np.max(past) == known[-1]
    assert (BARS - 0.5 in past) == (bar == BARS - 1)
    assert np.array(past, dtype=np.float32).dtype == np.float32
    assert str(bar) in repr(past)


def test_the_message_says_what_is_asked_and_what_is_known() -> None:
    with pytest.raises(LookaheadError) as caught:
        past_at(30)[31]
    assert str(caught.value) == "close: bar 31 is not known at bar 30 (1970-01-31 00:00); allowed: -31 to 30"


def test_a_series_grows_with_the_bar_and_an_iterator_does_not() -> None:
    now = Now(np.arange(BARS) * DAY)
    past = Past("close", SERIES, now)
    begun = iter(past)
    now.bar = 3
    assert len(past) == 4
    assert list(begun) == [0.5]


def test_what_is_changed_in_a_copy_stays_there() -> None:
    past = past_at(5)
    past[-3:][:] = 0.0
    np.asarray(past)[:] = 0.0
    assert list(past) == SERIES[:6].tolist()


def test_a_row_of_a_wider_array_is_read_as_it_is() -> None:
    wide = np.stack([SERIES, -SERIES], axis=1)
    wide.flags.writeable = False
    assert past_at(7, wide[:, 1])[-1] == -7.5
    assert past_at(7, wide[:, 1])[-2:].tolist() == [-6.5, -7.5]


REFUSED: dict[str, Callable[[Past], Any]] = {
    "write": lambda past: operator.setitem(past, -1, 0.0),
    "delete": lambda past: operator.delitem(past, -1),
    "several indices": lambda past: past[[1, 2]],
    "mask": lambda past: past[np.ones(BARS, dtype=bool)],
    "ellipsis": lambda past: past[...],
    "fraction": lambda past: past[1.5],
    "bounds that are no numbers": lambda past: past["1970":"1971"],
    "buffer": memoryview,
    "no copy": lambda past: np.asarray(past, copy=False),
    "new attribute": lambda past: setattr(past, "bar", 39),
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("reach", REFUSED.values(), ids=REFUSED.keys())
def test_there_is_no_other_way_to_the_values(reach: Callable[[Past], Any]) -> None:
    with pytest.raises((TypeError, AttributeError, ConfigError)):
        reach(past_at(5))


def test_public_names_lead_nowhere() -> None:
    assert [name for name in dir(past_at(5)) if not name.startswith("_")] == []
    assert not hasattr(past_at(5), "__dict__")
    assert not hasattr(past_at(5), "__array_interface__")
    assert len(copy.copy(past_at(5))) == 6


class Moving:
    """An index that is another one each time that it is asked."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)

    def __index__(self) -> int:
        return self.answers.pop(0)


def test_an_index_that_changes_its_mind_gets_nothing_either() -> None:
    assert past_at(5)[Moving(2, 30)] == 2.5
    assert past_at(5)[slice(0, Moving(2, 30))].tolist() == SERIES[:6].tolist()


def view_at(bar: int) -> tuple[View, Now]:
    now = Now(np.arange(BARS) * DAY)
    now.bar = bar
    raw = [Past(name, SERIES + 100 * f, now) for f, name in enumerate(("open", "high", "low", "close", "volume"))]
    declared = [Past("sma(close,{lag})", -SERIES, now), Past("close", SERIES + 300, now)]
    inputs = Inputs(["sma(close,{lag})", "close"], declared)
    params = Params([Parameter("lag", 5, 1, 9), Parameter("edge", 2, 0, 9, "float")], np.array([7.0, 3.0]))
    return View("X", raw, inputs, params, now), now


def test_a_view_moves_with_the_bar() -> None:
    view, now = view_at(2)
    close = view.close
    now.bar = 4
    assert (view.symbol, view.bar, view.time) == ("X", 4, 4 * DAY)
    newest = [past[-1] for past in (view.open, view.high, view.low, view.close, view.volume)]
    assert newest == [4.5, 104.5, 204.5, 304.5, 404.5]
    assert close[-1] == 304.5


def test_inputs_are_found_by_text_and_by_position() -> None:
    inputs = view_at(4)[0].inputs
    assert inputs["sma(close,{lag})"] is inputs[0] is inputs[-2]
    assert inputs["close"][-1] == 304.5
    assert list(inputs) == ["sma(close,{lag})", "close"]
    assert len(inputs) == 2
    with pytest.raises(ConfigError, match=r"no input is named 'sma\(close,7\)' \(did you mean sma\(close,\{lag\}\)\?"):
        inputs["sma(close,7)"]
    with pytest.raises(ConfigError, match="there is no input 2; allowed: positions below 2"):
        inputs[2]


def test_parameters_are_read_by_name_and_cannot_be_set() -> None:
    params = view_at(4)[0].params
    assert (params.lag, params["edge"], dict(params), len(params)) == (7, 3.0, {"lag": 7, "edge": 3.0}, 2)
    assert (type(params.lag), type(params.edge)) == (int, float)
    assert not hasattr(params, "gal")
    assert dict(copy.copy(params)) == {"lag": 7, "edge": 3.0}
    with pytest.raises(AttributeError, match="no parameter is named 'gal'; allowed: lag, edge"):
        params.gal  # noqa: B018
    with pytest.raises(ConfigError, match=r"no parameter is named 'gal'"):
        params["gal"]
    with pytest.raises(AttributeError):
        params.lag = 9


@pytest.mark.parametrize("name", ["symbol", "bar", "time", "close", "inputs", "params", "mine"])
def test_a_view_cannot_be_moved_or_marked(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(view_at(4)[0], name, 9)


def test_a_panel_gives_the_view_of_each_symbol() -> None:
    view, now = view_at(4)
    panel = PanelView([view], view.params, now)
    assert panel["X"] is view
    assert (panel.symbols, list(panel), len(panel), panel.bar, panel.time) == (("X",), ["X"], 1, 4, 4 * DAY)
    assert panel.params.lag == 7
    with pytest.raises(ConfigError, match="no symbol is named 'Y'; allowed: X"):
        panel["Y"]
