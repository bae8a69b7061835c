"""The sweep: many candidates over many spans, metrics only."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from admf_ray.core.kernels import READ_F8_2D, READ_I4_1D, SIZING, STRATEGY, compiled, read_only, records
from admf_ray.core.records import ACCOUNT, FILL, HOLDING, RULES
from admf_ray.engine.simulate import simulate, withhold
from admf_ray.indicators import Hub
from admf_ray.plugins import activate
from admf_ray.portfolio.account import open_account
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import STRATEGIES

__all__ = ["run_chunk", "sweep"]


@compiled(
    types.void(
        types.FunctionType(STRATEGY),
        types.FunctionType(SIZING),
        READ_F8_2D,
        READ_I4_1D,
        read_only(types.int64, 3),
        READ_F8_2D,
        types.int64,
        read_only(types.int64, 1),
        read_only(types.int64, 2),
        records(RULES, readonly=True),
        types.float64[:, :, ::1],
    )
)
def sweep(
    strategy: Any,
    sizing: Any,
    matrix: Any,
    session: Any,
    rows: Any,
    params: Any,
    state_size: int,
    begins: Any,
    spans: Any,
    rules: Any,
    out: Any,
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
    rules : `RULES` array, shape [1]
    out : float64 array, shape [candidate, span, len(METRICS)]
    """
    symbols = rows.shape[1]
    stop = spans[:, 1].max()
    targets = np.empty((symbols, stop))
    state = np.empty(symbols * state_size)
    account = np.empty(1, dtype=ACCOUNT)
    holdings = np.empty(symbols, dtype=HOLDING)
    no_path = np.empty((1, 0))
    no_ledger = np.empty(1, dtype=FILL)
    for c in range(rows.shape[0]):
        state[:] = 0.0
        strategy(matrix, rows[c], session, params[c], state, 0, stop, targets)
        withhold(targets, begins)
        for w in range(spans.shape[0]):
            open_account(account[0], holdings, rules[0].cash)
            simulate(
                sizing,
                matrix,
                targets,
                rules,
                spans[w, 0],
                spans[w, 1],
                spans[w, 1],
                account,
                holdings,
                no_path,
                no_ledger,
            )
            measure(account[0], rules[0], out[c, w])


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
        ``plugins``, ``strategy`` and ``sizing`` (names), ``matrix``, ``session``, ``begins``, ``spans`` and ``rules``
        as in `sweep`, and ``rows``, where the keys are in the matrix. With ``bars`` and ``keys`` each candidate
        computes its own hub, and ``matrix`` is not read.

    Returns
    -------
    float64 array, shape [candidate, span, len(METRICS)]
    """
    activate(bundle["plugins"])
    entry = STRATEGIES[bundle["strategy"]]
    state_size = max(entry.state_size(tuple(candidate)) for candidate in params.tolist())
    out = np.empty((len(params), len(bundle["spans"]), len(METRICS)))

    def swept(matrix: Any, rows: Any, part: slice) -> None:
        sweep(
            entry.kernel,
            SIZINGS[bundle["sizing"]].kernel,
            matrix,
            bundle["session"],
            rows,
            params[part],
            state_size,
            bundle["begins"],
            bundle["spans"],
            bundle["rules"],
            out[part],
        )

    if "keys" not in bundle:
        swept(bundle["matrix"], bundle["rows"][wanted], slice(None))
        return out
    for candidate, own in enumerate(wanted):
        hub = Hub(bundle["bars"])
        rows = hub.subscribe([bundle["keys"][index] for index in own.reshape(-1)]).reshape(1, *own.shape)
        swept(hub.matrix, rows, slice(candidate, candidate + 1))
    return out
