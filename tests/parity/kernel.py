"""The compiled simulation on given targets, with everything it keeps."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from admf_ray.core.bars import FIELDS, Bars
from admf_ray.core.records import ACCOUNT, FILL, HOLDING
from admf_ray.engine.simulate import simulate
from admf_ray.engine.spec import AccountRules
from admf_ray.portfolio.account import open_account
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.risk.sizing import SIZINGS


@dataclass
class Simulated:
    account: Any
    equity: Any
    position: Any
    fills: Any
    metrics: dict[str, float]


def simulate_targets(
    bars: Bars, targets: Sequence[float], rules: AccountRules, start: int = 0, stop: int | None = None, cuts: Any = ()
) -> Simulated:
    """Simulate over ``[start, stop)``, in pieces where ``cuts`` says so."""
    stop = len(bars) if stop is None else stop
    matrix = np.concatenate([getattr(bars, name) for name in FIELDS])
    record = rules.record(bars.periods_per_year)
    account, holdings = np.empty(1, ACCOUNT), np.empty(1, HOLDING)
    path, ledger = np.empty((2, stop - start)), np.empty(stop - start + 1, FILL)
    open_account(account[0], holdings, rules.cash)
    wanted = np.array([targets], dtype=float)
    sizing = SIZINGS[rules.sizing].kernel
    edges = [start, *sorted(cuts), stop]
    for first, last in itertools.pairwise(edges):
        simulate(sizing, matrix, wanted, record, first, last, stop, account, holdings, path, ledger)
    metrics = np.empty(len(METRICS))
    measure(account[0], record[0], metrics)
    fills = ledger[: int(account["fills"][0])]
    return Simulated(account[0], path[0], path[1], fills, dict(zip(METRICS, metrics.tolist(), strict=True)))
