"""Blocks of a train span: stretches of it that are accounts of their own, so that none of them can carry the others."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from admf_ray.data.spans import Pieces, Stretch, bars_in, pieces_of
from admf_ray.errors import ConfigError
from admf_ray.optimize.objective import Choice
from admf_ray.portfolio.metrics import METRICS

__all__ = ["EARLIEST", "WORST_BLOCK", "blocks_of", "check_blocks", "lowest", "swept_spans", "worst_blocks"]

WORST_BLOCK = "worst_block"
"""Column of trials: the lowest objective of the blocks of the train span, NaN where it is not finite in all of them."""

EARLIEST = 4
"""Blocks after which a set can be pruned: behind in all of k blocks has a p-value of 2^-k, which is to be below 0.1."""

_FEWEST = 2
"""Bars of a block: with fewer no return has a deviation."""


def blocks_of(span: Stretch, count: int) -> list[Stretch]:
    """Cut a span into blocks that follow each other, all of the same length; the first ones get what is left over.

    Parameters
    ----------
    span : (int, int), or several such pieces
        Half-open, in bars; pieces are cut as if they were one span, so that a block can have several.
    count : int

    Examples
    --------
    >>> blocks_of((100, 110), 4)
    [(100, 103), (103, 106), (106, 108), (108, 110)]
    >>> blocks_of(((0, 3), (7, 10)), 2), blocks_of(((0, 2), (7, 11)), 2)
    ([(0, 3), (7, 10)], [((0, 2), (7, 8)), (8, 11)])
    """
    length, longer = divmod(bars_in(span), count)
    edges = [length * k + min(k, longer) for k in range(count + 1)]
    return [_cut(pieces_of(span), *block) for block in pairwise(edges)]


def _cut(pieces: Pieces, first: int, last: int) -> Stretch:
    """Give bars ``[first, last)`` of all that pieces hold."""
    found, before = list[tuple[int, int]](), 0
    for start, stop in pieces:
        begin, end = max(start, start + first - before), min(stop, start + last - before)
        if begin < end:
            found.append((begin, end))
        before += stop - start
    return tuple(found) if len(found) > 1 else found[0]


def check_blocks(spans: Sequence[Stretch], count: int) -> None:
    """Refuse to cut spans into blocks that are too short to have a result.

    Raises
    ------
    ConfigError
        With the arithmetic.
    """
    shortest = min(map(bars_in, spans))
    if shortest < _FEWEST * count:
        raise ConfigError(
            f"search.blocks: {count} blocks of a train span of {shortest} bars; allowed: at most "
            f"{max(1, shortest // _FEWEST)}, {_FEWEST} bars each"
        )


def swept_spans(spans: Sequence[Stretch], choice: Choice) -> tuple[list[Stretch], list[Stretch]]:
    """Give the spans that a sweep simulates to choose by train spans: those, and then their blocks where they decide.

    Returns
    -------
    swept, trained : list of Stretch
        The spans, and for each the train span that it is, or is a part of.

    Examples
    --------
    >>> swept_spans([(0, 4), (2, 6)], Choice("sharpe", 1, selection="worst_block", blocks=2))
    ([(0, 4), (2, 6), (0, 2), (2, 4), (2, 4), (4, 6)], [(0, 4), (2, 6), (0, 4), (0, 4), (2, 6), (2, 6)])
    """
    if choice.selection != WORST_BLOCK:
        return list(spans), list(spans)
    blocks = [(block, span) for span in spans for block in blocks_of(span, choice.blocks)]
    return [*spans, *(block for block, _ in blocks)], [*spans, *(span for _, span in blocks)]


def worst_blocks(metrics: npt.NDArray[np.float64], choice: Choice) -> npt.NDArray[np.float64]:
    """Give the lowest objective of the blocks of spans, NaN where one of them has none that is finite.

    Parameters
    ----------
    metrics : float64 array, shape [candidate, span x block, len(METRICS)]
        Of the blocks of one span after the other.
    choice : Choice

    Returns
    -------
    float64 array, shape [candidate, span]
    """
    formula = choice.formula
    scores = formula.value_for({name: metrics[:, :, METRICS.index(name)] for name in formula.names})
    return lowest(scores.reshape(len(metrics), -1, choice.blocks))


def lowest(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Give the lowest number along the last axis, NaN where one of them is not finite.

    Examples
    --------
    >>> lowest(np.array([[2.0, 1.0], [2.0, np.inf]])).tolist()
    [1.0, nan]
    """
    return np.where(np.isfinite(scores).all(axis=-1), scores.min(axis=-1), np.nan)
