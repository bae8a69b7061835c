"""The sweep: many candidates over many spans, metrics only."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from admf_ray.core.bars import FIELDS
from admf_ray.core.kernels import READ_F8_2D, READ_I4_1D, SIZING, STRATEGY, compiled, read_only, records
from admf_ray.core.records import ACCOUNT, HOLDING, LIMIT, RULES
from admf_ray.engine.composition import Composition, fits_of
from admf_ray.engine.kinds import Columns, Opening
from admf_ray.engine.setup import Setup, combined, spoken_targets, watched_regimes
from admf_ray.engine.simulate import Variant, simulate, withhold
from admf_ray.indicators import Hub
from admf_ray.plugins import activate
from admf_ray.portfolio.account import open_account, reopen_account
from admf_ray.portfolio.metrics import METRICS, measure
from admf_ray.risk.sizing import SIZINGS
from admf_ray.strategies import Strategy

__all__ = ["by_kind", "replayed", "run_chunk", "setup_of", "sweep"]

RunKind = Callable[
    [Composition, npt.NDArray[np.float64], npt.NDArray[np.int64], Mapping[str, Any]], npt.NDArray[np.float64]
]
"""Takes a composition, its candidates' parameters, the keys they read, and a bundle with their account."""


def _sweep(
    strategy: Any,
    sizing: Any,
    matrix: Any,
    session: Any,
    rows: Any,
    params: Any,
    state_size: int,
    begins: Any,
    pieces: Any,
    firsts: Any,
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

    The strategy runs once over the history for each candidate, from bar 0 on; each span is an account of its own, which
    starts flat in each of the span's pieces.

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
    pieces : int64 array, shape [piece, 2]
        Half-open, in bars; those of a span together and in order.
    firsts : int64 array, shape [span + 1]
        First piece of each span; the number of pieces last.
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
    stop = pieces[:, 1].max()
    targets = np.empty((symbols, stop))
    state = np.empty(symbols * state_size)
    account = np.empty(1, dtype=ACCOUNT)
    holdings = np.empty(symbols, dtype=HOLDING)
    for c in range(rows.shape[0]):
        state[:] = 0.0
        strategy(matrix, rows[c], session, params[c], state, 0, stop, targets)
        withhold(targets, begins)
        for w in range(firsts.shape[0] - 1):
            open_account(account[0], holdings, flat, rules[0].cash)
            bars = 0
            for p in range(firsts[w], firsts[w + 1]):
                if p > firsts[w]:
                    reopen_account(account[0], holdings, flat)
                simulate(
                    sizing,
                    matrix,
                    session,
                    targets,
                    limits,
                    rules,
                    pieces[p, 0],
                    pieces[p, 1],
                    pieces[p, 1],
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
                bars += account[0].bars
            account[0].bars = bars
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
        read_only(types.int64, 1),
        records(LIMIT, readonly=True),
        records(RULES, readonly=True),
        records(HOLDING, readonly=True),
        *variant.flag_types,
        read_only(types.int64, 2) if is_grouped else types.none,
        types.float64[:, :, ::1],
        types.float64[:, :, :, :, ::1] if is_grouped else types.none,
    )
    return compiled(signature)(_sweep)


@compiled(STRATEGY)
def replayed(matrix: Any, rows: Any, session: Any, params: Any, state: Any, start: int, stop: int, out: Any) -> None:
    """Targets that stand in the matrix: what has been decided before."""
    for s in range(rows.shape[0]):
        for t in range(start, stop):
            out[s, t] = matrix[rows[s, 0], t]


def setup_of(
    composition: Composition,
    candidate: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.int64],
    span: int,
    bundle: Mapping[str, Any],
) -> Setup:
    """Give one candidate of a bundle on its series.

    Parameters
    ----------
    composition : Composition
    candidate : float64 array, shape [parameter]
    wanted : int64 array, shape [symbol, slot]
    span : int
        Number of the span, for which classifiers are fitted.
    bundle : mapping
        As in `run_chunk`, of one kind of candidates.
    """
    fitted = tuple(fits[span] for fits in fits_of(composition, candidate, bundle["fits"]))
    return Setup(
        composition,
        bundle["bars"],
        bundle["matrix"],
        bundle["rows"][wanted],
        candidate,
        bundle["account"],
        bundle["flat"],
        fitted,
    )


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
        ``plugins``, ``columns`` (names of `Columns`), ``opening`` (`Opening`), ``matrix``, ``session``, ``pieces`` and
        ``firsts`` as in `_sweep`, and ``rows``, where the keys are in the matrix. Where the composition is not plain
        also ``bars`` and ``fits``. With ``bars``, ``keys`` and ``account_keys`` each candidate computes its own hub,
        and ``matrix`` is not read.

    Returns
    -------
    float64 array, shape [candidate, span, len(METRICS)]
    """
    return by_kind(params, wanted, bundle, _run_kind)


def by_kind(
    params: npt.NDArray[np.float64], wanted: npt.NDArray[np.int64], bundle: Mapping[str, Any], run: RunKind
) -> npt.NDArray[np.float64]:
    """Run the candidates of each kind together, and give what they come to in their own order.

    Parameters as in `run_chunk`; ``run`` gets the bundle with what `Opening.account` gives.

    Returns
    -------
    float64 array, shape [candidate, span, len(METRICS)]
    """
    activate(bundle["plugins"])
    columns, opening = Columns.named(bundle["columns"]), bundle["opening"]
    assert isinstance(opening, Opening)
    out = np.empty((len(params), len(bundle["firsts"]) - 1, len(METRICS)))
    for kind, numbers in columns.kinds(params):
        own, asked = params[numbers[:, np.newaxis], kind.params], wanted[numbers][:, :, kind.slots]
        out[numbers] = run(kind.composition, own, asked, {**bundle, **opening.account(kind)})
    return out


def _run_kind(
    composition: Composition,
    params: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.int64],
    bundle: Mapping[str, Any],
) -> npt.NDArray[np.float64]:
    if composition.is_plain:
        return _run_plain(composition.members[0].strategy, params, wanted, bundle)
    return _run_composed(composition, params, wanted, bundle)


def _swept(
    kernel: Any,
    params: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
    series: tuple[Any, Any],
    spans: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    state_size: int,
    out: npt.NDArray[np.float64],
    bundle: Mapping[str, Any],
) -> None:
    """Run the compiled sweep.

    ``series`` is the matrix with the flat holdings that name rows of it; ``spans`` are the pieces, and which are whose.
    """
    variant = Variant(*bundle["variant"])
    sweep(variant)(
        kernel,
        SIZINGS[bundle["sizing"]].kernel,
        series[0],
        bundle["session"],
        rows,
        params,
        state_size,
        bundle["begins"],
        *spans,
        bundle["limits"],
        bundle["rules"],
        series[1],
        *variant.flags,
        None,
        out,
        None,
    )


def _run_plain(
    strategy: Strategy, params: npt.NDArray[np.float64], wanted: npt.NDArray[np.int64], bundle: Mapping[str, Any]
) -> npt.NDArray[np.float64]:
    """Have the compiled sweep run the strategy's kernel itself."""
    slots, spans = len(strategy.inputs), (bundle["pieces"], bundle["firsts"])
    own = np.ascontiguousarray(params[:, : len(strategy.parameters)])
    state_size = max(strategy.state_size(tuple(candidate)) for candidate in own.tolist())
    out = np.empty((len(params), len(bundle["firsts"]) - 1, len(METRICS)))
    if "keys" not in bundle:
        rows = np.ascontiguousarray(bundle["rows"][wanted][:, :, :slots])
        _swept(strategy.kernel, own, rows, (bundle["matrix"], bundle["flat"]), spans, state_size, out, bundle)
        return out
    for candidate, asked in enumerate(wanted):
        hub = Hub(bundle["bars"])
        rows = hub.subscribe([bundle["keys"][index] for index in asked.reshape(-1)]).reshape(1, *asked.shape)
        flat = bundle["flat"].copy()
        for name, keys in bundle["account_keys"].items():
            flat[name] = hub.subscribe(keys)
        one = slice(candidate, candidate + 1)
        _swept(strategy.kernel, own[one], rows, (hub.matrix, flat), spans, state_size, out[one], bundle)
    return out


def _run_composed(
    composition: Composition,
    params: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.int64],
    bundle: Mapping[str, Any],
) -> npt.NDArray[np.float64]:
    """Work out the targets of each candidate, and have the compiled sweep simulate them out of a small matrix."""
    bars, pieces, firsts = bundle["bars"], bundle["pieces"], bundle["firsts"]
    symbols, stop, spans = len(bars.symbols), int(pieces[:, 1].max()), len(firsts) - 1
    flat, read = bundle["flat"].copy(), []
    for name in ("volatility_row", "atr_row"):
        if flat[name][0] >= 0:
            read += flat[name].tolist()
            flat[name] = symbols * len(FIELDS) + np.arange(len(read) - symbols, len(read))
    raw = bundle["matrix"][: symbols * len(FIELDS)]
    matrix = np.concatenate([raw, bundle["matrix"][read], np.full((symbols, len(bars)), np.nan)])
    targets = len(matrix) - symbols
    rows = np.arange(targets, len(matrix)).reshape(1, symbols, 1)
    out = np.empty((len(params), spans, len(METRICS)))
    nothing = np.empty((1, 0))
    # Fitted classifiers see each span with numbers of its own; else what is wanted is the same for all of them.
    parts = [(w, w + 1) for w in range(spans)] if composition.is_fitted else [(0, spans)]
    # What regimes there are depends on the parameters of the classifiers only.
    first = composition.watched(0)[1].start if composition.watches else params.shape[1]
    known: dict[tuple[int, bytes], npt.NDArray[np.int64]] = {}
    for c, candidate in enumerate(params):
        setup = setup_of(composition, candidate, wanted[c], 0, bundle)
        spoken = spoken_targets(setup, stop)
        for span, last in parts:
            if span:
                setup = setup_of(composition, candidate, wanted[c], span, bundle)
            key = span, candidate[first:].tobytes()
            if key not in known:
                known[key] = watched_regimes(setup, stop)
            matrix[targets:, :stop] = combined(setup, spoken, known[key]).targets
            part = pieces[firsts[span] : firsts[last]], firsts[span : last + 1] - firsts[span]
            _swept(replayed, nothing, rows, (matrix, flat), part, 0, out[c : c + 1, span:last], bundle)
    return out
