"""The compiled simulation on given targets, with everything it keeps."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.records import ACCOUNT, FILL, HOLDING
from admf_ray.engine.simulate import RECORDED, Variant, simulation
from admf_ray.engine.spec import AccountRules
from admf_ray.portfolio.account import open_account
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.risk.sizing import SIZINGS


@dataclass
class Simulated:
    account: Any
    equity: Any
    position: Any
    pending: Any
    fills: Any
    metrics: dict[str, float]


def simulate_targets(
    bars: Bars,
    targets: Any,
    rules: AccountRules,
    start: int = 0,
    stop: int | None = None,
    cuts: Sequence[int] = (),
    *,
    volatility: Any = None,
    atr: Any = None,
    last_bar: Any = None,
    variant: Variant = RECORDED,
) -> Simulated:
    """Simulate over ``[start, stop)``, in pieces where ``cuts`` says so; only the recorded variant keeps fills.

    ``targets``, ``volatility`` and ``atr`` have the shape [symbol, bar]; one symbol's targets may be a plain list.
    """
    stop = len(bars) if stop is None else stop
    symbols = len(bars.symbols)
    fields = np.stack([getattr(bars, name) for name in FIELDS], axis=1).reshape(-1, len(bars))
    unknown = np.full((symbols, len(bars)), np.nan)
    measured = [unknown if rows is None else np.asarray(rows, float) for rows in (volatility, atr)]
    matrix = np.ascontiguousarray(np.concatenate([fields, *measured]))
    record = rules.record(bars.periods_per_year)
    places = len(fields) + np.arange(2 * symbols).reshape(2, symbols)
    ends = None if last_bar is None else np.asarray(last_bar)
    flat = rules.holdings(bars.symbols, ends, *places)
    account, holdings = np.empty(1, ACCOUNT), np.empty(symbols, HOLDING)
    path, ledger = np.full((1 + symbols, stop - start), np.nan), np.empty(8 * (stop - start) * symbols + 8, FILL)
    labels, groups = np.empty((0, stop), np.int64), np.empty((0, 0, 4))
    open_account(account[0], holdings, flat, rules.cash)
    wanted = np.atleast_2d(np.array(targets, dtype=float))
    kept = (path, ledger, labels, groups) if variant.recorded else (None,) * 4
    edges = [start, *sorted(cuts), stop]
    for first, last in itertools.pairwise(edges):
        simulation(variant)(
            SIZINGS[rules.sizing].kernel,
            matrix,
            bars.session,
            wanted,
            rules.limit_records(bars.symbols),
            record,
            first,
            last,
            stop,
            account,
            holdings,
            *variant.flags,
            *kept,
            None,
        )
    metrics = np.empty(len(METRICS))
    measure(account[0], record[0], metrics)
    fills = ledger[: int(account["fills"][0])]
    by_name = dict(zip(METRICS, metrics.tolist(), strict=True))
    return Simulated(account[0], path[0], path[1:], holdings["pending"], fills, by_name)
