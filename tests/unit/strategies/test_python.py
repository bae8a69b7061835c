"""Strategies in Python: the same targets as a kernel's, bar by bar, and told exactly when they are wrong."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from admf_ray import Bars
from admf_ray.core.parameters import Parameter
from admf_ray.errors import AdmfError, ConfigError, ContractError, LookaheadError
from admf_ray.indicators import Key, compute_hub
from admf_ray.strategies import STRATEGIES, Strategy
from admf_ray.testing.kernels import check_entry
from tests.series import daily_bars
from tests.unit.engine.account import bars_of

CROSS = STRATEGIES["sma_cross"]
LAG = (Parameter("lag", 3, 1, 50),)


def strategy_of(python: Any, **fields: Any) -> Strategy:
    given = {"name": "mine", "parameters": (), "inputs": (), "source": "hand", "python": python}
    return Strategy(**{**given, "warm_up": lambda params: 0, "convergence": lambda params: 0, **fields})


def targets(bars: Bars, strategy: Strategy, cuts: tuple[int, ...] = (), **params: float) -> np.ndarray:
    """Over the whole series, advanced from cut to cut."""
    values = strategy.complete(params)
    named = {name: f"{value:g}" for name, value in values.items()}
    keys = [[Key.parse(text.format(**named)).bind(symbol) for text in strategy.inputs] for symbol in bars.symbols]
    hub = compute_hub(bars, [key for own in keys for key in own])
    rows = np.array([[hub.rows[key] for key in own] for own in keys], dtype=np.int64)
    stage = strategy.stage(bars, hub.matrix, rows, np.array(list(values.values()), dtype=float))
    out = np.full((len(bars.symbols), len(bars)), -9.0)
    for start, stop in itertools.pairwise((0, *cuts, len(bars))):
        stage.advance(start, stop, out)
    return out


def test_a_crossing_in_python_gives_the_bits_of_the_kernel(sp500) -> None:
    class Crossing:
        def __init__(self, fast: int, slow: int) -> None:
            assert (fast, slow) == (20, 100)

        def on_bar(self, view: Any) -> float | None:
            fast, slow = view.inputs["sma(close,{fast})"][-1], view.inputs["sma(close,{slow})"][-1]
            return None if math.isnan(fast + slow) else float(fast > slow)

    def crossing(view: Any) -> float:
        fast, slow = view.inputs[0][-1], view.inputs[1][-1]
        return fast > slow if slow == slow else math.nan

    expected = targets(sp500, CROSS, fast=20, slow=100)
    for python in (Crossing, crossing):
        found = targets(sp500, replace(CROSS, kernel=None, python=python), fast=20, slow=100)
        assert found.tobytes() == expected.tobytes()


class Drift:
    """Holds the sign of a running sum, which begins with a parameter; everything that it does is state."""

    def __init__(self, lag: int) -> None:
        self.total = float(lag)
        self.seen: list[int] = []

    def on_bar(self, view: Any) -> float:
        self.seen.append(view.bar)
        assert self.seen == list(range(len(view.close)))
        self.total = 0.9 * self.total + math.log(view.close[-1] / view.open[-1])
        return math.tanh(self.total)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 60), max_size=6).map(sorted))
def test_any_partition_gives_the_same_bits_and_shows_every_bar_once_in_order(cuts: list[int]) -> None:
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, 60)))
    bars = daily_bars(close, open=np.roll(close, 1))
    drift = strategy_of(Drift, parameters=LAG)
    whole = targets(bars, drift)
    assert targets(bars, drift, tuple(cuts)).tobytes() == whole.tobytes()
    assert len(np.unique(whole)) == 60


def test_every_stage_and_every_symbol_has_an_instance_of_its_own() -> None:
    made = []

    class Counting:
        def __init__(self) -> None:
            made.append(self)
            self.bars = 0

        def on_bar(self, view: Any) -> float:
            self.bars += 1
            return self.bars / 4

    bars = bars_of([10, 11, 12, 13], [20, 21, 22, 23])
    counting = strategy_of(Counting)
    for _ in range(2):
        np.testing.assert_array_equal(targets(bars, counting), [[0.25, 0.5, 0.75, 1]] * 2)
    assert len(made) == 4


def test_symbols_share_nothing_that_is_later() -> None:
    """A class that keeps what it sees for all of its instances has seen no bar before its time."""
    seen: list[int] = []

    class Sharing:
        def on_bar(self, view: Any) -> float:
            assert not seen or seen[-1] <= view.bar
            seen.append(view.bar)
            return 0.0

    targets(bars_of([10, 11, 12], [20, 21, 22]), strategy_of(Sharing))
    assert seen == [0, 0, 1, 1, 2, 2]


def test_a_class_gets_its_parameters_by_name_and_a_function_from_the_view() -> None:
    class Keeping:
        def __init__(self, *, edge: float, lag: int) -> None:
            self.given = {"lag": lag, "edge": edge}

        def on_bar(self, view: Any) -> float:
            assert self.given == dict(view.params)
            return self.given["lag"] * self.given["edge"]

    parameters = (*LAG, Parameter("edge", 0.1, 0, 1, "float"))
    bars = daily_bars([10, 11])
    assert targets(bars, strategy_of(Keeping, parameters=parameters), lag=4, edge=0.25).tolist() == [[1.0, 1.0]]
    function = strategy_of(lambda view: view.params.lag * view.params.edge, parameters=parameters)
    assert targets(bars, function, lag=2).tolist() == [[0.2, 0.2]]


def test_what_is_given_before_the_warm_up_counts_as_unknown_and_its_state_stays() -> None:
    class Early:
        def __init__(self, lag: int) -> None:
            self.bars = 0

        def on_bar(self, view: Any) -> Any:
            self.bars += 1
            return "too early" if view.bar < 3 else self.bars / 8

    early = strategy_of(Early, parameters=LAG, warm_up=lambda params: int(params[0]))
    found = targets(daily_bars([10, 11, 12, 13, 14]), early, lag=3)
    np.testing.assert_array_equal(found, [[math.nan, math.nan, math.nan, 0.5, 0.625]])


def test_missing_bars_are_shown_as_well() -> None:
    found = targets(
        bars_of([10, None, 12]), strategy_of(lambda view: math.isnan(view.close[-1]) or view.close[-1] / 20)
    )
    assert found.tolist() == [[0.5, 1.0, 0.6]]


@pytest.mark.parametrize(
    ("target", "number"),
    [(1, 1), (-1, -1), (True, 1), (np.True_, 1), (np.float32(0.5), 0.5), (np.int8(-1), -1), (Fraction(1, 4), 0.25)],
    ids=repr,
)
def test_numbers_of_any_kind_are_targets(target: Any, number: float) -> None:
    assert targets(daily_bars([10]), strategy_of(lambda view: target)).tolist() == [[number]]


@pytest.mark.parametrize("unknown", [None, math.nan, np.float64("nan")], ids=repr)
def test_none_and_nan_say_that_it_does_not_know(unknown: float | None) -> None:
    assert np.isnan(targets(daily_bars([10]), strategy_of(lambda view: unknown))).all()


@pytest.mark.parametrize(
    "wrong",
    [1.0000001, -2, 10**400, math.inf, "1", 1j, np.array(0.5), [0.5], {"X": 1.0}, Ellipsis, "x" * 500],
    ids=lambda wrong: repr(wrong)[:20],
)
def test_what_is_no_target_is_refused_by_strategy_symbol_and_bar(wrong: Any) -> None:
    strategy = strategy_of(lambda view: wrong if view.bar == 2 else 0.0)
    with pytest.raises(ContractError) as caught:
        targets(daily_bars([10, 11, 12]), strategy)
    told = str(caught.value)
    assert told.startswith(f"strategy 'mine' gives {wrong!r:.60}")
    assert "for X at bar 2 (1970-01-04 00:00); allowed: a number from -1 to +1, or None or NaN where it does" in told
    assert len(told) < 250


PEEKS: dict[str, Callable[[Any], Any]] = {
    "next close": lambda view: view.close[view.bar + 1],
    "length": lambda view: view.close[len(view.close)],
    "slice": lambda view: view.open[: view.bar + 2],
    "far slice": lambda view: view.high[view.bar + 5 :],
    "input by text": lambda view: view.inputs["sma(close,2)"][view.bar + 1],
    "input by position": lambda view: view.inputs[0][view.bar + 1],
}


@pytest.mark.parametrize("peek", PEEKS.values(), ids=PEEKS.keys())
def test_looking_ahead_raises_and_is_told_with_strategy_symbol_and_bar(peek: Callable[[Any], Any]) -> None:
    def peeking(view: Any) -> float:
        if view.bar == 1:
            peek(view)
        return 0.0

    with pytest.raises(LookaheadError, match=r" not known at bar 1 \(1970-01-03 00:00\)") as caught:
        targets(daily_bars([10, 11, 12]), strategy_of(peeking, inputs=("sma(close,2)",)))
    assert caught.value.__notes__ == ["in strategy 'mine' for X, at bar 1 (1970-01-03 00:00)"]


def test_a_series_that_is_kept_shows_no_more_than_the_bar() -> None:
    kept: list[Any] = []

    def keeping(view: Any) -> float:
        kept.append(view.close)
        assert {len(past) for past in kept} == {view.bar + 1}
        return 0.0

    targets(daily_bars([10, 11, 12]), strategy_of(keeping))


def test_errors_of_the_strategy_go_through_with_a_note() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        targets(daily_bars([10, 11]), strategy_of(lambda view: 1 / (1 - view.bar)))
    assert caught.value.__notes__ == ["in strategy 'mine' for X, at bar 1 (1970-01-03 00:00)"]

    class Broken:
        def __init__(self) -> None:
            raise ValueError("no")

        def on_bar(self, view: Any) -> float:
            return 0.0

    with pytest.raises(ValueError, match="no") as caught:
        targets(daily_bars([10]), strategy_of(Broken))
    assert caught.value.__notes__ == ["where strategy 'mine' is made for X"]


class Stronger:
    """Long the symbol of the panel that rose most, short the one that fell most."""

    def on_bar(self, panel: Any) -> dict[str, float] | None:
        if panel.bar == 0:
            return None
        rise = {symbol: panel[symbol].close[-1] / panel[symbol].close[-2] for symbol in panel.symbols}
        ranked = sorted(rise, key=rise.__getitem__)
        return {ranked[0]: -1.0, ranked[-1]: 1.0}


PANEL = bars_of([10, 11, 11], [10, 10, 10.5], [10, 9, 8])


def test_a_panel_is_decided_together_and_symbols_left_out_are_unknown() -> None:
    # Rises to bar 1: 1.1, 1, 0.9; to bar 2: 1, 1.05, 8/9.
    found = targets(PANEL, strategy_of(Stronger, scope="panel"))
    nan = math.nan
    np.testing.assert_array_equal(found, [[nan, 1, nan], [nan, nan, 1], [nan, -1, -1]])


@pytest.mark.parametrize("together", [[1, None, -1], (1.0, math.nan, -1), np.array([1, math.nan, -1])], ids=repr)
def test_a_panel_may_give_its_targets_in_order(together: Any) -> None:
    found = targets(PANEL, strategy_of(lambda panel: together, scope="panel"))
    np.testing.assert_array_equal(found, [[1] * 3, [math.nan] * 3, [-1] * 3])


@pytest.mark.parametrize(
    ("together", "message"),
    [
        (
            1.0,
            "gives 1.0 at bar 0 .*; allowed: a mapping from symbols to targets, a sequence of targets in panel order",
        ),
        ("ABC", "gives 'ABC' at bar 0"),
        (np.array(1.0), r"gives array\(1.\) at bar 0"),
        ([1.0, 0.0], "gives 2 targets at bar 0 .*; allowed: 3, one for each of A, B, C"),
        ({"A": 1.0, "D": 1.0}, "gives a target at bar 0 .*: no symbol is named 'D'.*; allowed: A, B, C"),
        ({"B": 1.5}, "gives 1.5 for B at bar 0 "),
        ([0.0, 0.0, "1"], "gives '1' for C at bar 0 "),
        (np.zeros((3, 2)), r"gives array\(.*at bar 0"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value)[:20],
)
def test_what_is_no_target_of_a_panel_is_refused(together: Any, message: str) -> None:
    with pytest.raises(ContractError, match=f"(?s)strategy 'mine' {message}"):
        targets(PANEL, strategy_of(lambda panel: together, scope="panel"))


def test_errors_in_a_panel_are_noted_as_well() -> None:
    with pytest.raises(ConfigError, match="no symbol is named 'D'") as caught:
        targets(PANEL, strategy_of(lambda panel: panel["D"], scope="panel"))
    assert caught.value.__notes__ == ["in strategy 'mine' for 3 symbols together, at bar 0 (1970-01-01 00:00)"]


class NoBar:
    """Has nothing to call."""


class OtherBar:
    """Its method takes no view."""

    def on_bar(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("python", "parameters", "message"),
    [
        (lambda: 0.0, (), r"'mine' cannot be called with a view; allowed: f\(view\), a class with on_bar\(view\)"),
        (7, (), "'mine' cannot be called with a view"),
        (NoBar, (), r"class 'mine' has no method on_bar\(view\)"),
        (OtherBar, (), r"class 'mine' has no method on_bar\(view\)"),
        (Drift, (), r"class 'mine': missing .*'lag'; allowed: an __init__ that takes nothing, as it declares no param"),
        (Stronger, LAG, r"class 'mine': .*'lag'; allowed: an __init__ that takes its parameters by name \(lag\)"),
    ],
)
def test_what_is_no_strategy_is_refused(python: Any, parameters: tuple[Parameter, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        strategy_of(python, parameters=parameters)


def test_a_strategy_has_a_kernel_or_python() -> None:
    assert strategy_of(Stronger).is_python
    assert not CROSS.is_python
    with pytest.raises(ConfigError, match="'mine' has neither of kernel and python; allowed: one of the two"):
        strategy_of(None)
    with pytest.raises(ConfigError, match="'mine' has both of kernel and python; allowed: one of the two"):
        strategy_of(Stronger, kernel=CROSS.kernel)


def checked(strategy: Strategy) -> dict[str, AdmfError | None]:
    return dict(check_entry(strategy, 3))


def test_the_conformance_checks_hold_for_sound_strategies() -> None:
    for sound in (strategy_of(Drift, parameters=LAG), strategy_of(Stronger, scope="panel")):
        assert checked(replace(sound, warm_up=lambda params: 1)) == dict.fromkeys(
            ("chunks", "prefix", "written", "warm_up", "bounds")
        )


RANDOM = (value / 10**6 for value in itertools.count())


@pytest.mark.parametrize(
    ("python", "check", "message"),
    [
        (lambda view: float(view.close._row[-1] > view.close[-1]), "prefix", "it looks ahead"),
        (lambda view: float(len(view.close._row) > 2 * view.bar), "prefix", "changes when the series ends"),
        (lambda view: next(RANDOM), "written", "run again, bar 0 is another"),
        (lambda view: None, "warm_up", "bar 0 to 299 have no value; the warm-up is said to be 0 bars"),
        (lambda view: 1.5, "bounds", "strategy 'mine' gives 1.5 for X at bar 0"),
        (lambda view: view.close[view.bar + 1], "chunks", "LookaheadError: close: bar 1 is not known at bar 0"),
    ],
    ids=["private names", "length of the series", "random", "never", "too large", "next bar"],
)
def test_the_conformance_checks_find_what_is_unsound(python: Any, check: str, message: str) -> None:
    assert message in str(checked(strategy_of(python))[check])
