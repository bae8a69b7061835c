"""From settings to what phases work on: bars, search, windows, executor."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from admf_ray._types import Executor
from admf_ray.app.compose import compose, composed_params, composed_space
from admf_ray.app.composition_settings import Range, Searched
from admf_ray.app.holdout import kept_back, opened_span, refuse_open
from admf_ray.app.settings import ClusterSettings, CombinatorialWindows, RollingWindows, Settings, SplitWindows
from admf_ray.cluster import SerialExecutor
from admf_ray.core.bars import Bars
from admf_ray.core.registry import unknown_name
from admf_ray.data import Span, SplitPlan, Window, WindowPlan, check_stress, date_span, request_bars
from admf_ray.engine.account_options import check_options, is_option, with_options
from admf_ray.engine.composition import Composition
from admf_ray.engine.hosting import check_containers
from admf_ray.engine.spec import AccountRules, Instrument
from admf_ray.errors import ConfigError
from admf_ray.optimize import (
    ADAPTIVE,
    BEST,
    EARLIEST,
    JOURNAL,
    MOST_RECORDED,
    Adaptive,
    Candidates,
    DrawnRange,
    Search,
    Space,
    axis_values,
    check_memory,
    draw_candidates,
    expand_grid,
    plan_search,
    plan_space,
    recording,
)
from admf_ray.risk.sizing import SIZINGS

__all__ = [
    "assemble_search",
    "check_account",
    "check_capacity",
    "cut_windows",
    "doubts",
    "left_out",
    "load_data",
    "newest_window",
    "open_executor",
    "search_space",
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
        candidates, adaptive, space = _candidates(settings, composition, params)
    else:
        candidates, adaptive, space = Candidates.single(composition.complete(params)), None, None
    rules = settings.account
    largest = {path: _largest(values) for path, values in settings.search.space.items()} if searched else {}
    check_account(with_options(rules, largest), bars)
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


def _space(settings: Settings, composition: Composition) -> dict[str, Searched]:
    """Give what is searched: of the account by the paths of options, of the composition by the names of parameters."""
    of_account, found = settings.search.space, composed_space(settings, composition)
    check_options(settings.account, list(of_account))
    for name in filter(is_option, found):
        unknown = unknown_name(f"parameter of {composition.name}", name, list(composition.parameter_names))
        raise ConfigError(f"strategy.space.{name}: {unknown}; options of the account stand in search.space")
    if not found and not of_account and not composition.is_one_of:
        raise ConfigError(
            "strategy.space: empty, so that there is nothing to search; allowed: low, high and step, or a list, "
            f"for each of: {', '.join(composition.parameter_names) or 'nothing, as it has no parameters'}"
        )
    return {**of_account, **found}


def _candidates(
    settings: Settings, composition: Composition, params: Mapping[str, float]
) -> tuple[Candidates, Adaptive | None, Space | None]:
    """Expand or draw the candidates that ``search`` asks for; or give one of them, and how others are proposed.

    The space out of which they come is that of `Search`: none for a grid.
    """
    search = settings.search
    if search.sampler == "grid":
        if search.points:
            raise ConfigError("search.points: a grid has all sets; allowed: search=random or qmc")
        axes = {name: _values(name, values) for name, values in _space(settings, composition).items()}
        return expand_grid(composition, params, axes, search.constraints), None, None
    space = search_space(settings, composition, params)
    if search.sampler not in ADAPTIVE:
        return draw_candidates(space, search.sampler, search.trials, settings.seed, search.points), None, space
    # One set that obeys all shows that there are some, and that its series can be computed.
    example = draw_candidates(space, "random", 1, settings.seed, search.points)
    ranges = _ranges(settings, composition)
    for name, span in ranges.items():
        if isinstance(span, DrawnRange) and span.log and span.step is not None:
            raise ConfigError(f"{_where(name)}: {search.sampler} takes log or step; allowed: one of them")
    fixed = {one.parameter.name: [one.fixed] for one in space.dimensions if one.fixed is not None}
    proposing = Adaptive(
        search.sampler,
        search.trials,
        search.batch,
        settings.seed,
        {**fixed, **ranges},
        search.constraints,
        search.points,
        _storage(settings),
        search.pruning,
    )
    return example, proposing, space


def search_space(settings: Settings, composition: Composition, params: Mapping[str, float]) -> Space:
    """Give the space that samplers draw from."""
    return plan_space(composition, params, _ranges(settings, composition), settings.search.constraints)


def _ranges(settings: Settings, composition: Composition) -> dict[str, DrawnRange | Sequence[float]]:
    return {name: _range(values) for name, values in _space(settings, composition).items()}


def _storage(settings: Settings) -> str | None:
    """Give the place for studies, once it was opened; without a run directory there is no journal."""
    place = settings.search.storage
    if place == JOURNAL:
        return None if settings.run_root is None else place
    if place is not None:
        # Optuna takes a while to load; hosts load it where they run studies.
        from admf_ray.optimize.storage import open_database

        open_database(place)
    return place


def _where(name: str) -> str:
    return f"{'search' if is_option(name) else 'strategy'}.space.{name}"


def _values(name: str, values: Searched) -> list[float]:
    """Give the values that a grid takes of a parameter."""
    where = _where(name)
    match values:
        case Range(log=True):
            raise ConfigError(f"{where}.log: it goes with samplers that draw; allowed in a grid: low, high, step")
        case Range(step=None) if is_option(name):
            raise ConfigError(f"{where}.step: which? a grid needs one; allowed: a number, or a list of values")
        case Range():
            return axis_values(values.low, values.high, 1.0 if values.step is None else values.step, where)
        case float():
            return [values]
        case _:
            return list(values)


def _largest(values: Searched) -> float:
    match values:
        case Range():
            return values.high
        case float():
            return values
        case _:
            return max(values)


def _range(values: Searched) -> DrawnRange | Sequence[float]:
    """Give what a sampler may draw of a parameter."""
    match values:
        case Range():
            return DrawnRange(values.low, values.high, values.step, values.log)
        case float():
            return [values]
        case _:
            return values


def doubts(settings: Settings, bars: Bars, spans: Sequence[tuple[str, int, int]]) -> list[str]:
    """Name what can be computed but means less than it seems to: rules that do not fit the data, spans without stress.

    Parameters
    ----------
    settings : Settings
    bars : Bars
    spans : sequence of (name, start, stop)
        That are trained or tested on.

    Raises
    ------
    ConfigError
        Where ``windows.require_stress`` is ``enforce`` and a span lacks stress or calm.
    """
    found = []
    if settings.windows.require_stress and (lacking := check_stress(bars, spans)):
        if settings.windows.require_stress == "enforce":
            raise ConfigError(f"{lacking}; allowed: other spans, or windows.require_stress=warn")
        found.append(lacking)
    found += _idle_options(settings)
    fit = settings.classifier.fit
    if settings.experiment == "backtest" and (fit.start is not None or fit.stop is not None):
        fitted = date_span(bars, fit.start, fit.stop, "classifier.fit")
        seen = sum(max(0, min(stop, fitted[1]) - max(start, fitted[0])) for _, start, stop in spans)
        if seen:
            found.append(f"classifier.fit: {seen:,} bars that are tested were fitted on: that result is no test")
    if bars.adjustment == "none":
        return found
    adjusted = f"prices are adjusted ({bars.adjustment})"
    if settings.risk.lot > 0:
        found.append(f"{adjusted}: whole lots (risk.lot={settings.risk.lot:g}) are not those of the day")
    if settings.execution.commission_per_share > 0 or settings.execution.half_spread > 0:
        found.append(f"{adjusted}: commission_per_share and half_spread are not in proportion to the prices of the day")
    return found


def _idle_options(settings: Settings) -> list[str]:
    """Name options that were changed and do nothing for want of another one, and a size that is hardly a volatility."""
    risk, execution, rules, search = settings.risk, settings.execution, settings.account, settings.search
    by_volatility = SIZINGS[risk.sizing].by_volatility
    found = [
        f"{option} does nothing {without}"
        for option, is_changed, without in (
            ("risk.cap", risk.cap != 1.0 and not by_volatility, "without risk.sizing=volatility_target"),
            (
                "risk.rebalance_threshold",
                risk.rebalance_threshold > 0.0 and not rules.rebalance,
                "without risk.rebalance=every_bar",
            ),
            (
                "risk.halts.drawdown_pause",
                rules.drawdown_pause > 0 and rules.max_drawdown == 0.0,
                "without risk.halts.max_drawdown",
            ),
            (
                "execution.offset",
                execution.offset > 0.0 and execution.order == "market",
                "without execution.order=limit or stop",
            ),
            (
                "execution.borrow_rate",
                execution.borrow_rate > 0.0 and not execution.allow_short,
                "without execution.allow_short",
            ),
            (
                "search.blocks",
                search.blocks != 4 and search.selection != "worst_block" and search.pruning == "none",
                "without search.selection=worst_block or search.pruning",
            ),
            ("search.top", search.top != 5 and search.selection != "top_n", "without search.selection=top_n"),
            (
                "search.storage",
                settings.search.sampler not in ADAPTIVE and settings.search.storage not in (JOURNAL, None),
                f"without search={'|'.join(ADAPTIVE)}",
            ),
            (
                "execution.loan_rate",
                execution.loan_rate > 0.0 and execution.account == "cash",
                "without execution.account=margin",
            ),
        )
        if is_changed or option in settings.search.space
    ]
    if search.pruning != "none" and search.blocks == EARLIEST:
        found.append(
            f"search.blocks={EARLIEST}: a set is pruned after {EARLIEST} blocks at the earliest; more of them save more"
        )
    if by_volatility and risk.size >= 1.0:
        found.append(f"risk.size={risk.size:g} is a volatility of {risk.size:.0%} a year: risk.cap binds nearly always")
    return found


def left_out(settings: Settings, trials: int) -> list[str]:
    """Say what is not recorded although it was asked for."""
    if recording(settings.search.record, trials) == settings.search.record:
        return []
    known = f"objective, sharpe and trades of all are recorded, and every metric of the best {BEST:,} of each window"
    return [f"search.record=objective: {trials:,} trials are more than {MOST_RECORDED:,}: {known}"]


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


def open_executor(cluster: ClusterSettings) -> Executor:
    """Open the executor that ``cluster`` names; the caller closes it."""
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
