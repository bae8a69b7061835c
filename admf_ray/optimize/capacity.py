"""Whether a search fits the memory that there is: arithmetic, before anything is computed."""

import psutil

from admf_ray.core.bars import FIELDS
from admf_ray.errors import CapacityError
from admf_ray.optimize.batches import FIRST_CHUNK
from admf_ray.optimize.search import Search
from admf_ray.optimize.trials import BEST
from admf_ray.portfolio.metrics import METRICS

__all__ = ["check_memory"]

_EACH = 64
"""Bytes that are held of a candidate at most: its place, and while its trials are put together those of one window."""
_HOST = 140_000_000
"""Bytes that a host holds by itself once it has loaded what it computes with, as measured."""


def check_memory(search: Search, spans: int, hosts: int = 0, hard: float | None = None) -> None:
    """Refuse a search that does not fit the memory that is free, or a host of it what a host may hold.

    Of the driver hub and candidates are counted; trials are kept in files. Of a host what it holds by itself and what a
    chunk needs however small it is.

    Parameters
    ----------
    search : Search
    spans : int
    hosts : int
        That compute on this machine, beside the driver.
    hard : float, optional
        MB that a host may hold.

    Raises
    ------
    CapacityError
        With the arithmetic.
    """
    candidates, best = search.sets, min(search.sets, BEST)
    height, raw = search.plan.height, len(FIELDS) * search.requests.symbols
    if search.adaptive is not None:
        # The series of what wins each window.
        height = raw + (height - raw) * spans
    hub = height * len(search.bars) * 8
    needed = hub + candidates * _EACH + best * spans * len(METRICS) * 8
    free = psutil.virtual_memory().available
    if needed > free:
        raise CapacityError(
            f"strategy.space: {candidates:,} candidates of {_EACH} B, the best {best:,} of {spans} spans x "
            f"{len(METRICS)} metrics of 8 B, and a hub of {height:,} x {len(search.bars):,} of 8 B take "
            f"{needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free; allowed: fewer candidates or windows"
        )
    rows, chunk = _rows(search), min(candidates, FIRST_CHUNK)
    host = _HOST + rows * len(search.bars) * 8 + 2 * chunk * spans * len(METRICS) * 8
    arithmetic = (
        f"{_HOST / 1e6:.0f} MB by itself, {rows:,} rows x {len(search.bars):,} bars of 8 B, and twice {chunk} "
        f"candidates x {spans} spans x {len(METRICS)} metrics of 8 B"
    )
    if hard is not None and host > hard * 1e6:
        raise CapacityError(
            f"cluster.memory.hard: a host takes {arithmetic}, together {host / 1e6:,.0f} MB; {hard:g} MB are allowed; "
            "allowed: more of it, or fewer windows, symbols or bars"
        )
    # Hosts read the hub from the object store: one copy beside that of the driver.
    if hosts and needed + hub + hosts * host > free:
        raise CapacityError(
            f"cluster.workers: {hosts} hosts x {host / 1e6:,.0f} MB ({arithmetic}), the driver with "
            f"{needed / 1e6:,.0f} MB and a copy of the hub with {hub / 1e6:,.0f} MB take "
            f"{(needed + hub + hosts * host) / 1e9:.1f} GB; "
            f"{free / 1e9:.1f} GB are free; allowed: fewer workers"
        )


def _rows(search: Search) -> int:
    """Give the rows over all bars that a host makes for one candidate, at least."""
    symbols, composition = search.requests.symbols, search.composition
    # Where each study computes its own series, and where each candidate does.
    hub = search.plan.height if search.adaptive is not None else 0
    if search.isolated:
        hub += symbols * (len(FIELDS) + len(search.requests.slots))
    if composition.is_plain:
        return hub + symbols
    # Targets of every member and those that come of them, beside raw prices and what the rules of the account read.
    return hub + symbols * (len(composition.members) + 1 + len(FIELDS) + len(search.account_keys))
