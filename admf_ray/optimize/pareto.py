"""Pareto fronts: what nothing else is better than in every respect."""

import numpy as np
import numpy.typing as npt

__all__ = ["pareto_front"]

_BLOCK = 256


def pareto_front(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Give the points that no other dominates: none is at least as high in all objectives and higher in one.

    Two objectives take one sort (Kung, Luccio and Preparata, On finding the maxima of a set of vectors, 1975); more are
    compared block by block with the front so far.

    Parameters
    ----------
    values : float64 array, shape [point, objective]
        Finite; all are maximized.

    Returns
    -------
    int64 array, shape [point of the front]
        Ascending; of equal points all or none.

    Examples
    --------
    >>> pareto_front(np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0], [2.0, 2.0], [3.0, 0.0]])).tolist()
    [0, 1, 3, 4]
    """
    if len(values) == 0:
        return np.empty(0, dtype=np.int64)
    if values.shape[1] == 1:
        return np.flatnonzero(values[:, 0] == values[:, 0].max())
    return np.sort(_in_two(values) if values.shape[1] == 2 else _in_several(values))


def _in_two(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Go down the first objective: on the front is who is higher in the second than all before."""
    order = np.lexsort((-values[:, 1], -values[:, 0]))
    first, second = values[order].T
    starts = np.flatnonzero(np.concatenate([[True], first[1:] != first[:-1]]))
    # Within equals in the first objective the highest in the second comes first.
    tops = second[starts]
    before = np.concatenate([[-np.inf], np.maximum.accumulate(tops)[:-1]])
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    return np.asarray(order[(second == tops[group]) & (tops > before)[group]])


def _in_several(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    ranks = np.stack([np.unique(column, return_inverse=True)[1] for column in values.T], axis=1)
    # Who dominates another has the higher sum of ranks, so that nothing later dominates what is on the front.
    order = np.argsort(-ranks.sum(axis=1), kind="stable")
    front = order[:0]
    for first in range(0, len(order), _BLOCK):
        block = order[first : first + _BLOCK]
        block = block[~_dominated(ranks[block], ranks[front])]
        front = np.concatenate([front, block[~_dominated(ranks[block], ranks[block])]])
    return front


def _dominated(ranks: npt.NDArray[np.int64], by: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Say which points one of others dominates, shape [point]."""
    is_below = np.ones((len(ranks), len(by)), dtype=np.bool_)
    is_lower = np.zeros_like(is_below)
    for own, others in zip(ranks.T, by.T, strict=True):
        is_below &= own[:, np.newaxis] <= others
        is_lower |= own[:, np.newaxis] < others
    return np.asarray((is_below & is_lower).any(axis=1))
