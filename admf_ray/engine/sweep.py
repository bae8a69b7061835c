"""The sweep: many candidates over many spans, metrics only."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from admf_ray.core.kernels import READ_F8_2D, READ_I4_1D, SIZING, STRATEGY, compiled, read_only, records
from admf_ray.core.records import ACCOUNT, HOLDING, LIMIT, RULES
from admf_ray.engine.simulate import Variant, simulate, withhold
from admf_ray.indicators import Hub
from admf_ray.plugins import activate
from admf_ray.portfolio.account import open_account
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import STRATEGIES

__all__ = ["run_chunk", "sweep"]


def _sweep(
    strategy: Any,
    sizing: Any,
    matrix: Any,
    session: Any,
    rows: Any,
    params: Any,
    state_size: int,
    begins: Any,
    spans: Any,
    limits: Any,
    rules: Any,
    flat: Any,
    exits: Any,
    general: Any,
    labels: Any,
    out: Any,
    groups: Any,
) -> None:
    """Simulate every candidate over every span.

    The strategy runs once over the history for each candidate, from bar 0 on; each span is an account of its own.

    Parameters
    ----------
    strategy : kernel of the signature `STRATEGY`
    sizing : kernel of the signature `SIZING`
    matrix : float64 array, shape [key, time]
    session : int32 array, shape [time]
    rows : int64 array, shape [candidate, symbol, slot]
    params : float64 array, shape [candidate, parameter]
    state_size : int
        Floats of state that the strategy needs for a symbol, at most.
    begins : int64 array, shape [symbol]
        First bars that may have a target.
    spans : int64 array, shape [span, 2]
        Half-open, in bars.
    limits : `LIMIT` array, shape [limit]
    rules : `RULES` array, shape [1]
    flat : `HOLDING` array, shape [symbol]
        See `admf_ray.engine.spec.AccountRules.holdings`.
    exits, general : bool or None
        See `admf_ray.engine.simulate.Variant`.
    labels : int64 array, shape [kind, time], or None
        See `admf_ray.portfolio.metrics.add_to_groups`.
    out : float64 array, shape [candidate, span, len(METRICS)]
    groups : float64 array, shape [candidate, span, kind, group, 4], or None
        Sums of the groups of bars that ``labels`` makes; starts as 0.
    """
    symbols = rows.shape[1]
    stop = spans[:, 1].max()
    targets = np.empty((symbols, stop))
    state = np.empty(symbols * state_size)
    account = np.empty(1, dtype=ACCOUNT)
    holdings = np.empty(symbols, dtype=HOLDING)
    for c in range(rows.shape[0]):
        state[:] = 0.0
        strategy(matrix, rows[c], session, params[c], state, 0, stop, targets)
        withhold(targets, begins)
        for w in range(spans.shape[0]):
            open_account(account[0], holdings, flat, rules[0].cash)
            simulate(
                sizing,
                matrix,
                session,
                targets,
                limits,
                rules,
                spans[w, 0],
                spans[w, 1],
                spans[w, 1],
                account,
                holdings,
                exits,
                general,
                None,
                None,
                labels,
                None if groups is None else groups[c, w],
                None,
            )
            measure(account[0], rules[0], out[c, w])


@cache
def sweep(variant: Variant, is_grouped: bool = False) -> Any:
    """Give the sweep over many candidates and spans, compiled for one variant and cached on disk."""
    signature = types.void(
        types.FunctionType(STRATEGY),
        types.FunctionType(SIZING),
        READ_F8_2D,
        READ_I4_1D,
        read_only(types.int64, 3),
        READ_F8_2D,
        types.int64,
        read_only(types.int64, 1),
        read_only(types.int64, 2),
        records(LIMIT, readonly=True),
        records(RULES, readonly=True),
        records(HOLDING, readonly=True),
        *variant.flag_types,
        read_only(types.int64, 2) if is_grouped else types.none,
        types.float64[:, :, ::1],
        types.float64[:, :, :, :, ::1] if is_grouped else types.none,
    )
    return compiled(signature)(_sweep)


def run_chunk(
    params: npt.NDArray[np.float64], wanted: npt.NDArray[np.int64], bundle: Mapping[str, Any]
) -> npt.NDArray[np.float64]:
    """Sweep a chunk of candidates on a host.

    Parameters
    ----------
    params : float64 array, shape [candidate, parameter]
    wanted : int64 array, shape [candidate, symbol, slot]
        Which keys each candidate reads.
    bundle : mapping
        ``plugins``, ``strategy`` and ``sizing`` (names), ``variant``, ``matrix``, ``session``, ``begins``, ``spans``,
        ``limits``, ``rules`` and ``flat`` as in `sweep`, and ``rows``, where the keys are in the matrix. With ``bars``,
        ``keys`` and ``account_keys`` each candidate computes its own hub, and ``matrix`` is not read.

    Returns
    -------
    float64 array, shape [candidate, span, len(METRICS)]
    """
    activate(bundle["plugins"])
    entry = STRATEGIES[bundle["strategy"]]
    state_size = max(entry.state_size(tuple(candidate)) for candidate in params.tolist())
    out = np.empty((len(params), len(bundle["spans"]), len(METRICS)))
    variant = Variant(*bundle["variant"])

    def swept(matrix: Any, rows: Any, flat: Any, part: slice) -> None:
        sweep(variant)(
            entry.kernel,
            SIZINGS[bundle["sizing"]].kernel,
            matrix,
            bundle["session"],
            rows,
            params[part],
            state_size,
            bundle["begins"],
            bundle["spans"],
            bundle["limits"],
            bundle["rules"],
            flat,
            *variant.flags,
            None,
            out[part],
            None,
        )

    if "keys" not in bundle:
        swept(bundle["matrix"], bundle["rows"][wanted], bundle["flat"], slice(None))
        return out
    for candidate, own in enumerate(wanted):
        hub = Hub(bundle["bars"])
        rows = hub.subscribe([bundle["keys"][index] for index in own.reshape(-1)]).reshape(1, *own.shape)
        flat = bundle["flat"].copy()
        for name, keys in bundle["account_keys"].items():
            flat[name] = hub.subscribe(keys)
        swept(hub.matrix, rows, flat, slice(candidate, candidate + 1))
    return out
