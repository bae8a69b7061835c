"""The plan of a combinatorial purged cross-validation out of the settings."""

from admf_ray.app.data_settings import CombinatorialWindows
from admf_ray.app.settings import Settings
from admf_ray.core.bars import Bars
from admf_ray.data import CombinatorialPlan, Span, Split
from admf_ray.data.spans import TimeAxis
from admf_ray.errors import ConfigError
from admf_ray.optimize import Search, longest_memory

__all__ = ["combinatorial_plan", "split_spans"]

_IN_ORDER = "rolling, anchored or split"


def combinatorial_plan(windows: CombinatorialWindows, settings: Settings, search: Search) -> CombinatorialPlan:
    """Give the plan; where no embargo is named, it is as long as what the search remembers.

    Raises
    ------
    ConfigError
        Where an option asks for the order of time, a classifier is fitted, or the embargo is shorter than what the
        search remembers; shows the arithmetic.
    """
    if settings.run is not None:
        raise ConfigError(
            "run: newer windows are added at the end, and of windows.kind=cpcv every split has all of the data; "
            f"allowed: windows={_IN_ORDER}"
        )
    if settings.search.warm_start is not None:
        raise ConfigError(
            "search.warm_start: every bar is tested by windows.kind=cpcv, so that a run saw bars of a test whatever it "
            f"saw; allowed: null, or windows={_IN_ORDER}"
        )
    if settings.dataset:
        raise ConfigError(f"dataset: {settings.dataset} needs windows=split; windows.kind is cpcv")
    if search.composition.is_fitted:
        fitted = next(watch for watch in search.composition.watches if watch.classifier.fit is not None)
        raise ConfigError(
            f"classifier: {fitted.classifier.name} is fitted, and a train set of windows.kind=cpcv is in pieces, with "
            f"gaps that nothing can be fitted across; allowed: a classifier that is not fitted, or windows={_IN_ORDER}"
        )
    memory = longest_memory(search)
    if memory.is_endless:
        raise ConfigError(
            f"windows.kind: cpcv trains on bars after a test, and {memory.arithmetic}, so that no embargo keeps the "
            f"test out; allowed: other indicators, or windows={_IN_ORDER}"
        )
    plan = CombinatorialPlan(
        groups=windows.groups,
        tests=windows.tests,
        gap=Span.parse(windows.gap, "windows.gap"),
        embargo=Span(memory.bars, "b") if windows.embargo is None else Span.parse(windows.embargo, "windows.embargo"),
    )
    plan.cut(search.bars)
    dropped = _shortest_embargo(plan, search.bars)
    if dropped < memory.bars:
        raise ConfigError(
            f"windows.embargo: {plan.embargo} drops {dropped:,} bars after a test, and what is decided so soon after "
            f"may still see that test: {memory.arithmetic} = {memory.bars:,} bars; allowed: at least {memory.bars}b, "
            "or null"
        )
    return plan


def _shortest_embargo(plan: CombinatorialPlan, bars: Bars) -> int:
    """Give the bars that the embargo drops after a group, at least; where it reaches the end, so many as it likes."""
    axis = TimeAxis.of(bars)
    stops = [(edge, plan.embargoed_until(axis, edge)) for edge in plan.edges(len(bars))[1:-1]]
    return min((until - edge for edge, until in stops if until < len(bars)), default=len(bars))


def split_spans(splits: tuple[Split, ...], bars: Bars) -> list[tuple[str, int, int]]:
    """Give what `admf_ray.app.doubts.doubts` looks at: each train set, and all tests, which are all bars."""
    trained = [(f"train {split.index}", *piece) for split in splits for piece in split.train]
    return [*trained, ("all tests", 0, len(bars))]
