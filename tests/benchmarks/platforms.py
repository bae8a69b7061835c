"""Other platforms on the same sets: what they are given, how they are run, and their time over ours."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from admf_ray import load_bars
from admf_ray.cluster.ray_executor import RayExecutor
from admf_ray.core.records import Boundary, FillPolicy
from admf_ray.engine.spec import AccountRules
from admf_ray.optimize import Choice, axis_values, expand_grid, plan_search
from admf_ray.optimize.trials import sweep_chunk
from admf_ray.portfolio.metrics import METRICS
from admf_ray.strategies import STRATEGIES
from tests.benchmarks.harness import Once, Reading, Unmeasured, row

__all__ = ["APART", "COSTS", "MARKED", "PEERS", "Sets", "crossings", "run_peer"]

REPOSITORY = Path(__file__).parents[2]
PEERS = REPOSITORY / ".venv-peers" / "peers.stamp"
"""Is there once the peers are installed."""
APART = REPOSITORY / ".venv-nautilus" / "peers.stamp"
"""The same of NautilusTrader, which takes no pandas that vectorbt takes."""
SCRIPTS = Path(__file__).parent / "peers"
ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Sets:
    """The sets as we sweep them (``bundle``) and as a peer is given them (``exchanged``)."""

    bundle: dict[str, Any]
    exchanged: dict[str, Any]

    def __len__(self) -> int:
        return len(self.bundle["places"])

    @property
    def units(self) -> int:
        """Bars times sets."""
        return len(self) * len(self.exchanged["close"])

    def sampled(self, count: int) -> dict[str, Any]:
        """What a slow peer is given: so many of the pairs, evenly spaced."""
        return self.exchanged | {"pairs": self.exchanged["pairs"][self.indices(count)]}

    def indices(self, count: int) -> Any:
        return np.linspace(0, len(self) - 1, count).astype(np.int64)

    def metrics(self) -> dict[str, Any]:
        """Our results, by name of the metric."""
        return {name: column[0] for name, column in sweep_chunk((0, len(self)), self.bundle).columns.items()}


def crossings(rules: AccountRules) -> Sets:
    """4,950 SMA crosses on the S&P 500 daily, one span from the first bar to the last."""
    bars = load_bars("sp500", min_history_bars=0)
    strategy = STRATEGIES["sma_cross"]
    space = {"fast": axis_values(2, 198, 2, "fast"), "slow": axis_values(4, 200, 2, "slow")}
    search = plan_search(bars, strategy, expand_grid(strategy, {}, space), rules)
    hub = search.hub()
    wanted = search.requests.wanted(search.candidates, 0, len(search.candidates))
    averages, pairs = np.unique(search.rows(hub)[wanted], return_inverse=True)
    exchanged = {name: getattr(bars, name)[0] for name in ("open", "high", "low", "close", "volume")} | {
        "known_at": bars.known_at,
        "periods_per_year": bars.periods_per_year,
        "averages": hub.matrix[averages],
        "pairs": pairs.reshape(-1, 2),
        "cash": rules.cash,
        "lot": rules.lot,
        "commission": rules.commission_bps / 1e4,
        "slippage": rules.slippage_bps / 1e4,
    }
    return Sets(search.bundle(hub, [(0, len(bars))], Choice("sharpe", 1), METRICS), exchanged)


def install_peers(stamp: Path = PEERS) -> None:
    """Bring the environment of a stamp up to date.

    Raises
    ------
    Unmeasured
        With the last thing that was said.
    """
    command = ["make", f"PYTHON={sys.executable}", str(stamp.relative_to(REPOSITORY))]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unmeasured(f"the peers cannot be installed: {last_line(done.stderr)}")


def run_peer(script: str, exchanged: dict[str, Any], stamp: Path = PEERS) -> dict[str, Any]:
    """Run a script of `peers` in the Python of a stamp's environment, on one thread; give what it wrote.

    Raises
    ------
    Unmeasured
        With the last thing that it said.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder) / "sets.npz", Path(folder) / "results.npz"
        np.savez(given, **exchanged)
        command = [str(stamp.parent / "bin" / "python"), str(SCRIPTS / script), str(given), str(written)]
        done = subprocess.run(
            command,
            env=environment | dict.fromkeys(ONE_THREAD, "1"),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unmeasured(f"{script} failed: {last_line(done.stderr)}")
        with np.load(written) as arrays:
            return {name: array if array.ndim else array.item() for name, array in arrays.items()}


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def seconds(sweep: Callable[[], Any]) -> float:
    began = time.perf_counter()
    sweep()
    return time.perf_counter() - began


def two_cores(sets: Sets) -> float:
    """Seconds of a sweep on two hosts that have swept before: a chunk each, as it takes a twentieth of a second."""
    edges = np.linspace(0, len(sets), 3).astype(int).tolist()
    with RayExecutor(workers=2) as executor:
        shared = executor.share(sets.bundle)
        sweep = partial(executor.map, "admf_ray.optimize.trials:sweep_chunk", list(pairwise(edges)), shared)
        sweep()
        return statistics.median(seconds(sweep) for _ in range(9))


@dataclass(frozen=True, eq=False)
class Comparison:
    """One peer, and the settings that both it and we can express; itself and no other, so that runs are remembered.

    Attributes
    ----------
    name : str
    script : str
    rules : AccountRules
    note : str
        What differs.
    sample : int or None
        So many of the sets, evenly spaced, where it is slow; its time is then scaled by sets.
    options : tuple of (str, value)
        For the script.
    stamp : Path
        Of the environment that it is installed in.
    """

    name: str
    script: str
    rules: AccountRules
    note: str
    sample: int | None = None
    options: tuple[tuple[str, Any], ...] = ()
    stamp: Path = PEERS


@cache
def measured(peer: Comparison, run: int) -> dict[str, Any]:
    """Nanoseconds per bar and set of the peer, of ours on one core and on two, and what they are beside.

    Ours is the median of runs before and after the peer's, so that both see the same machine.
    """
    sets = crossings(peer.rules)
    sample = peer.sample or len(sets)
    one = [seconds(sets.metrics) for _ in range(5)]
    theirs = run_peer(peer.script, sets.sampled(sample) | dict(peer.options), peer.stamp)
    one += [seconds(sets.metrics) for _ in range(5)]
    nanoseconds = {
        "peer": theirs["seconds"] / sample * len(sets) / sets.units * 1e9,
        "one": statistics.median(one) / sets.units * 1e9,
    }
    if peer.sample is None:
        nanoseconds["two"] = two_cores(sets) / sets.units * 1e9
    return nanoseconds | {"agreement": agreement(sets, theirs, sample), "version": theirs["version"]}


def agreement(sets: Sets, theirs: dict[str, Any], sample: int) -> str:
    ours, chosen = sets.metrics(), sets.indices(sample)
    close = np.isclose(1.0 + theirs["total_return"], 1.0 + ours["total_return"][chosen], rtol=1e-9, atol=0.0)
    told = f"{close.sum():,} of {sample:,} total returns agree to 1e-9"
    if "trades" in theirs:
        told += f", {(theirs['trades'] == ours['trades'][chosen]).sum():,} trade counts"
    return told


def over_ours(peer: Comparison, cores: str) -> Callable[[], Once]:
    def prepare() -> Once:
        install_peers(peer.stamp)
        runs = count()

        def once() -> Reading:
            one = measured(peer, next(runs))
            told = f"version {one['version']}: {one['peer']:,.0f} ns per bar and set, ours {one[cores]:.2f}; "
            sampled = f"; a sample of {peer.sample} of 4,950 sets" if peer.sample else ""
            return Reading(one["peer"] / one[cores], f"{told}{one['agreement']}{sampled}. {peer.note}")

        return once

    return prepare


COSTS = AccountRules(fill=FillPolicy.CLOSE, commission_bps=1.0, slippage_bps=2.0)
MARKED = AccountRules(fill=FillPolicy.CLOSE, boundary=Boundary.MARK, commission_bps=1.0)
SAME = "Whole shares, commission, slippage, filled at the close, closed on the last bar: the same in both."
LAST = "Whole shares, commission, filled at the close; an order of the last bar it never fills."
VECTORBT = (
    Comparison(
        "vectorbt in one call",
        "sweep_vectorbt.py",
        COSTS,
        f"{SAME} All columns at once, numba.",
        options=(("engine", "numba"), ("block", 4_950)),
    ),
    Comparison(
        "vectorbt at its fastest",
        "sweep_vectorbt.py",
        COSTS,
        f"{SAME} 75 columns at a time, its Rust extra: the fastest of several ways.",
        options=(("engine", "rust"), ("block", 75)),
    ),
)
BACKTESTING = Comparison("backtesting.py optimize", "optimize_backtesting.py", MARKED, LAST, 200)
BACKTRADER = Comparison("backtrader", "run_backtrader.py", MARKED, LAST, 20)
PYBROKER = Comparison(
    "PyBroker",
    "run_pybroker.py",
    replace(MARKED, fill=FillPolicy.NEXT_OPEN),
    "Whole shares, commission, filled at the next open; it sets no commission aside, so that it buys a share more at "
    "times and its cash falls below 0 (without commission all agree).",
    20,
)
NAUTILUS = Comparison(
    "NautilusTrader",
    "run_nautilus.py",
    MARKED,
    "Whole shares, commission, filled at the close, also of the last bar: the same in both. Its log and its analysis "
    "of results are off, and its bars are made before.",
    20,
    stamp=APART,
)

for _peer in VECTORBT:
    row(f"{_peer.name} over ours, 4,950 sets, one core", "x", runs=3, bar=120, at_least=True)(over_ours(_peer, "one"))
    row(f"{_peer.name} over ours, 4,950 sets, two cores", "x", runs=3, bar=200, at_least=True)(over_ours(_peer, "two"))
row(f"{BACKTESTING.name} over ours, one core", "x", runs=3, bar=1_000, at_least=True)(over_ours(BACKTESTING, "one"))
for _peer in (PYBROKER, BACKTRADER, NAUTILUS):
    row(f"{_peer.name} over ours, one core", "x", runs=3)(over_ours(_peer, "one"))
