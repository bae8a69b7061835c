"""What now: the newest window refitted, its current target, and the order that follows."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from admf_ray._types import Executor, Observer
from admf_ray.core.records import Boundary, FillPolicy, Halt, OrderKind
from admf_ray.data import Window
from admf_ray.engine.result import Segment
from admf_ray.optimize import Choice, Search, recorded_metrics, trained
from admf_ray.portfolio.trades import PROTECTIVE
from admf_ray.workflow.frames import boundary
from admf_ray.workflow.searching import search_windows

__all__ = ["Standing", "Today", "refit"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one symbol stands at the last bar.

    Attributes
    ----------
    symbol : str
    close : float
        Of its last bar that is there; NaN where there is none.
    target : float or None
        Exposure wanted now; None where the strategy does not know yet.
    since : int or None
        When the target became what it is, ns UTC.
    position : float
        At the close.
    order : float
        Signed quantity to trade, 0 for none; a buy is cut to the cash when it fills. Filled at the close, it is in
        ``position`` already.
    waiting : float
        What the volume left of an order that fills at closes.
    is_blocked : bool
        Whether the target has to be 0 or of the other sign first, after an exit or a halt.
    kind : {"market", "limit", "stop"}
        Of the order.
    price : float or None
        Of a limit or stop order.
    """

    symbol: str
    close: float
    target: float | None = None
    since: int | None = None
    position: float = 0.0
    order: float = 0.0
    waiting: float = 0.0
    is_blocked: bool = False
    kind: str = "market"
    price: float | None = None


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
    parameters : dict of str to (float or str), or None
        None where no candidate could win: cash.
    train : dict of str to float, or None
        Metrics of the chosen set over the train span.
    as_of : int
        When the last bar was known, ns UTC.
    state : {"before", "testing", "after"}
        Whether the first bar of the test span is still to come, it is being traded, or it is over and the next window
        has not begun. Only while it is traded there are orders.
    equity : float
        Of the account at the close: the one that began with the test span.
    halt : {"none", "drawdown", "daily_loss", "ruin"}
        Why the account does not trade.
    fill : str
        When market orders fill: ``next_open`` or ``close``.
    standings : tuple of Standing
        One for each symbol.
    """

    window: int
    train_start: int
    train_stop: int
    test_start: int
    candidates: int
    parameters: dict[str, float | str] | None
    train: dict[str, float] | None
    as_of: int
    state: str
    equity: float
    halt: str
    fill: str
    standings: tuple[Standing, ...]


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
    """
    bars = search.bars
    if search.adaptive is not None:
        # The study that a walk-forward has of this window.
        search = replace(search, adaptive=replace(search.adaptive, first=window.index))
    with TemporaryDirectory(prefix="admf_ray-") as folder:
        recorded = recorded_metrics("objective", choice)
        swept = search_windows(search, [window.train], choice, recorded, executor, observe, Path(folder))
    search = swept.search
    chosen = swept.chosen[0]
    tested = range(window.test_start, window.test_stop)
    state = "before" if not tested else "testing" if window.test_stop == len(bars) else "after"
    parameters: dict[str, float | str] | None = None
    equity, halt, train = search.rules.cash, "none", None
    standings = [Standing(symbol, _last_close(bars.close[s])) for s, symbol in enumerate(bars.symbols)]
    if chosen is not None:
        hub, winner = swept.hub, chosen.candidates
        train = trained(search, hub, window.train, chosen)
        parameters = search.parameters(winner)
        wanted = [_current(targets) for targets in search.targets(hub, winner, window.train)]
        standings = [
            replace(standing, target=target, since=None if since is None else int(bars.known_at[since]))
            for standing, (target, since) in zip(standings, wanted, strict=True)
        ]
        if tested:
            # While it is traded, what is held is valued and not sold.
            boundary_rule = Boundary.MARK if state == "testing" else search.rules.boundary
            account = replace(search, rules=replace(search.rules, boundary=boundary_rule))
            segment = account.segment(hub, winner, tested.start, tested.stop, window.train)
            equity = float(segment.equity[-1])
            halt = Halt(int(segment.account["halt"])).name.lower()
            at_close = search.rules.fill == FillPolicy.CLOSE
            standings = [
                _held(standing, segment, s, state == "testing", at_close) for s, standing in enumerate(standings)
            ]
    return Today(
        window=window.index,
        train_start=boundary(bars, window.train_start),
        train_stop=boundary(bars, window.train_stop),
        test_start=boundary(bars, window.test_start),
        candidates=len(search.candidates),
        parameters=parameters,
        train=train,
        as_of=int(bars.known_at[-1]),
        state=state,
        equity=equity,
        halt=halt,
        fill=search.rules.fill.name.lower(),
        standings=tuple(standings),
    )


def _held(standing: Standing, segment: Segment, symbol: int, is_traded: bool, fills_at_close: bool) -> Standing:
    """Add what an account holds and, while it is traded, the order of the last bar: waiting, or filled at its close."""
    held = replace(standing, position=float(segment.position[symbol, -1]))
    if not is_traded:
        return held
    holding, fills = segment.holdings[symbol], segment.fills
    at_close = (fills["symbol"] == symbol) & (fills["bar"] == segment.stop - 1) & (fills["decided"] == fills["bar"])
    at_close &= ~np.isin(fills["reason"], PROTECTIVE)
    pending = float(holding["pending"])
    order, waiting = (float(fills["quantity"][at_close].sum()), pending) if fills_at_close else (pending, 0.0)
    kind = OrderKind(int(holding["kind"]))
    price = float(holding["level"]) if pending and kind != OrderKind.MARKET else None
    return replace(
        held,
        order=order,
        waiting=waiting,
        is_blocked=bool(holding["blocked"]),
        kind=kind.name.lower() if price is not None else "market",
        price=price,
    )


def _last_close(close: npt.NDArray[np.float64]) -> float:
    known = close[~np.isnan(close)]
    return float(known[-1]) if len(known) else float("nan")


def _current(targets: npt.NDArray[np.float64]) -> tuple[float | None, int | None]:
    """Give the target that holds at the end, and the bar since which it does."""
    known = np.flatnonzero(np.isfinite(targets))
    if not len(known):
        return None, None
    values = targets[known]
    changed = np.flatnonzero(np.diff(values) != 0.0)
    return float(values[-1]), int(known[changed[-1] + 1] if len(changed) else known[0])
