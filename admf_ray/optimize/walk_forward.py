"""Walk-forward: choose on each train span, test the winner on the span after it, chain the tests (SEMANTICS 6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from admf_ray.data.spans import Stretch, pieces_of
from admf_ray.data.windows import Window
from admf_ray.engine.result import Segment
from admf_ray.indicators import Hub
from admf_ray.optimize.evaluation import Proposed, as_params, evaluate
from admf_ray.optimize.objective import Choice
from admf_ray.optimize.search import Search, plan_search
from admf_ray.optimize.selection import Chosen
from admf_ray.optimize.space import Candidates
from admf_ray.portfolio.metrics import METRICS, path_metrics
from admf_ray.statistics import per_bar_returns
from admf_ray.strategies import STRATEGIES

__all__ = ["Stitched", "WindowOutcome", "buy_and_hold", "chain", "evaluate_window", "refill", "stitch", "trained"]


@dataclass(frozen=True, slots=True)
class WindowOutcome:
    """What one window came to.

    Attributes
    ----------
    window : Window
    chosen : Chosen or None
        None where no candidate may win: cash.
    train : dict of str to float or None
        Metrics of what was chosen over the train span.
    test : Segment or None
        What was chosen over the test span; None for cash, as well where it failed there.
    """

    window: Window
    chosen: Chosen | None
    train: dict[str, float] | None
    test: Segment | None


@dataclass(frozen=True, slots=True)
class Stitched:
    """Chained test spans beside buy and hold on the same bars.

    Attributes
    ----------
    bars : int64 array, shape [bar]
        Indices into the series.
    window : int64 array, shape [bar]
    equity, benchmark, position : float64 array, shape [bar]
        Both equities start from the initial cash; for ``position`` see `Segment.size`.
    metrics, benchmark_metrics : dict of str to float
    """

    bars: npt.NDArray[np.int64]
    window: npt.NDArray[np.int64]
    equity: npt.NDArray[np.float64]
    benchmark: npt.NDArray[np.float64]
    position: npt.NDArray[np.float64]
    metrics: dict[str, float]
    benchmark_metrics: dict[str, float]


def evaluate_window(
    search: Search, hub: Hub, window: Window, chosen: Chosen | None, has_failed: bool = False
) -> WindowOutcome:
    """Simulate what was chosen by a window's train span over its test span.

    Parameters
    ----------
    search : Search
    hub : Hub
    window : Window
    chosen : Chosen or None
        None for cash.
    has_failed : bool
        Whether what was chosen is known to fail in the test: then the test is spent in cash.
    """
    if chosen is None:
        return WindowOutcome(window, None, None, None)
    test = None if has_failed else _test(search, hub, window, chosen)
    return WindowOutcome(window, chosen, trained(search, hub, window.trained_on, chosen), test)


def trained(search: Search, hub: Hub, span: Stretch, chosen: Chosen) -> dict[str, float]:
    """Give the metrics of what was chosen over the train span, simulated where the search did not keep them.

    Of several that trade together the span is of one piece.
    """
    if chosen.train is not None:
        return chosen.train
    first, *others = pieces_of(span)
    if not others:
        return search.segment(hub, chosen.candidates, *first, first).metrics
    (candidate,) = chosen.candidates
    params = as_params(search.candidates.block(candidate, candidate + 1)[0])
    bundle = search.study_bundle([span], Choice("sharpe", 1)) | {"kept": {"hub": hub}}
    (metrics,) = evaluate(Proposed(0, [params]), bundle).metrics
    return dict(zip(METRICS, metrics.tolist(), strict=True))


def chain(returns: npt.NDArray[np.float64], initial: float) -> npt.NDArray[np.float64]:
    """Compound per-bar returns from an initial equity, left to right."""
    return np.asarray(initial * np.cumprod(1.0 + returns))


def refill(search: Search, hub: Hub, outcomes: Sequence[WindowOutcome]) -> list[WindowOutcome]:
    """Simulate the tests of the same winners again, by the rules of another search."""
    return [
        outcome
        if outcome.chosen is None or outcome.test is None
        else replace(outcome, test=_test(search, hub, outcome.window, outcome.chosen))
        for outcome in outcomes
    ]


def _test(search: Search, hub: Hub, window: Window, chosen: Chosen) -> Segment:
    return search.segment(hub, chosen.candidates, window.test_start, window.test_stop, window.train)


def stitch(search: Search, outcomes: Sequence[WindowOutcome], held: Segment | None = None) -> Stitched:
    """Chain the test spans and put buy and hold beside them.

    Each test begins with the initial cash, so its per-bar returns are chained, not its money. The benchmark is one
    continuous position from the first test bar to the last, with the same costs, one entry and one exit; where steps
    longer than the tests leave bars out, its returns of the stitched bars are chained.

    Parameters
    ----------
    search : Search
    outcomes : sequence of WindowOutcome
        Their tests in the order of time.
    held : Segment, optional
        Of `buy_and_hold` from the first test bar to the last, where it is there already.
    """
    cash = search.rules.cash
    spans = [(outcome.window.test_start, outcome.window.test_stop) for outcome in outcomes]
    bars = np.concatenate([np.arange(start, stop) for start, stop in spans])
    window = np.concatenate(
        [np.full(one.window.test_stop - one.window.test_start, one.window.index) for one in outcomes]
    )
    returns, position = [], []
    for (start, stop), outcome in zip(spans, outcomes, strict=True):
        equity = np.full(stop - start, cash) if outcome.test is None else outcome.test.equity
        returns.append(per_bar_returns(equity, cash))
        position.append(np.zeros(stop - start) if outcome.test is None else outcome.test.size)
    held = buy_and_hold(search, spans[0][0], spans[-1][1]) if held is None else held
    equity = chain(np.concatenate(returns), cash)
    benchmark = chain(per_bar_returns(held.equity, cash)[bars - spans[0][0]], cash)
    exposed = np.concatenate(position) != 0.0
    tests = [outcome.test for outcome in outcomes if outcome.test is not None]
    nets = np.concatenate([test.trades["net"] for test in tests]) if tests else np.empty(0)
    commission = sum(test.metrics["commission"] for test in tests)
    record = search.rules.record(search.bars.periods_per_year)
    return Stitched(
        bars=bars,
        window=window,
        equity=equity,
        benchmark=benchmark,
        position=np.concatenate(position),
        metrics=path_metrics(equity, exposed, nets, commission, record),
        benchmark_metrics=path_metrics(
            benchmark,
            held.size[bars - spans[0][0]] != 0.0,
            held.trades["net"],
            held.metrics["commission"],
            record,
        ),
    )


def buy_and_hold(search: Search, start: int, stop: int) -> Segment:
    """Simulate all money in the market over a span: one entry, one exit, the costs of the search's rules.

    It needs no history, so it holds from the first bar whatever the data asks of strategies; of several symbols each
    gets the same share.
    """
    rules = search.rules.passive(len(search.bars.symbols))
    bars = replace(search.bars, min_history=0)
    held = plan_search(bars, STRATEGIES["buy_and_hold"], Candidates.single({}), rules)
    return held.segment(held.hub(), 0, start, stop)
