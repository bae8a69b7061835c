"""Strategies in plain Python: a class with ``on_bar(view)``, or a function of the view, gives a target at each bar.

The contract is that of kernels. A strategy is called at every bar of the series once, in order, from bar 0 on, missing
ones too (their prices are NaN); any partition of the history into pieces gives equal bits. At one bar symbols that are
decided by themselves are called in panel order, each with an instance of its own. State belongs into instances, which
are made anew for every candidate: what a module keeps, later candidates see.

What is given before the warm-up counts as NaN, whatever it is. From there on a target is a number in [-1, +1]; None
and NaN say that the strategy does not know, and then its last target holds.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.parameters import Parameter
from admf_ray.core.registry import unknown_name
from admf_ray.errors import ConfigError, ContractError
from admf_ray.strategies.view import Inputs, Now, PanelView, Params, Past, View

__all__ = ["PythonStage", "check_python"]

_OF_ONE = "allowed: a number from -1 to +1, or None or NaN where it does not know"
_OF_PANEL = "allowed: a mapping from symbols to targets, a sequence of targets in panel order, or None"


def check_python(python: Any, parameters: Sequence[Parameter], name: str) -> None:
    """Refuse what is neither a class with ``on_bar(view)`` that takes its parameters by name, nor ``f(view)``.

    Raises
    ------
    ConfigError
        Naming the entry, what it has and what is allowed.
    """
    if not inspect.isclass(python):
        if not callable(python) or not _takes(python, 1):
            raise ConfigError(f"'{name}' cannot be called with a view; allowed: f(view), a class with on_bar(view)")
        return
    on_bar = getattr(python, "on_bar", None)
    if not callable(on_bar) or not _takes(on_bar, 2):
        raise ConfigError(f"class '{name}' has no method on_bar(view); allowed: a class that has one")
    names = [parameter.name for parameter in parameters]
    try:
        inspect.signature(python).bind(**dict.fromkeys(names, 0))
    except TypeError as error:
        given = f"its parameters by name ({', '.join(names)})" if names else "nothing, as it declares no parameters"
        raise ConfigError(f"class '{name}': {error}; allowed: an __init__ that takes {given}") from None


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


class PythonStage:
    """A strategy in Python at work on one series, with instances of its own.

    Parameters
    ----------
    name : str
        For messages.
    python : class or callable
        A class is made with its parameters as keyword arguments, once for each symbol, or once for a panel. A function
        gets the view alone, which has them as well.
    parameters : sequence of Parameter
    inputs : sequence of str
        One text for each slot of ``rows``.
    scope : {"symbol", "panel"}
        Whether it is called with the `View` of each symbol, or with one `PanelView`.
    warm_up : int
        Bars whose targets are NaN, whatever the strategy gives.
    bars : Bars
    matrix : float64 array, shape [key, time]
        The hub of these bars.
    rows : int64 array, shape [symbol, slot]
    params : float64 array, shape [parameter]
    """

    __slots__ = ("_calls", "_name", "_now", "_numbers", "_panel", "_warm_up")

    def __init__(
        self,
        *,
        name: str,
        python: Callable[..., Any],
        parameters: Sequence[Parameter],
        inputs: Sequence[str],
        scope: Literal["symbol", "panel"],
        warm_up: int,
        bars: Bars,
        matrix: npt.NDArray[np.float64],
        rows: npt.NDArray[np.int64],
        params: npt.NDArray[np.float64],
    ) -> None:
        self._name = name
        self._warm_up = warm_up
        self._now = now = Now(bars.known_at)
        self._numbers = {symbol: s for s, symbol in enumerate(bars.symbols)}
        given = Params(parameters, params)

        def view_of(s: int, symbol: str) -> View:
            raw = [Past(field, getattr(bars, field)[s], now) for field in FIELDS]
            declared = [Past(text, matrix[row], now) for text, row in zip(inputs, rows[s].tolist(), strict=True)]
            return View(symbol, raw, Inputs(inputs, declared), given, now)

        views = [view_of(s, symbol) for s, symbol in enumerate(bars.symbols)]
        self._panel = scope == "panel"
        seen: list[Any] = [PanelView(views, given, now)] if self._panel else views
        self._calls = [(self._made(python, given, view), view) for view in seen]

    def _made(self, python: Callable[..., Any], given: Params, view: View | PanelView) -> Callable[[Any], Any]:
        """Give what is called at each bar for a view."""
        if not inspect.isclass(python):
            return python
        try:
            instance: Any = python(**{name: given[name] for name in given})
        except Exception as error:
            error.add_note(f"where strategy '{self._name}' is made for {_named(view)}")
            raise
        on_bar: Callable[[Any], Any] = instance.on_bar
        return on_bar

    def advance(self, start: int, stop: int, out: npt.NDArray[np.float64]) -> None:
        """Ask for the targets of the next bars; see `admf_ray.strategies.stage.Stage`.

        Raises
        ------
        ContractError
            Where a target is no number in [-1, +1]; names strategy, symbol, bar and what was given. What the strategy
            itself raises goes through, with a note that names them.
        """
        # All symbols of a bar before the next bar: what instances share never comes from later bars.
        for bar in range(start, stop):
            self._now.bar = bar
            is_due = bar >= self._warm_up
            for s, (decide, view) in enumerate(self._calls):
                try:
                    given = decide(view)
                except Exception as error:
                    error.add_note(f"in strategy '{self._name}' for {_named(view)}, at {self._now}")
                    raise
                if self._panel:
                    out[:, bar] = self._targets(given) if is_due else math.nan
                else:
                    out[s, bar] = self._target(given, view.symbol) if is_due else math.nan

    def _target(self, given: Any, symbol: str) -> float:
        """Give a target as a float, or refuse it."""
        if given is None:
            return math.nan
        is_number = isinstance(given, float | Real | np.bool_)
        if is_number and (-1 <= given <= 1 or given != given):
            return float(given)
        raise ContractError(f"strategy '{self._name}' gives {_shown(given)} for {symbol} at {self._now}; {_OF_ONE}")

    def _targets(self, given: Any) -> list[float]:
        """Give the targets of a panel in its order; symbols that are left out have none."""
        targets = [math.nan] * len(self._numbers)
        if given is None:
            return targets
        if isinstance(given, Mapping):
            for symbol, target in given.items():
                if symbol not in self._numbers:
                    wrong = unknown_name("symbol", str(symbol), list(self._numbers))
                    raise ContractError(f"strategy '{self._name}' gives a target at {self._now}: {wrong}")
                targets[self._numbers[symbol]] = self._target(target, symbol)
            return targets
        if not (isinstance(given, list | tuple) or (isinstance(given, np.ndarray) and given.ndim == 1)):
            raise ContractError(f"strategy '{self._name}' gives {_shown(given)} at {self._now}; {_OF_PANEL}")
        if len(given) != len(targets):
            raise ContractError(
                f"strategy '{self._name}' gives {len(given)} targets at {self._now}; allowed: {len(targets)}, one for "
                f"each of {', '.join(self._numbers)}"
            )
        return [self._target(target, symbol) for target, symbol in zip(given, self._numbers, strict=True)]


def _named(view: View | PanelView) -> str:
    return view.symbol if isinstance(view, View) else f"{len(view)} symbols together"


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:60]}..."
