"""The event-driven engine: one strategy in a container of its own, bit-identical to the compiled simulation."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.containers import ComponentSpec, ContainerSpec, ScopedContainer
from admf_ray.core.bars import Bars
from admf_ray.engine.account_state import AccountState
from admf_ray.engine.components import Execution, Feed, PortfolioBook, Risk, StrategyRunner
from admf_ray.engine.result import Segment, segment_of
from admf_ray.engine.spec import AccountRules
from admf_ray.events import EventBus
from admf_ray.plugins import activate
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.strategies import STRATEGIES, Strategy

__all__ = ["ONE_CHAIN", "build_container", "run_chunk_in_containers", "run_segment_in_container"]


def _needing(name: str, factory: Callable[..., Any], *needs: str) -> ComponentSpec:
    """Give the spec of a component whose parameters are named as what it gets."""
    return ComponentSpec(name, factory, {need: need for need in needs})


ONE_CHAIN = ContainerSpec(
    "backtest",
    (
        _needing("account", AccountState, "bars", "matrix", "rules", "flat", "span"),
        _needing("execution", Execution, "bars", "account", "rules"),
        _needing("portfolio", PortfolioBook, "bars", "account", "span"),
        _needing("strategy_runner", StrategyRunner, "bars", "strategy", "matrix", "rows", "params", "span"),
        _needing("risk", Risk, "bars", "account", "strategy"),
        _needing("feed", Feed, "bars", "span"),
    ),
    description="one strategy: feed > strategy > risk > execution > portfolio",
)
"""A strategy that trades an account."""

_NUMBERS = count(1)


def build_container(
    bars: Bars,
    matrix: npt.NDArray[np.float64],
    strategy: Strategy,
    rows: npt.NDArray[np.int64],
    params: npt.NDArray[np.float64],
    rules: AccountRules,
    flat: npt.NDArray[Any],
    start: int,
    stop: int,
    container_id: str | None = None,
    observe: Callable[[EventBus], object] | None = None,
) -> ScopedContainer:
    """Give a container that trades one candidate over one span, ready to be entered.

    Parameters
    ----------
    bars, matrix, strategy, rows, params, rules, flat, start, stop
        As in `admf_ray.engine.result.run_segment`.
    container_id : str, optional
        A number of its own by default.
    observe : callable, optional
        Called with the bus before anything happens, to attach observers.
    """
    services = {
        "bars": bars,
        "matrix": matrix,
        "strategy": strategy,
        "rows": rows,
        "params": params,
        "rules": rules,
        "flat": flat,
        "span": (start, stop),
    }
    name = container_id or f"backtest_{next(_NUMBERS)}"
    return ScopedContainer(ONE_CHAIN, name, services, errors="raise", observe=observe)


def _run(container: ScopedContainer) -> AccountState:
    """Run a container over its span; give its account."""
    feed, risk = container.resolve("feed"), container.resolve("risk")
    execution, portfolio = container.resolve("execution"), container.resolve("portfolio")
    start, stop = container.resolve("span")
    for bar in range(start, stop):
        closing = feed.publish(bar)
        # All signals of the bar are there: publishing ends when nothing waits.
        risk.end_bar(bar, closing)
        execution.end_bar(bar, closing)
        portfolio.end_bar(bar, closing)
    account: AccountState = container.resolve("account")
    return account


def run_segment_in_container(
    bars: Bars,
    matrix: npt.NDArray[np.float64],
    strategy: Strategy,
    rows: npt.NDArray[np.int64],
    params: npt.NDArray[np.float64],
    rules: AccountRules,
    flat: npt.NDArray[Any],
    start: int,
    stop: int,
    container_id: str | None = None,
    observe: Callable[[EventBus], object] | None = None,
) -> Segment:
    """Simulate one candidate over one span in a container, and keep its path, fills and trades.

    Parameters as in `build_container`; `admf_ray.engine.result.run_segment` gives the same to the last bit.
    """
    given = (bars, matrix, strategy, rows, params, rules, flat, start, stop)
    with build_container(*given, container_id, observe) as container:
        account = _run(container)
        return segment_of(
            bars, flat, start, stop, account.account, account.holdings, account.path, account.fills, account.record
        )


def run_chunk_in_containers(
    params: npt.NDArray[np.float64], wanted: npt.NDArray[np.int64], bundle: Mapping[str, Any]
) -> npt.NDArray[np.float64]:
    """Simulate a chunk of candidates on a host, each over each span in a container of its own.

    Parameters
    ----------
    params : float64 array, shape [candidate, parameter]
    wanted : int64 array, shape [candidate, symbol, slot]
        Which keys each candidate reads.
    bundle : mapping
        As in `admf_ray.engine.sweep.run_chunk`, and the ``bars`` and the ``account`` (`AccountRules`).

    Returns
    -------
    float64 array, shape [candidate, span, len(METRICS)]
    """
    activate(bundle["plugins"])
    strategy = STRATEGIES[bundle["strategy"]]
    out = np.empty((len(params), len(bundle["spans"]), len(METRICS)))
    for c, rows in enumerate(bundle["rows"][wanted]):
        given = (bundle["bars"], bundle["matrix"], strategy, rows, params[c], bundle["account"], bundle["flat"])
        for w, (start, stop) in enumerate(bundle["spans"].tolist()):
            with build_container(*given, start, stop) as container:
                account = _run(container)
                measure(account.account[0], account.record[0], out[c, w])
    return out
