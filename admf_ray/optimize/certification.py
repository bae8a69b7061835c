"""Certification: winners are simulated once more by the other engine, on the hosts, and must come out bit for bit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from admf_ray._types import ChunkDone, Executor, Observer
from admf_ray.core.records import FILL
from admf_ray.data.windows import Window
from admf_ray.engine.composition import Composition
from admf_ray.engine.event_driven import run_segment_in_container
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup
from admf_ray.errors import ReproductionError
from admf_ray.fingerprint import fingerprint_columns
from admf_ray.indicators import Hub
from admf_ray.optimize.search import Search
from admf_ray.optimize.selection import Chosen
from admf_ray.optimize.trials import Failed, undivided
from admf_ray.optimize.walk_forward import WindowOutcome
from admf_ray.plugins import activate, active_plugins

__all__ = ["certify", "rerun", "rerun_winner", "segment_fingerprint"]


def segment_fingerprint(segment: Segment) -> str:
    """Hash everything that a segment came to: ledger, equity, positions, metrics, regimes, shares of members."""
    return fingerprint_columns(
        {
            **{name: segment.fills[name] for name in FILL.names or ()},
            "equity": segment.equity,
            "position": segment.position,
            "metrics": np.array(list(segment.metrics.values())),
            "regimes": segment.regimes,
            "shares": np.empty(0) if segment.shares is None else segment.shares,
        }
    )


def rerun_winner(window: int, bundle: Mapping[str, Any]) -> str:
    """Simulate a window's winner over its test span by the engine of the bundle; what hosts call.

    Parameters
    ----------
    window : int
    bundle : mapping
        What `rerun` shares. Its ``winners`` have for each window (composition, rules, flat, rows, params, fitted,
        start, stop): of `admf_ray.engine.setup.Setup`, the composition by its names; and the span.

    Returns
    -------
    str
        Fingerprint.
    """
    activate(bundle["plugins"])
    run = run_segment_in_container if bundle["in_containers"] else run_segment
    names, rules, flat, rows, params, fitted, *span = bundle["winners"][window]
    setup = Setup(Composition.named(names), bundle["bars"], bundle["matrix"], rows, params, rules, flat, fitted)
    return segment_fingerprint(run(setup, *span))


def rerun(
    search: Search,
    hub: Hub,
    windows: Sequence[Window],
    chosen: Mapping[int, Chosen],
    executor: Executor,
    tell: Observer | None = None,
) -> tuple[dict[int, str], list[Failed]]:
    """Simulate the winners over their test spans by the engine that the search does not use, on the hosts.

    It comes before the tests themselves: what does harm there does it to a host.

    Parameters
    ----------
    search : Search
    hub : Hub
    windows : sequence of Window
    chosen : mapping of int to Chosen
        By window; none for cash.
    executor : Executor
    tell : callable, optional
        See `admf_ray._types.Executor.each`.

    Returns
    -------
    prints : dict of int to str
        Fingerprint of what each winner came to, by window.
    failures : list of Failed
        Winners that fail in their tests by both engines, in the order of the windows; of those that trade together the
        first one.

    Raises
    ------
    ReproductionError
        Names the window whose winner fails by the other engine only.
    """
    winners: dict[int, tuple[Any, ...]] = {}
    for window in windows:
        if window.index in chosen:
            setup = search.setup(hub, chosen[window.index].candidates, window.train)
            candidate = setup.rows, setup.params, setup.fitted
            names, account = setup.composition.names(), (setup.rules, setup.flat)
            winners[window.index] = (names, *account, *candidate, window.test_start, window.test_stop)

    def simulated(these: Sequence[int], engine: str) -> list[ChunkDone]:
        shared = executor.share(
            {
                "plugins": active_plugins(),
                "in_containers": engine == "event_driven",
                "bars": search.bars,
                "matrix": hub.matrix,
                "winners": {window: winners[window] for window in these},
            }
        )
        function = "admf_ray.optimize.certification:rerun_winner"
        return list(executor.each(function, these, shared, undivided, tell))

    other = "event_driven" if search.engine == "compiled" else "compiled"
    found = simulated(list(winners), other)
    doubtful = {done.chunk: done.failure for done in found if done.failure is not None}
    failures = []
    for done in sorted(simulated(sorted(doubtful), search.engine) if doubtful else (), key=lambda one: one.index):
        if done.failure is None:
            raise ReproductionError(
                f"the winner of window {done.chunk} fails in its test by the other engine only: "
                f"{doubtful[done.chunk].message}; no result of this run is to be believed"
            )
        fault = replace(done.failure, message=f"in the test of window {done.chunk}: {done.failure.message}")
        failures.append(Failed.of(replace(done, failure=fault), chosen[done.chunk].candidates[0], done.chunk))
    return {done.chunk: done.result for done in found if done.failure is None}, failures


def certify(outcomes: Sequence[WindowOutcome], prints: Mapping[int, str]) -> None:
    """Compare the tests of windows with what `rerun` found.

    Raises
    ------
    ReproductionError
        Names the windows whose winners came out otherwise.
    """
    found = {one.window.index: segment_fingerprint(one.test) for one in outcomes if one.test is not None}
    wrong = [window for window in found if prints[window] != found[window]]
    if wrong:
        raise ReproductionError(
            f"winners of windows {', '.join(map(str, wrong))} come out otherwise by the other engine; no result of "
            "this run is to be believed"
        )
