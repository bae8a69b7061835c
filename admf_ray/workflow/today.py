"""What now: the newest window refitted, its current target, and the order that follows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray._types import Executor, Observer
from admf_ray.core.records import Boundary, FillPolicy
from admf_ray.data import Window
from admf_ray.optimize import Choice, Search, recorded_metrics
from admf_ray.workflow.discovery import sweep_windows
from admf_ray.workflow.frames import boundary

__all__ = ["Today", "refit"]


@dataclass(frozen=True, slots=True)
class Today:
    """The state of a strategy at the last bar.

    Attributes
    ----------
    window : int
        Number of the newest window.
    train_start, train_stop, test_start : int
        Its spans, ns UTC, half-open.
    candidates : int
        Out of which it was chosen.
    parameters : dict of str to float, or None
        None where no candidate could win: cash.
    train : dict of str to float, or None
        Metrics of the chosen set over the train span.
    as_of : int
        When the last bar was known, ns UTC.
    symbol : str
    close : float
        Of the last bar that is there.
    target : float or None
        Exposure wanted now; None where the strategy does not know yet.
    since : int or None
        When the target became what it is, ns UTC.
    state : {"before", "testing", "after"}
        Whether the first bar of the test span is still to come, it is being traded, or it is over and the next window
        has not begun. Only while it is traded there are orders.
    equity, position : float
        Of the account at the close: the one that began with the test span.
    order : float
        Signed quantity to trade, 0 for none; a buy is cut to the cash when it fills. Filled at the close, it is in
        ``position`` already.
    fill : str
        When it fills: ``next_open`` or ``close``.
    """

    window: int
    train_start: int
    train_stop: int
    test_start: int
    candidates: int
    parameters: dict[str, float] | None
    train: dict[str, float] | None
    as_of: int
    symbol: str
    close: float
    target: float | None
    since: int | None
    state: str
    equity: float
    position: float
    order: float
    fill: str


def refit(search: Search, window: Window, choice: Choice, executor: Executor, observe: Observer) -> Today:
    """Choose by the train span of the newest window and see what the winner wants at the last bar.

    Parameters
    ----------
    search : Search
    window : Window
        See `admf_ray.data.windows.WindowPlan.newest`.
    choice : Choice
    executor : Executor
    observe : Observer
        Told of the chunks.

    Returns
    -------
    Today
        Of the first symbol.
    """
    bars = search.bars
    span = (window.train_start, window.train_stop)
    swept = sweep_windows(search, [span], choice, recorded_metrics("objective", choice), executor, observe)
    best = swept.leaders[0].winner(choice)
    known = np.flatnonzero(~np.isnan(bars.close[0]))
    tested = range(window.test_start, window.test_stop)
    state = "before" if not tested else "testing" if window.test_stop == len(bars) else "after"
    found: dict[str, Any] = {"parameters": None, "train": None, "target": None, "since": None, "order": 0.0}
    found |= {"equity": search.rules.cash, "position": 0.0}
    if best is not None:
        hub, (winner, found["train"]) = swept.hub, best
        target, since = _current(search.targets(hub, winner)[0])
        found["parameters"] = search.candidates.parameters(winner)
        found["target"] = target
        found["since"] = None if since is None else int(bars.known_at[since])
        if tested:
            # While it is traded, what is held is valued and not sold.
            boundary_rule = Boundary.MARK if state == "testing" else search.rules.boundary
            account = replace(search, rules=replace(search.rules, boundary=boundary_rule))
            segment = account.segment(hub, winner, tested.start, tested.stop)
            found["equity"], found["position"] = float(segment.equity[-1]), float(segment.position[0, -1])
            if state == "testing":
                now = segment.fills["quantity"][segment.fills["bar"] == len(bars) - 1]
                at_close = search.rules.fill == FillPolicy.CLOSE
                found["order"] = float(now.sum() if at_close else segment.pending[0])
    return Today(
        window=window.index,
        train_start=boundary(bars, window.train_start),
        train_stop=boundary(bars, window.train_stop),
        test_start=boundary(bars, window.test_start),
        candidates=len(search.candidates),
        as_of=int(bars.known_at[-1]),
        symbol=bars.symbols[0],
        close=float(bars.close[0, known[-1]]) if len(known) else float("nan"),
        state=state,
        fill=search.rules.fill.name.lower(),
        **found,
    )


def _current(targets: npt.NDArray[np.float64]) -> tuple[float | None, int | None]:
    """Give the target that holds at the end, and the bar since which it does."""
    known = np.flatnonzero(np.isfinite(targets))
    if not len(known):
        return None, None
    values = targets[known]
    changed = np.flatnonzero(np.diff(values) != 0.0)
    return float(values[-1]), int(known[changed[-1] + 1] if len(changed) else known[0])
