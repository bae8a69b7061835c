"""Containers on a host: a pool for each kind, and what lives in it."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from admf_ray.containers import SERVICES_OF, ContainerPool, ScopedContainer
from admf_ray.engine.composition import Composition
from admf_ray.engine.event_driven import BOOK, Market, container_spec
from admf_ray.engine.setup import Setup
from admf_ray.engine.sweep import by_kind, setup_of
from admf_ray.errors import CapacityError
from admf_ray.portfolio.metrics import METRICS, measure

__all__ = ["check_containers", "live_containers", "pool_of", "run_chunk"]

_NUMBERS = count(1)
_POOLS: dict[tuple[Any, ...], tuple[ContainerPool, int]] = {}
"""Each with the number of its containers, those nested in them included; the one that was used last stands last."""


def check_containers(composition: Composition, most: int) -> None:
    """Refuse a composition that takes more containers at once than a host may keep.

    Raises
    ------
    CapacityError
        With the arithmetic.
    """
    kinds = Counter(spec.kind for spec in container_spec({BOOK: composition}).family())
    if kinds.total() > most:
        shown = " + ".join(f"{number} {kind}" for kind, number in kinds.items())
        raise CapacityError(
            f"cluster.max_containers: {composition.name} takes {shown} = {kinds.total()} containers at once on each "
            f"host; {most} are allowed; allowed: more of them, or fewer strategies and classifiers"
        )


def pool_of(composition: Composition, most: int | None = None) -> ContainerPool:
    """Give this process's pool of containers that run a composition; made where there is none.

    Parameters
    ----------
    composition : Composition
    most : int, optional
        Containers that all pools together keep: those that were not used for longest are closed.
    """
    names = composition.names()
    if names not in _POOLS:
        spec = container_spec({BOOK: composition})
        pool = ContainerPool(
            lambda container_id: ScopedContainer(spec, container_id, errors="raise", policy=SERVICES_OF),
            1,
            name=f"host-{os.getpid()}-{next(_NUMBERS)}",
        )
        _POOLS[names] = pool, sum(1 for _ in spec.family())
    _POOLS[names] = _POOLS.pop(names)
    while most is not None and len(_POOLS) > 1 and sum(size for _, size in _POOLS.values()) > most:
        _POOLS.pop(next(iter(_POOLS)))[0].close()
    return _POOLS[names][0]


def live_containers() -> list[dict[str, Any]]:
    """Say which containers live in the pools of this process.

    Returns
    -------
    list of dict
        ``id``, ``pattern`` (what the container runs), ``state``, ``uses`` (candidates and spans so far), ``events``
        (published so far, those of nested containers included) and ``memory`` (bytes that observers keep).
    """
    return [row for pool, _ in _POOLS.values() for row in pool.rows()]


def run_chunk(
    params: npt.NDArray[np.float64], wanted: npt.NDArray[np.int64], bundle: Mapping[str, Any]
) -> npt.NDArray[np.float64]:
    """Simulate a chunk of candidates on a host, each over each span, in a container out of the pool.

    Parameters
    ----------
    params : float64 array, shape [candidate, parameter]
    wanted : int64 array, shape [candidate, symbol, slot]
        Which keys each candidate reads.
    bundle : mapping
        As in `admf_ray.engine.sweep.run_chunk`, with what compositions need that are not plain; ``max_containers``,
        where it is there, that the pools of this process keep.

    Returns
    -------
    float64 array, shape [candidate, span, len(METRICS)]
    """
    return by_kind(params, wanted, bundle, _run_kind)


def _run_kind(
    composition: Composition,
    params: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.int64],
    bundle: Mapping[str, Any],
) -> npt.NDArray[np.float64]:
    pool = pool_of(composition, bundle.get("max_containers"))
    firsts = bundle["firsts"].tolist()
    out = np.empty((len(params), len(firsts) - 1, len(METRICS)))
    for c, candidate in enumerate(params):
        for w, (first, last) in enumerate(pairwise(firsts)):
            setup = setup_of(composition, candidate, wanted[c], w, bundle)
            account = _path(pool, f"candidate {c}", setup, bundle["pieces"][first:last].tolist())
            measure(account[0], bundle["rules"][0], out[c, w])
    return out


def _path(pool: ContainerPool, name: str, setup: Setup, pieces: Sequence[tuple[int, int]]) -> npt.NDArray[Any]:
    """Run one account through pieces, flat at the beginning of each; give the `ACCOUNT` array at the end."""
    account, bars = None, 0
    for start, stop in pieces:
        with pool.container(f"{name} over bars {start} to {stop}") as container:
            market = Market(container)
            market.begin({BOOK: setup}, (start, stop))
            state = market.books[BOOK].account
            if account is not None:
                state.go_on(account)
            market.run((start, stop))
            account = state.account
        bars += int(account["bars"][0])
    assert account is not None
    account["bars"] = bars
    return account
