"""Selection: which of the trials of a train span is tested.

The best objective of many trials is the luckiest one as well. A plateau is high where its neighbours are high, too; a
set whose worst block is good does not owe its result to one stretch of the span; several sets together need not all
have been lucky.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from admf_ray.engine.composition import MEMBER
from admf_ray.errors import CapacityError
from admf_ray.optimize.blocks import WORST_BLOCK
from admf_ray.optimize.objective import Choice, trial_status
from admf_ray.optimize.space import Candidates, Space
from admf_ray.optimize.trials import Leaders

__all__ = ["Chosen", "TrialColumns", "check_plateau", "neighbourhood_means", "select"]

MOST_DRAWN = 100_000
"""Sets that are no grid of which neighbourhoods are looked for: their number grows as the square of the sets."""

_NEAR = 1.0 + 1e-9
"""How far apart neighbours are, at most; the rest is for rounding."""

_APART = 2.0
"""Between sets of two members: more than between neighbours."""

_PAIRS = 4_000_000
"""Neighbours that are held at a time, about."""

Array = npt.NDArray[np.float64]

TrialColumns = Callable[[Sequence[str]], Mapping[str, Array]]
"""Gives columns of the trials of one span, by name, in the order of the candidates."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is chosen on a train span, and tested after it.

    Attributes
    ----------
    candidates : tuple of int
        The winner; with ``top_n`` all that are tested together, the best first.
    objective : float
        Of the first one, over the train span.
    score : float
        By which it was chosen: the objective itself, its mean over the neighbourhood, its lowest value in the blocks,
        or its mean over the candidates that are tested together.
    train : dict of str to float, or None
        Metrics of what is tested over the train span; None where the search did not keep them.
    """

    candidates: tuple[int, ...]
    objective: float
    score: float
    train: dict[str, float] | None


def select(
    choice: Choice,
    leaders: Leaders,
    columns: TrialColumns,
    candidates: Candidates,
    first: int = 0,
    space: Space | None = None,
) -> Chosen | None:
    """Choose among the trials of a span; of equal ones the lowest candidate.

    Parameters
    ----------
    choice : Choice
    leaders : Leaders
        Of the span.
    columns : TrialColumns
        Read only where the leaders do not say it all.
    candidates : Candidates
    first : int
        Number of the first one that was tried on this span.
    space : Space or None
        Out of which they are; None where they are a grid.

    Returns
    -------
    Chosen or None
        None where no candidate may win: cash.
    """
    if choice.selection in {"best", "top_n"}:
        return _of_leaders(leaders.ranked(choice, choice.top if choice.selection == "top_n" else 1))
    wanted = [WORST_BLOCK] if choice.selection == WORST_BLOCK else []
    known = columns([*dict.fromkeys([*choice.formula.names, "trades", *wanted])])
    scores = choice.scores(known)
    may_win = trial_status(scores, known["trades"], choice) == 0
    if not may_win.any():
        return None
    if choice.selection == WORST_BLOCK:
        by = known[WORST_BLOCK]
    else:
        # Whoever may not win pulls its neighbours down as far as the worst one that may: a peak beside sets that do not
        # even trade is none to be trusted.
        filled = np.where(may_win, scores, scores[may_win].min())
        by = neighbourhood_means(filled, candidates, first, space)
    by = np.where(may_win & np.isfinite(by), by, -np.inf)
    winner = int(np.argmax(by))
    if by[winner] == -np.inf:
        return None
    number = first + winner
    metrics = {candidate: own for candidate, _, own in leaders.within(number, number + 1).ranked(choice, 1)}
    return Chosen((number,), float(scores[winner]), float(by[winner]), metrics.get(number))


def _of_leaders(ranked: Sequence[tuple[int, float, dict[str, float]]]) -> Chosen | None:
    if not ranked:
        return None
    scores = [score for _, score, _ in ranked]
    train = ranked[0][2] if len(ranked) == 1 else None
    return Chosen(tuple(candidate for candidate, _, _ in ranked), scores[0], sum(scores) / len(scores), train)


def check_plateau(choice: Choice, sets: int, space: Space | None) -> None:
    """Refuse to look for neighbourhoods among more sets than that can be done for.

    Raises
    ------
    CapacityError
    """
    if choice.selection == "plateau" and space is not None and sets > MOST_DRAWN:
        raise CapacityError(
            f"search.selection: plateau of {sets:,} sets that are no grid; allowed: search=grid, or at most "
            f"search.trials={MOST_DRAWN}"
        )


def neighbourhood_means(values: Array, candidates: Candidates, first: int, space: Space | None) -> Array:
    """Give the mean of a value over each candidate and those beside it.

    Beside it are those that are at most one place away along every parameter: one value of a grid, or what
    `admf_ray.optimize.space.Dimension.coordinates` makes of one. Parameters that have one value do not count, nor do
    those that are not in play, sets of different members are never beside each other, and combinations that are no
    candidates have no say.

    Parameters
    ----------
    values : float64 array, shape [candidate]
    candidates : Candidates
    first : int
        Number of the candidate that the first value belongs to.
    space : Space or None
        None where the candidates are a grid.

    Examples
    --------
    >>> grid = Candidates(("fast",), (np.array([[5.0], [10.0], [20.0]]),), np.arange(3, dtype=np.int32))
    >>> neighbourhood_means(np.array([1.0, 3.0, 8.0]), grid, 0, None).tolist()
    [2.0, 4.0, 5.5]
    """
    if space is None:
        return _means_on_grid(values, candidates)
    sets = candidates.block(first, first + len(values))
    # What is not in play is the same for all of a member; those of two members are no neighbours.
    places = [
        np.nan_to_num(one.coordinates(sets[:, d])) * (_APART if one.parameter.name == MEMBER else 1.0)
        for d, one in enumerate(space.dimensions)
    ]
    return _means_of_near(values, np.stack(places, axis=1)) if places else values


def _means_on_grid(values: Array, candidates: Candidates) -> Array:
    """Add up neighbours along one axis after the other over all places of each product."""
    found, begin = np.empty(len(values)), 0
    for shape in candidates.shapes:
        end = begin + math.prod(shape)
        own = (begin <= candidates.places) & (candidates.places < end)
        places = candidates.places[own] - begin
        total, count = np.zeros(shape), np.zeros(shape)
        total.reshape(-1)[places] = values[own]
        count.reshape(-1)[places] = 1
        for axis, length in enumerate(shape):
            if length > 1:
                total, count = _threes(total, axis), _threes(count, axis)
        found[own] = total.reshape(-1)[places] / count.reshape(-1)[places]
        begin = end
    return found


def _threes(values: Array, axis: int) -> Array:
    """Give the sum of each place with the two beside it along an axis."""
    found = values.copy()
    into, out_of = np.moveaxis(found, axis, 0), np.moveaxis(values, axis, 0)
    into[1:] += out_of[:-1]
    into[:-1] += out_of[1:]
    return found


def _means_of_near(values: Array, places: Array) -> Array:
    """Find who is near whom with a tree, for as many at a time as can be held."""
    # It takes a while to load.
    from scipy.spatial import cKDTree

    tree = cKDTree(places)
    count = tree.query_ball_point(places, _NEAR, p=np.inf, return_length=True)
    ends = np.cumsum(count)
    total, first = np.empty(len(values)), 0
    while first < len(values):
        most = (ends[first - 1] if first else 0) + _PAIRS
        stop = max(first + 1, int(np.searchsorted(ends, most, side="right")))
        part = cKDTree(places[first:stop])
        near = part.sparse_distance_matrix(tree, _NEAR, p=np.inf, output_type="coo_matrix").tocsr()
        # Sums in the order of the candidates: whoever has the same neighbours has the same mean.
        near.data[:] = 1.0
        total[first:stop] = near @ values
        first = stop
    return np.asarray(total / count)
