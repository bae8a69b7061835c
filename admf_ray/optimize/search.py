"""The search: every candidate over every span, computed in chunks by an executor."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from admf_ray._types import ChunkDone, Executor, Observer
from admf_ray.core.bars import Bars
from admf_ray.core.records import FillPolicy
from admf_ray.data.spans import Stretch, pieces_of
from admf_ray.engine.account_options import with_options
from admf_ray.engine.composition import Composition, Fits
from admf_ray.engine.event_driven import run_segment_in_container
from admf_ray.engine.kinds import Columns, Kind, Opening, Standalone
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup, wanted_targets
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import AdmfError, ConfigError
from admf_ray.indicators import Hub, HubCounters, Key, Plan, Step, check_plan, compute_hub, plan_keys
from admf_ray.optimize.batches import CandidateChunks
from admf_ray.optimize.blocks import swept_spans
from admf_ray.optimize.fitting import fit_watch, fitting_span
from admf_ray.optimize.objective import Choice
from admf_ray.optimize.requests import Requests, request_keys
from admf_ray.optimize.sampling import Adaptive
from admf_ray.optimize.space import Candidates, Space
from admf_ray.optimize.trials import failed_trials, halved
from admf_ray.plugins import active_plugins
from admf_ray.portfolio.audit import Ledger, audit
from admf_ray.strategies import Strategy

__all__ = ["Search", "Tested", "compute_together", "plan_search", "sweep_spans"]

Tested: TypeAlias = int | tuple[int, ...]
"""A candidate, or several that trade together: an ensemble of them with equal weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Candidates of one composition on one series, with the plan of the series that they need.

    Made by `plan_search`, before anything is computed.

    Attributes
    ----------
    bars : Bars
    composition : Composition
        The strategy, or several with what goes with them.
    candidates : Candidates
        Their first columns may be options of the account; see `admf_ray.engine.kinds.Columns`.
    rules : AccountRules
        Of the account, but for the options that candidates have; see `kind`.
    requests : Requests
        Series that the candidates ask for.
    account_keys : dict of str to tuple of Key
        Series that the account of some candidate asks for, one for each symbol, by the field of `HOLDING` that names
        their rows.
    plan : Plan
    isolated : bool
        Whether hosts compute the series of each candidate by themselves; results are the same.
    engine : {"compiled", "event_driven"}
        What simulates; results are the same.
    streams : bool
        Whether containers compute the hub bar by bar instead of reading it; results are the same.
    adaptive : Adaptive or None
        How candidates are proposed for each window, where they learn from each other; ``candidates`` then hold one set
        for all of them.
    fit : tuple of int, or None
        Bars ``[start, stop)`` on which classifiers are fitted, for every span; None: each span on itself, or on the
        train span of its window.
    space : Space or None
        Out of which candidates are drawn or proposed; None where they are a grid.
    failed : mapping of int to ChunkDone
        Candidates that are known to fail, by number, with why; they are not tried.
    """

    bars: Bars
    composition: Composition
    candidates: Candidates
    rules: AccountRules
    requests: Requests
    account_keys: dict[str, tuple[Key, ...]]
    plan: Plan
    isolated: bool = False
    engine: Literal["compiled", "event_driven"] = "compiled"
    streams: bool = False
    adaptive: Adaptive | None = None
    fit: tuple[int, int] | None = None
    space: Space | None = None
    failed: Mapping[int, ChunkDone] = field(default_factory=dict)

    @property
    def sets(self) -> int:
        """How many candidates a window has, at most."""
        return len(self.candidates) if self.adaptive is None else self.adaptive.trials

    @property
    def keys(self) -> list[Key]:
        """Every series that candidates and the account ask for."""
        return _with_account(self.requests.keys, self.account_keys)

    @property
    def requested(self) -> int:
        """How often the candidates and the account ask for series, in all."""
        of_account = sum(map(len, self.account_keys.values()))
        counts = np.array([len(self.candidates)])
        if self.composition.is_one_of:
            blocks = (self.candidates.block(*block) for block in self.candidates.blocks())
            counts = np.sum([self.columns.members(block) for block in blocks], axis=0)
        slots = [len(one.slots) for one in self.composition.alternatives]
        return int(counts @ slots) * self.requests.symbols + of_account

    @property
    def columns(self) -> Columns:
        """What the columns of the candidates say."""
        return Columns.of(self.composition, self.rules, self.candidates.names)

    def kind(self, candidate: int) -> Kind:
        """Give what decides and the account's rules of one candidate."""
        return self.columns.kind(self.candidates.block(candidate, candidate + 1)[0])

    def parameters(self, tested: Tested) -> dict[str, float | str]:
        """Give what trades is made of; whole numbers as int.

        Of several strategies first the one that trades, as ``strategy``; its parameters by the names that they have
        when it is by itself; then the options of the account by their paths.
        """
        return self.standalone(tested).named

    def standalone(self, tested: Tested) -> Standalone:
        """Give a candidate, or several together, as something that runs by itself."""
        composition, numbers = self.composed(tested), _numbers(tested)
        if len(numbers) > 1:
            values = [value for one in numbers for value in self.candidates.parameters(one).values()]
            own = dict(zip(composition.parameter_names, values, strict=True))
            return Standalone(None, own, {}, composition.member_names[1:])
        given = self.candidates.parameters(numbers[0])
        options = {path: given.pop(path) for path in self.columns.options}
        if not self.composition.is_one_of:
            return Standalone(None, given, options)
        own = dict(zip(composition.parameter_names, list(given.values())[1:], strict=True))
        return Standalone(composition.members[0].name, own, options)

    def rows(self, hub: Hub) -> npt.NDArray[np.int64]:
        """Give the rows of the requested keys in a hub, shape [key]."""
        return np.array([hub.rows[key] for key in self.requests.keys], dtype=np.int64)

    def opening(self, hub: Hub) -> Opening:
        """Give what accounts begin with."""
        rows = {
            name: np.array([hub.rows[key] for key in keys], dtype=np.int64) for name, keys in self.account_keys.items()
        }
        return Opening(
            self.bars.symbols,
            self.bars.periods_per_year,
            self.bars.last_bars(),
            self.composition.begins(self.bars),
            rows,
        )

    def flat(self, hub: Hub) -> npt.NDArray[Any]:
        """Give the `HOLDING` array from which an account of the search's own rules starts."""
        return self.opening(hub).flat(self.rules)

    def hub(self, executor: Executor | None = None, only: Collection[int] | None = None) -> Hub:
        """Compute every series that any candidate needs, once, over the whole history.

        Parameters
        ----------
        executor : Executor, optional
            Computes the series where there are so many that it pays.
        only : collection of int, optional
            Candidates whose series are wanted; all by default.
        """
        elsewhere = None if executor is None or executor.workers == 1 else partial(_computed_on, executor)
        if only is None:
            keys, requested = self.keys, self.requested
        else:
            wanted = [key for one in only for key in self._wanted(one).ravel().tolist()]
            keys = _with_account([self.requests.keys[key] for key in dict.fromkeys(wanted)], self.account_keys)
            requested = len(wanted) + sum(map(len, self.account_keys.values()))
        hub = compute_hub(self.bars, keys, requested, elsewhere)
        if self.isolated:
            hub.counters = self._isolated_counters(hub.counters)
        return hub

    def _isolated_counters(self, shared: HubCounters) -> HubCounters:
        """Count what hosts compute when nothing is shared between candidates."""
        keys, sets = self.requests.keys, Counter[tuple[int, ...]]()
        for first, last in self.candidates.blocks():
            wanted = self.requests.wanted(self.candidates, first, last)
            sets.update(map(tuple, wanted.reshape(last - first, -1).tolist()))
        plans = (
            (plan_keys(self.bars.symbols, _with_account([keys[index] for index in wanted], self.account_keys)), n)
            for wanted, n in sets.items()
        )
        computed = sum(plan.computed * times for plan, times in plans)
        return replace(shared, unique=self.requested, computed=computed, bytes=shared.isolated_bytes)

    @property
    def is_optimistic(self) -> bool:
        """Whether orders fill at the close that decided them; results then show the next open's figures beside."""
        return self.rules.fill == FillPolicy.CLOSE

    def at_next_open(self) -> "Search":
        """Give the same search with orders filled at the next open."""
        return replace(self, rules=replace(self.rules, fill=FillPolicy.NEXT_OPEN))

    def composed(self, tested: Tested) -> Composition:
        """Give what trades: that of one candidate, or the ensemble of several."""
        numbers = _numbers(tested)
        return self.composition.together(len(numbers)) if len(numbers) > 1 else self.kind(numbers[0]).composition

    def setup(self, hub: Hub, tested: Tested, fit: tuple[int, int] | None = None) -> Setup:
        """Give a candidate on the series, or several together, ready to be simulated.

        Parameters
        ----------
        hub : Hub
        tested : int or tuple of int
        fit : tuple of int, optional
            Bars ``[start, stop)`` on which classifiers are fitted, unless the search says so for all.

        Raises
        ------
        ConfigError
            Where a classifier is fitted and nobody says on what.
        """
        numbers = _numbers(tested)
        # Those that trade together are of one kind.
        kind = self.kind(numbers[0])
        params = np.concatenate([self.candidates.block(one, one + 1)[0][kind.params] for one in numbers])
        wanted = np.concatenate([self._wanted(one) for one in numbers], axis=1)
        places = [hub.rows[self.requests.keys[key]] for key in wanted.ravel()]
        rows = np.array(places, dtype=np.int64).reshape(wanted.shape)
        flat = self.opening(hub).flat(kind.rules)
        setup = Setup(self.composed(tested), self.bars, hub.matrix, rows, params, kind.rules, flat)
        span = self.fit or fit
        if span is None or not kind.composition.is_fitted:
            return setup
        watches = range(len(kind.composition.watches))
        return replace(setup, fitted=tuple(fit_watch(setup, watch, span) for watch in watches))

    def _wanted(self, candidate: int) -> npt.NDArray[np.int64]:
        """Give the series that a candidate reads, as indices into the requested keys, shape [symbol, slot]."""
        found = self.requests.wanted(self.candidates, candidate, candidate + 1)[0]
        return np.asarray(found[:, self.kind(candidate).slots])

    def segment(self, hub: Hub, tested: Tested, start: int, stop: int, fit: tuple[int, int] | None = None) -> Segment:
        """Simulate what trades over one span, keep everything that happened, and audit the ledger.

        Parameters as in `setup`.

        Raises
        ------
        ContractError
            Where the ledger does not add up; see `admf_ray.portfolio.audit`.
        """
        setup = self.setup(hub, tested, fit)
        if self.engine == "compiled":
            found = run_segment(setup, start, stop)
        else:
            found = run_segment_in_container(setup, start, stop, hub=hub if self.streams else None)
        self.check(found, setup, f"candidate {tested} over bars {start} to {stop}")
        return found

    def check(self, segment: Segment, setup: Setup, where: str) -> None:
        """Audit the ledger of a segment that came of a setup.

        Raises
        ------
        ContractError
            Where it does not add up; says where.
        """
        ledger = Ledger(
            bars=self.bars,
            start=segment.start,
            fills=segment.fills,
            equity=segment.equity,
            position=segment.position,
            holdings=setup.flat,
            rules=setup.rules.record(self.bars.periods_per_year),
        )
        audit(ledger, where)

    def targets(self, hub: Hub, tested: Tested, fit: tuple[int, int] | None = None) -> npt.NDArray[np.float64]:
        """Give the targets of what trades over the whole series, shape [symbol, bar]; parameters as in `setup`."""
        return wanted_targets(self.setup(hub, tested, fit), len(self.bars)).targets

    def study_bundle(self, spans: Sequence[Stretch], choice: Choice) -> dict[str, Any]:
        """Give what hosts need to run studies or to evaluate what these propose.

        See `admf_ray.optimize.study.run_study` and `admf_ray.optimize.evaluation.evaluate`.
        """
        return {
            "plugins": active_plugins(),
            "composition": self.composition.names(),
            "names": self.candidates.names,
            "bars": self.bars,
            "account": self.rules,
            "engine": self.engine,
            "fit": self.fit,
            "spans": list(spans),
            "choice": choice,
            # Where studies are stored, and the password to it, concerns the driver only.
            "adaptive": None if self.adaptive is None else replace(self.adaptive, storage=None),
        }

    def bundle(
        self,
        hub: Hub,
        spans: Sequence[Stretch],
        choice: Choice,
        recorded: Sequence[str],
        trained: Sequence[Stretch] | None = None,
    ) -> dict[str, Any]:
        """Give what hosts need to sweep any of the candidates; see `admf_ray.optimize.trials.sweep_chunk`.

        Classifiers are fitted on the span of ``trained`` that belongs to each span, by default on itself.
        """
        series: dict[str, Any] = {}
        if self.isolated:
            series = {"bars": self.bars, "keys": self.requests.keys, "account_keys": self.account_keys}
        is_plain = all(one.composition.is_plain for one in self.composition.alternatives)
        if self.engine == "event_driven" or not is_plain:
            series = {"bars": self.bars, "fits": self._fits(hub, trained or spans)}
        pieces = [pieces_of(span) for span in spans]
        return series | {
            "plugins": active_plugins(),
            "engine": self.engine,
            "columns": self.columns.names(),
            "opening": self.opening(hub),
            "matrix": hub.matrix,
            "session": hub.session,
            "rows": self.rows(hub),
            "names": self.candidates.names,
            "factors": self.candidates.factors,
            "places": self.candidates.places,
            "products": self.candidates.products,
            "requests": self.requests,
            "pieces": np.array([piece for own in pieces for piece in own], dtype=np.int64),
            "firsts": np.cumsum([0, *map(len, pieces)], dtype=np.int64),
            "choice": choice,
            "recorded": tuple(recorded),
        }

    def _fits(self, hub: Hub, spans: Sequence[Stretch]) -> Fits:
        """Fit the classifiers of all candidates on each span, or on the one that the search names."""
        fits: dict[tuple[int, tuple[float, ...]], Sequence[npt.NDArray[np.float64]]] = {}
        for first, last in self.candidates.blocks():
            params = self.candidates.block(first, last)[:, len(self.columns.options) :]
            for watch, watching in enumerate(self.composition.watches):
                sets, examples = np.unique(params[:, self.composition.watched(watch)[1]], axis=0, return_index=True)
                for own, example in zip(sets.tolist(), examples.tolist(), strict=True):
                    if watching.classifier.fit is None:
                        fits[watch, tuple(own)] = [np.empty(0)] * len(spans)
                    elif (watch, tuple(own)) not in fits:
                        setup = replace(self, fit=None).setup(hub, first + example)
                        # Blocks of a train span are fitted on all of it: once.
                        on = [self.fit or fitting_span(span) for span in spans]
                        found = {span: fit_watch(setup, watch, span) for span in dict.fromkeys(on)}
                        fits[watch, tuple(own)] = [found[span] for span in on]
        return fits


def _computed_on(
    executor: Executor, steps: Sequence[Step], matrix: npt.NDArray[np.float64], session: npt.NDArray[np.int32]
) -> list[npt.NDArray[np.float64]]:
    """Compute steps of the hub on hosts."""
    size = -(-len(steps) // (2 * executor.workers))
    chunks = [steps[first : first + size] for first in range(0, len(steps), size)]
    shared = executor.share({"plugins": active_plugins(), "matrix": matrix, "session": session})
    return [out for part in executor.map("admf_ray.engine.series:run_steps", chunks, shared) for out in part]


def plan_search(bars: Bars, strategy: Strategy | Composition, candidates: Candidates, rules: AccountRules) -> Search:
    """Work out which series the candidates need.

    Raises
    ------
    ConfigError
        Where a key cannot be read, or not be computed from the data, or the strategy trades another number of symbols.
    """
    composition = Composition.of(strategy)
    composition.check_symbols(bars.symbols)
    requests = request_keys(composition.inputs, candidates, bars.symbols)
    account_keys = _account_keys(bars, _demanding(composition, candidates, rules))
    plan = plan_keys(bars.symbols, _with_account(requests.keys, account_keys))
    check_plan(bars, plan)
    return Search(
        bars=bars,
        composition=composition,
        candidates=candidates,
        rules=rules,
        requests=requests,
        account_keys=account_keys,
        plan=plan,
    )


def compute_together(searches: Collection[Search]) -> Hub:
    """Give the hub of searches on the same bars: what several of them need is computed once."""
    unique = list(dict.fromkeys(key for one in searches for key in one.keys))
    bars = next(iter(searches)).bars
    return compute_hub(bars, unique, sum(one.requested for one in searches))


def _numbers(tested: Tested) -> tuple[int, ...]:
    return (tested,) if isinstance(tested, int) else tested


def _demanding(composition: Composition, candidates: Candidates, rules: AccountRules) -> AccountRules:
    """Give rules that look at every series that the account of some candidate looks at: each option at its largest."""
    options = Columns.of(composition, rules, candidates.names).options
    if not options:
        return rules
    parts = [candidates.block(*block)[:, : len(options)].max(axis=0) for block in candidates.blocks()]
    return with_options(rules, dict(zip(options, np.max(parts, axis=0).tolist(), strict=True)))


def _account_keys(bars: Bars, rules: AccountRules) -> dict[str, tuple[Key, ...]]:
    asked = {}
    if rules.needs_volatility:
        asked["volatility_row"] = "risk.volatility", rules.volatility
    if rules.needs_atr:
        asked["atr_row"] = "risk.exits.atr", rules.atr
    found = {}
    for name, (where, text) in asked.items():
        try:
            found[name] = tuple(Key.parse(text).bind(symbol) for symbol in bars.symbols)
            check_plan(bars, plan_keys(bars.symbols, found[name]))
        except AdmfError as error:
            raise ConfigError(f"{where}: {error}") from None
    return found


def _with_account(keys: Sequence[Key], account_keys: Mapping[str, Sequence[Key]]) -> list[Key]:
    """Give the keys, and those of the account that are not among them."""
    return list(dict.fromkeys([*keys, *(key for own in account_keys.values() for key in own)]))


def sweep_spans(
    search: Search,
    hub: Hub,
    spans: Sequence[Stretch],
    choice: Choice,
    recorded: Sequence[str],
    executor: Executor,
    ranges: Sequence[tuple[int, int]],
    tell: Observer | None = None,
) -> Iterator[ChunkDone]:
    """Simulate candidates over every span.

    Parameters
    ----------
    search : Search
    hub : Hub
    spans : sequence of (start, stop), or of such pieces
        Half-open, in bars. An account goes through all pieces of a span, flat at the beginning of each.
    choice : Choice
    recorded : sequence of str
        What is given of all trials; see `admf_ray.optimize.trials.recorded_metrics`.
    executor : Executor
    ranges : sequence of (first, stop)
        The candidates, half-open and ascending.
    tell : callable, optional
        See `admf_ray._types.Executor.each`.

    Yields
    ------
    ChunkDone
        Chunks as they finish, in any order; the result of each is a `admf_ray.optimize.trials.TrialChunk`. A candidate
        that fails is a chunk by itself, with its failure and with trials that failed.
    """
    chunks = CandidateChunks(ranges, executor.chunk_seconds, executor.workers, executor.limits)
    swept, trained = swept_spans(spans, choice)
    bundle = search.bundle(hub, swept, choice, recorded, trained) | {"max_containers": executor.limits.containers}
    shared = executor.share(bundle)
    for done in executor.each("admf_ray.optimize.trials:sweep_chunk", chunks, shared, halved, tell):
        if done.failure is None:
            chunks.learn(done)
            yield done
        else:
            yield replace(done, result=failed_trials(done.chunk[0], len(spans), recorded))
