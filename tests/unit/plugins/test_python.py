"""Plugins whose strategies are plain Python: one decorator for all kinds, on workers as here."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import admf_ray
from admf_ray.errors import ConfigError
from admf_ray.launch import main
from admf_ray.plugins import Parameter, activate, active_entries, find_plugins, strategy
from admf_ray.plugins.decorators import collecting
from admf_ray.strategies import STRATEGIES, Strategy

FUNCTION = '''"""A function of the view."""

from admf_ray.plugins import Parameter, View, strategy


@strategy(
    inputs=("sma(close,{lag})",),
    parameters=(Parameter("lag", 120, 2, 500),),
    warm_up=lambda params: int(params[0]),
)
def momentum(view: View) -> bool | None:
    """Long while the close is above its average and above the close `lag` bars before."""
    close, lag = view.close, view.params.lag
    if view.bar < lag:
        return None
    return close[-1] > close[-1 - lag] and close[-1] > view.inputs[0][-1]
'''
KERNEL = """import math

from admf_ray.plugins import Parameter, strategy


@strategy(
    inputs=("close", "sma(close,{lag})"),
    parameters=(Parameter("lag", 120, 2, 500),),
    warm_up=lambda params: int(params[0]),
)
def momentum(matrix, rows, session, params, state, start, stop, out):
    lag = int(params[0])
    for s in range(rows.shape[0]):
        close, average = matrix[rows[s, 0]], matrix[rows[s, 1]]
        for t in range(start, stop):
            out[s, t] = math.nan
            if t >= lag and not math.isnan(close[t] + close[t - lag] + average[t]):
                out[s, t] = 1.0 if close[t] > close[t - lag] and close[t] > average[t] else 0.0
"""
CLASS = '''import math
from dataclasses import dataclass, field

from admf_ray.plugins import Parameter, strategy


@dataclass
class Trail:
    """How far a close is below the highest one so far; a class of the plugin that a strategy uses."""

    highest: float = 0.0

    def fall(self, close: float) -> float:
        if not math.isnan(close):
            self.highest = max(self.highest, close)
        return 1 - close / self.highest if self.highest else math.nan


@strategy(name="trailing", parameters=(Parameter("fall", 0.1, 0.01, 0.9, "float"),))
@dataclass
class Trailing:
    """Long until the close is `fall` below its highest one."""

    fall: float
    trail: Trail = field(default_factory=Trail)

    def on_bar(self, view):
        return self.trail.fall(view.close[-1]) < self.fall
'''


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    yield
    activate(())


def written(folder: Path, source: str, name: str = "mine.py") -> str:
    (folder / name).write_text(source)
    return str(folder / name)


def offered(decorate: Any, thing: Any) -> Strategy:
    with collecting() as offers:
        assert decorate(thing) is thing
    ((registry, entry),) = offers
    assert registry is STRATEGIES
    return entry


def test_a_function_does_what_the_kernel_of_the_same_rule_does(tmp_path: Path, sp500) -> None:
    found = [
        admf_ray.backtest(sp500, "momentum", plugins=[written(tmp_path, source, name)])
        for source, name in ((FUNCTION, "function.py"), (KERNEL, "kernel.py"))
    ]
    assert len(found[0].fills) > 50
    assert found[0].fills.equals(found[1].fills)
    assert found[0].equity.equals(found[1].equity)


def test_a_class_keeps_its_state_for_one_run_and_no_longer(tmp_path: Path, sp500) -> None:
    path = written(tmp_path, CLASS)
    found = [admf_ray.backtest(sp500, "trailing", {"fall": fall}, plugins=[path]) for fall in (0.05, 0.3, 0.05)]
    assert found[0].equity.equals(found[2].equity)
    assert not found[0].equity.equals(found[1].equity)


def test_a_class_survives_in_a_process_that_has_only_its_text(tmp_path: Path) -> None:
    program = (
        "import sys; from admf_ray.plugins import *; from admf_ray.plugins import Plugin\n"
        "activate((Plugin('mine', 'nowhere/mine.py', sys.stdin.read()),))\n"
        "entry = active_entries()[0]; print(entry.name, entry.python(fall=0.25))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=CLASS, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "trailing Trailing(fall=0.25, trail=Trail(highest=0.0))"


def test_selfcheck_takes_python_as_it_takes_kernels(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(elsewhere, FUNCTION + CLASS)
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 0
    assert "2 entries, 0 broken checks" in capsys.readouterr().out
    written(elsewhere, FUNCTION.replace("close[-1 - lag]", "close[view.bar + 1]"))
    assert main(["+experiment=selfcheck", "plugins=[mine.py]"]) == 1
    printed = capsys.readouterr().out
    assert "broken: strategy momentum: chunks" in printed
    assert "LookaheadError: close: bar " in printed


def test_two_entries_of_one_name_are_told_with_both_lines(tmp_path: Path) -> None:
    activate(find_plugins([written(tmp_path, FUNCTION)]))
    assert [entry.is_python for entry in active_entries()] == [True]
    named = CLASS.replace('"trailing"', '"momentum"')
    with pytest.raises(ConfigError, match=r"named 'momentum': .*b.py:19 and .*a.py:6; allowed: a name that is free"):
        activate(find_plugins([written(tmp_path, FUNCTION, "a.py"), written(tmp_path, named, "b.py")]))


def test_the_name_is_that_of_the_function_or_class_unless_it_is_given() -> None:
    class Steady:
        def on_bar(self, view: Any) -> float:
            return 1.0

    assert offered(strategy(), Steady).name == "Steady"
    assert offered(strategy(name="steady"), Steady).name == "steady"


def test_a_python_strategy_needs_to_say_nothing_and_may_say_everything() -> None:
    def steady(view: Any) -> float:
        return 1.0

    plain = offered(strategy(), steady)
    assert (plain.inputs, plain.parameters, plain.scope, plain.symbols, plain.kernel) == ((), (), "symbol", None, None)
    assert plain.warm_up(()) == plain.convergence(()) == 0
    full = offered(
        strategy(
            inputs=("close",),
            parameters=(Parameter("lag", 5, 1, 9),),
            warm_up=lambda params: int(params[0]),
            constraints=("lag > 2",),
            scope="panel",
            symbols=2,
            source="hand",
        ),
        steady,
    )
    assert (full.inputs, full.constraints, full.scope, full.symbols) == (("close",), ("lag > 2",), "panel", 2)
    assert full.warm_up((7.0,)) == full.convergence((7.0,)) == 7


def test_a_kernel_may_decide_a_panel_and_be_named() -> None:
    def pair(matrix, rows, session, params, state, start, stop, out):
        out[:, start:stop] = 0.0

    with collecting() as offers:
        strategy(name="both", inputs=("close",), warm_up=0, scope="panel", symbols=2)(pair)
    entry = offers[0][1]
    assert (entry.name, entry.scope, entry.symbols, entry.is_python) == ("both", "panel", 2, False)
    out = np.full((2, 3), 9.0)
    params = np.zeros(0)
    entry.kernel(np.ones((2, 3)), np.zeros((2, 1), np.int64), np.zeros(3, np.int32), params, params, 0, 3, out)
    assert (out == 0).all()


def kernel(matrix, rows, session, params, state, start, stop, out) -> None:
    """Of the arguments of a kernel."""


def three(view, lag, more) -> None:
    """Of a number of arguments that is neither a kernel's nor a view's."""


class Empty:
    """Has no on_bar."""


KINDS = r"allowed: f\(matrix, .*, out\), f\(view\), or a class with on_bar\(view\)"


@pytest.mark.parametrize(
    ("options", "thing", "message"),
    [
        ({}, three, rf"strategy 'three' takes 3 arguments \(view, lag, more\); {KINDS}"),
        ({}, 7, f"strategy 7 is neither function nor class; {KINDS}"),
        ({}, Empty(), f"strategy <.*> is neither function nor class; {KINDS}"),
        ({}, Empty, r"class 'Empty' has no method on_bar\(view\)"),
        (
            {"inputs": ("close",)},
            kernel,
            r"'kernel': inputs and warm_up are needed; allowed: both, or f\(view\)",
        ),
        ({"warm_up": 3}, kernel, "kernel 'kernel': inputs and warm_up are needed"),
        ({"state_size": 2}, lambda view: 0.0, "'<lambda>': state_size is for kernels; allowed: state that an instance"),
        ({"symbols": 2}, lambda view: 0.0, "symbols=2; allowed: from 1 on, of scope panel"),
        ({"scope": "both"}, lambda view: 0.0, "'<lambda>': scope is 'both'; allowed: symbol, panel"),
    ],
)
def test_what_is_no_strategy_is_refused(options: dict[str, Any], thing: Any, message: str) -> None:
    with collecting(), pytest.raises(ConfigError, match=message):
        strategy(**options)(thing)
