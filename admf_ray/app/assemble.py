"""From settings to what phases work on: bars, search, windows, executor."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from admf_ray._types import Executor
from admf_ray.app.candidates import largest, make_candidates
from admf_ray.app.compose import compose, composed_params
from admf_ray.app.data_settings import CombinatorialWindows, RollingWindows, SplitWindows
from admf_ray.app.holdout import kept_back, opened_span, refuse_open
from admf_ray.app.settings import ClusterSettings, Settings
from admf_ray.app.signals import stopped_by_signals
from admf_ray.cluster import SerialExecutor
from admf_ray.core.bars import Bars
from admf_ray.core.registry import unknown_name
from admf_ray.data import Span, SplitPlan, Window, WindowPlan, date_span, request_bars
from admf_ray.engine.account_options import with_options
from admf_ray.engine.composition import Composition
from admf_ray.engine.hosting import check_containers
from admf_ray.engine.spec import AccountRules, Instrument
from admf_ray.errors import ConfigError
from admf_ray.optimize import (
    Candidates,
    Search,
    check_memory,
    plan_search,
)
from admf_ray.risk.sizing import SIZINGS

__all__ = [
    "assemble_search",
    "check_account",
    "check_capacity",
    "cut_windows",
    "load_data",
    "newest_window",
    "open_executor",
    "single_span",
    "window_spans",
]


def load_data(settings: Settings) -> Bars:
    """Load the bars that ``data`` names, without those of a holdout that is not opened."""
    return kept_back(settings, request_bars(settings.data.request))


def assemble_search(settings: Settings, bars: Bars, searched: bool = True) -> Search:
    """Expand the candidates and plan their indicators.

    Parameters
    ----------
    settings : Settings
    bars : Bars
    searched : bool
        Whether a space is searched; otherwise ``strategy.params`` is the only candidate.
    """
    refuse_open(settings)
    if settings.books:
        raise ConfigError(f"books: {settings.experiment} searches one book; allowed with: backtest, or books={{}}")
    composition = compose(settings)
    params = composed_params(settings, composition)
    if settings.risk.sizing not in SIZINGS:
        raise ConfigError(f"risk.sizing: {unknown_name('sizing', settings.risk.sizing, SIZINGS.names())}")
    if searched:
        candidates, adaptive, space = make_candidates(settings, composition, params)
    else:
        candidates, adaptive, space = Candidates.single(composition.complete(params)), None, None
    rules = settings.account
    demanding = {path: largest(values) for path, values in settings.search.space.items()} if searched else {}
    check_account(with_options(rules, demanding), bars)
    search = plan_search(bars, composition, candidates, rules)
    # Without a kernel there is nothing to compile.
    engine = "event_driven" if composition.is_python else settings.engine.kind
    isolated = settings.hub.mode == "isolated"
    if isolated and (engine == "event_driven" or not composition.is_plain or search.columns.leading):
        raise ConfigError("hub.mode: isolated measures one strategy on engine=compiled; allowed: hub=shared")
    if settings.engine.streams and engine == "compiled":
        raise ConfigError("engine.streams: containers stream the hub; allowed: engine=event_driven, or false")
    fit = _fit_span(settings, bars, composition, searched)
    streams = settings.engine.streams
    failed = {} if settings.recovery is None else settings.recovery.failed
    return replace(
        search,
        isolated=isolated,
        engine=engine,
        streams=streams,
        adaptive=adaptive,
        fit=fit,
        space=space,
        failed=failed,
    )


def _fit_span(settings: Settings, bars: Bars, composition: Composition, searched: bool) -> tuple[int, int] | None:
    """Give the bars that classifiers are fitted on where ``classifier.fit`` names them."""
    fit = settings.classifier.fit
    named = fit.start is not None or fit.stop is not None
    if not composition.is_fitted:
        if named:
            raise ConfigError("classifier.fit: no classifier is fitted; allowed: null")
        return None
    if settings.experiment in {"walkforward", "today"}:
        if named:
            raise ConfigError(f"classifier.fit: {settings.experiment} fits on its train spans; allowed: null")
        return None
    if not named and not searched:
        fitted = next(watch for watch in composition.watches if watch.classifier.fit is not None)
        raise ConfigError(
            f"classifier.fit: {fitted.classifier.name} is fitted; on which bars? allowed: dates start and stop, before "
            "the span that is tested"
        )
    return date_span(bars, fit.start, fit.stop, "classifier.fit") if named else None


def check_capacity(cluster: ClusterSettings, search: Search, spans: int) -> None:
    """Refuse a search that cannot fit where it is to be computed.

    Raises
    ------
    CapacityError
        With the arithmetic.
    """
    check_memory(search, spans, cluster.hosts_here, None if cluster.kind == "serial" else cluster.memory.hard)
    if search.engine == "event_driven":
        check_containers(search.composition, cluster.max_containers)


def check_account(rules: AccountRules, bars: Bars) -> None:
    """Refuse rules that ask for what these bars do not have.

    Raises
    ------
    ConfigError
        Names the option and what is allowed.
    """
    for where, names in (
        ("instruments", list(rules.instruments)),
        ("risk.limits.symbol", [rule.symbol for rule in rules.limits if rule.symbol is not None]),
    ):
        for name in names:
            if name not in bars.symbols:
                raise ConfigError(f"{where}: {unknown_name('symbol of the data', name, list(bars.symbols))}")
    known = {symbol: rules.instruments.get(symbol, Instrument()) for symbol in bars.symbols}
    currencies = {instrument.currency for instrument in known.values()}
    if len(currencies) > 1:
        shown = ", ".join(f"{symbol} {instrument.currency}" for symbol, instrument in known.items())
        raise ConfigError(f"instruments: one account holds several currencies ({shown}); allowed: one for all symbols")
    for symbol, instrument in known.items():
        if instrument.periods_per_year not in (None, bars.periods_per_year):
            raise ConfigError(
                f"instruments.{symbol}.periods_per_year: {instrument.periods_per_year:g}, but the data has "
                f"{bars.periods_per_year:g} bars a year; allowed: the same, or data.periods_per_year"
            )
    if rules.needs_volume:
        unknown = [name for name, volume in zip(bars.symbols, bars.volume, strict=True) if not (volume > 0.0).any()]
        if unknown:
            option = "participation" if rules.participation > 0.0 else "impact"
            raise ConfigError(f"execution.{option}: {unknown[0]} has no volume; allowed: data with volume, or none")


def window_spans(windows: Sequence[Window]) -> list[tuple[str, int, int]]:
    """Give what `doubts` looks at in a walk-forward: each train span, and all tests together."""
    trained = [(f"train {window.index}", window.train_start, window.train_stop) for window in windows]
    return [*trained, *(("all tests", window.test_start, window.test_stop) for window in windows)]


def cut_windows(settings: Settings, bars: Bars) -> tuple[Window, ...]:
    """Cut the walk-forward windows; a split gives one, tested on ``dataset`` (test by default)."""
    windows = _in_order(settings)
    if isinstance(windows, SplitWindows):
        return (_split(windows).window(bars, settings.dataset or "test"),)
    if settings.dataset:
        raise ConfigError(f"dataset: {settings.dataset} needs windows=split; windows.kind is {windows.kind}")
    return _plan(windows).cut(bars)


def newest_window(settings: Settings, bars: Bars) -> Window:
    """Give the window that is being traded at the end of the series; of a split the one that ends with it."""
    windows = _in_order(settings)
    if isinstance(windows, SplitWindows):
        return _split(windows).window(bars, "test")
    return _plan(windows).newest(bars)


def _in_order(settings: Settings) -> RollingWindows | SplitWindows:
    """Give the windows that train on what came before their test."""
    if isinstance(settings.windows, CombinatorialWindows):
        raise ConfigError(
            f"windows.kind: {settings.experiment} goes by the order of time, and cpcv trains on later bars as well; "
            "allowed: windows=rolling, anchored or split"
        )
    return settings.windows


def _plan(windows: RollingWindows) -> WindowPlan:
    return WindowPlan(
        kind="rolling" if windows.kind == "rolling" else "anchored",
        train=Span.parse(windows.train, "windows.train"),
        test=Span.parse(windows.test, "windows.test"),
        step=Span.parse(windows.step or windows.test, "windows.step"),
        gap=Span.parse(windows.gap, "windows.gap"),
        align=windows.align,
        allow_truncated_final=windows.allow_truncated_final,
    )


def single_span(settings: Settings, bars: Bars) -> tuple[int, int]:
    """Give the span of a backtest or sweep: an opened holdout, ``dataset`` of a split, ``span``, or all bars."""
    if settings.holdout.open:
        return opened_span(settings, bars)
    if settings.dataset is None:
        return date_span(bars, settings.span.start, settings.span.stop, "span")
    if not isinstance(settings.windows, SplitWindows):
        raise ConfigError(f"dataset: {settings.dataset} needs windows=split; windows.kind is {settings.windows.kind}")
    return _split(settings.windows).spans(bars)[settings.dataset]


def _split(windows: SplitWindows) -> SplitPlan:
    return SplitPlan(
        train=windows.train,
        validation=windows.validation,
        test=windows.test,
        gap=Span.parse(windows.gap, "windows.gap"),
    )


@contextmanager
def open_executor(cluster: ClusterSettings) -> Iterator[Executor]:
    """Open the executor that ``cluster`` names, have signals stop what it is used for, and close it."""
    # Ray loses signals while it starts, and takes SIGTERM for itself once it has.
    with stopped_by_signals(), _executor(cluster) as executor, stopped_by_signals():
        yield executor


def _executor(cluster: ClusterSettings) -> Executor:
    if cluster.kind == "serial":
        return SerialExecutor(cluster.chunk_seconds, cluster.limits)
    # Importing Ray takes a second; serial runs and single backtests do without.
    from admf_ray.cluster.ray_executor import RayExecutor

    address = (cluster.address or "auto") if cluster.kind == "existing" else None
    return RayExecutor(
        cluster.workers,
        address,
        cluster.chunk_seconds,
        chunk_timeout=cluster.chunk_timeout,
        max_retries=cluster.max_retries,
        exclude_head=cluster.exclude_head,
        max_concurrent=cluster.max_concurrent,
        limits=cluster.limits,
    )
