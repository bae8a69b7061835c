"""Certification: winners are simulated once more by the other engine, on the hosts, and must come out bit for bit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from admf_ray._types import Executor
from admf_ray.core.records import FILL
from admf_ray.engine.composition import Composition
from admf_ray.engine.event_driven import run_segment_in_container
from admf_ray.engine.result import Segment, run_segment
from admf_ray.engine.setup import Setup
from admf_ray.errors import ReproductionError
from admf_ray.fingerprint import fingerprint_columns
from admf_ray.indicators import Hub
from admf_ray.optimize.search import Search
from admf_ray.optimize.walk_forward import WindowOutcome
from admf_ray.plugins import activate, active_plugins

__all__ = ["certify", "rerun_winners", "segment_fingerprint"]


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


def rerun_winners(chunk: Sequence[tuple[Any, ...]], bundle: Mapping[str, Any]) -> list[str]:
    """Simulate winners by the engine of the bundle; what hosts call.

    Parameters
    ----------
    chunk : sequence of (composition, rules, flat, rows, params, fitted, start, stop)
        Of `admf_ray.engine.setup.Setup`, the composition by its names; and the span.
    bundle : mapping
        What `certify` shares.

    Returns
    -------
    list of str
        Fingerprints.
    """
    activate(bundle["plugins"])
    run = run_segment_in_container if bundle["in_containers"] else run_segment
    series = bundle["bars"], bundle["matrix"]
    return [
        segment_fingerprint(
            run(Setup(Composition.named(names), *series, rows, params, rules, flat, fitted), start, stop)
        )
        for names, rules, flat, rows, params, fitted, start, stop in chunk
    ]


def certify(search: Search, hub: Hub, outcomes: Sequence[WindowOutcome], executor: Executor) -> int:
    """Have the winners of windows simulated by the engine that the search did not use, wherever the executor computes.

    Returns
    -------
    int
        How many there were; all of them agree with their tests.

    Raises
    ------
    ReproductionError
        Names the windows whose winners came out otherwise.
    """
    tested = [(outcome, outcome.test) for outcome in outcomes if outcome.test is not None]
    wanted = []
    for outcome, _ in tested:
        assert outcome.chosen is not None
        setup = search.setup(hub, outcome.chosen.candidates, outcome.window.train)
        span = outcome.window.test_start, outcome.window.test_stop
        account = setup.rules, setup.flat
        wanted.append((setup.composition.names(), *account, setup.rows, setup.params, setup.fitted, *span))
    chunks = [wanted[first :: executor.workers] for first in range(min(executor.workers, len(wanted)))]
    shared = executor.share(
        {
            "plugins": active_plugins(),
            "in_containers": search.engine == "compiled",
            "bars": search.bars,
            "matrix": hub.matrix,
        }
    )
    found: dict[int, str] = {}
    for first, prints in enumerate(executor.map("admf_ray.optimize.certification:rerun_winners", chunks, shared)):
        found |= dict(zip(range(first, len(wanted), executor.workers), prints, strict=True))
    wrong = [outcome.window.index for k, (outcome, test) in enumerate(tested) if found[k] != segment_fingerprint(test)]
    if wrong:
        raise ReproductionError(
            f"winners of windows {', '.join(map(str, wrong))} come out otherwise by the other engine; no result of "
            "this run is to be believed"
        )
    return len(tested)
