"""The search: every candidate over every span, computed in chunks by an executor."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from admf_ray._types import ChunkDone, Executor
from admf_ray.core.bars import Bars
from admf_ray.core.records import FillPolicy
from admf_ray.engine.result import Segment, run_segment, run_strategy
from admf_ray.engine.spec import AccountRules
from admf_ray.errors import CapacityError
from admf_ray.indicators import Hub, HubCounters, Key, Plan, Step, check_plan, compute_hub, plan_keys, template_keys
from admf_ray.optimize.batches import CandidateChunks
from admf_ray.optimize.space import Candidates
from admf_ray.plugins import active_plugins
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import Strategy

__all__ = ["Search", "check_memory", "plan_search", "sweep_spans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Candidates of one strategy on one series, with the plan of the series that they need.

    Made by `plan_search`, before anything is computed.

    Attributes
    ----------
    bars : Bars
    strategy : Strategy
    candidates : Candidates
    rules : AccountRules
    keys : tuple of Key
        Series that the candidates ask for.
    plan : Plan
    wanted, rows : int64 array, shape [candidate, symbol, slot]
        Which of the keys, and their rows of the hub.
    flat : `HOLDING` array, shape [symbol]
        From which every account starts; see `admf_ray.engine.spec.AccountRules.holdings`.
    account_keys : dict of str to list of Key
        Series that the rules of the account ask for, by the field of `HOLDING` that names their rows.
    requested : int
        How often they ask, in all.
    isolated : bool
        Whether hosts compute the series of each candidate by themselves; results are the same.
    """

    bars: Bars
    strategy: Strategy
    candidates: Candidates
    rules: AccountRules
    keys: tuple[Key, ...]
    plan: Plan
    wanted: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    flat: npt.NDArray[Any]
    account_keys: dict[str, list[Key]]
    requested: int
    isolated: bool = False

    def hub(self, executor: Executor | None = None) -> Hub:
        """Compute every series that any candidate needs, once, over the whole history.

        Parameters
        ----------
        executor : Executor, optional
            Computes the series where there are so many that it pays.
        """
        elsewhere = None if executor is None or executor.workers == 1 else partial(_computed_on, executor)
        hub = compute_hub(self.bars, self.keys, self.requested, elsewhere)
        if self.isolated:
            hub.counters = self._isolated_counters(hub.counters)
        return hub

    def _isolated_counters(self, shared: HubCounters) -> HubCounters:
        """Count what hosts compute when nothing is shared between candidates."""
        sets = Counter(map(tuple, self.wanted.reshape(len(self.candidates), -1).tolist()))
        plans = (
            (plan_keys(self.bars.symbols, [self.keys[index] for index in wanted]), n) for wanted, n in sets.items()
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

    def segment(self, hub: Hub, candidate: int, start: int, stop: int) -> Segment:
        """Simulate one candidate over one span and keep everything that happened."""
        return run_segment(
            self.bars,
            hub.matrix,
            self.strategy,
            self.rows[candidate],
            self.candidates.values[candidate],
            self.rules,
            self.flat,
            start,
            stop,
        )

    def targets(self, hub: Hub, candidate: int) -> npt.NDArray[np.float64]:
        """Give the targets of one candidate over the whole series, shape [symbol, bar]."""
        values = self.candidates.values[candidate]
        return run_strategy(self.bars, hub.matrix, self.strategy, self.rows[candidate], values, len(self.bars))

    def bundle(self, hub: Hub, spans: Sequence[tuple[int, int]]) -> dict[str, Any]:
        """Give what hosts need to sweep any of the candidates; see `admf_ray.engine.sweep.run_chunk`."""
        series: dict[str, Any] = {}
        if self.isolated:
            series = {"bars": self.bars, "keys": self.keys, "wanted": self.wanted, "account_keys": self.account_keys}
        return series | {
            "plugins": active_plugins(),
            "strategy": self.strategy.name,
            "sizing": self.rules.sizing,
            "variant": tuple(self.rules.variant(self.flat)),
            "matrix": hub.matrix,
            "session": hub.session,
            "rows": self.rows,
            "params": self.candidates.values,
            "begins": self.bars.history_reached(),
            "spans": np.array(spans, dtype=np.int64),
            "limits": self.rules.limit_records(self.bars.symbols),
            "rules": self.rules.record(self.bars.periods_per_year),
            "flat": self.flat,
        }


def _computed_on(
    executor: Executor, steps: Sequence[Step], matrix: npt.NDArray[np.float64], session: npt.NDArray[np.int32]
) -> list[npt.NDArray[np.float64]]:
    """Compute steps of the hub on hosts."""
    size = -(-len(steps) // (2 * executor.workers))
    chunks = [steps[first : first + size] for first in range(0, len(steps), size)]
    shared = executor.share({"plugins": active_plugins(), "matrix": matrix, "session": session})
    return [out for part in executor.map("admf_ray.engine.series:run_steps", chunks, shared) for out in part]


def plan_search(bars: Bars, strategy: Strategy, candidates: Candidates, rules: AccountRules) -> Search:
    """Work out which series the candidates need.

    Raises
    ------
    ConfigError
        Where the data has several symbols, or a key cannot be computed from it.
    """
    keys, wanted = template_keys(strategy.inputs, candidates.names, candidates.values, bars.symbols)
    account_keys = _account_keys(bars, rules)
    keys += [key for own in account_keys.values() for key in own if key not in keys]
    plan = plan_keys(bars.symbols, keys)
    check_plan(bars, plan)
    rows = np.array([plan.rows[key] for key in keys], dtype=np.int64)[wanted]
    of_account = {name: np.array([plan.rows[key] for key in own]) for name, own in account_keys.items()}
    return Search(
        bars=bars,
        strategy=strategy,
        candidates=candidates,
        rules=rules,
        keys=tuple(keys),
        plan=plan,
        wanted=wanted,
        rows=rows,
        flat=rules.holdings(bars.symbols, bars.last_bars(), **of_account),
        account_keys=account_keys,
        requested=wanted.size + sum(map(len, account_keys.values())),
    )


def _account_keys(bars: Bars, rules: AccountRules) -> dict[str, list[Key]]:
    """Give the series that the rules of the account ask for, one for each symbol."""
    asked = {}
    if rules.needs_volatility:
        asked["volatility_row"] = rules.volatility
    if rules.needs_atr:
        asked["atr_row"] = rules.atr
    return {name: [Key.parse(text).bind(symbol) for symbol in bars.symbols] for name, text in asked.items()}


def check_memory(search: Search, spans: int) -> None:
    """Refuse a search whose hub and results do not fit the memory that is free.

    Raises
    ------
    CapacityError
        With the arithmetic.
    """
    hub = search.plan.height * len(search.bars) * 8
    results = len(search.candidates) * spans * len(METRICS) * 8
    # Results are held as chunks, as one array and as a table before they are written.
    needed, free = hub + 3 * results, psutil.virtual_memory().available
    if needed > free:
        raise CapacityError(
            f"strategy.space: {len(search.candidates):,} candidates x {spans} spans x {len(METRICS)} metrics of 8 B "
            f"three times over, and a hub of {search.plan.height:,} x {len(search.bars):,} take {needed / 1e9:.1f} GB; "
            f"{free / 1e9:.1f} GB are free; allowed: fewer candidates or windows"
        )


def sweep_spans(
    search: Search,
    hub: Hub,
    spans: Sequence[tuple[int, int]],
    executor: Executor,
    on_done: Callable[[ChunkDone], None],
) -> npt.NDArray[np.float64]:
    """Simulate every candidate over every span.

    Parameters
    ----------
    search : Search
    hub : Hub
    spans : sequence of (start, stop)
        Half-open, in bars.
    executor : Executor
    on_done : callable
        Called as chunks finish.

    Returns
    -------
    float64 array, shape [candidate, span, len(METRICS)]
    """
    chunks = CandidateChunks(len(search.candidates), executor.chunk_seconds, executor.workers)

    def learn(done: ChunkDone) -> None:
        chunks.learn(done)
        on_done(done)

    parts = executor.map("admf_ray.engine.sweep:run_chunk", chunks, executor.share(search.bundle(hub, spans)), learn)
    metrics = np.concatenate(parts)
    assert metrics.shape == (len(search.candidates), len(spans), len(METRICS))
    return metrics
