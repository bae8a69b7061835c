"""The decorators by which functions and classes become strategies, indicators, sizing rules and components."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, cast

from admf_ray.classifiers import CLASSIFIERS, Classifier
from admf_ray.containers import COMPONENTS, component_kind
from admf_ray.core.kernels import CLASSIFIER, INDICATOR, SIZING, STRATEGY, compiled
from admf_ray.core.parameters import Parameter
from admf_ray.core.registry import Registry
from admf_ray.errors import ConfigError
from admf_ray.indicators import INDICATORS, Indicator
from admf_ray.risk.sizing import SIZINGS, SizingRule
from admf_ray.strategies import STRATEGIES, Strategy

__all__ = ["Offer", "classifier", "collecting", "component", "indicator", "sizing", "strategy"]

_STAGE = ("matrix", "rows", "session", "params", "state", "start", "stop", "out")
_RULE = ("target", "size", "close", "equity")

Bars = int | Callable[[tuple[float, ...]], int]
Kernel = Callable[..., Any]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Factory = TypeVar("Factory", bound=Callable[..., Any])
Offer = tuple[Registry[Any], Any]
"""A registry and an entry for it."""

_collector: list[Offer] | None = None


@contextmanager
def collecting() -> Iterator[list[Offer]]:
    """Collect what is decorated meanwhile; without a collector it is registered at once."""
    global _collector  # noqa: PLW0603  (decorators have nobody else to tell)
    outer, _collector = _collector, []
    try:
        yield _collector
    finally:
        _collector = outer


def _offer(registry: Registry[Any], entry: Any) -> None:
    if _collector is None:
        registry.add(entry)
    else:
        _collector.append((registry, entry))


def strategy(
    *,
    name: str | None = None,
    inputs: Sequence[str] | None = None,
    parameters: Sequence[Parameter] = (),
    warm_up: Bars | None = None,
    convergence: Bars | None = None,
    state_size: Bars = 0,
    constraints: Sequence[str] = (),
    scope: Literal["symbol", "panel"] = "symbol",
    symbols: int | None = None,
    source: str = "plugin",
) -> Callable[[Decorated], Decorated]:
    """Register a kernel, a function of the view or a class with ``on_bar`` as a strategy.

    Parameters
    ----------
    name : str, optional
        That of the function or class by default.
    inputs : sequence of str
        Indicator keys, one for each slot of ``rows``: ``("close", "sma(close,{period})")``. In Python none by default.
    parameters : sequence of Parameter
        In the order in which ``params`` holds them.
    warm_up, convergence, state_size : int or callable of (parameters) -> int
        Numbers, or functions of the parameters; convergence is the warm-up unless said. In Python the warm-up is 0 by
        default, and there is no other state than what an instance keeps.
    constraints : sequence of str
    scope : {"symbol", "panel"}
        Whether each symbol is decided by itself.
    symbols : int, optional
        How many symbols the scope "panel" decides together; any number by default.
    source : str

    Returns
    -------
    callable
        Decorates ``f(matrix, rows, session, params, state, start, stop, out)``, which it compiles, or, of which it
        gives back the same, ``f(view)`` or a class with ``on_bar(view)``: see `admf_ray.strategies.python`.

    Raises
    ------
    ConfigError
        Where it decorates anything else, or a kernel whose inputs and warm-up are not given.
    """

    def register(decorated: Decorated) -> Decorated:
        is_kernel = _is_kernel(decorated)
        called = name or decorated.__name__
        if is_kernel and (inputs is None or warm_up is None):
            raise ConfigError(f"kernel '{called}': inputs and warm_up are needed; allowed: both, or f(view)")
        if not is_kernel and state_size != 0:
            raise ConfigError(f"'{called}': state_size is for kernels; allowed: state that an instance keeps")
        bars = 0 if warm_up is None else warm_up
        code: Any = _compiled(decorated, STRATEGY, _STAGE, "strategy") if is_kernel else decorated
        _offer(
            STRATEGIES,
            Strategy(
                name=called,
                parameters=tuple(parameters),
                inputs=_texts("inputs", () if inputs is None else inputs),
                kernel=code if is_kernel else None,
                python=None if is_kernel else code,
                constraints=_texts("constraints", constraints),
                state_size=_bars("state_size", state_size, parameters),
                warm_up=_bars("warm_up", bars, parameters),
                convergence=_bars("convergence", bars if convergence is None else convergence, parameters),
                scope=scope,
                symbols=symbols,
                source=source,
            ),
        )
        return cast(Decorated, code)

    return register


def _is_kernel(decorated: Any) -> bool:
    """Say whether a function has the arguments of a kernel; refuse what is no strategy of any kind."""
    if inspect.isclass(decorated):
        return False
    allowed = f"allowed: f({', '.join(_STAGE)}), f(view), or a class with on_bar(view)"
    if not inspect.isfunction(decorated):
        raise ConfigError(f"strategy {decorated!r} is neither function nor class; {allowed}")
    given = list(inspect.signature(decorated).parameters)
    if len(given) not in {1, len(_STAGE)}:
        raise ConfigError(
            f"strategy '{decorated.__name__}' takes {len(given)} arguments ({', '.join(given)}); {allowed}"
        )
    return len(given) > 1


def indicator(
    *,
    pattern: Literal["stateless", "rolling", "cumulative", "recursive"],
    parameters: Sequence[Parameter] = (),
    inputs: Sequence[str] = ("close",),
    parts: Sequence[str] = (),
    outputs: Sequence[str] = (),
    warm_up: Bars,
    convergence: Bars | None = None,
    state_size: Bars = 0,
    source: str = "plugin",
) -> Callable[[Kernel], Kernel]:
    """Compile a function and register it as an indicator of its name; see `admf_ray.indicators.Indicator`.

    Parameters as of kernels in `strategy`; ``inputs`` names the sources, ``outputs`` is one of the function's name
    unless said.

    Returns
    -------
    callable
        Decorates ``f(matrix, rows, session, params, state, start, stop, out)``.
    """

    def register(function: Kernel) -> Kernel:
        kernel = _compiled(function, INDICATOR, _STAGE, "indicator")
        _offer(
            INDICATORS,
            Indicator(
                name=function.__name__,
                pattern=pattern,
                parameters=tuple(parameters),
                inputs=_texts("inputs", inputs),
                parts=_texts("parts", parts),
                outputs=_texts("outputs", outputs) or (function.__name__,),
                kernel=kernel,
                state_size=_bars("state_size", state_size, parameters),
                warm_up=_bars("warm_up", warm_up, parameters),
                convergence=_bars("convergence", warm_up if convergence is None else convergence, parameters),
                source=source,
            ),
        )
        return kernel

    return register


def sizing(function: Kernel) -> Kernel:
    """Compile ``f(target, size, close, equity)`` and register it as a sizing of its name; see `SizingRule`."""
    kernel = _compiled(function, SIZING, _RULE, "sizing")
    _offer(SIZINGS, SizingRule(name=function.__name__, kernel=kernel, source="plugin"))
    return kernel


def _compiled(function: Kernel, signature: Any, arguments: Sequence[str], family: str) -> Kernel:
    given = list(inspect.signature(function).parameters)
    if len(given) != len(arguments):
        raise ConfigError(
            f"{family} '{function.__name__}' takes {len(given)} arguments ({', '.join(given)}); "
            f"allowed: {len(arguments)} ({', '.join(arguments)})"
        )
    # Numbers and helpers from elsewhere are frozen into a kernel, and a cache on disk would not see them change.
    return compiled(signature, cache=False)(function)


def _texts(what: str, given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(text, str) for text in given):
        raise ConfigError(f"{what} is {given!r}; allowed: texts in parentheses, each followed by a comma")
    return tuple(given)


def _bars(what: str, count: Bars, parameters: Sequence[Parameter]) -> Callable[[tuple[float, ...]], int]:
    """Give a function of the parameters, tried on their defaults."""
    function = count if callable(count) else lambda params: count
    bars = function(tuple(float(parameter.default) for parameter in parameters))
    if not isinstance(bars, int) or bars < 0:
        raise ConfigError(f"{what} is {bars!r}; allowed: a whole number from 0 on, or a function that gives one")
    return function


def classifier(
    *,
    labels: Sequence[str],
    inputs: Sequence[str],
    parameters: Sequence[Parameter] = (),
    warm_up: Bars,
    convergence: Bars | None = None,
    state_size: Bars = 0,
    constraints: Sequence[str] = (),
    source: str = "plugin",
) -> Callable[[Kernel], Kernel]:
    """Compile a function and register it as a classifier of its name; see `admf_ray.classifiers.Classifier`.

    Parameters as in `strategy`; ``labels`` names the regimes 0, 1, ...

    Returns
    -------
    callable
        Decorates ``f(matrix, rows, session, params, state, start, stop, out)``; row 0 of ``out`` takes the labels.
    """

    def register(function: Kernel) -> Kernel:
        kernel = _compiled(function, CLASSIFIER, _STAGE, "classifier")
        names = _texts("labels", labels)
        _offer(
            CLASSIFIERS,
            Classifier(
                name=function.__name__,
                parameters=tuple(parameters),
                inputs=_texts("inputs", inputs),
                kernel=kernel,
                labels=lambda params: names,
                constraints=_texts("constraints", constraints),
                state_size=_bars("state_size", state_size, parameters),
                warm_up=_bars("warm_up", warm_up, parameters),
                convergence=_bars("convergence", warm_up if convergence is None else convergence, parameters),
                source=source,
            ),
        )
        return kernel

    return register


def component(name: str | None = None) -> Callable[[Factory], Factory]:
    """Register a class, or a function that makes a component, as one; see `admf_ray.containers.ComponentKind`.

    Parameters
    ----------
    name : str, optional
        By which specs name it; that of the class in snake case.

    Returns
    -------
    callable
        Gives the class as it is.
    """

    def register(factory: Factory) -> Factory:
        _offer(COMPONENTS, component_kind(factory, name))
        return factory

    return register
